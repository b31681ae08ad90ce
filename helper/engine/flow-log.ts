/** The last flows that were decided, in memory; older ones come out of the history. */
import { BastionError } from '../contract/errors.ts';
import type { Decision, ContainerEnd, KnownName } from '../contract/vocabulary.ts';
import type { FlowEnd, FlowPage, FlowRecord } from '../engine-api.ts';
import { Ring } from '../flow/ring.ts';
import { matchesFilter } from './flow-filter.ts';
import { flowId, flowNumber } from '../flow/tuple.ts';
import type { Ask, FlowGroups, History, HistoryFilter } from '../ports.ts';
import { groupRecent } from './flow-groups.ts';
import { isLookup } from '../prompt/question.ts';
import { OpenFlows } from './open-flows.ts';

export const FLOW_LIMIT = 10_000;
/** Ids that one call tells; larger than what is in memory. */
export const INDEX_LIMIT = 50_000;

export class FlowLog {
  /** Connections whose end is still to come. */
  readonly open = new OpenFlows();
  readonly #ring: Ring<FlowRecord>;
  readonly #namesOf: (ask: Ask) => readonly KnownName[];
  readonly #containersOf: (ask: Ask) => readonly ContainerEnd[];
  readonly #history: History | null;

  /** `namesOf` tells the names that a flow may have come from. */
  constructor(
    namesOf: (ask: Ask) => readonly KnownName[], history: History | null = null, limit: number = FLOW_LIMIT,
    containersOf: (ask: Ask) => readonly ContainerEnd[] = () => [],
  ) {
    this.#containersOf = containersOf;
    this.#namesOf = namesOf;
    this.#history = history;
    this.#ring = new Ring(limit, history?.nextFlowNumber ?? 0);
  }

  /** `end` of one that has ended already. */
  add(ask: Ask, decision: Decision, nextRuleId: string | null, timeMs: number, end: Omit<FlowEnd, 'id'> | null = null): FlowRecord {
    const { owner, identity, claimedPath, confidence, evidence, ancestors, lineage } = ask.attribution;
    const [names, containers] = [this.#namesOf(ask), this.#containersOf(ask)];
    const forwardedFrom = owner?.forwardedFrom ?? null;
    const opens = end === null && decision.action === 'allow';
    // A further decision about an open connection: the end and the bytes are for the record that it has.
    const again = opens && this.open.knows(ask);
    const record: FlowRecord = {
      id: flowId(this.#ring.next),
      timeMs,
      tuple: ask.tuple,
      path: identity.path,
      uid: forwardedFrom === null ? (owner?.uid ?? null) : null,
      pid: forwardedFrom === null ? (owner?.pid ?? null) : null,
      forwardedFrom,
      host: names[0]?.name ?? null,
      names,
      interfaceName: ask.interfaceName,
      lengthBytes: ask.lengthBytes,
      decision,
      confidence,
      evidence,
      nextRuleId,
      identity,
      claimedPath,
      ancestors,
      ...(lineage === undefined ? {} : { lineage }),
      command: owner?.command ?? '',
      isLookup: isLookup(ask.tuple, ask.dnsQuestion),
      answersPeer: ask.answersPeer,
      origin: ask.origin,
      ...(containers.length === 0 ? {} : { containers }),
      ...(again ? { endedMs: timeMs, sentBytes: 0, receivedBytes: 0 } : end),
    };
    this.#ring.push(record);
    if (opens && !again) this.open.asked(ask, record.id);
    return record;
  }

  /** The flow as it is with its end; null if it has left the memory. */
  end({ id, ...end }: FlowEnd): FlowRecord | null {
    const [number, before] = [flowNumber(id), this.get(id)];
    if (number === null || before === null) return null;
    const record = { ...before, ...end };
    this.#ring.replace(number, record);
    return record;
  }

  /** The flows in memory, the oldest first. */
  recent(): Iterable<FlowRecord> {
    return this.#ring.items();
  }

  /** null for a flow that has left the ring. */
  get(id: string): FlowRecord | null {
    const number = flowNumber(id);
    return number === null ? null : (this.#ring.get(number) ?? null);
  }

  /** null for a flow that is nowhere any more. Rejects as `History.flow`. */
  async find(id: string): Promise<FlowRecord | null> {
    const number = flowNumber(id);
    if (number === null || number >= this.#ring.oldest) return this.get(id);
    return (await this.#history?.flow(number)) ?? null;
  }

  /**
   * The newest first; `next` is '' when nothing older is left. A page may have fewer rows than asked for and still a `next`.
   * Rejects with BastionError InvalidArgument for a bad cursor, and as `History.query`.
   */
  async page(filter: HistoryFilter, limit: number, cursor: string): Promise<FlowPage> {
    const from = cursor === '' ? this.#ring.next : flowNumber(cursor);
    if (from === null) throw new BastionError('InvalidArgument', 'cursor: not one that a page gave.');
    const oldest = this.#ring.oldest;
    const { rows, last } = this.#ring.before(from, limit, (record) => matchesFilter(record, filter));
    if (last > oldest) return { rows, next: flowId(last) };
    if (this.#history === null || oldest === 0) return { rows, next: '' };
    if (rows.length >= limit) return { rows, next: flowId(oldest) };
    // What is in memory is told even if the file cannot be read; the next page then says that.
    if (rows.length > 0 && this.#history.status().failure !== null) return { rows, next: flowId(oldest) };
    const older = await this.#history.query(filter, limit - rows.length, Math.min(from, oldest));
    return { rows: [...rows, ...older.rows], next: older.before > 0 ? flowId(older.before) : '' };
  }

  /** See `EngineApi.flowNumbers`. Rejects as `page`. */
  async numbers(filter: HistoryFilter, cursor: string): Promise<{ readonly numbers: readonly number[]; readonly next: string }> {
    const from = cursor === '' ? this.#ring.next : flowNumber(cursor);
    if (from === null) throw new BastionError('InvalidArgument', 'cursor: not one that a page gave.');
    const oldest = this.#ring.oldest;
    const recent = this.#ring.before(from, FLOW_LIMIT, (record) => matchesFilter(record, filter)).rows.map(({ id }) => flowNumber(id) ?? 0);
    if (this.#history === null || oldest === 0) return { numbers: recent, next: '' };
    if (recent.length > 0 && this.#history.status().failure !== null) return { numbers: recent, next: flowId(oldest) };
    const older = await this.#history.numbers(filter, INDEX_LIMIT - recent.length, Math.min(from, oldest));
    return { numbers: [...recent, ...older.numbers], next: older.before > 0 ? flowId(older.before) : '' };
  }

  /** See `EngineApi.flowGroups`. What is stored holds what is in memory; where nothing is stored, memory alone is added up. */
  async groups(filter: HistoryFilter, by: 'application' | 'destination', limit: number): Promise<FlowGroups> {
    const history = this.#history;
    if (history?.settings.enabled === true && history.status().failure === null) return history.groups(filter, by, limit);
    return { groups: groupRecent(this.recent(), filter, by, limit), sinceMs: 0 };
  }

  /** Forgets what is in memory and what is stored. Rejects as `History.clear`. */
  async clear(): Promise<void> {
    this.#ring.clear();
    await this.#history?.clear();
  }
}
