/**
 * Which package has a path: every path of dpkg's file lists as a 32-bit number beside the number of its list, some eight bytes
 * each, so that one lookup reads one or two lists and not a thousand. Built when it is first needed and when the database changed.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readScratch } from './scratch.ts';

/** A machine with everything installed has a quarter of this. */
export const PATHS_LIMIT = 2_000_000;
export const LISTS_LIMIT = 32_768;
const NEWLINE = 10;
/** FNV-1a. A clash costs one look into a list that does not have the path. */
const OFFSET = 0x811c_9dc5;
const PRIME = 0x0100_0193;

function hashOf(text: string): number {
  return Buffer.from(text, 'utf8').reduce((hash, byte) => Math.imul(hash ^ byte, PRIME), OFFSET) >>> 0;
}

const AFTER_USR = hashOf('/usr');

/**
 * Top folders that are links into /usr on this machine (`bin` for /bin -> usr/bin): packages list files below either name.
 * Source: deb-usrmerge, file-hierarchy(7).
 */
export type Merged = ReadonlySet<string>;

/** The one name for what packages may call by two. */
export function canonicalPath(path: string, merged: Merged): string {
  const top = /^\/([^/]+)\//u.exec(path)?.[1];
  return top !== undefined && merged.has(top) ? `/usr${path}` : path;
}

export class PathIndex {
  /** Ascending: number of the path * LISTS_LIMIT + number of the list. */
  readonly #entries: Float64Array;
  readonly #lists: readonly string[];
  readonly #merged: Merged;
  /** Paths or lists that did not fit. */
  readonly left: number;

  private constructor(entries: Float64Array, lists: readonly string[], merged: Merged, left: number) {
    this.#entries = entries;
    this.#lists = lists;
    this.#merged = merged;
    this.left = left;
  }

  get paths(): number {
    return this.#entries.length;
  }

  /** Reads every `.list` below `folder`, and calls `rest` now and then, so that others get their turn. */
  static async build(folder: string, merged: Merged, rest: () => Promise<void>): Promise<PathIndex> {
    const names = readdirSync(folder).filter((name) => name.endsWith('.list')).sort();
    const tops = [...merged].map((top) => Buffer.from(`/${top}/`, 'utf8'));
    const lists = names.slice(0, LISTS_LIMIT).map((name) => name.slice(0, -'.list'.length));
    let entries: Float64Array = new Float64Array(65_536);
    let [count, left] = [0, names.length - lists.length];
    for (const [number, name] of lists.entries()) {
      if (number % 32 === 31) await rest();
      eachHash(readScratch(join(folder, `${name}.list`)), tops, (hash) => {
        if (count === PATHS_LIMIT) {
          left += 1;
          return;
        }
        if (count === entries.length) entries = grown(entries);
        entries[count] = hash * LISTS_LIMIT + number;
        count += 1;
      });
    }
    return new PathIndex(entries.slice(0, count).sort(), lists, merged, left);
  }

  /** Names of the lists that may have the path, such as `libc6:amd64`. */
  candidates(canonical: string): readonly string[] {
    const hash = hashOf(canonical);
    const found = new Set<string>();
    for (let at = this.#lowerBound(hash * LISTS_LIMIT); at < this.#entries.length; at += 1) {
      const entry = this.#entries[at] ?? 0;
      if (Math.floor(entry / LISTS_LIMIT) !== hash) break;
      const name = this.#lists[entry % LISTS_LIMIT];
      if (name !== undefined) found.add(name);
    }
    return [...found];
  }

  /** Does the list of `name` have the path under any of its names? */
  lists(folder: string, name: string, canonical: string): boolean {
    const bytes = readScratch(join(folder, `${name}.list`));
    return namesOf(canonical, this.#merged).some((path) => hasLine(bytes, path));
  }

  #lowerBound(wanted: number): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle] ?? 0) < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Every name that a package may list a path under. */
export function namesOf(canonical: string, merged: Merged): readonly string[] {
  const top = /^\/usr\/([^/]+)\//u.exec(canonical)?.[1];
  return top !== undefined && merged.has(top) ? [canonical, canonical.slice('/usr'.length)] : [canonical];
}

function grown(entries: Float64Array): Float64Array {
  const larger = new Float64Array(entries.length * 2);
  larger.set(entries);
  return larger;
}

/** Is one of the lines exactly this text? */
export function hasLine(bytes: Buffer, line: string): boolean {
  const wanted = Buffer.from(`${line}\n`, 'utf8');
  for (let at = bytes.indexOf(wanted); at !== -1; at = bytes.indexOf(wanted, at + 1)) {
    if (at === 0 || bytes[at - 1] === NEWLINE) return true;
  }
  return false;
}

/** Calls `found` with the number of each line's canonical path. One pass over the bytes: no text is made of them. */
function eachHash(bytes: Buffer, merged: readonly Buffer[], found: (hash: number) => void): void {
  for (let at = 0; at < bytes.length; at += 1) {
    let hash = merged.some((top) => beginsAt(bytes, top, at)) ? AFTER_USR : OFFSET;
    for (; at < bytes.length; at += 1) {
      const byte = bytes[at] ?? NEWLINE;
      if (byte === NEWLINE) break;
      hash = Math.imul(hash ^ byte, PRIME);
    }
    found(hash >>> 0);
  }
}

function beginsAt(bytes: Buffer, top: Buffer, at: number): boolean {
  for (let index = 1; index < top.length; index += 1) if (bytes[at + index] !== top[index]) return false;
  return true;
}
