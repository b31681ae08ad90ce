/**
 * The registry of applications: every program that has a rule or has spoken, the hash that it is known by, and whether its
 * file still has it. Judges what others hash; hashes in the background only what nobody else did.
 */
import { createHash } from 'node:crypto';
import type { LoadError } from '../contract/types.ts';
import type { Integrity, Rule } from '../contract/vocabulary.ts';
import type {
  ApplicationsApi, ApplicationView, FlowRecord, RehashOptions, RehashRow, TrafficTotal,
} from '../engine-api.ts';
import type {
  ApplicationStore, Clock, FileLook, HashedFile, IntegrityJudge, JudgedFile, Logger, TrustedApplication, TrustedApplications,
} from '../ports.ts';
import { Alarm } from './alarm.ts';
import type { EngineDeps } from './deps.ts';
import { decodeApplications, encodeApplications } from './applications/kept.ts';
import { Looks } from './applications/looks.ts';
import { Judge } from './applications/judge.ts';
import { RehashDesk } from './applications/rehash-desk.ts';
import { RuleNames } from './applications/rule-names.ts';
import { APPLICATION_LIMITS, ApplicationTable, countUse, fileOf, NOBODY } from './applications/table.ts';
import { applicationViews } from './applications/views.ts';

/** Between a change and its writing: many changes are one write. */
const SAVE_AFTER_NS = 5_000_000_000n;
/** Between what makes a look due and the look: whoever identifies the program may hash it meanwhile. */
const LOOK_AFTER_NS = 2_000_000_000n;
/** Files are found again for a list at most this often. */
const FIND_AGAIN_NS = 1_000_000_000n;
/** Who asks more often is told the same again, unless a hash was accepted or rules are others. */
const LIST_AGAIN_NS = 200_000_000n;
/** Rows for programs that only rules name. */
const NAMED_LIMIT = APPLICATION_LIMITS.applications;

export interface RegistryDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly schedule: EngineDeps['schedule'];
  readonly look: FileLook;
  readonly trusted: TrustedApplications;
  readonly store: ApplicationStore;
  /** Since the helper started, of all users. */
  totals(): readonly TrafficTotal[];
  /** applications.toml was read; `loadErrors` may be others. */
  onLoaded(): void;
}

export interface RegistryCounters {
  readonly applications: number;
  readonly evicted: number;
  readonly refused: number;
  /** Files that were not looked at in the background because too many waited. */
  readonly looksLeftOut: number;
}

export class ApplicationRegistry implements IntegrityJudge, ApplicationsApi {
  readonly #deps: RegistryDeps;
  readonly #table: ApplicationTable;
  readonly #judge: Judge;
  readonly #looks: Looks;
  readonly #desk: RehashDesk;
  readonly #judgeListeners = new Set<() => void>();
  readonly #listListeners = new Set<() => void>();
  readonly #saveAlarm: Alarm;
  readonly #lookAlarm: Alarm;
  #errors: readonly LoadError[] = [];
  #names = new RuleNames([]);
  #foundNs: bigint | null = null;
  #listed: { readonly atNs: bigint; readonly views: readonly ApplicationView[] } | null = null;
  #looking: Promise<void> = Promise.resolve();
  #saving: Promise<void> = Promise.resolve();
  #loading: Promise<void> = Promise.resolve();
  #stopWatching: () => void = () => undefined;

