/** Long work in slices, so that a list of a hundred thousand rows is sorted and filtered while the window goes on answering. */

/** Between two slices the window draws and takes keys. Well below a frame that is felt, with what a slice may overrun. */
const SLICE_MS = 8;
/** Rows that are looked at between two looks at the clock. */
export const STEP_ROWS = 512;

/** Sorts a copy; yields every few hundred rows. Stable. */
export function* sortInSteps<T>(items: readonly T[], compare: (a: T, b: T) => number): Generator<void, readonly T[]> {
  let runs: (readonly T[])[] = [];
  for (let at = 0; at < items.length; at += STEP_ROWS) {
    runs.push(items.slice(at, at + STEP_ROWS).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const longer: (readonly T[])[] = [];
    for (let at = 0; at < runs.length; at += 2) longer.push(yield* merge(runs[at] ?? [], runs[at + 1] ?? [], compare));
    runs = longer;
  }
  return runs[0] ?? [];
}

function* merge<T>(left: readonly T[], right: readonly T[], compare: (a: T, b: T) => number): Generator<void, readonly T[]> {
  if (right.length === 0) return left;
  const merged: T[] = [];
  let at = 0;
  for (const item of left) {
    for (let next = right[at]; next !== undefined && compare(next, item) < 0; next = right[at]) {
      merged.push(next);
      at += 1;
      if (merged.length % STEP_ROWS === 0) yield;
    }
    merged.push(item);
    if (merged.length % STEP_ROWS === 0) yield;
  }
  for (; at < right.length; at += STEP_ROWS) {
    merged.push(...right.slice(at, at + STEP_ROWS));
    yield;
  }
  return merged;
}

/** `items` made into others, a few hundred at a time. */
export function* mapInSteps<T, U>(items: readonly T[], make: (item: T) => U): Generator<void, readonly U[]> {
  const made: U[] = [];
  for (const item of items) {
    made.push(make(item));
    if (made.length % STEP_ROWS === 0) yield;
  }
  return made;
}

/** Those of `items` that are wanted, a few hundred at a time. */
export function* filterInSteps<T>(items: readonly T[], wanted: (item: T) => boolean): Generator<void, readonly T[]> {
  const found: T[] = [];
  for (const [at, item] of items.entries()) {
    if (wanted(item)) found.push(item);
    if (at % STEP_ROWS === STEP_ROWS - 1) yield;
  }
  return found;
}

/**
 * Runs `work` a slice at a time: the first at once, so that little work is done when this returns, the others when the loop is
 * free. `done` gets the result. Returns the way to stop; work that was stopped tells nothing.
 */
export function runInSlices<T>(work: Generator<void, T>, done: (result: T) => void): () => void {
  let timer: NodeJS.Timeout | null = null;
  const slice = (): void => {
    timer = null;
    const end = performance.now() + SLICE_MS;
    for (;;) {
      const step = work.next();
      if (step.done === true) {
        done(step.value);
        return;
      }
      if (performance.now() >= end) break;
    }
    timer = setTimeout(slice, 0);
  };
  slice();
  return () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  };
}
