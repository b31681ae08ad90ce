/** Looks after files in the background: is it there, is it still the one that was hashed, what is its hash now? */
import type { ExecutableId } from '../../contract/vocabulary.ts';
import type { FileLook, HashedFile } from '../../ports.ts';
import type { Application } from './table.ts';
import type { Presence } from './views.ts';

/** Files that wait to be hashed; what comes when that is full is looked at the next time somebody asks or it speaks. */
export const WAITING_LIMIT = 64;
/** Files found at a time. */
const FINDERS = 4;

export interface LooksDeps {
  readonly look: FileLook;
  /** Whoever still has to be hashed was hashed. */
  onHashed(path: string, file: HashedFile): void;
  onPresence(): void;
}

/** The same inode with the same time of change: nothing was written to it meanwhile. */
function same(a: ExecutableId, b: ExecutableId | null): boolean {
  return b !== null && a.device === b.device && a.inode === b.inode && a.ctimeSec === b.ctimeSec;
}

export class Looks {
  readonly #deps: LooksDeps;
  /** What is not as usual; a path that is not here is there. */
  readonly #presence = new Map<string, Exclude<Presence, 'there'>>();
  readonly #waiting = new Set<string>();
  #leftOut = 0;

  constructor(deps: LooksDeps) {
    this.#deps = deps;
  }

  get counters(): { readonly waiting: number; readonly leftOut: number } {
    return { waiting: this.#waiting.size, leftOut: this.#leftOut };
  }

  presence(path: string): Presence {
    return this.#presence.get(path) ?? 'there';
  }

  /** The next `run` looks at it. */
  want(path: string): void {
    if (this.#waiting.has(path)) return;
    if (this.#waiting.size < WAITING_LIMIT) this.#waiting.add(path);
    else this.#leftOut += 1;
  }

  /** It was hashed just now. */
  isCurrent(path: string): void {
    this.#waiting.delete(path);
    this.#presence.delete(path);
  }

  forget(path: string): void {
    this.isCurrent(path);
  }

  /** Which files are there; those that are not the ones that were hashed are hashed by the next `run`. */
  async refresh(paths: Iterable<string>, recordOf: (path: string) => Application | null): Promise<void> {
    const left = new Set(paths);
    const finder = async (): Promise<void> => {
      for (const path of left) {
        left.delete(path);
        await this.#find(path, recordOf);
      }
    };
    await Promise.all(Array.from({ length: FINDERS }, finder));
  }

  /** Looks at what waits, one file at a time. */
  async run(recordOf: (path: string) => Application | null): Promise<void> {
    for (const path of [...this.#waiting]) {
      await this.#find(path, recordOf);
      if (this.#waiting.delete(path) && this.presence(path) !== 'missing') await this.#hash(path);
    }
  }

  async #find(path: string, recordOf: (path: string) => Application | null): Promise<void> {
    const found = await this.#deps.look.find(path);
    if (found === 'unknown') return;
    if (found === null) {
      this.#tell(path, 'missing');
      return;
    }
    const record = recordOf(path);
    if (record === null) this.#tell(path, 'there');
    else if (record.seen !== null && (same(found.executable, record.seen.found) || same(found.executable, record.seen.executable))) {
      this.#waiting.delete(path);
      this.#tell(path, 'there');
    } else {
      if (record.seen === null) this.#tell(path, 'there');
      else this.#tell(path, 'other');
      this.want(path);
    }
  }

  async #hash(path: string): Promise<void> {
    const file = await this.#deps.look.hash(path);
    if (file !== null) this.#deps.onHashed(path, file);
  }

  #tell(path: string, now: Presence): void {
    if (this.presence(path) === now) return;
    if (now === 'there') this.#presence.delete(path);
    else this.#presence.set(path, now);
    this.#deps.onPresence();
  }
}