  constructor(deps: RegistryDeps, limits: ConstructorParameters<typeof ApplicationTable>[1] = APPLICATION_LIMITS) {
    this.#deps = deps;
    this.#table = new ApplicationTable((one) => this.#names.hasFile(one.path) || this.#names.count(one) > 0, limits);
    const { clock, logger } = deps;
    this.#judge = new Judge({ clock, logger, table: this.#table, onChanged: () => { this.#changed(); } });
    this.#looks = new Looks({
      look: deps.look,
      onHashed: (path, file) => { this.#onHashed(path, file); },
      onPresence: () => { this.#tellList(); },
    });
    this.#desk = new RehashDesk({
      judge: this.#judge,
      table: this.#table,
      look: deps.look,
      views: () => this.#views(),
      trust: (entries) => this.trust(entries),
      onHashed: (path) => { this.#looks.isCurrent(path); },
      onAccepted: () => {
        this.#judgedOtherwise();
        this.#changed();
      },
    });
    this.#saveAlarm = new Alarm(deps.schedule, () => { this.#save(); });
    this.#lookAlarm = new Alarm(deps.schedule, () => { this.#startLooks(); });
  }

  /** Reads what was kept and what is trusted, and follows applications.toml from then on. */
  async start(): Promise<void> {
    await this.#restore();
    await this.#loadTrusted();
    this.#stopWatching = this.#deps.trusted.watch(() => void this.reload());
  }

  /** Reads applications.toml again. */
  reload(): Promise<void> {
    this.#loading = this.#loading.then(() => this.#loadTrusted());
    return this.#loading;
  }

  /** What is wrong with applications.toml. */
  get loadErrors(): readonly LoadError[] {
    return this.#errors;
  }

  get counters(): RegistryCounters {
    return { ...this.#table.counters, looksLeftOut: this.#looks.counters.leftOut };
  }

  /** A fingerprint of what is trusted by hand. */
  digest(): string {
    const lines = [...this.#judge.trusted.values()].map(({ path, sha256 }) => `${sha256} ${path}`).sort();
    return createHash('sha256').update(lines.join('\0')).digest('hex');
  }

  /** Flows that were decided. */
  observe(flows: readonly FlowRecord[]): void {
    for (const flow of flows) this.#observe(flow);
  }

  /** Every rule, in whatever order. */
  setRules(rules: Iterable<Rule>): void {
    this.#names = new RuleNames(rules);
    this.#listChanged();
  }

  expects(path: string): boolean {
    return this.#judge.trusted.has(path) || this.#table.get(path)?.known != null || this.#names.hasFile(path);
  }

  judge(file: JudgedFile): { readonly integrity: Integrity; readonly trusted: boolean } {
    this.#looks.isCurrent(file.path);
    return this.#judge.judge(file);
  }

  onChanged(changed: () => void): () => void {
    this.#judgeListeners.add(changed);
    return () => this.#judgeListeners.delete(changed);
  }

  onListChanged(changed: () => void): () => void {
    this.#listListeners.add(changed);
    return () => this.#listListeners.delete(changed);
  }

  async list(): Promise<readonly ApplicationView[]> {
    const nowNs = this.#deps.clock.bootNs();
    if (this.#foundNs === null || nowNs - this.#foundNs >= FIND_AGAIN_NS) {
      this.#foundNs = nowNs;
      await this.#looks.refresh(this.#files(), (path) => this.#table.get(path));
      if (this.#looks.counters.waiting > 0) this.#startLooks();
    }
    return this.#recentViews();
  }

  rehash(targets: readonly string[], options: RehashOptions): Promise<readonly RehashRow[]> {
    return this.#desk.some(targets, options);
  }

  rehashAll(options: RehashOptions): Promise<readonly RehashRow[]> {
    return this.#desk.all(options);
  }

  called(targets: readonly string[]): readonly string[] {
    const known = new Map(this.#recentViews().map(({ id, path, name }) => [id, path === '' ? name : path]));
    return targets.map((target) => known.get(target.replace(/=.*$/su, '')) ?? target);
  }

  /** Adds to applications.toml, or sets the hash of what is there. Throws as `TrustedApplications.write`. */
  async trust(entries: readonly TrustedApplication[]): Promise<void> {
    await this.#deps.trusted.write(entries);
    await this.reload();
  }

  /** Writes what is not written yet. */
  async stop(): Promise<void> {
    this.#stopWatching();
    this.#lookAlarm.set(null);
    if (this.#saveAlarm.isSet) {
      this.#saveAlarm.set(null);
      this.#save();
    }
    await this.#saving;
  }

  async #restore(): Promise<void> {
    const value = await this.#deps.store.load();
    if (value === null) return;
    const kept = decodeApplications(value);
    if (kept === null || kept.wrong > 0) {
      await this.#deps.store.setAside();
      const lost = kept === null ? 'all' : String(kept.wrong);
      this.#deps.logger.log('warning', 'applications that were known cannot be read; their files count as first seen', { lost });
      this.#saveSoon();
    }
    for (const one of kept?.applications ?? []) this.#table.add(one);
  }

  async #loadTrusted(): Promise<void> {
    const before = this.digest();
    const { entries, errors } = await this.#deps.trusted.load();
    this.#judge.trusted = new Map(entries.map((one) => [one.path, one]));
    this.#errors = errors;
    if (this.digest() !== before) this.#judgedOtherwise();
    this.#listChanged();
    this.#deps.onLoaded();
  }

  #observe({ identity, path, uid, timeMs, decision, forwardedFrom }: FlowRecord): void {
    if (forwardedFrom !== null) return;
    const who = identity ?? { path };
    const file = fileOf(who);
    if (file === null) return;
    const record = this.#judge.record(file.path);
    if (record === null) return;
    const { flatpak = null, snap = null } = who;
    const owner = who.package ?? record.package;
    if (record.kind !== file.kind || record.runs !== file.runs || record.flatpak !== flatpak || record.snap !== snap || record.package !== owner) {
      this.#table.describe(record, { kind: file.kind, runs: file.runs, package: owner, flatpak, snap });
    }
    this.#table.claim(record, uid ?? NOBODY);
    this.#table.touch(record);
    countUse(record, uid ?? NOBODY, decision.action === 'allow' ? 'allowed' : decision.action === 'ask' ? 'neither' : 'refused', timeMs);
    this.#looks.want(record.path);
    this.#lookSoon();
    this.#saveSoon();
    this.#tellList();
  }

  /** A file that was hashed for this registry alone. */
  #onHashed(path: string, file: HashedFile): void {
    const record = this.#table.get(path);
    if (record === null) return;
    // Without a word of the package system, a file that belongs to a package cannot be judged.
    if (file.packageState === undefined && record.package !== null && record.seen?.sha256 !== file.sha256) return;
    const before = this.#judge.state(record);
    this.#looks.isCurrent(path);
    this.#judge.judgeHashed(record, file);
    const after = this.#judge.state(record);
    // A file that is hashed for the first time and valid alters nothing for those who could not know.
    if (after.trusted !== before.trusted || (after.state === 'changed') !== (before.state === 'changed')) this.#judgedOtherwise();
  }

  #startLooks(): void {
    this.#looking = this.#looking.then(() => this.#looks.run((path) => this.#table.get(path))).catch((error: unknown) => {
      this.#deps.logger.log('error', 'files of programs could not be looked at', { why: String(error) });
    });
  }

  #lookSoon(): void {
    if (!this.#lookAlarm.isSet) this.#lookAlarm.set(this.#deps.clock.bootNs() + LOOK_AFTER_NS);
  }

  #files(): Set<string> {
    const files = new Set(this.#table.all().map(({ path }) => path));
    for (const { kind, name } of this.#names.programs(NAMED_LIMIT)) {
      if (kind === 'path' || kind === 'appImage' || kind === 'script') files.add(name);
    }
    for (const path of this.#judge.trusted.keys()) files.add(path);
    return files;
  }

  /** Anybody may ask for these, as often as he likes. */
  #recentViews(): readonly ApplicationView[] {
    const nowNs = this.#deps.clock.bootNs();
    if (this.#listed === null || nowNs - this.#listed.atNs >= LIST_AGAIN_NS) this.#listed = { atNs: nowNs, views: this.#views() };
    return this.#listed.views;
  }

  #views(): readonly ApplicationView[] {
    return applicationViews(this.#table.all(), {
      trusted: this.#judge.trusted, names: this.#names, totals: this.#deps.totals(), presence: (path) => this.#looks.presence(path),
    }, NAMED_LIMIT);
  }

  #judgedOtherwise(): void {
    this.#listChanged();
    for (const listener of [...this.#judgeListeners]) listener();
  }

  /** Something that is kept is different. */
  #changed(): void {
    this.#saveSoon();
    this.#tellList();
  }

  #saveSoon(): void {
    if (!this.#saveAlarm.isSet) this.#saveAlarm.set(this.#deps.clock.bootNs() + SAVE_AFTER_NS);
  }

  #listChanged(): void {
    this.#listed = null;
    this.#tellList();
  }

  #tellList(): void {
    for (const listener of [...this.#listListeners]) listener();
  }

  #save(): void {
    this.#saving = this.#saving.then(() => this.#deps.store.save(encodeApplications(this.#table.all()))).catch((error: unknown) => {
      this.#deps.logger.log('error', 'the known applications could not be written', { why: String(error) });
    });
  }
}
