/** Work that is done a few at a time, in the order in which it came: the helper refuses who asks too much at once. */
export class Turns {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Settles as `task` does, when its turn has come. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) await new Promise<void>((resolve) => { this.#waiting.push(resolve); });
    else this.#running += 1;
    try {
      return await task();
    } finally {
      // The turn passes to the next one, or back.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
