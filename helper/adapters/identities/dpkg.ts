/** dpkg's database as its files tell it: which package a file belongs to, and with which checksum. Runs in the worker only. */
import { lstatSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PathIndex, canonicalPath, hasLine, namesOf } from './dpkg-index.ts';
import type { Merged } from './dpkg-index.ts';
import { Lru } from '../lru.ts';
import { summaryIn } from './package-summary.ts';
import { readScratch } from './scratch.ts';
import { isRootsPath } from './trusted-path.ts';

const GROUP_OR_WORLD_WRITABLE = 0o022n;
const NEWLINE = 10;
/** Hexadecimal digits of an MD5. */
const SUM_LENGTH = 32;
/** After dpkg has let go of its lock, the next run of the same upgrade may come. */
const SETTLED_MS = 3000;
/** Packages whose line is remembered, so that the whole status file is not read for each of their files. */
const SUMMARIES_LIMIT = 256;
const TOP_FOLDERS = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libo32', 'libx32'];

/** A package that lists a file; `md5` null where it recorded no checksum. */
export interface Recorded {
  readonly package: string;
  readonly md5: string | null;
}

interface Diversion {
  readonly from: string;
  readonly to: string;
  /** Whose file stays; null: nobody's. */
  readonly by: string | null;
}

/** Top folders of this machine that are links into /usr. */
function mergedFolders(): Merged {
  return new Set(TOP_FOLDERS.filter((name) => {
    try {
      return readlinkSync(`/${name}`).replace(/^\//u, '') === `usr/${name}`;
    } catch {
      return false;
    }
  }));
}

export class Packages {
  readonly #folder: string;
  readonly #database: string;
  readonly #merged: Merged = mergedFolders();
  #index: { readonly state: string; readonly paths: PathIndex; readonly diversions: readonly Diversion[] } | null = null;
  #building: Promise<void> | null = null;
  readonly #summaries = new Lru<{ readonly text: string | null }>(SUMMARIES_LIMIT);

  constructor(database: string) {
    this.#database = database;
    this.#folder = join(database, 'info');
  }

  /** Packages that list the file at this real path, not as a configuration file; empty without a database that is root's alone. */
  async owners(path: string): Promise<readonly Recorded[]> {
    const index = await this.#current();
    if (index === null) return [];
    const found: Recorded[] = [];
    const canonical = canonicalPath(path, this.#merged);
    for (const { listed, only, not } of origins(canonical, index.diversions)) {
      for (const list of index.paths.candidates(listed)) {
        const name = packageOf(list);
        if ((only !== null && name !== only) || name === not) continue;
        if (!index.paths.lists(this.#folder, list, listed) || this.#isConfiguration(list, listed)) continue;
        found.push({ package: name, md5: this.#checksum(list, listed) });
      }
    }
    return found;
  }

  /** What a package that `owners` named says of itself in one line; null where it says nothing. */
  summary(name: string): string | null {
    const known = this.#summaries.get(name);
    if (known !== undefined) return known.text;
    const text = summaryIn(readScratch(join(this.#database, 'status')), name);
    this.#summaries.set(name, { text });
    return text;
  }

  /** Is dpkg at work, or was it a moment ago? */
  isBusy(): boolean {
    try {
      const age = Date.now() - statSync(this.#folder).mtimeMs;
      return (age >= 0 && age < SETTLED_MS) || this.#isLocked();
    } catch {
      return false;
    }
  }

  /** Source: proc(5), locks: `1: POSIX  ADVISORY  WRITE 4711 fe:00:402116 0 EOF`. The lock file is readable for root alone. */
  #isLocked(): boolean {
    const { ino } = statSync(join(this.#database, 'lock'), { bigint: true });
    const locks = readFileSync('/proc/locks', 'latin1').matchAll(/^\d+: POSIX +ADVISORY +WRITE +-?\d+ [0-9a-f]+:[0-9a-f]+:(\d+) /gmu);
    return [...locks].some(([, inode]) => inode === String(ino));
  }

  async #current(): Promise<{ readonly paths: PathIndex; readonly diversions: readonly Diversion[] } | null> {
    const state = this.#state();
    if (state === null) return null;
    if (this.#index?.state !== state) {
      this.#building ??= this.#build(state).finally(() => { this.#building = null; });
      await this.#building;
    }
    return this.#index;
  }

  async #build(state: string): Promise<void> {
    try {
      const paths = await PathIndex.build(this.#folder, this.#merged, async () => { await nextTurn(); });
      this.#index = { state, paths, diversions: this.#diversions() };
      this.#summaries.clear();
    } catch {
      this.#index = null;
    }
  }

  /** Changes with every change of the database; null where there is none, or others can write it. */
  #state(): string | null {
    try {
      const info = lstatSync(this.#folder, { bigint: true });
      if (!info.isDirectory() || info.uid !== 0n || (info.mode & GROUP_OR_WORLD_WRITABLE) !== 0n || !isRootsPath(this.#database)) return null;
      const diversions = statSync(join(this.#database, 'diversions'), { bigint: true, throwIfNoEntry: false });
      return `${String(info.mtimeNs)} ${String(info.ino)} ${String(diversions?.ctimeNs ?? 0n)}`;
    } catch {
      return null;
    }
  }

  /** Source: dpkg-divert(1); three lines each: the path, where it went, and the package, or `:` for the administrator. */
  #diversions(): readonly Diversion[] {
    const lines = readScratch(join(this.#database, 'diversions')).toString('utf8').split('\n');
    const found: Diversion[] = [];
    for (let at = 0; at + 2 < lines.length; at += 3) {
      const [from = '', to = '', by = ''] = lines.slice(at, at + 3);
      found.push({ from: canonicalPath(from, this.#merged), to: canonicalPath(to, this.#merged), by: by === ':' ? null : by });
    }
    return found;
  }

  /** Source: deb-conffiles(5). What an administrator edits is no program of the package's. */
  #isConfiguration(list: string, listed: string): boolean {
    const bytes = readScratch(join(this.#folder, `${list}.conffiles`));
    return namesOf(listed, this.#merged).some((path) => hasLine(bytes, path));
  }

  /** Source: deb-md5sums(5): 32 digits, two blanks, the path without its first slash. */
  #checksum(list: string, listed: string): string | null {
    const bytes = readScratch(join(this.#folder, `${list}.md5sums`));
    for (const path of namesOf(listed, this.#merged)) {
      const at = bytes.indexOf(`  ${path.slice(1)}\n`, 'utf8');
      const md5 = at < SUM_LENGTH ? '' : bytes.toString('latin1', at - SUM_LENGTH, at);
      if (/^[0-9a-f]{32}$/u.test(md5) && (at === SUM_LENGTH || bytes[at - SUM_LENGTH - 1] === NEWLINE)) return md5;
    }
    return null;
  }
}

function packageOf(list: string): string {
  return basename(list).replace(/:.*$/u, '');
}

/** Under which path of a file list the file that is at `canonical` came, and whose it can be. */
interface Origin {
  readonly listed: string;
  readonly only: string | null;
  readonly not: string | null;
}

/** A diverted path holds the diverting package's own file; everybody else's is where the diversion says. */
function origins(canonical: string, diversions: readonly Diversion[]): readonly Origin[] {
  const away = diversions.find(({ from }) => from === canonical);
  const here = diversions.filter(({ to }) => to === canonical).map(({ from, by }) => ({ listed: from, only: null, not: by }));
  // A local diversion leaves no package's file at the path.
  if (away !== undefined) return away.by === null ? here : [{ listed: canonical, only: away.by, not: null }, ...here];
  return [{ listed: canonical, only: null, not: null }, ...here];
}
