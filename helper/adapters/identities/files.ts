/** What is known of program files: examined by the worker, judged by the registry, remembered by executable and path. */
import type { ExecutableId, Identity } from '../../contract/vocabulary.ts';
import type { IdentityNews, IntegrityJudge, JudgedFile } from '../../ports.ts';
import { isSettled } from './content.ts';
import { fileKeyOf, fileName } from './keys.ts';
import { Lru } from '../lru.ts';
import type { Examined } from './protocol.ts';
import type { Urgency, WorkerLink } from './worker-link.ts';

export const FILES_LIMIT = 8192;
/** Packages whose line is remembered; a prompt goes without when it was forgotten. */
const SUMMARIES_LIMIT = 1024;
/** What could not be examined is tried again after this. */
const FAILED_MS = 5000;
const UNKNOWN: Examined = {
  sizeBytes: 0, ctimeNs: 0n, sha256: null, failure: 'busy', packageState: 'none', package: null, packageSummary: null, appImage: false, snap: null, flatpak: null,
};

type Judged = Pick<Identity, 'integrity' | 'trusted'>;

/** One state of one file. */
export interface FileRecord {
  readonly path: string;
  readonly executable: ExecutableId;
  readonly uid: number;
  readonly examined: Examined;
  /** Monotonic. */
  readonly atMs: number;
  /** The file cannot have been written again without becoming another executable. */
  readonly settled: boolean;
  judged: Judged | null;
}

/** A record, or the way to get it: the promise settles when asking again has an answer. */
export type Look = { readonly record: FileRecord } | { readonly missing: () => Promise<void> };

export interface FilesDeps {
  readonly link: WorkerLink;
  readonly wallMs: () => number;
  readonly trustNewFiles: boolean;
  readonly nowMs: () => number;
  /** Is the file at `path` this very executable now, without any memory of an earlier look? */
  readonly verify: (executable: ExecutableId, path: string) => boolean;
  readonly judge: IntegrityJudge | null;
  readonly wantsHash: () => boolean;
  /** A file's identity is another one than what may have been told. */
  readonly onChanged: (news: IdentityNews) => void;
}

export class Files {
  readonly #deps: FilesDeps;
  readonly #records = new Lru<FileRecord>(FILES_LIMIT);
  readonly #running = new Map<string, Promise<void>>();
  readonly #waiting = new Set<string>();
  readonly #summaries = new Lru<string>(SUMMARIES_LIMIT);
  #again: 'running' | 'once more' | null = null;

  constructor(deps: FilesDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#records.size;
  }

  get evicted(): number {
    return this.#records.evicted;
  }

  /** What the package of a file that was looked at says of itself; null where that is not remembered. */
  summaryOf(packageName: string): string | null {
    return this.#summaries.get(packageName) ?? null;
  }

  /** Is a hash wanted before anybody may rely on the file? */
  needsHash(path: string): boolean {
    return this.#deps.wantsHash() || this.expects(path);
  }

  expects(path: string): boolean {
    return this.#deps.judge?.expects(path) ?? false;
  }

  /** Does the package system work on this file? */
  isWaiting(executable: ExecutableId, path: string): boolean {
    return this.#waiting.has(fileName(executable, path));
  }

  /** `sinceMs`: a look of that time or later is fresh enough for a file that may still change unnoticed. */
  look(executable: ExecutableId, path: string, uid: number, sinceMs: number): Look {
    const record = this.#records.get(fileName(executable, path));
    const isFresh = record !== undefined && (record.atMs >= sinceMs || this.#isLasting(record));
    const hashed = record?.examined.sha256 !== null || record.examined.failure !== null;
    if (isFresh && (hashed || !this.needsHash(path))) return { record };
    return { missing: () => this.#examine(executable, path, uid, { hash: this.needsHash(path), urgency: 'now' }) };
  }

  /** Remembered, whatever its age; nothing is looked up. */
  known(executable: ExecutableId, path: string): FileRecord | null {
    return this.#records.get(fileName(executable, path)) ?? null;
  }

  /** Looked at when there is nothing else to do, and told if there is more to say than the path. */
  lookLater(executable: ExecutableId, path: string, uid: number): void {
    if (this.known(executable, path) !== null) return;
    void this.#examine(executable, path, uid, { hash: false, urgency: 'later' }).then(() => {
      const examined = this.known(executable, path)?.examined;
      if (examined !== undefined && (examined.packageState === 'right' || examined.snap !== null || examined.flatpak !== null)) this.#deps.onChanged('more');
    });
  }

  /** What the registry says of the file; asked once, until it says that it changed its mind. */
  judgedOf(record: FileRecord): Judged {
    const { path, executable, examined } = record;
    const { sha256, failure } = examined;
    const { judge } = this.#deps;
    if (judge === null) return {};
    // A file that is to be compared and could not be read to its end is not the one that it was known as.
    if (sha256 === null) return failure !== null && judge.expects(path) ? { integrity: 'changed' } : {};
    record.judged ??= judge.judge({
      path, executable, sha256, ...packageOf(examined),
    });
    const { integrity, trusted } = record.judged;
    return { ...(integrity === undefined ? {} : { integrity }), ...(trusted === true ? { trusted } : {}) };
  }

