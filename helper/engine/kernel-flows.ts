/**
 * Connections that the kernel decided by itself become flows of the history, and those that were asked about get their end and
 * what they moved. Many come at once: a part of them each turn, so that what is held does not wait, and what is too much is
 * counted and left out.
 */
import type { Attribution, Decision, Owner } from '../contract/vocabulary.ts';
import type { FlowEnd, FlowRecord } from '../engine-api.ts';
import { programKey } from '../flow/names.ts';
import type { Ask, FlowEvent, Identities, Logger } from '../ports.ts';
import { Alarm } from './alarm.ts';
import type { EngineDeps } from './deps.ts';
import type { FlowLog } from './flow-log.ts';
import type { HitSlots } from './hit-slots.ts';
import type { Lineage } from './lineage.ts';

/** Events of one turn, and that wait for theirs. */
export const TURN_EVENTS = 256;
export const WAITING_EVENTS = 8192;
/** Processes that are looked at anew in a second: each costs system calls. Over it a flow has no lineage. */
const LOOKS_PER_SECOND = 200;
const KNOWN_LIMIT = 1024;
const KNOWN_NS = 1_000_000_000n;
const NS_PER_MS = 1_000_000n;

export interface KernelFlowsOptions {
  readonly deps: Pick<EngineDeps, 'clock' | 'schedule'> & { readonly identities: Pick<Identities, 'identify'>; readonly logger: Logger };
  readonly log: FlowLog;
  readonly slots: HitSlots;
  readonly lineage: Pick<Lineage, 'attribute'>;
  /** What came of one turn: new flows, and what ended of earlier ones. */
  onFlows(flows: readonly FlowRecord[], ends: readonly FlowEnd[], ended: readonly FlowRecord[]): void;
}

/** Of a process, without its socket. */
type Known = Omit<Attribution, 'owner'>;

function processKey({ pid, startNs, executable, uid }: Owner): string {
  return `${String(pid)} ${String(startNs)} ${programKey(executable, uid)}`;
}

export class KernelFlows {
  readonly #options: KernelFlowsOptions;
  readonly #alarm: Alarm;
  readonly #known = new Map<string, { readonly who: Known; readonly untilNs: bigint }>();
  readonly #waiting: FlowEvent[] = [];
  #lost = 0;
  #looks = { second: 0n, count: 0 };

  constructor(options: KernelFlowsOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.deps.schedule, () => { this.#turn(); });
  }

  /** Connections that were not recorded, because too many came at once. */
  get lost(): number {
    return this.#lost;
  }

  /** In the order in which they came. */
  take(events: readonly FlowEvent[]): void {
    const room = WAITING_EVENTS - this.#waiting.length;
    this.#waiting.push(...events.slice(0, room));
    this.#lost += Math.max(0, events.length - room);
    if (!this.#alarm.isSet) this.#turn();
  }

  /** Records what waits. */
  finish(): void {
    this.#alarm.set(null);
    while (this.#waiting.length > 0) this.#some();
  }

  #turn(): void {
    this.#some();
    if (this.#waiting.length > 0) this.#alarm.set(this.#options.deps.clock.bootNs());
  }

  #some(): void {
    const events = this.#waiting.splice(0, TURN_EVENTS);
    const flows: FlowRecord[] = [];
    const ends: FlowEnd[] = [];
    const ended: FlowRecord[] = [];
    for (const event of events) {
      try {
        const { flow, end, after } = this.#one(event);
        if (flow !== null) flows.push(flow);
        if (end !== null) ends.push(end);
        if (after !== null) ended.push(after);
      } catch (error: unknown) {
        this.#lost += 1;
        this.#options.deps.logger.log('error', 'a connection could not be recorded', { error: String(error) });
      }
    }
    this.#options.onFlows(flows, ends, ended);
  }

  #one(event: FlowEvent): { readonly flow: FlowRecord | null; readonly end: FlowEnd | null; readonly after: FlowRecord | null } {
    const { log } = this.#options;
    const known = log.open.find(event);
    if (known === null) return { flow: this.#record(event), end: null, after: null };
    if (event.kind !== 'ended') return { flow: null, end: null, after: null };
    log.open.ended(event);
    const end: FlowEnd = { id: known, ...this.#totals(event) };
    return { flow: null, end, after: log.end(end) };
  }

  #record(event: FlowEvent): FlowRecord {
    const { log } = this.#options;
    const ask: Ask = {
      id: 0,
      tuple: event.tuple,
      attribution: this.#identified(event.attribution),
      interfaceName: event.interfaceName,
      lengthBytes: event.lengthBytes,
      dnsQuestion: null,
      heldAtNs: event.beganNs,
      answersPeer: event.inbound,
      origin: event.origin,
      held: false,
    };
    const record = log.add(ask, this.#decision(event), null, this.#wallMs(event.beganNs), event.kind === 'ended' ? this.#totals(event) : null);
    if (event.kind === 'open') log.open.told(event, record.id);
    return record;
  }

  #decision({ generation, hitSlot }: FlowEvent): Decision {
    return { action: 'allow', reason: 'remembered', ruleId: this.#options.slots.ruleOf(hitSlot, generation) };
  }

  #totals({ timeNs, sentBytes, receivedBytes }: FlowEvent): Omit<FlowEnd, 'id'> {
    return { endedMs: this.#wallMs(timeNs), sentBytes, receivedBytes };
  }

  #wallMs(atNs: bigint): number {
    const { clock } = this.#options.deps;
    return clock.wallMs() - Number((clock.bootNs() - atNs) / NS_PER_MS);
  }

  /** With all that can be told at once; what is found out later is for the next connection of the process. */
  #identified(attribution: Attribution): Attribution {
    const { owner } = attribution;
    if (owner === null || owner.pid === 0) return attribution;
    const key = processKey(owner);
    const nowNs = this.#options.deps.clock.bootNs();
    const known = this.#known.get(key);
    if (known !== undefined && nowNs < known.untilNs) return { ...known.who, owner };
    if (!this.#mayLook(nowNs)) return attribution;
    const plain = this.#options.lineage.attribute(attribution);
    const found = this.#options.deps.identities.identify(plain);
    if (!(found instanceof Promise)) return this.#keep(key, found, nowNs);
    found.then((late) => { this.#keep(key, late, this.#options.deps.clock.bootNs()); }, () => undefined);
    return this.#keep(key, plain, nowNs);
  }

  #mayLook(nowNs: bigint): boolean {
    const second = nowNs / KNOWN_NS;
    if (this.#looks.second !== second) this.#looks = { second, count: 0 };
    this.#looks.count += 1;
    return this.#looks.count <= LOOKS_PER_SECOND;
  }

  #keep(key: string, attribution: Attribution, nowNs: bigint): Attribution {
    const { owner: socketOwner, ...who } = attribution;
    this.#known.delete(key);
    const oldest = this.#known.keys().next();
    if (this.#known.size >= KNOWN_LIMIT && oldest.done !== true) this.#known.delete(oldest.value);
    this.#known.set(key, { who, untilNs: nowNs + KNOWN_NS });
    return { ...who, owner: socketOwner };
  }
}
