/** The last flows that were decided, in memory. */
import { BastionError } from '../contract/errors.ts';
import type { Decision, KnownName } from '../contract/vocabulary.ts';
import type { FlowRecord } from '../engine-api.ts';
import { Ring } from '../flow/ring.ts';
import { flowId, flowNumber } from '../flow/tuple.ts';
import type { Ask } from '../ports.ts';

export const FLOW_LIMIT = 10_000;

export interface FlowFilter {
  readonly path?: string;
  readonly uid?: number;
}

export class FlowLog {
  readonly #ring: Ring<FlowRecord>;
  readonly #namesOf: (ask: Ask) => readonly KnownName[];

  /** `namesOf` tells the names that a flow may have come from. */
  constructor(namesOf: (ask: Ask) => readonly KnownName[], limit: number = FLOW_LIMIT) {
    this.#namesOf = namesOf;
    this.#ring = new Ring(limit);
  }

  add(ask: Ask, decision: Decision, nextRuleId: string | null, timeMs: number): FlowRecord {
    const { owner, identity, confidence, evidence } = ask.attribution;
    const names = this.#namesOf(ask);
    const forwardedFrom = owner?.forwardedFrom ?? null;
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
    };
    this.#ring.push(record);
    return record;
  }

  get(id: string): FlowRecord | null {
    const number = flowNumber(id);
    return number === null ? null : (this.#ring.get(number) ?? null);
  }

  /** The newest first; `next` is '' when nothing older is left. Throws BastionError InvalidArgument for a bad cursor. */
  page(filter: FlowFilter, limit: number, cursor: string): { readonly rows: readonly FlowRecord[]; readonly next: string } {
    const from = cursor === '' ? this.#ring.next : flowNumber(cursor);
    if (from === null) throw new BastionError('InvalidArgument', 'cursor: not one that a page gave.');
    const { rows, last } = this.#ring.before(
      from,
      limit,
      (record) =>
        (filter.path === undefined || record.path === filter.path) && (filter.uid === undefined || record.uid === filter.uid),
    );
    return { rows, next: last > this.#ring.oldest ? flowId(last) : '' };
  }
}
