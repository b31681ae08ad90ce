/** Is the file at this path the one that runs? With a short memory, because the answer is wanted for every held flow. */
import type { NativeBinding, NativeExecutable } from '../../native/binding.ts';
import { Lru } from './lru.ts';

const REMEMBERED_NS = 1_000_000_000n;
const REMEMBERED_LIMIT = 4096;

interface Checked {
  readonly executable: NativeExecutable;
  readonly matches: boolean;
  readonly atNs: bigint;
}

/**
 * The same file. Some file systems do not tell an inode's generation (0): device, inode and change time decide alone then,
 * and an inode that is used again has a later change time.
 */
export function sameFile(a: NativeExecutable, b: NativeExecutable): boolean {
  return a.device === b.device && a.inode === b.inode && a.ctimeSec === b.ctimeSec
    && (a.generation === b.generation || a.generation === 0 || b.generation === 0);
}

function identical(a: NativeExecutable, b: NativeExecutable): boolean {
  return a.device === b.device && a.inode === b.inode && a.ctimeSec === b.ctimeSec && a.generation === b.generation;
}

/** `matches` looks at the file system for every path that is new or came with another executable, and again after a second. */
export class FileCheck {
  readonly #native: Pick<NativeBinding, 'bootNs' | 'fileIdentity'>;
  readonly #checked = new Lru<Checked>(REMEMBERED_LIMIT);

  constructor(native: Pick<NativeBinding, 'bootNs' | 'fileIdentity'>) {
    this.#native = native;
  }

  /** Is the regular file at `path`, in the helper's mount namespace, this very executable? */
  matches(executable: NativeExecutable, path: string): boolean {
    if (!path.startsWith('/') || path.includes('\0')) return false;
    const nowNs = this.#native.bootNs();
    const known = this.#checked.get(path);
    if (known !== undefined && identical(known.executable, executable) && nowNs - known.atNs < REMEMBERED_NS) return known.matches;
    const there = this.#native.fileIdentity(path);
    const matches = there !== null && sameFile(there, executable);
    this.#checked.set(path, { executable, matches, atNs: nowNs });
    return matches;
  }
}
