/**
 * Lists of destinations: port `Lists`. Texts are read in a thread, one after the other; those of URLs are fetched by a program
 * without privileges. Whatever fails leaves in force what was read before.
 */
import { createHash } from 'node:crypto';
import { BastionError } from '../contract/errors.ts';
import type { LoadError } from '../contract/types.ts';
import { buildInThread, ListRefusedError } from '../lists/build-list.ts';
import type { LoadedList } from '../lists/loaded-list.ts';
import type { ListDefinition, Lists, ListState, Logger } from '../ports.ts';
import { RefusedTextError, requireUsable } from './lists/check.ts';
import { fetchList } from './lists/fetching.ts';
import type { Fetched, Fetcher } from './lists/fetching.ts';
import { LIST_LIMITS } from './lists/limits.ts';
import type { ListLimitNumbers } from './lists/limits.ts';
import { release } from './lists/release.ts';
import { ListShelf } from './lists/shelf.ts';
import type { ShelfNote } from './lists/shelf.ts';
import { ListSource } from './lists/source.ts';
import { Turns } from './lists/turns.ts';

export interface ListStoreOptions {
  /** Holds lists/. */
  readonly stateDir: string;
  /** The bundle of lists/build-list.ts, absolute. */
  readonly buildScript: string;
  readonly fetcher: Fetcher;
  readonly logger: Logger;
  /** Wall time, ms since 1970. */
  readonly wallMs: () => number;
  /** Smaller limits for tests. */
  readonly limits?: Partial<ListLimitNumbers>;
}

/** The clock may be set, and the machine may sleep: the plan is looked at this often. */
const LONGEST_WAIT_MS = 600_000;
const KEPT = ' What it said before stays in force.';

/** Counted since the helper started. */
export interface ListCounters {
  /** Texts that became the content of a list. */
  readonly loads: number;
  /** Texts that were refused: too large, no list, another hash. */
  readonly refused: number;
  readonly requests: number;
  readonly failedRequests: number;
}

