/**
 * One thing at a time. A handler of the toolkit's signal that ends runs everything that Node has to do next, also in the
 * middle of other work: without this a message could be obeyed while the one before it is only half obeyed.
 */
export class InOrder<T> {
  readonly #work: (item: T) => void;
  readonly #waiting: T[] = [];
  #busy = false;

  constructor(work: (item: T) => void) {
    this.#work = work;
  }

  /** Does it now, or after what is being done. */
  take(item: T): void {
    this.#waiting.push(item);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) this.#work(next);
    } finally {
      this.#busy = false;
    }
  }
}
