/** How many events there were within the last second. */
import type { BootNs } from '../contract/vocabulary.ts';

const TENTHS = 10;
const TENTH_NS = 100_000_000n;

/** Counts in tenths of a second: what it says is never more than there were within 1.0 s, and never less than within 0.9 s. */
export class Rate {
  readonly #counts = new Uint32Array(TENTHS);
  /** Tenths of a second since boot, of the newest count. */
  #newest = 0;
  #sum = 0;

  /** One more event. A clock that goes back counts as one that stands still. */
  add(nowNs: BootNs): void {
    const index = this.#turnTo(nowNs) % TENTHS;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sum += 1;
  }

  /** Events within the last second. */
  at(nowNs: BootNs): number {
    this.#turnTo(nowNs);
    return this.#sum;
  }

  #turnTo(nowNs: BootNs): number {
    const now = Math.max(this.#newest, Number(nowNs / TENTH_NS));
    const over = Math.min(now - this.#newest, TENTHS);
    for (let step = 1; step <= over; step += 1) {
      const index = (this.#newest + step) % TENTHS;
      this.#sum -= this.#counts[index] ?? 0;
      this.#counts[index] = 0;
    }
    this.#newest = now;
    return now;
  }
}
