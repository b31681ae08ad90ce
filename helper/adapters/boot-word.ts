/**
 * What the helper's absence means, for those who act without it: STATE/boot holds `closed` or `open` and a newline. Read by
 * data/boot/bastion-boot at the next start of the machine, and when the helper is not started any more.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../ports.ts';
import { writeFileAtomic } from './atomic-file.ts';

export type BootMeaning = 'closed' | 'open';

/** Whoever reads it takes a file that is missing or unreadable for `closed`. */
const MODE = 0o600;

export class BootWord {
  readonly #file: string;
  readonly #logger: Pick<Logger, 'log'>;
  readonly #write: typeof writeFileAtomic;
  #wanted: BootMeaning | null = null;
  #written: BootMeaning | null = null;
  #running: Promise<void> | null = null;

  constructor(stateDir: string, logger: Pick<Logger, 'log'>, write: typeof writeFileAtomic = writeFileAtomic) {
    this.#file = join(stateDir, 'boot');
    this.#logger = logger;
    this.#write = write;
  }

  /** Begins to write it where it is news. A failure is logged, and tried again with the next call. */
  set(meaning: BootMeaning): void {
    this.#wanted = meaning;
    this.#running ??= this.#writeAll().finally(() => { this.#running = null; });
  }

  /** Everything that was set is written, or was tried. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #writeAll(): Promise<void> {
    while (this.#wanted !== null && this.#wanted !== this.#written) {
      const meaning = this.#wanted;
      try {
        await this.#write(this.#file, Buffer.from(`${meaning}\n`), MODE);
        this.#written = meaning;
      } catch (error: unknown) {
        const why = error instanceof Error ? error.message : String(error);
        // What is there now may be neither.
        this.#written = null;
        this.#logger.log('warning', 'what the next start of the machine shall do could not be written', { file: this.#file, meaning, why });
        if (meaning === 'closed') await this.#remove();
        // A new word is tried at once, the same one not again and again.
        if (meaning === this.#wanted) return;
      }
    }
  }

  /** Missing means closed; a disk that is full, or has no inode left, still lets a file go. */
  async #remove(): Promise<void> {
    try {
      await rm(this.#file, { force: true });
    } catch (error: unknown) {
      const why = error instanceof Error ? error.message : String(error);
      this.#logger.log('error', 'the next start of the machine may be open: the file that says so could not be removed either', { file: this.#file, why });
    }
  }
}
