/** Tells when something appears, changes or goes at a path whose folders may not be there yet either. Costs nothing meanwhile. */
import { lstatSync, watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Where a folder cannot be watched. */
const LOOK_MS = 5000;
/** What happens together is looked at once. */
const GATHER_MS = 20;

export class SocketPresence {
  readonly #path: string;
  readonly #changed: (isThere: boolean) => void;
  #signature = '';
  #watched = '';
  #watcher: FSWatcher | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(path: string, changed: (isThere: boolean) => void) {
    this.#path = path;
    this.#changed = changed;
  }

  /** From now on it tells of each change, and at once where there is something already. */
  begin(): void {
    this.#look();
  }

  close(): void {
    this.#isClosed = true;
    this.#watcher?.close();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #look(): void {
    if (this.#isClosed) return;
    this.#arm();
    const now = signatureOf(this.#path);
    if (now === this.#signature) return;
    this.#signature = now;
    this.#changed(now !== '');
  }

  /** Watches the nearest folder above that there is. */
  #arm(): void {
    let child = this.#path;
    let identity = '';
    while (identity === '' && child !== '/') {
      const folder = dirname(child);
      identity = signatureOf(folder, false);
      if (identity === '') child = folder;
    }
    const folder = dirname(child);
    const watched = `${folder} ${identity}`;
    if (watched === this.#watched) return;
    this.#watcher?.close();
    this.#watcher = null;
    this.#watched = watched;
    try {
      const names = [basename(child), basename(folder)];
      this.#watcher = watch(folder, { persistent: false }, (_event, name) => { if (name === null || names.includes(name)) this.#lookSoon(GATHER_MS); });
      this.#watcher.on('error', () => { this.#lookLater(); });
      // What happened between the look and the watch.
      this.#lookSoon(GATHER_MS);
    } catch {
      this.#lookLater();
    }
  }

  #lookLater(): void {
    this.#watcher?.close();
    this.#watcher = null;
    this.#watched = '';
    this.#lookSoon(LOOK_MS);
  }

  #lookSoon(ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#look();
    }, ms).unref();
  }
}

/** '' for what is not there. */
function signatureOf(path: string, whole = true): string {
  try {
    const { dev, ino, ctimeNs } = lstatSync(path, { bigint: true });
    return [dev, ino, ...(whole ? [ctimeNs] : [])].join(':');
  } catch {
    return '';
  }
}
