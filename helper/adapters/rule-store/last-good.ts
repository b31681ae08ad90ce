/** Copies of the last version of each file that was right. They hold when a file is broken, over a restart too. */
import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../ports.ts';
import { writeFileAtomic } from '../atomic-file.ts';
import { checkTrustedFolder, errorCodeOf, readTrustedFile } from '../trusted-file.ts';

/** Where the copies of one folder live; the rule files' folder is the plain one. */
export type Shelf = 'rules' | 'vendor' | 'settings';

export class LastGood {
  private readonly root: string;
  private readonly limitBytes: number;
  private readonly logger: Logger;
  private readonly digests = new Map<string, string>();

  constructor(stateDir: string, limitBytes: number, logger: Logger) {
    this.root = join(stateDir, 'last-good');
    this.limitBytes = limitBytes;
    this.logger = logger;
  }

  /** null when there is none, or none that can be trusted. */
  async read(shelf: Shelf, name: string): Promise<Buffer | null> {
    const folder = this.folder(shelf);
    if (!(await checkTrustedFolder(folder)).ok) return null;
    const outcome = await readTrustedFile(join(folder, name), this.limitBytes);
    return outcome.ok ? outcome.value : null;
  }

  /** Keeps `bytes`, if they are not kept already. A failure is logged: rules go on without a copy. */
  async keep(shelf: Shelf, name: string, bytes: Uint8Array): Promise<void> {
    const key = `${shelf}/${name}`;
    const digest = createHash('sha256').update(bytes).digest('hex');
    if (this.digests.get(key) === digest) return;
    try {
      const kept = await this.read(shelf, name);
      if (kept?.equals(bytes) !== true) {
        await this.prepare(shelf);
        await writeFileAtomic(join(this.folder(shelf), name), bytes, 0o640);
      }
      this.digests.set(key, digest);
    } catch (error: unknown) {
      this.logger.log('warning', 'The last good copy of a file could not be kept.', { file: name, error: errorCodeOf(error) });
    }
  }

  /** Names of the copies on a shelf. */
  async names(shelf: Shelf): Promise<readonly string[]> {
    try {
      return (await readdir(this.folder(shelf))).filter((name) => name.endsWith('.toml'));
    } catch {
      return [];
    }
  }

  async forget(shelf: Shelf, name: string): Promise<void> {
    this.digests.delete(`${shelf}/${name}`);
    await unlink(join(this.folder(shelf), name)).catch(() => undefined);
  }

  private folder(shelf: Shelf): string {
    return shelf === 'rules' ? this.root : join(this.root, shelf);
  }

  private async prepare(shelf: Shelf): Promise<void> {
    for (const folder of new Set([this.root, this.folder(shelf)])) {
      const made = await mkdir(folder, { recursive: true, mode: 0o700 });
      if (made !== undefined) await chmod(folder, 0o700);
    }
  }
}
