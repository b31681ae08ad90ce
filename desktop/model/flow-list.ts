/**
 * The flows of the list: all their ids, and the rows near to where somebody looks. Live flows wait beside it while the list
 * shall stand still.
 */
import type { FlowInfo } from '../../helper/contract/types.ts';

/** More than anybody scrolls through; what is older is reached by narrowing the time. */
export const LIST_LIMIT = 100_000;
/** Rows that are kept, about 1 kB each: some screens up and down, and what came live. */
export const ROWS_KEPT = 3000;
const BASE = 36;

/** The number of `f1a`. */
export function flowNumber(id: string): number {
  return Number.parseInt(id.slice(1), BASE);
}

/** The place of a number among ids with falling numbers; -1 where it is not. */
function placeOf(ids: readonly string[], number: number): number {
  let [low, high] = [0, ids.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = flowNumber(ids[middle] ?? 'f0');
    if (found === number) return middle;
    if (found > number) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

export class FlowList {
  /** The newest first. */
  #ids: string[] = [];
  #waiting: string[] = [];
  readonly #rows = new Map<string, FlowInfo>();
  #isCut = false;

  get length(): number {
    return this.#ids.length;
  }

  /** Live flows that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** There were more than the list takes. */
  get isCut(): boolean {
    return this.#isCut;
  }

  clear(): void {
    this.#ids = [];
    this.#waiting = [];
    this.#rows.clear();
    this.#isCut = false;
  }

  /** More of the past, older than what is here. Returns whether there is room for more. */
  append(ids: readonly string[]): boolean {
    const room = LIST_LIMIT - this.#ids.length;
    this.#isCut ||= ids.length > room;
    for (const id of ids.slice(0, room)) this.#ids.push(id);
    const newest = flowNumber(this.#ids[0] ?? 'f0');
    // What was told live while the past was asked for is in both.
    if (this.#ids.length > 0) this.#waiting = this.#waiting.filter((id) => flowNumber(id) > newest);
    return this.#ids.length < LIST_LIMIT;
  }

  /** There is more of the past than was asked for. */
  cut(): void {
    this.#isCut = true;
  }

  idAt(position: number): string {
    return this.#ids[position] ?? '';
  }

  /** null where it is not here (any more). */
  rowAt(position: number): FlowInfo | null {
    return this.#rows.get(this.idAt(position)) ?? null;
  }

  row(id: string): FlowInfo | null {
    return this.#rows.get(id) ?? null;
  }

  positionOf(id: string): number {
    return placeOf(this.#ids, flowNumber(id));
  }

  /** Rows that the helper gave; those that were not asked about for the longest time go. */
  put(rows: readonly FlowInfo[]): void {
    for (const row of rows) {
      this.#rows.delete(row.id);
      this.#rows.set(row.id, row);
    }
    for (const id of this.#rows.keys()) {
      if (this.#rows.size <= ROWS_KEPT) break;
      this.#rows.delete(id);
    }
  }

  /** Flows that were decided now, or have ended. They wait until `release`. */
  observe(flows: readonly FlowInfo[]): void {
    const known = flows.filter(({ id }) => this.positionOf(id) >= 0 || this.#waiting.includes(id));
    const knownIds = new Set(known.map(({ id }) => id));
    const newest = flowNumber(this.#waiting[0] ?? this.#ids[0] ?? 'f0');
    const fresh = flows.filter(({ id }) => !knownIds.has(id) && (flowNumber(id) > newest || this.#ids.length === 0));
    this.put([...known, ...fresh]);
    const ids = [...new Set(fresh.map(({ id }) => id))].sort((a, b) => flowNumber(b) - flowNumber(a));
    this.#waiting = [...ids, ...this.#waiting].slice(0, LIST_LIMIT);
  }

  /** What waited is in the list from now on. Returns how many they were. */
  release(): number {
    const count = this.#waiting.length;
    if (count === 0) return 0;
    const all = [...this.#waiting, ...this.#ids];
    this.#isCut ||= all.length > LIST_LIMIT;
    this.#ids = all.slice(0, LIST_LIMIT);
    this.#waiting = [];
    return count;
  }
}
