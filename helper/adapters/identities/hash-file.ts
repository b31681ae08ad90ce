/** Hashes of a file as it is at one moment: a file that changes meanwhile is noticed. Runs in the worker only. */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { setImmediate as nextTurn, setTimeout as after } from 'node:timers/promises';
import { Lru } from '../lru.ts';
import { isUserProvided, mountOf } from './mounts.ts';
import type { Mount } from './mounts.ts';
import type { FileKey, HashFailure } from './protocol.ts';

/** Larger ones (a sparse file has any size) are not hashed. */
export const HASH_LIMIT_BYTES = 2 * 1024 * 1024 * 1024;
/** Read at once; after as many pieces as `PIECES` others get their turn. */
const PIECE_BYTES = 256 * 1024;
const PIECES = 16;
const ATTEMPTS = 3;
/** Two writes within one tick of the kernel's clock give one change time: a file younger than this is let rest first. */
const YOUNG_NS = 50_000_000n;
const REMEMBERED = 8192;
/** ELF, and at the ninth byte the mark of the two types. Source: AppImage specification, "Image format". */
const APPIMAGE_AT = 8;

export interface Hashes {
  readonly sha256: string;
  readonly md5: string | null;
}

/** A regular file that was opened; `close` it. */
export interface OpenFile {
  readonly fd: number;
  readonly path: string;
  readonly stats: BigIntStats;
  /** Where it lies; null if the kernel does not tell. */
  readonly mount: Mount | null;
}

/**
 * Opens what is at `path` if it is a regular file on a file system of the machine's own, and the very one that `key` says.
 * Neither a FIFO nor a device blocks.
 */
export function openFile(path: string, key: FileKey | null, mounts: readonly Mount[]): OpenFile | HashFailure {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return 'unreadable';
  }
  try {
    const stats = fstatSync(fd, { bigint: true });
    const mount = mountOf(fd, mounts);
    const failure = refusal(stats, mount, key);
    if (failure === null) return { fd, path, stats, mount };
    closeSync(fd);
    return failure;
  } catch {
    closeSync(fd);
    return 'unreadable';
  }
}

function refusal(stats: BigIntStats, mount: Mount | null, key: FileKey | null): HashFailure | null {
  if (!stats.isFile() || (mount !== null && isUserProvided(mount))) return 'unreadable';
  if (key === null) return null;
  const same = stats.ino === key.inode && mount?.device === key.device && stats.ctimeNs / 1_000_000_000n === BigInt(key.ctimeSec);
  return same ? null : 'changed';
}

function isUnchanged(before: BigIntStats, now: BigIntStats): boolean {
  return before.dev === now.dev && before.ino === now.ino && before.size === now.size && before.ctimeNs === now.ctimeNs
    && before.mtimeNs === now.mtimeNs;
}

/** Does the file begin as AppImages do? */
export function isAppImage({ fd }: OpenFile): boolean {
  const head = Buffer.alloc(APPIMAGE_AT + 3);
  if (readSync(fd, head, 0, head.length, 0) < head.length) return false;
  const type = head[APPIMAGE_AT + 2];
  return head.subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1')) && head.toString('latin1', APPIMAGE_AT, APPIMAGE_AT + 2) === 'AI'
    && (type === 1 || type === 2);
}

/** One buffer serves all: it is used between two turns only. */
const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);

async function readThrough({ fd, stats }: OpenFile, withMd5: boolean): Promise<Hashes | null> {
  const [sha256, md5] = [createHash('sha256'), withMd5 ? createHash('md5') : null];
  let position = 0;
  for (let count = 1; ; count += 1) {
    const length = readSync(fd, piece, 0, piece.length, position);
    if (length === 0) break;
    position += length;
    if (BigInt(position) > stats.size) return null;
    const part = length === piece.length ? piece : piece.subarray(0, length);
    sha256.update(part);
    md5?.update(part);
    if (count % PIECES === 0) await nextTurn();
  }
  return BigInt(position) === stats.size ? { sha256: sha256.digest('hex'), md5: md5?.digest('hex') ?? null } : null;
}

/** Hashes files, and remembers what did not change since. */
export class FileHasher {
  readonly #known = new Lru<Hashes>(REMEMBERED);

  /** SHA-256, with `md5` both in one pass. The file's state at the end is the one at the beginning, and it is still at its path. */
  async hash(file: OpenFile, md5: boolean): Promise<Hashes | HashFailure> {
    if (file.stats.size > BigInt(HASH_LIMIT_BYTES)) return 'large';
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      if (BigInt(Date.now()) * 1_000_000n - fstatSync(file.fd, { bigint: true }).ctimeNs < YOUNG_NS) await after(Number(YOUNG_NS / 1_000_000n));
      const before = fstatSync(file.fd, { bigint: true });
      if (!this.#isThere(file.path, before)) return 'changed';
      const { dev, ino, ctimeNs, mtimeNs, size } = before;
      const key = [dev, ino, ctimeNs, mtimeNs, size].map(String).join(' ');
      const known = this.#known.get(key);
      if (known !== undefined && (known.md5 !== null || !md5)) return known;
      const hashes = await readThrough({ ...file, stats: before }, md5);
      if (hashes !== null && isUnchanged(before, fstatSync(file.fd, { bigint: true })) && this.#isThere(file.path, before)) {
        this.#known.set(key, hashes);
        return hashes;
      }
    }
    return 'changed';
  }

  #isThere(path: string, stats: BigIntStats): boolean {
    try {
      return isUnchanged(stats, lstatSync(path, { bigint: true }));
    } catch {
      return false;
    }
  }
}
