/** The history's files: made for root alone, set aside when they are damaged, removed when somebody wants them gone. */
import { closeSync, constants, fstatSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { HISTORY_FILE } from './schema.ts';

/** Damaged files that are kept for people who want to look into them. */
export const DAMAGED_LIMIT = 3;
/** SQLite's log beside the file belongs to it: what was committed last is in there. */
const LOG = '-wal';
/** Shared memory of the log, good for one run only. */
const LOG_INDEX = '-shm';
const DAMAGED_PREFIX = `${HISTORY_FILE}.damaged-`;

/** Makes the file if it is not there. Throws where the path is anything but a regular file. */
export function makeFile(path: string): void {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
  try {
    if (!fstatSync(descriptor).isFile()) throw new Error(`${path} is no regular file`);
  } finally {
    closeSync(descriptor);
  }
}

function damagedFiles(folder: string): readonly string[] {
  return readdirSync(folder).filter((name) => name.startsWith(DAMAGED_PREFIX)).sort();
}

/** Renames the file and its log; older ones over the limit go. Returns the new name. */
export function setAside(folder: string, nowMs: number): string {
  const name = `${DAMAGED_PREFIX}${new Date(nowMs).toISOString().replaceAll(/[-:.]/g, '')}`;
  const moved = (suffix: string): void => {
    try {
      renameSync(join(folder, HISTORY_FILE + suffix), join(folder, name + suffix));
    } catch (error: unknown) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  };
  // The log first: a file without its log is whole, a new file with another one's log is not.
  moved(LOG);
  moved('');
  rmSync(join(folder, HISTORY_FILE + LOG_INDEX), { force: true });
  const files = damagedFiles(folder).filter((one) => !one.endsWith(LOG));
  for (const old of files.slice(0, -DAMAGED_LIMIT)) {
    for (const suffix of ['', LOG]) rmSync(join(folder, old + suffix), { force: true });
  }
  return name;
}

/** Removes everything that ever was in the history. */
export function removeFiles(folder: string): void {
  for (const suffix of ['', LOG, LOG_INDEX]) rmSync(join(folder, HISTORY_FILE + suffix), { force: true });
  for (const name of damagedFiles(folder)) rmSync(join(folder, name), { force: true });
}
