/**
 * Off: what a person wanted stays so until a mode change, also when the helper is started again before the machine is. A mode
 * that is being tried out from off goes back to off, so that nobody locks himself out over a network.
 */
import { closeSync, existsSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export interface OffSwitchDeps {
  /** Lasts until the machine restarts. */
  readonly runDir: string;
  attach(): Promise<void>;
  detach(): Promise<void>;
  /** A trial is over and nobody is there to be told of its failure. */
  onError(error: unknown): void;
}

export class OffSwitch {
  readonly #deps: OffSwitchDeps;
  readonly #marker: string;
  #trial: NodeJS.Timeout | null = null;
  #off: boolean;

  constructor(deps: OffSwitchDeps) {
    this.#deps = deps;
    this.#marker = join(deps.runDir, 'off');
    this.#off = existsSync(this.#marker);
  }

  get isOff(): boolean {
    return this.#off;
  }

  async turnOff(): Promise<void> {
    this.#endTrial();
    this.#off = true;
    closeSync(openSync(this.#marker, 'w', 0o600));
    await this.#deps.detach();
  }

  /** `confirmMs`: back to off after this time, if it was off and `turnOn` was not called again without it. */
  async turnOn(confirmMs?: number): Promise<void> {
    const tryOut = confirmMs !== undefined && (this.#off || this.#trial !== null);
    this.#endTrial();
    if (tryOut) {
      this.#trial = setTimeout(() => {
        this.turnOff().catch((error: unknown) => { this.#deps.onError(error); });
      }, confirmMs);
    } else {
      rmSync(this.#marker, { force: true });
    }
    this.#off = false;
    await this.#deps.attach();
  }

  close(): void {
    this.#endTrial();
  }

  #endTrial(): void {
    if (this.#trial !== null) clearTimeout(this.#trial);
    this.#trial = null;
  }
}
