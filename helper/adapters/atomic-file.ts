/** Replacement of one file: whole or not at all. */
import { randomBytes } from 'node:crypto';
import { constants, renameSync, writeFileSync } from 'node:fs';
import { open, readdir, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** The calls that a durable write makes, in their order; a test records them. */
export interface FileCalls {
  readonly open: typeof open;
  readonly rename: typeof rename;
  readonly unlink: typeof unlink;
}

const CALLS: FileCalls = { open, rename, unlink };

/** The new content is in place, but whether it survives a power cut is not known. `cause` is node's system error. */
export class UnconfirmedWrite extends Error {
  override readonly name = 'UnconfirmedWrite';
}

/**
 * Replaces `path` with `bytes`: a temporary file in the same folder, fsync, rename, fsync of the folder. When it resolves
 * the new content survives a power cut; when it rejects (node's system error) the old file is untouched, but for an
 * UnconfirmedWrite.
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array, mode: number, calls: FileCalls = CALLS): Promise<void> {
  const folder = dirname(path);
  const temporary = temporaryOf(path);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await calls.open(temporary, flags, mode);
  try {
    try {
      await file.chmod(mode);
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await calls.rename(temporary, path);
  } catch (error: unknown) {
    await calls.unlink(temporary).catch(() => undefined);
    throw error;
  }
  try {
    await syncFolder(folder, calls);
  } catch (error: unknown) {
    throw new UnconfirmedWrite(`${path} is in place, but the disk did not confirm it`, { cause: error });
  }
}

/** At once, for what need not outlive the machine: whoever reads finds the old content or the new one. Throws node's system error. */
export function replaceFileNow(path: string, text: string, mode: number): void {
  const temporary = temporaryOf(path);
  writeFileSync(temporary, text, { mode, flag: 'wx' });
  renameSync(temporary, path);
}

function temporaryOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`);
}

/** What temporary files are called. */
const TEMPORARY = /^\..+\.[0-9a-f]{16}\.tmp$/;

/** Removes what a power cut left of writes into `folder`; nobody else may be writing there. */
export async function removeLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) if (TEMPORARY.test(name)) await unlink(join(folder, name)).catch(() => undefined);
}

/** Makes the names inside `folder` durable. */
export async function syncFolder(folder: string, calls: Pick<FileCalls, 'open'> = CALLS): Promise<void> {
  const handle = await calls.open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
