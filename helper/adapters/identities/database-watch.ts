/** Tells when dpkg's database has changed and is quiet again. */
import { watch } from 'node:fs';

/** Packages follow each other in one upgrade. */
const SETTLED_MS = 3500;

/** Returns the way to stop. A machine without dpkg has nothing to watch. */
export function watchDatabase(folder: string, changed: () => void): () => void {
  let timer: NodeJS.Timeout | null = null;
  try {
    const watcher = watch(folder, { persistent: false }, () => {
      timer ??= setTimeout(() => {
        timer = null;
        changed();
      }, SETTLED_MS).unref();
    });
    watcher.on('error', () => { watcher.close(); });
    return () => {
      watcher.close();
      if (timer !== null) clearTimeout(timer);
    };
  } catch {
    return () => undefined;
  }
}
