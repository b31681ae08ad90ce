/** The most recent items of a stream, by number. */

/** Holds the last `limit` items; an older one leaves when a new one comes, and is counted. */
export class Ring<T> {
  readonly #items: (T | undefined)[];
  readonly #limit: number;
  #first: number;
  #next: number;

  /** `limit`: 1 and up. `first`: number of the first item. */
  constructor(limit: number, first = 0) {
    this.#limit = limit;
    this.#first = first;
    this.#next = first;
    this.#items = new Array<T | undefined>(limit);
  }

  /** Number that the next item will get. */
  get next(): number {
    return this.#next;
  }

  /** Number of the oldest item that is still here. */
  get oldest(): number {
    return Math.max(this.#first, this.#next - this.#limit);
  }

  /** Lets go of all items; numbers go on. */
  clear(): void {
    this.#items.fill(undefined);
    this.#first = this.#next;
  }

  /** Returns the item's number. */
  push(item: T): number {
    const number = this.#next;
    this.#items[number % this.#limit] = item;
    this.#next = number + 1;
    return number;
  }

  /** Puts another item in the place of one that is still here. */
  replace(number: number, item: T): void {
    if (this.get(number) !== undefined) this.#items[number % this.#limit] = item;
  }

  /** undefined for an item that has left or has not come. */
  get(number: number): T | undefined {
    return number >= this.oldest && number < this.#next ? this.#items[number % this.#limit] : undefined;
  }

  /** What is here, the oldest first. */
  *items(): Iterable<T> {
    for (let number = this.oldest; number < this.#next; number += 1) {
      const item = this.get(number);
      if (item !== undefined) yield item;
    }
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
