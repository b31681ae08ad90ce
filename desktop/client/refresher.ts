/** Reads something again when it may have changed: one reading at a time, none too soon after the last, none while nobody looks. */

/** A reading that takes long is repeated the more seldom: it may cost at most this share of the time. */
const REST_FACTOR = 4;

export class Refresher {
  readonly #read: () => Promise<void>;
  readonly #nowMs: () => number;
  readonly #leastMs: number;
  #timer: NodeJS.Timeout | null = null;
  #active = false;
  #reading = false;
  #wanted = false;
  #restUntilMs = Number.NEGATIVE_INFINITY;

  /** `read` never rejects. At least `leastMs` lie between the end of one reading and the begin of the next. `nowMs`: monotonic. */
  constructor(read: () => Promise<void>, nowMs: () => number, leastMs: number) {
    this.#read = read;
    this.#nowMs = nowMs;
    this.#leastMs = leastMs;
  }

  /** Somebody looks from now on: reads at once. */
  start(): void {
    this.#active = true;
    this.now();
  }

  /** Nobody looks any more. A reading that is under way ends by itself. */
  stop(): void {
    this.#active = false;
    this.#wanted = false;
    this.#clear();
  }

  /** Reads as soon as it may. */
  ask(): void {
    if (!this.#active) return;
    this.#wanted = true;
    if (this.#reading || this.#timer !== null) return;
    const waitMs = this.#restUntilMs - this.#nowMs();
    if (waitMs <= 0) this.#begin();
    else this.#timer = setTimeout(() => { this.#begin(); }, waitMs);
  }

  /** Reads at once, or right after the reading that is under way. */
  now(): void {
    if (!this.#active) return;
    this.#restUntilMs = Number.NEGATIVE_INFINITY;
    this.#clear();
    this.ask();
  }

  #begin(): void {
    this.#clear();
    this.#wanted = false;
    this.#reading = true;
    const beganMs = this.#nowMs();
    const finish = (): void => {
      this.#reading = false;
      const endMs = this.#nowMs();
      this.#restUntilMs = endMs + Math.max(this.#leastMs, (endMs - beganMs) * REST_FACTOR);
      if (this.#wanted) this.ask();
    };
    this.#read().then(finish, finish);
  }

  #clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
