/** Finds and hashes files by their path for the registry of applications: port `FileLook`. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { open, readlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { ExecutableId } from '../../contract/vocabulary.ts';
import type { FileLook, HashedFile } from '../../ports.ts';

/** One update of the hash, between which other work gets its turn: under a millisecond of the event loop. */
const CHUNK_BYTES = 256 * 1024;
/** A larger file is no program; reading it would only cost. */
const LONGEST_BYTES = 8n * 1024n * 1024n * 1024n;
/** Opens no more than the name of a file. Source: linux/fcntl.h. */
const O_PATH = 0o10_000_000;
/** A file that is written meanwhile is read again so often. */
const ATTEMPTS = 3;
/** A file system that does not answer for so long (a server that is gone) is asked no more until it does. */
const FIND_LIMIT_MS = 2000;
/** The largest file takes less; what takes longer does not answer either. */
const HASH_LIMIT_MS = 120_000;

export interface FileLookOptions {
  /**
   * Hashes off this thread, and knows packages; null where it is not that very file, or cannot tell. What it cannot is hashed
   * here, without a word of a package.
   */
  readonly examine?: (path: string, executable: ExecutableId) => Promise<HashedFile | null>;
  readonly longestBytes?: bigint;
  /** Called after each chunk, for tests that change the file meanwhile. */
  readonly onChunk?: () => Promise<void>;
}

export function createFileLook(options: FileLookOptions = {}): FileLook {
  const silent = new Set<string>();
  return {
    hash: (path, signal) => inTime(hashAny(path, signal, options), HASH_LIMIT_MS, null, signal),
    find(path) {
      if (silent.has(path)) return Promise.resolve('unknown');
      silent.add(path);
      return inTime(find(path).finally(() => silent.delete(path)), FIND_LIMIT_MS, 'unknown');
    },
  };
}

/** What `work` says, or `otherwise` after a time. Rejects at once when it is aborted, even if a read still hangs. */
async function inTime<T>(work: Promise<T>, limitMs: number, otherwise: T, signal?: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let stop = (): void => undefined;
  const late = new Promise<T>((resolve, reject) => {
    timer = setTimeout(() => { resolve(otherwise); }, limitMs).unref();
    stop = () => { reject(new DOMException('it was stopped', 'AbortError')); };
    signal?.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
    work.catch(() => undefined);
  }
}

async function find(path: string): ReturnType<FileLook['find']> {
  try {
    const stats = await statThere(path);
    return stats === null ? null : { executable: executableOf(stats), sizeBytes: Number(stats.size) };
  } catch (error: unknown) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' ? null : 'unknown';
  }
}

/** The regular file that is at this very path; null for anything else. */
async function statThere(path: string): Promise<BigIntStats | null> {
  const file = await open(path, O_PATH | constants.O_NOFOLLOW);
  try {
    const stats = await file.stat({ bigint: true });
    return stats.isFile() && await isAt(file, path) ? stats : null;
  } finally {
    await file.close();
  }
}

/**
 * Did no link on the way lead elsewhere? Users choose paths: one who puts a link in the place of a folder of his would else
 * learn the hash of a file that he may not read, or whether it is there.
 */
async function isAt(file: FileHandle, path: string): Promise<boolean> {
  return await readlink(`/proc/self/fd/${String(file.fd)}`).catch(() => '') === path;
}

/** The examined file is the one that was found at this very path: a link that leads elsewhere has another inode behind it. */
async function hashAny(path: string, signal: AbortSignal | undefined, options: FileLookOptions): Promise<HashedFile | null> {
  const found = options.examine === undefined ? null : await find(path);
  if (found !== null && found !== 'unknown') {
    const examined = await options.examine?.(path, found.executable) ?? null;
    if (examined !== null) return { ...examined, executable: found.executable };
  }
  return hashSteady(path, signal, options);
}

async function hashSteady(path: string, signal: AbortSignal | undefined, options: FileLookOptions): Promise<HashedFile | null> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    signal?.throwIfAborted();
    const hashed = await hashOnce(path, signal, options);
    if (hashed !== 'changing') return hashed;
  }
  return null;
}

/** 'changing' where the file was written, or another one was put in its place, between the first byte and the last. */
async function hashOnce(path: string, signal: AbortSignal | undefined, options: FileLookOptions): Promise<HashedFile | null | 'changing'> {
  let file: FileHandle;
  try {
    // A FIFO does not block.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return null;
  }
  try {
    const before = await file.stat({ bigint: true });
    if (!before.isFile() || !(await isAt(file, path)) || before.size > (options.longestBytes ?? LONGEST_BYTES)) return null;
    const sha256 = await digest(file, before.size, signal, options);
    const after = await file.stat({ bigint: true });
    const there = await statThere(path).catch(() => null);
    if (!unchanged(before, after) || there === null || !unchanged(before, there)) return 'changing';
    return { sha256, sizeBytes: Number(before.size), executable: executableOf(before) };
  } catch (error: unknown) {
    if (signal?.aborted === true) throw error;
    return null;
  } finally {
    await file.close();
  }
}

/** Reads no more than was there at the start: a file that grows has no end. */
async function digest(file: FileHandle, sizeBytes: bigint, signal: AbortSignal | undefined, options: FileLookOptions): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let position = 0; position < Number(sizeBytes);) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, position);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
    await options.onChunk?.();
  }
  return hash.digest('hex');
}

function unchanged(a: BigIntStats, b: BigIntStats): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.ctimeNs === b.ctimeNs && a.mtimeNs === b.mtimeNs;
}

/** `major << 20 | minor`, as the kernel has it. Source: sys/sysmacros.h. The generation is not told here. */
function executableOf({ dev, ino, ctimeNs }: BigIntStats): ExecutableId {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
  const device = Number((major << 20n) | (minor & 0xfffffn));
  return { device, inode: ino, generation: 0, ctimeSec: Number(ctimeNs / 1_000_000_000n) };
}
