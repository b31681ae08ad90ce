/** One Rehash at a time: finds what is meant, hashes, writes what is to be trusted, accepts. */
import { BastionError } from '../../contract/errors.ts';
import type { ApplicationView, RehashOptions, RehashRow } from '../../engine-api.ts';
import type { FileLook, TrustedApplication } from '../../ports.ts';
import type { Judge } from './judge.ts';
import { acceptFile, parseTarget, rehashFiles, rowWithout, trustedEntryFor } from './rehash.ts';
import type { RehashTarget } from './rehash.ts';
import type { ApplicationTable } from './table.ts';
import { applicationId } from './views.ts';

export interface RehashDeskDeps {
  readonly judge: Judge;
  readonly table: ApplicationTable;
  readonly look: FileLook;
  views(): readonly ApplicationView[];
  /** Writes applications.toml, and reads it again. */
  trust(entries: readonly TrustedApplication[]): Promise<void>;
  /** It was hashed just now. */
  onHashed(path: string): void;
  onAccepted(): void;
}

export class RehashDesk {
  readonly #deps: RehashDeskDeps;
  #running = false;

  constructor(deps: RehashDeskDeps) {
    this.#deps = deps;
  }

  async some(targets: readonly string[], options: RehashOptions): Promise<readonly RehashRow[]> {
    const wanted = new Map(targets.map(parseTarget).map(({ id, only }) => [id, only]));
    const all = this.#targets();
    const known = new Set(all.map(({ id }) => id));
    if ([...wanted.keys()].some((id) => !known.has(id))) throw new BastionError('NotFound', 'There is no file of an application with this id.');
    return this.#rehash(all.filter(({ id }) => wanted.has(id)).map((one) => ({ ...one, only: wanted.get(one.id) ?? null })), options);
  }

  all(options: RehashOptions): Promise<readonly RehashRow[]> {
    return this.#rehash(this.#targets(), options);
  }

  /** Every file, also of applications that have several. */
  #targets(): readonly RehashTarget[] {
    const views = new Map(this.#deps.views().map((view) => [view.id, view]));
    const ofTable = this.#deps.table.all().map((one) => this.#target(applicationId(one), one.path, views));
    const inTable = new Set(ofTable.map(({ path }) => path));
    const named = [...views.values()].filter(({ path }) => path !== '' && !inTable.has(path));
    return [...ofTable, ...named.map(({ id, path }) => this.#target(id, path, views))];
  }

  #target(id: string, path: string, views: ReadonlyMap<string, ApplicationView>): RehashTarget {
    const { judge, table } = this.#deps;
    const oldSha256 = judge.trusted.get(path)?.sha256 ?? table.get(path)?.known?.sha256 ?? '';
    return { id, path, name: views.get(id)?.name ?? path, oldSha256, only: null };
  }

  async #rehash(targets: readonly RehashTarget[], options: RehashOptions): Promise<readonly RehashRow[]> {
    if (this.#running) throw new BastionError('Busy', 'Files are being hashed already; wait until that is done.');
    this.#running = true;
    try {
      return await this.#accept(targets, options);
    } finally {
      this.#running = false;
    }
  }

  async #accept(targets: readonly RehashTarget[], options: RehashOptions): Promise<readonly RehashRow[]> {
    const { judge, table, look } = this.#deps;
    const done = await rehashFiles(targets, look, options);
    const accepted = done.filter((one) => rowWithout(one) === null);
    // First what can fail.
    const entries = accepted.flatMap((one) => trustedEntryFor(one, judge, (table.get(one.target.path)?.package ?? null) !== null));
    if (entries.length > 0) await this.#deps.trust(entries);
    const rows = new Map(accepted.map((one) => {
      this.#deps.onHashed(one.target.path);
      return [one.target, acceptFile(one, judge.record(one.target.path), judge)];
    }));
    this.#deps.onAccepted();
    return done.flatMap((one) => rowWithout(one) ?? rows.get(one.target) ?? []);
  }
}
