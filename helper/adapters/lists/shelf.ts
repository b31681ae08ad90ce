/** STATE/lists: the last good text of each list, with what the next conditional request needs. */
import { chmod, mkdir, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { writeFileAtomic } from '../atomic-file.ts';
import { checkTrustedFolder, readTrustedFile } from '../trusted-file.ts';

/** What is known of a copy. */
export interface ShelfNote {
  /** URL or path that it came from: a copy of something else is not used. */
  readonly source: string;
  readonly sha256: string;
  readonly etag: string;
  readonly lastModified: string;
  /** Wall times, ms since 1970: when the server last answered, when the text last changed. */
  readonly checkedMs: number;
  readonly updatedMs: number;
}

const VERSION = 1;
const NOTE_BYTES = 16_384;
const NOTE_ENDING = '.json';
const TEXT_ENDING = '.list';

const noteShape = z.strictObject({
  version: z.literal(VERSION),
  source: z.string().max(4096),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  etag: z.string().max(512),
  lastModified: z.string().max(512),
  checkedMs: z.int().min(0),
  updatedMs: z.int().min(0),
});

export class ListShelf {
  readonly #folder: string;
  readonly #limitBytes: number;

  constructor(stateDir: string, limitBytes: number) {
    this.#folder = join(stateDir, 'lists');
    this.#limitBytes = limitBytes;
  }

  /** null where there is no copy of this source that can be trusted. */
  async note(id: string, source: string): Promise<ShelfNote | null> {
    const bytes = await this.#read(id + NOTE_ENDING, NOTE_BYTES);
    if (bytes === null) return null;
    try {
      const note = noteShape.parse(JSON.parse(bytes.toString('utf8')));
      return note.source === source ? note : null;
    } catch {
      return null;
    }
  }

  text(id: string): Promise<Buffer | null> {
    return this.#read(id + TEXT_ENDING, this.#limitBytes);
  }

  /** The text goes first: a note that came without its text would answer for one that is not there. Throws system errors. */
  async keep(id: string, text: Uint8Array | null, note: ShelfNote): Promise<void> {
    const made = await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    if (made !== undefined) await chmod(this.#folder, 0o700);
    const checked = await checkTrustedFolder(this.#folder);
    if (!checked.ok) throw new Error(checked.refusal.message);
    if (text !== null) await writeFileAtomic(join(this.#folder, id + TEXT_ENDING), text, 0o600);
    await writeFileAtomic(join(this.#folder, id + NOTE_ENDING), Buffer.from(JSON.stringify({ ...note, version: VERSION })), 0o600);
  }

  /** Removes the copies of lists that are no more. */
  async forgetAllBut(ids: ReadonlySet<string>): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    for (const name of names) {
      const id = /^([a-z0-9][a-z0-9_-]{0,31})\.(?:list|json)$/.exec(name)?.[1];
      if (id !== undefined && !ids.has(id)) await unlink(join(this.#folder, name)).catch(() => undefined);
    }
  }

  async #read(name: string, limitBytes: number): Promise<Buffer | null> {
    const folder = await checkTrustedFolder(this.#folder);
    if (!folder.ok) return null;
    const outcome = await readTrustedFile(join(this.#folder, name), limitBytes);
    return outcome.ok ? outcome.value : null;
  }
}
