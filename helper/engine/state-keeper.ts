/** Keeps the run state: one write at a time, and only the newest. */
import type { EngineDeps } from './deps.ts';
import { decodeRunState, encodeRunState } from './run-state.ts';
import type { KeptState } from './run-state.ts';

export class StateKeeper {
  readonly #deps: Pick<EngineDeps, 'runState' | 'logger'>;
  readonly #snapshot: () => KeptState;
  #running: Promise<void> | null = null;
  #again = false;
  /** Until what was left has been read, nothing is written over it. */
  #loading = false;

  constructor(deps: Pick<EngineDeps, 'runState' | 'logger'>, snapshot: () => KeptState) {
    this.#deps = deps;
    this.#snapshot = snapshot;
  }

  /** null when nothing usable is there; what is not usable is logged. */
  async load(): Promise<KeptState | null> {
    this.#loading = true;
    try {
      const kept = decodeRunState(await this.#deps.runState.load());
      if (kept === null || !('problem' in kept)) return kept;
      const file = await this.#deps.runState.setAside();
      this.#deps.logger.log('warning', 'the run state of another version is not usable: pause, inbox and rules in memory are left', { problem: kept.problem, file });
      return null;
    } catch (error: unknown) {
      this.#deps.logger.log('warning', 'the run state could not be read and was ignored', { error: String(error) });
      return null;
    } finally {
      this.#loading = false;
      if (this.#again) this.save();
    }
  }

  /** Begins to write what is there now; a failure is logged. */
  save(): void {
    if (this.#running !== null || this.#loading) {
      this.#again = true;
      return;
    }
    this.#running = this.#write();
  }

  /** Everything that `save` was called for is written. */
  async flushed(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  async #write(): Promise<void> {
    for (;;) {
      // Once for everything that this turn of the loop still changes.
      await Promise.resolve();
      this.#again = false;
      try {
        await this.#deps.runState.save(encodeRunState(this.#snapshot()));
      } catch (error: unknown) {
        this.#deps.logger.log('error', 'the run state could not be written', { error: String(error) });
      }
      if (!this.#wantsMore()) break;
    }
    this.#running = null;
  }

  #wantsMore(): boolean {
    return this.#again;
  }
}
