/** Sorting of long lists that can be interrupted. */

/** Sorted runs of this length, then merged. */
const RUN = 1024;
/** Entries between two places where it pauses. */
const STEP = 256;

/** Negative when `a` goes before `b`. */
export type Compare<T> = (a: T, b: T) => number;

/** Merge sort: yields often, and returns the sorted list. `entries` stays as it is. */
export function* sortInSteps<T>(entries: readonly T[], compare: Compare<T>): Generator<void, T[]> {
  let runs: T[][] = [];
  for (let at = 0; at < entries.length; at += RUN) {
    yield;
    runs.push(entries.slice(at, at + RUN).sort(compare));
  }
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let at = 0; at < runs.length; at += 2) merged.push(yield* merge(runs[at] ?? [], runs[at + 1] ?? [], compare));
    runs = merged;
  }
  return runs[0] ?? [];
}

function* merge<T>(left: readonly T[], right: readonly T[], compare: Compare<T>): Generator<void, T[]> {
  const [last, first] = [left.at(-1), right[0]];
  if (last === undefined || first === undefined || compare(last, first) <= 0) return [...left, ...right];
  const merged: T[] = [];
  let [atLeft, atRight] = [0, 0];
  for (;;) {
    if (merged.length % STEP === 0) yield;
    const [one, other] = [left[atLeft], right[atRight]];
    if (one !== undefined && (other === undefined || compare(one, other) <= 0)) {
      merged.push(one);
      atLeft += 1;
    } else if (other !== undefined) {
      merged.push(other);
      atRight += 1;
    } else {
      return merged;
    }
  }
}

/** Where `entry` is, or would be, in a list that is in order. */
export function placeOf<T>(list: readonly T[], entry: T, compare: Compare<T>): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = list[middle];
    if (at !== undefined && compare(at, entry) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
