/**
 * A mode that goes back by itself: the connection that set it was asked for a password, and may keep the mode or go back before
 * the time is over without another one. Both are less than what it was authorized for; any other change ends that.
 */
import type { Mode } from '../contract/vocabulary.ts';
import type { Clock } from '../ports.ts';
import type { Caller } from './callers.ts';

const NS_PER_S = 1_000_000_000n;

interface Trial {
  /** Unique name on the bus, never given twice. */
  readonly caller: string;
  readonly wanted: Mode;
  /** What it goes back to by itself; null when that is not what was there before, because another trial was running. */
  readonly before: Mode | null;
  readonly endsNs: bigint;
}

/** The one trial that can be running. */
export class ModeTrial {
  readonly #clock: Clock;
  #trial: Trial | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `before` is the mode until now. */
  start(caller: Caller, wanted: Mode, before: Mode, seconds: number): void {
    const endsNs = this.#clock.bootNs() + BigInt(seconds) * NS_PER_S;
    this.#trial = { caller: caller.name, wanted, before: this.#running() === null ? before : null, endsNs };
  }

  /** Something else was decided about the mode. */
  end(): void {
    this.#trial = null;
  }

  /** Is setting `mode` for good within what this connection was authorized for? */
  covers(caller: Caller, mode: Mode): boolean {
    const trial = this.#running();
    return trial?.caller === caller.name && (mode === trial.wanted || mode === trial.before);
  }

  #running(): Trial | null {
    return this.#trial !== null && this.#clock.bootNs() < this.#trial.endsNs ? this.#trial : null;
  }
}
