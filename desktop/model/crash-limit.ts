/** When something that ends again and again may be started once more. Pure: `now` is an argument. */

/** So many ends within so long are a loop. */
export const CRASHES = 3;
export const WITHIN_MS = 60_000;

export class CrashLimit {
  readonly #nowMs: () => number;
  #ends: readonly number[] = [];

  /** `nowMs`: a monotonic clock. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** It has ended. */
  note(): void {
    this.#ends = [...this.#ends, this.#nowMs()].slice(-CRASHES);
  }

  /** How long it must not be started; 0 when it may be. */
  waitMs(): number {
    const [first] = this.#ends;
    const last = this.#ends.at(-1);
    if (first === undefined || last === undefined || this.#ends.length < CRASHES || last - first > WITHIN_MS) return 0;
    return Math.max(0, last + WITHIN_MS - this.#nowMs());
  }
}
