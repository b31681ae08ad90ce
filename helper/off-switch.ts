/**
 * Off: what a person wanted stays so until a mode change, also when the helper is started again before the machine is. A mode
 * that is being tried out from off goes back to off, so that nobody locks himself out over a network: the marker stays until
 * the mode is kept. `bastion=off` on the kernel command line is the same as if somebody had turned it off before the helper's
 * first start.
 */
import { closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BastionError } from './contract/errors.ts';

/** The way out for who is locked out: nothing is filtered from this start of the machine on. */
const OFF_WORD = 'bastion=off';

export interface OffSwitchDeps {
  /** Lasts until the machine restarts. */
  readonly runDir: string;
  /** The kernel command line. */
  readonly commandLineFile: string;
  attach(): Promise<void>;
  detach(): Promise<void>;
  /** A trial is over and nobody is there to be told of its failure. */
  onError(error: unknown): void;
}

/** What is there by another name is not emptied, a link not followed, and a FIFO not waited for. */
function touch(path: string): void {
  closeSync(openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600));
}

/** Where the marker lies that says that somebody turned it off. */
function markerIn(runDir: string): string {
  return join(runDir, 'off');
}

function hasWord(commandLineFile: string): boolean {
  try {
    return readFileSync(commandLineFile, 'utf8').split(/\s+/u).includes(OFF_WORD);
  } catch {
    // Without /proc nothing else works either.
    return false;
  }
}

/** Can a helper that starts now be off? Where that depends on a trial: yes. */
export function mayBeOff({ runDir, commandLineFile }: Pick<OffSwitchDeps, 'runDir' | 'commandLineFile'>): boolean {
  return existsSync(markerIn(runDir)) || hasWord(commandLineFile);
}

export class OffSwitch {
  readonly #deps: OffSwitchDeps;
  readonly #marker: string;
  #off: boolean;

  /** `onTrial`: an earlier run of the helper left a trial from off that goes on. */
  constructor(deps: OffSwitchDeps, onTrial: boolean) {
    this.#deps = deps;
    this.#marker = markerIn(deps.runDir);
    const told = this.#toldByKernel();
    this.#off = !onTrial && (told || existsSync(this.#marker));
  }

  /** Once for each start of the machine: a mode that is set afterwards counts. */
  #toldByKernel(): boolean {
    if (!hasWord(this.#deps.commandLineFile)) return false;
    const seen = join(this.#deps.runDir, 'command-line');
    if (existsSync(seen)) return false;
    try {
      touch(this.#marker);
      touch(seen);
    } catch {
      // It is off all the same, and with the next helper again.
      return true;
    }
    return true;
  }

  get isOff(): boolean {
    return this.#off;
  }

  async turnOff(): Promise<void> {
    // First: what cannot be noted would end with the next start of the helper, and half of it would be neither on nor off.
    this.#note();
    this.#off = true;
    await this.#deps.detach();
  }

  /** `onTrial`: `trialOver` may come later. */
  async turnOn(onTrial: boolean): Promise<void> {
    if (!onTrial) rmSync(this.#marker, { force: true, recursive: true });
    this.#off = false;
    await this.#deps.attach();
  }

  /** Some tool may have emptied /run. */
  #note(): void {
    try {
      mkdirSync(this.#deps.runDir, { recursive: true, mode: 0o755 });
      touch(this.#marker);
    } catch (error: unknown) {
      throw new BastionError('Failed', `The firewall stays on: ${this.#marker} could not be written. Is its disk full?`, { cause: error });
    }
  }

  /** Back to off at once; what fails is told to `onError`. */
  trialOver(): void {
    this.turnOff().catch((error: unknown) => { this.#deps.onError(error); });
  }
}
