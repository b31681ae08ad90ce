/** Long work in slices, so that decisions go on while it runs. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Far below what a person or a program notices; a slice may be longer by one step of the work. */
const SLICE_MS = 8;

/** Ask `isDue` between steps of the work, and `take` when it is. */
export class Breath {
  private sinceMs = performance.now();

  get isDue(): boolean {
    return performance.now() - this.sinceMs > SLICE_MS;
  }

  /** Lets everything else that waits have its turn. */
  async take(): Promise<void> {
    await nextTurn();
    this.sinceMs = performance.now();
  }
}
