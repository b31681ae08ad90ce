/**
 * What is remembered of each program's file: who it is, its hash, who used it. Bounded: whoever brought in the most loses
 * those first that were silent for longest; a program that a rule names stays.
 */
import type { ExecutableId, Identity } from '../../contract/vocabulary.ts';
import type { PackageState } from '../../ports.ts';
import type { KnownBy, KnownHash } from '../../policy/integrity.ts';

export const APPLICATION_LIMITS = {
  applications: 4096,
  /** Of paths and names in all, in UTF-16 code units. */
  text: 1_048_576,
  /** Users told apart for one program. */
  users: 16,
} as const;

/** Users whose number is not known share one row. Source: the contract's 4294967295. */
export const NOBODY = 0xffff_ffff;

/** What one user did with a program. Times are ms since 1970. */
export interface ApplicationUse {
  firstSeenMs: number;
  lastSeenMs: number;
  allowed: number;
  refused: number;
}

/** The file as it was when it was last hashed. */
export interface SeenFile {
  readonly sha256: string;
  readonly packageState: PackageState;
  /** As the kernel calls the file, and as the file system does; they differ where a file system has several devices. */
  readonly executable: ExecutableId | null;
  readonly found: ExecutableId | null;
}

/** The known hash became another one. */
export interface HashChange {
  readonly timeMs: number;
  readonly from: string;
  readonly to: string;
  readonly by: KnownBy;
}

export interface Application {
  /** The file that is hashed: the program's, the script's or the AppImage's. */
  readonly path: string;
  kind: 'program' | 'script' | 'appimage';
  /** What is run where that is another file: the interpreter, the program inside the AppImage. */
  runs: string | null;
  package: string | null;
  flatpak: string | null;
  snap: string | null;
  known: KnownHash | null;
  seen: SeenFile | null;
  change: HashChange | null;
  /** Who brought it in: its place in the table is his. */
  firstUid: number;
  /** The longest unseen first. */
  readonly users: Map<number, ApplicationUse>;
  /** Grows with each time that it is seen. */
  order: number;
  /** Its text in the kept state; null when that is no longer true. */
  json: string | null;
}

/** The file that stands for a program, and as what; null where no path is known or there is no file (the kernel). */
export function fileOf({ path, appImage, script }: Identity): Pick<Application, 'path' | 'kind' | 'runs'> | null {
  if (script !== undefined) return { path: script, kind: 'script', runs: path };
  if (appImage !== undefined) return { path: appImage, kind: 'appimage', runs: path };
  return path?.startsWith('/') === true ? { path, kind: 'program', runs: null } : null;
}

/** A record without a history. */
export function newApplication(file: Pick<Application, 'path' | 'kind' | 'runs'>, firstUid: number): Application {
  return {
    ...file, firstUid, package: null, flatpak: null, snap: null, known: null, seen: null, change: null, users: new Map(), order: 0, json: null,
  };
}

function textOf(one: Application): number {
  return [one.path, one.runs, one.package, one.flatpak, one.snap].reduce((sum, part) => sum + (part?.length ?? 0), 0);
}

export interface TableCounters {
  readonly applications: number;
  /** Left because the table was full. */
  readonly evicted: number;
  /** Not taken because only such as have a rule were left. */
  readonly refused: number;
}

export class ApplicationTable {
  readonly #limits: { readonly applications: number; readonly text: number };
  readonly #hasRule: (one: Application) => boolean;
  readonly #byPath = new Map<string, Application>();
  readonly #ofUser = new Map<number, number>();
  #text = 0;
  #order = 0;
  #evicted = 0;
  #refused = 0;

  constructor(
    hasRule: (one: Application) => boolean,
    limits: { readonly applications: number; readonly text: number } = APPLICATION_LIMITS,
  ) {
    this.#hasRule = hasRule;
    this.#limits = limits;
  }

  get counters(): TableCounters {
    return { applications: this.#byPath.size, evicted: this.#evicted, refused: this.#refused };
  }

  get(path: string): Application | null {
    return this.#byPath.get(path) ?? null;
  }

  /** The longest unseen first. */
  all(): readonly Application[] {
    return [...this.#byPath.values()].sort((a, b) => a.order - b.order);
  }

  /** Takes it in as the one seen last; false when there is no room that may be taken. */
  add(one: Application): boolean {
    this.delete(one.path);
    const needed = textOf(one);
    while (this.#byPath.size >= this.#limits.applications || this.#text + needed > this.#limits.text) {
      if (this.#evict()) continue;
      this.#refused += 1;
      return false;
    }
    this.#byPath.set(one.path, one);
    this.touch(one);
    this.#text += needed;
    this.#count(one.firstUid, 1);
    return true;
  }

  /** It spoke just now. */
  touch(one: Application): void {
    one.order = this.#order += 1;
  }

  /** Changes what it is called; the text counts towards the limit. */
  describe(one: Application, change: Partial<Pick<Application, 'kind' | 'runs' | 'package' | 'flatpak' | 'snap'>>): void {
    const before = textOf(one);
    Object.assign(one, change);
    one.json = null;
    if (this.#byPath.get(one.path) === one) this.#text += textOf(one) - before;
  }

  /** A record that nobody has brought in yet is this user's from now on. */
  claim(one: Application, uid: number): void {
    if (one.firstUid !== NOBODY || uid === NOBODY || this.#byPath.get(one.path) !== one) return;
    this.#count(NOBODY, -1);
    this.#count(uid, 1);
    one.firstUid = uid;
    one.json = null;
  }

  delete(path: string): void {
    const one = this.#byPath.get(path);
    if (one === undefined) return;
    this.#byPath.delete(path);
    this.#text -= textOf(one);
    this.#count(one.firstUid, -1);
  }

  /** Of the user with the most: the longest unseen that has no rule; where all of his have one, anybody's. */
  #evict(): boolean {
    const largest = Math.max(...this.#ofUser.values());
    let [first, other]: (Application | null)[] = [null, null];
    for (const one of this.#byPath.values()) {
      const isLargest = this.#ofUser.get(one.firstUid) === largest;
      const oldest = isLargest ? first : other;
      if ((oldest != null && oldest.order <= one.order) || this.#hasRule(one)) continue;
      if (isLargest) first = one;
      else other = one;
    }
    const leaving = first ?? other ?? null;
    return leaving !== null && this.#leave(leaving);
  }

  #count(uid: number, by: 1 | -1): void {
    const count = (this.#ofUser.get(uid) ?? 0) + by;
    if (count === 0) this.#ofUser.delete(uid);
    else this.#ofUser.set(uid, count);
  }

  #leave(one: Application): true {
    this.delete(one.path);
    this.#evicted += 1;
    return true;
  }
}

/** Counts one decided flow; of more users than are told apart, the longest unseen is forgotten. */
export function countUse(one: Application, uid: number, action: 'allowed' | 'refused' | 'neither', timeMs: number): void {
  const before = one.users.get(uid);
  const use = before ?? { firstSeenMs: timeMs, lastSeenMs: timeMs, allowed: 0, refused: 0 };
  one.users.delete(uid);
  const [oldest] = one.users.keys();
  if (oldest !== undefined && one.users.size >= APPLICATION_LIMITS.users) one.users.delete(oldest);
  one.users.set(uid, use);
  use.lastSeenMs = Math.max(use.lastSeenMs, timeMs);
  if (action !== 'neither') use[action] += 1;
  one.json = null;
}
