/** A registry of applications in memory, for tests of the service. */
import { BastionError } from '../../helper/contract/errors.ts';
import type { ApplicationsApi, ApplicationView, RehashOptions, RehashRow } from '../../helper/engine-api.ts';

/** An application that `uid` used, with what is not given filled in. */
export function applicationView(id: string, uid: number, change: Partial<ApplicationView> = {}): ApplicationView {
  const use = { firstSeenMs: 1000, lastSeenMs: 2000, allowed: 3, refused: 1, sentBytes: 100, receivedBytes: 200 };
  return {
    id, name: id, kind: 'program', path: `/usr/bin/${id}`, interpreter: '', package: '', flatpak: '', snap: '', sha256: 'a'.repeat(64),
    knownSha256: 'a'.repeat(64), state: 'valid', reason: 'first-seen', trusted: false, rules: 0, change: null,
    users: new Map([[uid, use]]), ...change,
  };
}

/** Tells what it was given; `rehash` waits where a test wants it to. */
export class MemoryApplications implements ApplicationsApi {
  views: readonly ApplicationView[] = [];
  rehashed: readonly RehashRow[] = [];
  readonly done: string[] = [];
  /** What the next rehash waits for. */
  wait: (options: RehashOptions) => Promise<void> = () => Promise.resolve();
  readonly #listeners = new Set<() => void>();

  list(): Promise<readonly ApplicationView[]> {
    return Promise.resolve(this.views);
  }

  async rehash(targets: readonly string[], options: RehashOptions): Promise<readonly RehashRow[]> {
    this.done.push(`rehash ${targets.join(' ')}`);
    return this.rehashAll(options);
  }

  async rehashAll(options: RehashOptions): Promise<readonly RehashRow[]> {
    options.progress(0, 100);
    await this.wait(options);
    if (options.signal.aborted) {
      this.done.push('stopped');
      throw new BastionError('Failed');
    }
    options.progress(100, 100);
    return this.rehashed;
  }

  called(targets: readonly string[]): readonly string[] {
    return targets;
  }

  onListChanged(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  listHasChanged(): void {
    for (const listener of this.#listeners) listener();
  }
}
