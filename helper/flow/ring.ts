/** The most recent items of a stream, by number. */

/** Holds the last `limit` items; an older one leaves when a new one comes, and is counted. */
export class Ring<T> {
  readonly #items: (T | undefined)[];
  readonly #limit: number;
  #next = 0;

  /** `limit`: 1 and up. */
  constructor(limit: number) {
    this.#limit = limit;
    this.#items = new Array<T | undefined>(limit);
  }

  /** Number that the next item will get; the first is 0. */
  get next(): number {
    return this.#next;
  }

  /** Number of the oldest item that is still here. */
  get oldest(): number {
    return Math.max(0, this.#next - this.#limit);
  }

  /** Returns the item's number. */
  push(item: T): number {
    const number = this.#next;
    this.#items[number % this.#limit] = item;
    this.#next = number + 1;
    return number;
  }

  /** undefined for an item that has left or has not come. */
  get(number: number): T | undefined {
    return number >= this.oldest && number < this.#next ? this.#items[number % this.#limit] : undefined;
  }

  /** Items before `number` (the newest first), at most `limit` that `wanted` takes, with the number of the last one looked at. */
  before(number: number, limit: number, wanted: (item: T) => boolean): { readonly rows: readonly T[]; readonly last: number } {
    const rows: T[] = [];
    let last = Math.min(number, this.#next);
    while (last > this.oldest && rows.length < limit) {
      last -= 1;
      const item = this.get(last);
      if (item !== undefined && wanted(item)) rows.push(item);
    }
    return { rows, last };
  }
}
