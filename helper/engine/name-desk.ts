/**
 * From copies of DNS messages to names. Only an answer counts that one of the configured servers gave, on the socket that
 * asked, to a question of the last seconds; all else is ignored and counted. Nothing is ever sent to look a name up.
 */
import type { BootNs, KnownName, Owner } from '../contract/vocabulary.ts';
import { DnsStreams } from '../flow/dns-streams.ts';
import { QuestionTable } from '../flow/dns-questions.ts';
import type { Exchange } from '../flow/dns-questions.ts';
import { NameTable, programKey } from '../flow/names.ts';
import type { Asker } from '../flow/names.ts';
import { isLookup } from '../prompt/question.ts';
import type { Ask, DnsContent, DnsMessage, DnsReader, ResolverConfig, Users } from '../ports.ts';

const TCP = 6;
const DNS_PORT = 53;
/** Source: systemd, "Users, Groups, UIDs and GIDs": below 1000 system users, then those of DynamicUser=, then nobody. */
const FIRST_ORDINARY_UID = 1000;
const DYNAMIC_UIDS = { first: 61_184, last: 65_519 } as const;
const NOBODY = 65_534;
/** From here on a user may own thousands of uids for containers. Source: subuid(5), login.defs(5) SUB_UID_MIN. */
const FIRST_SUBORDINATE_UID = 65_536;
/** The one share of all those that are no users of this machine. */
const STRANGERS = -1;
/** Messages of one share that are read in one second: nobody keeps the engine from deciding by asking names without end. */
export const MESSAGES_PER_SECOND = 2000;
const NS_PER_S = 1_000_000_000n;

export interface NameParts {
  readonly read: DnsReader;
  readonly resolver: ResolverConfig;
}

export interface NameCounts {
  /** Answers whose names were taken. */
  readonly answers: number;
  /** Messages that were left out: malformed, truncated, of another server, of nobody's asking, too late. */
  readonly ignored: number;
  /** Names, questions and connections that a limit pushed out, and messages that came too fast. */
  readonly lost: number;
  /** Names known now. */
  readonly names: number;
}

/** uids of services, among them every resolver that asks on behalf of others. */
function isSystem(uid: number): boolean {
  return uid < FIRST_ORDINARY_UID || (uid >= DYNAMIC_UIDS.first && uid <= DYNAMIC_UIDS.last) || uid === NOBODY;
}

function programOf(owner: Owner | null): string | null {
  return owner === null ? null : programKey(owner.executable, owner.uid);
}

export class NameDesk {
  readonly #parts: NameParts;
  readonly #users: Users;
  readonly #names = new NameTable();
  readonly #questions = new QuestionTable();
  readonly #streams = new DnsStreams();
  /** Messages of each share in the second `#second`. */
  readonly #read = new Map<number, number>();
  #second: BootNs = 0n;
  #answers = 0;
  #ignored = 0;
  #overRate = 0;

  constructor(parts: NameParts, users: Users) {
    this.#parts = parts;
    this.#users = users;
  }

  get counts(): NameCounts {
    return {
      answers: this.#answers,
      ignored: this.#ignored,
      lost: this.#names.lost + this.#questions.lost + this.#streams.lost + this.#overRate,
      names: this.#names.size,
    };
  }

  /** Messages in the order in which they passed. */
  take(messages: readonly DnsMessage[]): void {
    for (const message of messages) this.#take(message);
  }

  /**
   * Names that the flow may have come from, the likeliest first: what the query asks for, if it is one; else what was asked
   * for the address that it goes to.
   */
  namesOf({ attribution: { owner }, tuple, dnsQuestion, origin }: Ask, nowNs: BootNs): readonly KnownName[] {
    if (dnsQuestion !== null && isLookup(tuple, dnsQuestion)) return [{ name: dnsQuestion, source: 'program' }];
    // Names of this machine say nothing about what another one, or a container, means by an address.
    if (origin === 'forwarded') return [];
    const address = tuple.destinationAddress;
    const hosts = this.#parts.resolver.hostNames(address);
    if (hosts.length === 0 && this.#names.size === 0) return [];
    return this.#names.namesFor(programOf(owner), address, hosts, nowNs);
  }

  /** Did this very program ask for `name` and get `address`, as far as the answer's TTL goes? */
  gave(owner: Owner, name: string, address: string, nowNs: BootNs): boolean {
    return this.#names.gave(programKey(owner.executable, owner.uid), name, address, nowNs);
  }

  #take(message: DnsMessage): void {
    if (message.serverPort !== DNS_PORT || !this.#parts.resolver.isServer(message.serverAddress)) {
      this.#ignored += 1;
      return;
    }
    const budget = this.#budget(message.uid);
    if (!this.#withinRate(budget, message.timeNs)) {
      this.#overRate += 1;
      return;
    }
    if (message.protocol !== TCP) {
      this.#readWhole(message, message.payload);
      return;
    }
    const { cookie, serverAddress, localPort, direction, sequence, payload, timeNs } = message;
    const connection = [String(cookie), serverAddress, String(localPort)].join(' ');
    const whole = this.#streams.take(budget, { connection, direction, sequence, payload, timeNs });
    for (const bytes of whole) this.#readWhole(message, bytes);
  }

  #readWhole(message: DnsMessage, bytes: Uint8Array): void {
    const content = this.#parts.read(bytes);
    const right = typeof content !== 'string' && content.isAnswer === (message.direction === 'received');
    if (!right || !this.#settle(message, content)) this.#ignored += 1;
  }

  /** False for a question without an owner and an answer without a question. */
  #settle(message: DnsMessage, content: DnsContent): boolean {
    const { protocol, serverAddress, serverPort, localPort, cookie, timeNs } = message;
    const { id, name, type } = content;
    const exchange: Exchange = { protocol, serverAddress, serverPort, localPort, cookie, id, name, type };
    if (message.direction === 'sent') {
      if (message.pid === 0) return false;
      this.#questions.ask(exchange, this.#asker(message), timeNs);
      return true;
    }
    const asker = this.#questions.answer(exchange, timeNs);
    if (asker === null) return false;
    this.#answers += 1;
    this.#names.record(asker, name, content.addresses, timeNs);
    return true;
  }

  #asker({ executable, uid }: DnsMessage): Asker {
    return { executable, uid, budget: this.#budget(uid), system: isSystem(uid) };
  }

  #withinRate(budget: number, timeNs: BootNs): boolean {
    const second = timeNs / NS_PER_S;
    if (second !== this.#second) this.#read.clear();
    this.#second = second;
    const count = (this.#read.get(budget) ?? 0) + 1;
    this.#read.set(budget, count);
    return count <= MESSAGES_PER_SECOND;
  }

  #budget(uid: number): number {
    return uid < FIRST_SUBORDINATE_UID || this.#users.name(uid) !== String(uid) ? uid : STRANGERS;
  }
}
