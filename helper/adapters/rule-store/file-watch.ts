/** Tells when a person has changed the files: inotify, waited for until quiet, the helper's own writes left out. */
import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Logger } from '../../ports.ts';
import { errorCodeOf } from '../trusted-file.ts';

/** Editors write in several steps; a change counts once nothing has happened for this long. */
const QUIET_MS = 100;
/** A folder that is never quiet is looked at all the same. */
const LONGEST_WAIT_MS = 2000;
/** Folders that cannot be watched (yet) are looked at this often. */
const RETRY_MS = 30_000;
/** Files of one folder that are compared; the store itself reads fewer. */
const COMPARED_FILES = 4096;

/** What a file is known by without reading it. */
type Signature = string;
export type Snapshot = Map<string, Signature>;

interface Armed {
  readonly watcher: FSWatcher;
  /** Device and inode that the watch is on. */
  readonly identity: Signature;
}

export class FileWatch {
  private readonly folders: readonly string[];
  private readonly singleFiles: readonly string[];
  private readonly logger: Logger;
  private readonly retryMs: number;
  private known: Snapshot = new Map();
  private readonly armed = new Map<string, Armed>();
  private readonly listeners = new Set<() => void>();
  private quiet: NodeJS.Timeout | null = null;
  private retry: NodeJS.Timeout | null = null;
  private firstEventMs = 0;
  private wanted = false;
  private forced = false;
  private turn: Promise<void> = Promise.resolve();

  /** `folders` hold *.toml files; `singleFiles` are watched through their folder. */
  constructor(folders: readonly string[], singleFiles: readonly string[], logger: Logger, retryMs = RETRY_MS) {
    this.retryMs = retryMs;
    this.folders = folders;
    this.singleFiles = singleFiles;
    this.logger = logger;
  }

  /** State of all files now; `load` takes it before it reads them and hands it to `setKnown`. */
  async snapshot(): Promise<Snapshot> {
    const found: Snapshot = new Map();
    for (const path of this.singleFiles) found.set(path, await signatureOf(path, true));
    for (const folder of this.folders) {
      found.set(folder, await signatureOf(folder, false));
      const names = await readdir(folder).catch(() => []);
      for (const name of names.filter((one) => one.endsWith('.toml') && !one.startsWith('.')).slice(0, COMPARED_FILES)) {
        found.set(join(folder, name), await signatureOf(join(folder, name), true));
      }
    }
    return found;
  }

  setKnown(snapshot: Snapshot): void {
    this.known = snapshot;
  }

  /** The helper wrote `bytes` to `path`: no change, unless somebody else has written since. */
  async ownWrite(path: string, bytes: Uint8Array): Promise<void> {
    const before = await signatureOf(path, true);
    const now = await readFile(path).catch(() => null);
    if (now?.equals(bytes) === true) this.known.set(path, before);
  }

  /** The helper wrote `path`, but does not know with what success: what it says is read in a moment. */
  doubt(path: string): void {
    this.known.delete(path);
    this.onEvent();
  }

  /** Calls the listeners in a while although no file changed. */
  lookAgainLater(): void {
    this.forced = true;
    this.retryLater();
  }

  listen(changed: () => void): () => void {
    this.listeners.add(changed);
    if (!this.wanted) {
      this.wanted = true;
      this.inTurn(async () => {
        await this.arm();
        // What changed between the load and the first watch.
        if (this.known.size > 0) this.onEvent();
        if (this.forced) this.retryLater();
      });
    }
    return () => {
      this.listeners.delete(changed);
      if (this.listeners.size === 0) this.stop();
    };
  }

  private stop(): void {
    this.wanted = false;
    for (const { watcher } of this.armed.values()) watcher.close();
    this.armed.clear();
    if (this.quiet !== null) clearTimeout(this.quiet);
    if (this.retry !== null) clearTimeout(this.retry);
    this.quiet = null;
    this.retry = null;
  }

  /** A folder is watched itself and through its parent, which tells when it is replaced. */
  private async arm(): Promise<void> {
    const own = new Set([...this.folders, ...this.singleFiles.map((path) => dirname(path))]);
    const parents = new Set([...own].map((path) => dirname(path)));
    let complete = true;
    for (const folder of new Set([...own, ...parents])) {
      const identity = await signatureOf(folder, false);
      const before = this.armed.get(folder);
      if (before?.identity === identity) continue;
      before?.watcher.close();
      this.armed.delete(folder);
      const children = own.has(folder) ? null : new Set([...own].filter((path) => dirname(path) === folder).map((path) => basename(path)));
      if (identity === '' || !this.wanted || !this.armOne(folder, identity, children)) complete = false;
    }
    if (!complete) this.retryLater();
  }

  private armOne(folder: string, identity: Signature, children: ReadonlySet<string> | null): boolean {
    try {
      const watcher = watch(folder, (_event, name) => {
        if (children === null || name === null || children.has(name)) this.onEvent();
      });
      watcher.on('error', () => {
        watcher.close();
        this.armed.delete(folder);
        this.onEvent();
      });
      this.armed.set(folder, { watcher, identity });
      return true;
    } catch (error: unknown) {
      this.logger.log('warning', 'A folder cannot be watched; it is looked at every 30 seconds.', { folder, error: errorCodeOf(error) });
      return false;
    }
  }

  private retryLater(): void {
    if (!this.wanted || this.retry !== null) return;
    this.retry = setTimeout(() => {
      this.retry = null;
      if (this.forced) this.known = new Map();
      this.forced = false;
      this.onEvent();
    }, this.retryMs);
    this.retry.unref();
  }

  private onEvent(): void {
    if (!this.wanted) return;
    const nowMs = performance.now();
    if (this.quiet === null) this.firstEventMs = nowMs;
    else clearTimeout(this.quiet);
    const waitMs = Math.max(0, Math.min(QUIET_MS, this.firstEventMs + LONGEST_WAIT_MS - nowMs));
    this.quiet = setTimeout(() => {
      this.quiet = null;
      this.inTurn(() => this.settle());
    }, waitMs);
  }

  private async settle(): Promise<void> {
    if (!this.wanted) return;
    await this.arm();
    const now = await this.snapshot();
    if (!this.isWanted() || sameSnapshot(now, this.known)) return;
    this.known = now;
    for (const changed of [...this.listeners]) changed();
  }

  /** The wish can end while a promise is awaited; read through a call so that this is not taken for settled. */
  private isWanted(): boolean {
    return this.wanted;
  }

  private inTurn(work: () => Promise<void>): void {
    this.turn = this.turn.then(work).catch((error: unknown) => {
      this.logger.log('warning', 'Looking for changed files failed.', { error: errorCodeOf(error) });
      this.retryLater();
    });
  }
}

async function signatureOf(path: string, content: boolean): Promise<Signature> {
  try {
    const stats = await lstat(path, { bigint: true });
    const identity = [stats.dev, stats.ino, stats.mode, stats.uid];
    return (content ? [...identity, stats.size, stats.mtimeNs, stats.ctimeNs] : identity).join(':');
  } catch {
    return '';
  }
}

function sameSnapshot(left: Snapshot, right: Snapshot): boolean {
  if (left.size !== right.size) return false;
  for (const [path, signature] of left) if (right.get(path) !== signature) return false;
  return true;
}
