/** Paths that a user cannot bend: which folders and links only root can change. */
import { lstatSync, readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { dirname, posix } from 'node:path';

const GROUP_OR_WORLD_WRITABLE = 0o022n;
const STICKY = 0o1000n;
/** Source: path_resolution(7), the kernel's own limit of links. */
const LINKS_LIMIT = 40;

function lstatOf(path: string): BigIntStats | null {
  try {
    return lstatSync(path, { bigint: true });
  } catch {
    return null;
  }
}

/** Root's, and nobody else can rename what root has put into it. */
function isRootsFolder(stats: BigIntStats): boolean {
  return stats.isDirectory() && stats.uid === 0n
    && ((stats.mode & GROUP_OR_WORLD_WRITABLE) === 0n || (stats.mode & STICKY) !== 0n);
}

/** Is every folder from the root down to `folder` root's own, without a link on the way? */
export function isRootsPath(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    const stats = lstatOf(at);
    if (stats === null || !isRootsFolder(stats)) return false;
    if (at === '/') return true;
  }
}

/** A regular file of root's that nobody else may write, below folders of root's alone. */
export function isRootsFile(path: string): boolean {
  const stats = lstatOf(path);
  return stats !== null && stats.isFile() && stats.uid === 0n && (stats.mode & GROUP_OR_WORLD_WRITABLE) === 0n
    && isRootsPath(dirname(path));
}

/**
 * The real path of a regular file, following only links that nobody but root can change: another link may have led elsewhere
 * when the path was used. Null for everything else. A sticky folder is no place for a link to be believed, because everybody
 * can make one there.
 */
export function pathWithoutOthersLinks(path: string): string | null {
  if (!path.startsWith('/') || path.includes('\0')) return null;
  let [left, at, links, trusted] = [path.split('/').filter((part) => part !== '' && part !== '.'), '/', 0, true];
  for (;;) {
    const [part, ...rest] = left;
    if (part === undefined) return null;
    if (part === '..') {
      [at, left] = [dirname(at), rest];
      trusted = isRootsPath(at) && isUnshared(at);
      continue;
    }
    const next = posix.join(at, part);
    const stats = lstatOf(next);
    if (stats === null) return null;
    if (stats.isSymbolicLink()) {
      links += 1;
      if (!trusted || stats.uid !== 0n || links > LINKS_LIMIT) return null;
      const target = readlinkSync(next);
      if (target.startsWith('/')) [at, trusted] = ['/', true];
      left = [...target.split('/').filter((word) => word !== '' && word !== '.'), ...rest];
      continue;
    }
    if (stats.isDirectory()) {
      [at, left] = [next, rest];
      trusted &&= isRootsFolder(stats) && (stats.mode & GROUP_OR_WORLD_WRITABLE) === 0n;
      continue;
    }
    return stats.isFile() && rest.length === 0 ? next : null;
  }
}

function isUnshared(folder: string): boolean {
  const stats = lstatOf(folder);
  return stats !== null && (stats.mode & GROUP_OR_WORLD_WRITABLE) === 0n;
}
