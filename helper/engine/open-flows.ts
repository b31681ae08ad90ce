/** Recorded connections whose end has not been told: by their socket, or for accepted ones by addresses and ports. */
import { SharedTable } from '../flow/shared-table.ts';
import { tupleKey } from '../flow/tuple.ts';
import type { Ask, FlowEvent } from '../ports.ts';

/** What is over is recorded once more at its end. */
const LIMITS = { total: 16_384, perUser: 8192, kept: 1024 } as const;
/** Entries that outlive the helper. */
export const KEPT_LIMIT = 4096;
const TCP = 6;

/** What becomes of a connection until it is told of again. */
interface Entry {
  readonly uid: number;
  readonly key: string;
  readonly flow: string;
  /** Where to; null where an earlier helper recorded it. */
  readonly tuple: string | null;
}

function keyOf(cookie: bigint): string {
  return `c${String(cookie)}`;
}

/** Where a connection that is asked about is kept; null for what has no end to wait for. */
function placeOf({ attribution: { owner }, tuple, answersPeer, origin }: Ask): Pick<Entry, 'uid' | 'key'> | null {
  if (owner === null || origin === 'forwarded' || tuple.protocol !== TCP || owner.cookie === 0n) return null;
  return { uid: owner.uid, key: answersPeer ? tupleKey(tuple) : keyOf(owner.cookie) };
}

export class OpenFlows {
  readonly #flows = new SharedTable<Entry>(LIMITS);

  /** A connection that was asked about was allowed. */
  asked(ask: Ask, flow: string): void {
    const place = placeOf(ask);
    if (place !== null) this.#put({ ...place, flow, tuple: tupleKey(ask.tuple) });
  }

  /**
   * Is this a connection that is recorded and open? It is asked about again where a change of the rules left it out. A socket
   * may connect to another place before its first end was told.
   */
  knows(ask: Ask): boolean {
    const place = placeOf(ask);
    const known = place === null ? undefined : this.#flows.get(place.uid, place.key);
    return known !== undefined && (known.tuple === null || known.tuple === tupleKey(ask.tuple));
  }

  /** A connection was recorded while it is open. */
  told({ attribution: { owner }, cookie, tuple }: FlowEvent, flow: string): void {
    if (owner !== null) this.#put({ uid: owner.uid, key: keyOf(cookie), flow, tuple: tupleKey(tuple) });
  }

  /** The id that the connection was recorded under; null if it was not. */
  find({ attribution: { owner }, cookie, inbound, tuple }: FlowEvent): string | null {
    if (owner === null) return null;
    const entry = this.#flows.get(owner.uid, keyOf(cookie)) ?? (inbound ? this.#flows.get(owner.uid, tupleKey(tuple)) : undefined);
    return entry?.flow ?? null;
  }

  ended({ attribution: { owner }, cookie, inbound, tuple }: FlowEvent): void {
    if (owner === null) return;
    this.#flows.delete(owner.uid, keyOf(cookie));
    if (inbound) this.#flows.delete(owner.uid, tupleKey(tuple));
  }

  /** For the next helper, the newest of each user. */
  kept(): readonly (readonly [uid: number, key: string, flow: string])[] {
    return this.#flows.all().slice(-KEPT_LIMIT).map(({ uid, key, flow }) => [uid, key, flow] as const);
  }

  restore(kept: readonly (readonly [uid: number, key: string, flow: string])[]): void {
    for (const [uid, key, flow] of kept) this.#put({ uid, key, flow, tuple: null });
  }

  #put(entry: Entry): void {
    this.#flows.set(entry.uid, entry.key, entry);
  }
}
