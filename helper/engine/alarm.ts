/** One timer that is moved rather than made anew. */
import type { BootNs } from '../contract/vocabulary.ts';
import type { EngineDeps } from './deps.ts';

export class Alarm {
  readonly #schedule: EngineDeps['schedule'];
  readonly #run: () => void;
  #atNs: BootNs | null = null;
  #cancel: (() => void) | null = null;

  constructor(schedule: EngineDeps['schedule'], run: () => void) {
    this.#schedule = schedule;
    this.#run = run;
  }

  get isSet(): boolean {
    return this.#atNs !== null;
  }

  /** Rings once at this time; null for never. */
  set(atNs: BootNs | null): void {
    if (atNs === this.#atNs) return;
    this.#cancel?.();
    this.#atNs = atNs;
    this.#cancel =
      atNs === null
        ? null
        : this.#schedule(atNs, () => {
            this.#atNs = null;
            this.#cancel = null;
            this.#run();
          });
  }
}
