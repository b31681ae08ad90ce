/**
 * What an answer about a name says of the connections that belong to it, so that one wish is one question:
 *
 * - A person who lets a program look a name up has answered for the connection that follows. For a minute the same process
 *   may connect to an address that a configured server gave it for that very name, over the first port that it uses.
 * - A person who refuses a connection to a name has refused its other addresses too, which programs try one after the other.
 *   For ten seconds the same process is refused each of them once, on the same port, without another question.
 *
 * What lasts longer is only what the rule of the answer says. Rules go first, in both directions.
 */
import type { BootNs, Owner, RuleAction } from '../contract/vocabulary.ts';
import { programKey } from '../flow/names.ts';
import { SharedTable } from '../flow/shared-table.ts';
import type { SharedLimits } from '../flow/shared-table.ts';
import type { Ask } from '../ports.ts';
import { isLookup } from '../prompt/question.ts';

/** Processes. */
export const FOLLOW_UP_LIMITS: SharedLimits = { total: 1024, perUser: 128, kept: 16 };
/** Names that one process may have been answered for; the oldest leaves. */
export const NAMES_OF_PROCESS = 16;
const ALLOWED_NS = 60_000_000_000n;
const REFUSED_NS = 10_000_000_000n;
const TCP = 6;
const UDP = 17;
const DNS_PORT = 53;

/** Did an answer to this program's own question give `address` for `name`, and does it still hold? */
export type Gave = (owner: Owner, name: string, address: string, nowNs: BootNs) => boolean;

interface Answered {
  readonly name: string;
  readonly action: RuleAction;
  readonly untilNs: BootNs;
  /** The name server, for a lookup that was allowed. */
  readonly server: string | null;
  /** The port of the first connection; null before it. */
  port: number | null;
  /** Addresses that were refused already: who tries one again is asked again. */
  readonly refused: Set<string>;
}

function processKey({ pid, startNs, executable, uid }: Owner): string {
  return `${String(pid)} ${String(startNs)} ${programKey(executable, uid)}`;
}

export class FollowUps {
  readonly #gave: Gave;
  readonly #processes: SharedTable<Map<string, Answered>>;

  constructor(gave: Gave, limits: SharedLimits = FOLLOW_UP_LIMITS) {
    this.#gave = gave;
    this.#processes = new SharedTable(limits);
  }

  /** A person has answered for this flow, in a prompt about `name`. */
  answered({ attribution: { owner }, tuple, dnsQuestion }: Ask, action: RuleAction, name: string, nowNs: BootNs): void {
    const lookup = isLookup(tuple, dnsQuestion);
    // A refused lookup has no connection that follows; and one connection that was allowed is one.
    if (owner === null || owner.pid === 0 || lookup !== (action === 'allow')) return;
    const key = processKey(owner);
    const names = new Map([...this.#processes.get(owner.uid, key) ?? []].filter(([, { untilNs }]) => untilNs > nowNs));
    const before = names.get(name);
    const same = before?.action === action && before.port === tuple.destinationPort ? before : null;
    names.delete(name);
    names.set(name, lookup
      ? { name, action, untilNs: nowNs + ALLOWED_NS, server: tuple.destinationAddress, port: null, refused: new Set() }
      : {
          name, action, untilNs: nowNs + REFUSED_NS, server: null, port: tuple.destinationPort,
          refused: new Set([...same?.refused ?? [], tuple.destinationAddress]),
        });
    const [oldest = ''] = names.keys();
    if (names.size > NAMES_OF_PROCESS) names.delete(oldest);
    this.#processes.set(owner.uid, key, names);
  }

  /** What such an answer says of this flow; null where it says nothing. */
  actionFor(ask: Ask, nowNs: BootNs): RuleAction | null {
    const { attribution: { owner }, tuple: { protocol }, answersPeer, origin } = ask;
    if (owner === null || answersPeer || origin !== 'process' || (protocol !== TCP && protocol !== UDP)) return null;
    for (const answered of this.#processes.get(owner.uid, processKey(owner))?.values() ?? []) {
      if (answered.untilNs > nowNs && this.#follows(answered, owner, ask, nowNs)) return answered.action;
    }
    return null;
  }

  #follows(answered: Answered, owner: Owner, { tuple, dnsQuestion }: Ask, nowNs: BootNs): boolean {
    const { destinationAddress, destinationPort, protocol } = tuple;
    if (destinationPort === DNS_PORT) {
      // A long answer is fetched over TCP: the same question to the same server. Source: RFC 7766 5.
      return protocol === TCP && dnsQuestion === null && destinationAddress === answered.server;
    }
    if (answered.port !== null && answered.port !== destinationPort) return false;
    if (answered.refused.has(destinationAddress)) return false;
    if (!this.#gave(owner, answered.name, destinationAddress, nowNs)) return false;
    answered.port = destinationPort;
    if (answered.action !== 'allow') answered.refused.add(destinationAddress);
    return true;
  }
}
