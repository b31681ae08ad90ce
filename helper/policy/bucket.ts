/** The rules that one program and one destination prefix have in common, in the order in which they win. */
import { lowerBound } from './order.ts';
import type { RankedRule } from './order.ts';

/** Up to this many rules a plain walk is faster than a lookup. */
const SPLIT_ABOVE = 16;
const ANY = -1;

function insert(list: RankedRule[], entry: RankedRule): void {
  list.splice(lowerBound(list, entry), 0, entry);
}

function singlePort(entry: RankedRule): number {
  const [range, ...more] = entry.rule.match.ports ?? [];
  return range !== undefined && more.length === 0 && range.first === range.last ? range.first : ANY;
}

function keyOf(port: number, uid: number): string {
  return `${String(port)}/${String(uid)}`;
}

/**
 * Sorted lists of rules. Many rules for one program and destination differ in port and user (a rule for each port, a rule for
 * each user), so a full bucket is split by both, and a lookup walks only the four lists that can match.
 */
export class Bucket {
  #all: RankedRule[] = [];
  #byPortAndUser: Map<string, RankedRule[]> | null = null;

  get size(): number {
    return this.#all.length;
  }

  /** In the order in which they win. */
  get entries(): readonly RankedRule[] {
    return this.#all;
  }

  add(entry: RankedRule): void {
    // As long as what is in it: an empty list that grows reserves room for sixteen more, and most buckets have one rule.
    if (this.#all.length === 0) this.#all = [entry];
    else insert(this.#all, entry);
    if (this.#byPortAndUser !== null) this.#place(this.#byPortAndUser, entry);
    else if (this.#all.length > SPLIT_ABOVE) this.#split();
  }

  /** `entries` in order: for loading many at once. The bucket is empty. */
  fill(entries: readonly RankedRule[]): void {
    this.#all = entries.slice();
    if (this.#all.length > SPLIT_ABOVE) this.#split();
  }

  remove(id: string): void {
    const at = this.#all.findIndex((entry) => entry.rule.id === id);
    const entry = this.#all[at];
    if (entry === undefined) return;
    this.#all.splice(at, 1);
    const key = keyOf(singlePort(entry), entry.rule.match.uid ?? ANY);
    const list = this.#byPortAndUser?.get(key);
    list?.splice(list.indexOf(entry), 1);
    if (list?.length === 0) this.#byPortAndUser?.delete(key);
  }

  /** Adds the lists that can hold a match to `lists`. */
  collect(lists: (readonly RankedRule[])[], port: number, uid: number | null): void {
    const split = this.#byPortAndUser;
    if (split === null) {
      lists.push(this.#all);
      return;
    }
    for (const onePort of [port, ANY]) {
      for (const oneUid of uid === null ? [ANY] : [uid, ANY]) {
        const list = split.get(keyOf(onePort, oneUid));
        if (list !== undefined) lists.push(list);
      }
    }
  }

  #split(): void {
    const split = new Map<string, RankedRule[]>();
    for (const entry of this.#all) {
      const key = keyOf(singlePort(entry), entry.rule.match.uid ?? ANY);
      const list = split.get(key);
      if (list === undefined) split.set(key, [entry]);
      else list.push(entry);
    }
    this.#byPortAndUser = split;
  }

  #place(split: Map<string, RankedRule[]>, entry: RankedRule): void {
    const key = keyOf(singlePort(entry), entry.rule.match.uid ?? ANY);
    const list = split.get(key);
    if (list === undefined) split.set(key, [entry]);
    else insert(list, entry);
  }
}
