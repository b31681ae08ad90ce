/**
 * Copies of the last version of each file that was right. They hold when a file is broken, over a restart too. Each begins with
 * a line that has the hash of the rest: one that was damaged is no copy.
 */
import { hash } from 'node:crypto';
import { chmod, mkdir, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../ports.ts';
import { removeLeftovers, writeFileAtomic } from '../atomic-file.ts';
import type { FileCalls } from '../atomic-file.ts';
import { checkTrustedFolder, errorCodeOf, readTrustedFile } from '../trusted-file.ts';

/** Where the copies of one folder live; the rule files' folder is the plain one. */
export type Shelf = 'rules' | 'vendor' | 'settings';

/** What a file's content is known by. */
export function digestOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}

/** The first line of a copy. */
function headOf(digest: string): string {
  return `# sha256 ${digest}\n`;
}

const HEAD_BYTES = headOf('0'.repeat(64)).length;

export class LastGood {
  private readonly root: string;
  private readonly limitBytes: number;
  private readonly logger: Logger;
  private readonly calls: FileCalls | undefined;
  private readonly digests = new Map<string, string>();

  constructor(stateDir: string, limitBytes: number, logger: Logger, calls?: FileCalls) {
    this.calls = calls;
    this.root = join(stateDir, 'last-good');
    this.limitBytes = limitBytes;
    this.logger = logger;
  }

  /** null when there is none, or none that can be trusted. */
  async read(shelf: Shelf, name: string): Promise<Buffer | null> {
    const folder = this.folder(shelf);
    if (!(await checkTrustedFolder(folder)).ok) return null;
    const outcome = await readTrustedFile(join(folder, name), this.limitBytes + HEAD_BYTES);
    if (!outcome.ok) return null;
    const bytes = outcome.value.subarray(HEAD_BYTES);
    if (outcome.value.toString('latin1', 0, HEAD_BYTES) === headOf(digestOf(bytes))) return bytes;
    this.logger.log('warning', 'The last good copy of a file is damaged and not used.', { file: name });
    return null;
  }

  /**
   * Keeps `bytes`, whose `digestOf` may be known, if they are not kept already, and tells whether another version was kept. A
   * failure is logged: rules go on without a copy.
   */
  async keep(shelf: Shelf, name: string, bytes: Uint8Array, digest = digestOf(bytes)): Promise<'same' | 'new' | 'changed'> {
    const key = `${shelf}/${name}`;
    if (this.digests.get(key) === digest) return 'same';
    try {
      const kept = await this.read(shelf, name);
      if (kept?.equals(bytes) !== true) {
        await this.prepare(shelf);
        await writeFileAtomic(join(this.folder(shelf), name), Buffer.concat([Buffer.from(headOf(digest)), bytes]), 0o640, this.calls);
      }
      this.digests.set(key, digest);
      return kept === null ? 'new' : kept.equals(bytes) ? 'same' : 'changed';
    } catch (error: unknown) {
      this.logger.log('warning', 'The last good copy of a file could not be kept.', { file: name, error: errorCodeOf(error) });
      return 'new';
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

  /** Removes what a power cut left of earlier writes. */
  async clean(): Promise<void> {
    for (const shelf of ['rules', 'vendor', 'settings'] as const) await removeLeftovers(this.folder(shelf));
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