  /** The registry judges otherwise now. */
  forgetJudgements(): void {
    for (const [, record] of this.#records.entries()) record.judged = null;
  }

  /** The package database is another one: what it says of known files is looked up again. */
  async lookAgain(): Promise<void> {
    if (this.#again !== null) {
      this.#again = 'once more';
      return;
    }
    do {
      this.#again = 'running';
      await this.#lookAtAll();
    } while (this.#isWantedAgain());
    this.#again = null;
  }

  #isWantedAgain(): boolean {
    return this.#again === 'once more';
  }

  async #lookAtAll(): Promise<void> {
    for (const [, { executable, path, uid, examined }] of this.#records.entries()) {
      await this.#examine(executable, path, uid, { hash: examined.sha256 !== null, urgency: 'later' });
    }
  }

  #isLasting({ examined, settled, atMs }: FileRecord): boolean {
    return examined.failure === null ? settled : this.#deps.nowMs() - atMs < FAILED_MS;
  }

  /** Those who ask for the same at the same time wait together. */
  #examine(executable: ExecutableId, path: string, uid: number, how: { readonly hash: boolean; readonly urgency: Urgency }): Promise<void> {
    const name = fileName(executable, path);
    const running = `${String(how.hash)} ${how.urgency} ${name}`;
    const before = this.#running.get(running);
    if (before !== undefined) return before;
    const work = this.#ask(executable, path, uid, how, name).finally(() => {
      this.#running.delete(running);
      this.#waiting.delete(name);
    });
    this.#running.set(running, work);
    return work;
  }

  async #ask(
    executable: ExecutableId, path: string, uid: number, { hash, urgency }: { readonly hash: boolean; readonly urgency: Urgency }, name: string,
  ): Promise<void> {
    const atMs = this.#deps.nowMs();
    const question = { kind: 'examine', path, key: fileKeyOf(executable), hash } as const;
    const answer = await this.#deps.link.ask(question, uid, urgency, () => { this.#waiting.add(name); });
    const before = this.#records.get(name);
    if (answer?.kind !== 'examine' && urgency === 'later') return;
    const found = answer?.kind === 'examine' ? answer.examined : { ...(before?.examined ?? UNKNOWN), sha256: null, failure: 'busy' as const };
    // Looked at after it was read: an inode is given anew only when the file that had it is gone.
    const examined = found.failure === null && !this.#deps.verify(executable, path) ? { ...UNKNOWN, failure: 'changed' as const } : found;
    const old = this.#deps.trustNewFiles || isSettled(executable.ctimeSec, this.#deps.wallMs());
    const settled = old && examined.ctimeNs > 0n;
    const record: FileRecord = { path, executable, uid, examined, atMs, settled, judged: null };
    this.#records.set(name, record);
    if (examined.package !== null && examined.packageSummary !== null) this.#summaries.set(examined.package, examined.packageSummary);
    if (before !== undefined && this.#differs(before, record)) this.#deps.onChanged('different');
    if (examined.sha256 === null && examined.failure === null) void this.#examine(executable, path, uid, { hash: true, urgency: 'later' });
  }

  /** Is something else told of the file now? That it is as it was known is no news. */
  #differs(before: FileRecord, after: FileRecord): boolean {
    const [old, now] = [before.examined, after.examined];
    const wasChanged = before.judged?.integrity === 'changed' || (old.failure !== null && this.expects(before.path));
    return old.package !== now.package || old.packageState !== now.packageState || old.snap !== now.snap || old.flatpak !== now.flatpak
      || (old.sha256 !== null && old.sha256 !== now.sha256) || wasChanged !== (this.judgedOf(after).integrity === 'changed');
  }
}

/** What a judge is told of the package: one that recorded nothing for the file does not count. */
export function packageOf({ packageState, package: name }: Examined): Pick<JudgedFile, 'package' | 'packageState'> {
  const recorded = packageState === 'right' || packageState === 'wrong';
  return { package: recorded ? name : null, packageState: recorded ? packageState : 'none' };
}

/** The parts of an identity that the file alone is the ground of. */
export function fileIdentityOf({ path, examined }: FileRecord, judged: Judged): Identity {
  const { package: name, packageState, snap, flatpak, sha256, appImage } = examined;
  return {
    path,
    ...(packageState === 'right' && name !== null ? { package: name } : {}),
    ...(flatpak === null ? {} : { flatpak }),
    ...(snap === null ? {} : { snap }),
    ...(appImage ? { appImage: path } : {}),
    ...(sha256 === null ? {} : { sha256 }),
    ...judged,
  };
}