export class ListStore implements Lists {
  readonly #options: ListStoreOptions;
  readonly #limits: ListLimitNumbers;
  readonly #shelf: ListShelf;
  readonly #changed = new Set<() => void>();
  readonly #told = new Set<() => void>();
  readonly #tally = { loads: 0, refused: 0, requests: 0, failedRequests: 0 };
  #sources = new Map<string, ListSource>();
  /** Two texts that are read at once would need the memory of both. */
  readonly #reading = new Turns();
  /** Not the same as above: a server that says nothing must not keep a file from being read. */
  readonly #fetching = new Turns();
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: ListStoreOptions) {
    this.#options = options;
    this.#limits = { ...LIST_LIMITS, ...options.limits };
    this.#shelf = new ListShelf(options.stateDir, this.#limits.bytes);
  }

  counters(): ListCounters {
    return { ...this.#tally };
  }

  /**
   * What the lists shall be. Resolves when every file, and every copy of what was fetched before, is read or has failed; a
   * definition that is as it was costs nothing. Never rejects for a list: see `errors`.
   */
  async configure(definitions: readonly ListDefinition[]): Promise<void> {
    const before = this.#sources;
    this.#sources = new Map(definitions.map((definition) => [definition.id, this.#kept(before.get(definition.id), definition)]));
    const fresh = [...this.#sources.values()].filter((source) => before.get(source.id) !== source);
    for (const source of before.values()) if (this.#sources.get(source.id) !== source) source.close();
    const removed = [...before.values()].some(({ id, loaded }) => loaded !== null && !this.#sources.has(id));
    await Promise.all(fresh.map((source) => this.#begin(source)));
    await this.#reading.run(() => this.#shelf.forgetAllBut(new Set(this.#sources.keys())));
    if (removed) this.#tellChanged();
  }

  hasName(list: string, name: string): boolean {
    return this.#sources.get(list)?.loaded?.hasName(name) ?? false;
  }

  hasAddress(list: string, address: string): boolean {
    return this.#sources.get(list)?.loaded?.hasAddress(address) ?? false;
  }

  holds(list: string): { readonly names: boolean; readonly addresses: boolean } {
    const loaded = this.#sources.get(list)?.loaded;
    return { names: loaded?.holdsNames ?? false, addresses: loaded?.holdsAddresses ?? false };
  }

  onChanged(changed: () => void): () => void {
    this.#changed.add(changed);
    return () => { this.#changed.delete(changed); };
  }

  /** Something of `states` or `errors` is different now, the contents perhaps not. Returns the way to stop. */
  onState(told: () => void): () => void {
    this.#told.add(told);
    return () => { this.#told.delete(told); };
  }

  digest(): string {
    const hash = createHash('sha256');
    for (const id of [...this.#sources.keys()].sort()) {
      const loaded = this.#sources.get(id)?.loaded;
      if (loaded !== null && loaded !== undefined) hash.update(`${id} ${loaded.counts.format} ${loaded.sha256}\n`);
    }
    return hash.digest('hex');
  }

  /** In the order of the settings. */
  states(): readonly ListState[] {
    return [...this.#sources.values()].map((source) => {
      const { definition, loaded, note, error, busy, nextMs } = source;
      const counts = loaded?.counts;
      return {
        id: definition.id, name: definition.name, source: source.place, format: counts?.format ?? definition.format,
        domains: counts?.domains ?? 0, prefixes: counts?.prefixes ?? 0, exceptions: counts?.exceptions ?? 0,
        ignored: counts?.ignored ?? 0, updatedMs: loaded === null ? 0 : note?.updatedMs ?? 0, nextMs, error, updating: busy,
      };
    });
  }

  /** Lists whose text is not what it should be. */
  errors(): readonly LoadError[] {
    return [...this.#sources.values()].filter(({ error }) => error !== '').map((source) => ({
      file: source.place, line: 0, column: 0, message: `List ${source.id}: ${source.error}${source.loaded === null ? ' It is empty.' : KEPT}`,
    }));
  }

  /** Begins to fetch, or read again, these lists; all of them for none. Throws BastionError NotFound for an unknown id. */
  update(ids: readonly string[]): void {
    const sources = ids.length === 0 ? [...this.#sources.values()] : [...new Set(ids)].map((id) => this.#sources.get(id));
    const known = sources.filter((source) => source !== undefined);
    if (known.length < sources.length) throw new BastionError('NotFound', 'There is no list with this id.');
    for (const source of known) void this.#start(source, () => this.#refresh(source));
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const source of this.#sources.values()) source.close();
    this.#changed.clear();
    this.#told.clear();
  }

  /** The source that is there already, where it would be read in the same way; else a new one, with the content until then. */
  #kept(before: ListSource | undefined, definition: ListDefinition): ListSource {
    if (before !== undefined && JSON.stringify(before.definition) === JSON.stringify(definition)) return before;
    const source = new ListSource(definition);
    source.loaded = before?.loaded ?? null;
    return source;
  }

  #begin(source: ListSource): Promise<void> {
    source.watch(this.#options.logger, () => {
      if (source.busy) source.again = true;
      else void this.#start(source, () => this.#refresh(source));
    });
    return this.#start(source, async () => {
      if (source.definition.file !== null) await this.#refresh(source);
      if (source.note === null) await this.#reading.run(() => this.#useCopy(source));
    });
  }

  /** Never rejects. What is being done already is not begun again. */
  async #start(source: ListSource, work: () => Promise<void>): Promise<void> {
    if (source.busy || this.#closed) return;
    source.busy = true;
    this.#tellState();
    try {
      if (this.#isCurrent(source)) await work();
    } catch (error: unknown) {
      this.#fail(source, error instanceof Error ? error.message : String(error));
    } finally {
      source.busy = false;
      this.#tellState();
      this.#arm();
    }
    if (!source.again) return;
    source.again = false;
    await this.#start(source, () => this.#refresh(source));
  }

  #refresh(source: ListSource): Promise<void> {
    const { url } = source.definition;
    return url === null ? this.#reading.run(() => this.#readFile(source)) : this.#fetching.run(() => this.#fetch(source, url));
  }

  async #readFile(source: ListSource): Promise<void> {
    const outcome = await source.read(this.#limits.bytes);
    if (!outcome.ok) {
      const { message, command } = outcome.refusal;
      this.#fail(source, command === '' ? message : `${message} Mend it with: ${command}`);
      return;
    }
    await this.#take(source, outcome.value, { etag: '', lastModified: '', checkedMs: this.#options.wallMs() });
  }

  async #fetch(source: ListSource, url: string): Promise<void> {
    this.#tally.requests += 1;
    const { note, loaded } = source;
    // Without its text in memory, the validators would ask for nothing.
    const known = note !== null && loaded?.sha256 === note.sha256 ? note : null;
    const fetched = await fetchList(this.#options.fetcher, {
      url, allowHttp: source.definition.sha256 !== null, etag: known?.etag ?? '', lastModified: known?.lastModified ?? '',
      limitBytes: this.#limits.bytes,
    });
    if (this.#isCurrent(source)) await this.#receive(source, fetched, known);
  }

  async #receive(source: ListSource, fetched: Fetched, known: ShelfNote | null): Promise<void> {
    const nowMs = this.#options.wallMs();
    switch (fetched.status) {
      case 'failed':
        this.#tally.failedRequests += 1;
        this.#fail(source, fetched.message);
        return;
      case 'unchanged':
        if (known === null) {
          this.#fail(source, 'The server says that nothing changed, but was not asked that.');
          return;
        }
        source.note = { ...known, checkedMs: nowMs };
        source.succeeded(nowMs);
        await this.#keep(source, null, source.note);
        return;
      case 'content':
        if (fetched.bytes.length === 0) this.#refuse(source, 'The server sent nothing.');
        else await this.#reading.run(() => this.#take(source, fetched.bytes, { etag: fetched.etag, lastModified: fetched.lastModified, checkedMs: nowMs }));
    }
  }

  /** The copy of an earlier run, where the list itself could not be read or was not fetched yet. */
  async #useCopy(source: ListSource): Promise<void> {
    const note = await this.#shelf.note(source.id, source.place);
    const text = note === null ? null : await this.#shelf.text(source.id);
    const { error } = source;
    const nowMs = this.#options.wallMs();
    if (note !== null && text !== null) {
      try {
        const loaded = await this.#build(source, text);
        release(text);
        if (loaded.sha256 === note.sha256) {
          source.note = note;
          this.#put(source, loaded);
        }
      } catch (refusal: unknown) {
        if (!(refusal instanceof RefusedTextError)) throw refusal;
      }
    }
    source.error = error;
    if (source.definition.url !== null) source.planAfter(source.note?.checkedMs ?? 0, nowMs);
  }

  async #take(source: ListSource, bytes: Uint8Array, note: Pick<ShelfNote, 'etag' | 'lastModified' | 'checkedMs'>): Promise<void> {
    let loaded: LoadedList;
    try {
      loaded = await this.#build(source, bytes);
    } catch (error: unknown) {
      if (!(error instanceof RefusedTextError)) throw error;
      this.#refuse(source, error.message);
      return;
    }
    if (!this.#isCurrent(source)) return;
    const isSame = source.note?.sha256 === loaded.sha256;
    const updatedMs = isSame ? source.note?.updatedMs ?? note.checkedMs : note.checkedMs;
    source.note = { ...note, source: source.place, sha256: loaded.sha256, updatedMs };
    source.succeeded(note.checkedMs);
    this.#put(source, loaded);
    await this.#keep(source, isSame ? null : bytes, source.note);
    release(bytes);
  }

  /** Throws RefusedTextError. */
  async #build(source: ListSource, bytes: Uint8Array): Promise<LoadedList> {
    const { format } = source.definition;
    const limits = { domains: this.#limits.domains, prefixes: this.#limits.prefixes };
    let loaded: LoadedList;
    try {
      loaded = await buildInThread(this.#options.buildScript, { bytes, format, limits });
    } catch (error: unknown) {
      throw error instanceof ListRefusedError ? new RefusedTextError(error.message) : error;
    }
    const others = [...this.#sources.values()].filter(({ id }) => id !== source.id).map((other) => other.loaded);
    requireUsable(loaded, source.definition, others.filter((other) => other !== null), this.#limits);
    return loaded;
  }

  #put(source: ListSource, loaded: LoadedList): void {
    const before = source.loaded;
    source.loaded = loaded;
    this.#tally.loads += 1;
    if (before?.sha256 !== loaded.sha256 || before.counts.format !== loaded.counts.format) this.#tellChanged();
  }

  async #keep(source: ListSource, text: Uint8Array | null, note: ShelfNote): Promise<void> {
    try {
      await this.#shelf.keep(source.id, text, note);
    } catch (error: unknown) {
      const why = error instanceof Error ? error.message : String(error);
      this.#options.logger.log('warning', 'The last good copy of a list could not be kept.', { list: source.id, why });
    }
  }

  #refuse(source: ListSource, message: string): void {
    this.#tally.refused += 1;
    this.#fail(source, message);
  }

  #fail(source: ListSource, message: string): void {
    source.failed(message, this.#options.wallMs());
    this.#options.logger.log('warning', 'a list could not be read', { list: source.id, why: message });
  }

  #isCurrent(source: ListSource): boolean {
    return !this.#closed && this.#sources.get(source.id) === source;
  }

  #tellChanged(): void {
    for (const changed of [...this.#changed]) changed();
  }

  #tellState(): void {
    for (const told of [...this.#told]) told();
  }

  /** Fetches what is due, and sleeps until the next. */
  #arm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const planned = [...this.#sources.values()].filter(({ nextMs, busy }) => nextMs > 0 && !busy);
    const [next] = planned.map(({ nextMs }) => nextMs).sort((a, b) => a - b);
    if (this.#closed || next === undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      const nowMs = this.#options.wallMs();
      for (const source of planned) {
        if (source.nextMs <= nowMs && this.#isCurrent(source)) void this.#start(source, () => this.#refresh(source));
      }
      this.#arm();
    }, Math.min(Math.max(0, next - this.#options.wallMs()), LONGEST_WAIT_MS)).unref();
  }
}
