/**
 * Who a program is beyond its path: port `Identities`. What is remembered answers at once; what has to be looked up is asked of
 * the identity worker. See DESIGN.md, "Identities".
 */
import { join } from 'node:path';
import { KERNEL_PATH } from '../contract/vocabulary.ts';
import type { Attribution, BootNs, Confidence, ExecutableId, Identity, Owner } from '../contract/vocabulary.ts';
import type { Clock, HashedFile, Identities, IdentityNews, IntegrityJudge, Logger, Processes } from '../ports.ts';
import { Ancestors } from './identities/ancestors.ts';
import { isOlderThan } from './identities/content.ts';
import { watchDatabase } from './identities/database-watch.ts';
import { Files, fileIdentityOf, packageOf } from './identities/files.ts';
import type { FileRecord } from './identities/files.ts';
import { isInterpreter } from './identities/interpreters.ts';
import { fileKeyOf, processName } from './identities/keys.ts';
import { Lru } from './lru.ts';
import { Places } from './identities/places.ts';
import { SYSTEM_PLACES } from './identities/protocol.ts';
import type { Examined, WorkerPlaces } from './identities/protocol.ts';
import type { RecordedProcess, Records } from './identities/records.ts';
import { Scripts, namingOf } from './identities/scripts.ts';
import { WorkerLink } from './identities/worker-link.ts';
import type { LinkLimits } from './identities/worker-link.ts';

/** Longest wait for what has to be looked up. */
const LOOKUP_LIMIT_MS = 2000;
/** The same while the package system works on the program's file. */
const UPGRADE_LIMIT_MS = 21_000;
const CHANGED_GATHER_MS = 200;
const RUNS_LIMIT = 8192;
const SCRIPT_HASH_MS = 2000;

export interface IdentitiesOptions {
  /** The bundled worker, or its source in tests. */
  readonly workerPath: string | URL;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly processes: Pick<Processes, 'ancestors' | 'commandLine'>;
  /** Is the file at `path`, in the helper's mount namespace, this very executable at this moment? Never from memory. */
  readonly verify: (executable: ExecutableId, path: string) => boolean;
  /** Absent: no hash is known of anything. */
  readonly judge?: IntegrityJudge;
  /** Does a rule in force name a hash, so that every program's has to be known? */
  readonly wantsHash?: () => boolean;
  /** Files that were changed a moment ago are remembered like others. */
  readonly trustNewFiles?: boolean;
  /** Absent: the kernel records nothing; /proc says who started whom, and command lines are claims. */
  readonly records?: Records;
  /** A fingerprint of what was trusted by hand. */
  readonly trustDigest?: () => string;
  readonly places?: Partial<WorkerPlaces>;
  readonly limits?: LinkLimits;
}

export interface IdentityCounters {
  /** Files remembered; entries of any table that had to leave. */
  readonly files: number;
  readonly evicted: number;
  /** Questions refused for want of room; workers left because a file system hung; workers that ended by themselves. */
  readonly refused: number;
  readonly hung: number;
  readonly failed: number;
  /** Flows that went on without everything, because it took too long. */
  readonly late: number;
}

export interface IdentityService extends Identities {
  readonly counters: IdentityCounters;
  /**
   * SHA-256 of the regular file that is at `path` now, and what its package says; null if it cannot be read, goes on changing, or
   * is not `executable`.
   */
  hash(path: string, executable?: ExecutableId): Promise<HashedFile | null>;
  /** Starts the worker and has it read the package database, so that the first program need not wait for that. */
  begin(): void;
  close(): Promise<void>;
}

type Missing = () => Promise<void>;

/** What is known now, and what to look up for more. */
interface Looked {
  readonly attribution: Attribution;
  readonly missing: Missing | null;
}

/** One question from its first look to its answer. */
interface Inquiry {
  readonly attribution: Attribution;
  readonly owner: Owner;
  readonly record: RecordedProcess | null;
  readonly sinceMs: number;
}

interface Part {
  readonly identity: Identity;
  readonly missing: Missing | null;
}

class IdentityBook implements IdentityService {
  readonly #options: IdentitiesOptions;
  readonly #link: WorkerLink;
  readonly #files: Files;
  readonly #places: Places;
  readonly #scripts: Scripts;
  readonly #ancestors: Ancestors;
  readonly #runs = new Lru<{ readonly runs: boolean }>(RUNS_LIMIT);
  readonly #scriptHashes = new Lru<{ readonly examined: Examined | null; readonly atMs: number }>(RUNS_LIMIT);
  readonly #listeners = new Set<(news: IdentityNews) => void>();
  readonly #stop: readonly (() => void)[];
  #changedTimer: NodeJS.Timeout | null = null;
  /** Of what is gathered for the timer. */
  #news: IdentityNews = 'more';
  #late = 0;

  constructor(options: IdentitiesOptions) {
    this.#options = options;
    const places = { ...SYSTEM_PLACES, ...options.places };
    const { workerPath, logger, limits, verify, judge } = options;
    this.#link = new WorkerLink({ workerPath, places, logger, ...(limits === undefined ? {} : { limits }) });
    const nowMs = (): number => performance.now();
    this.#files = new Files({
      link: this.#link,
      wallMs: () => options.clock.wallMs(),
      nowMs, verify,
      judge: judge ?? null,
      wantsHash: () => options.wantsHash?.() ?? false,
      trustNewFiles: options.trustNewFiles === true,
      onChanged: (news) => { this.#changed(news); },
    });
    this.#places = new Places({ link: this.#link, nowMs, verify });
    this.#scripts = new Scripts(this.#link);
    this.#ancestors = new Ancestors({
      files: this.#files, scripts: this.#scripts, processes: options.processes, isOlderThan: (record, startNs) => this.#isOlderThan(record, startNs),
    });
    const stopJudge = judge?.onChanged(() => {
      this.#files.forgetJudgements();
      this.#changed('different');
    });
    this.#stop = [stopJudge ?? ((): void => undefined), watchDatabase(join(places.database, 'info'), () => void this.#files.lookAgain())];
  }

  get counters(): IdentityCounters {
    const evicted = [this.#files, this.#places, this.#scripts, this.#ancestors, this.#runs, this.#scriptHashes]
      .reduce((sum, table) => sum + table.evicted, 0);
    return { files: this.#files.size, evicted, ...this.#link.counters, late: this.#late };
  }

  identify(attribution: Attribution): Attribution | Promise<Attribution> {
    const { owner, identity } = attribution;
    if (owner === null || owner.forwardedFrom !== undefined || identity.path === KERNEL_PATH) return attribution;
    const record = this.#options.records?.get(owner.pid, owner.startNs, owner.executable) ?? null;
    const inquiry: Inquiry = { attribution, owner, record, sinceMs: performance.now() };
    const looked = this.#look(inquiry);
    return looked.missing === null ? looked.attribution : this.#lookUp(inquiry, looked);
  }

  /** Starts the worker and has it read the package database, so that the first program need not wait for that. */
  begin(): void {
    void this.#link.ask({ kind: 'examine', path: process.execPath, key: null, hash: false }, 0, 'later');
  }

  onChanged(changed: (news: IdentityNews) => void): () => void {
    this.#listeners.add(changed);
    return () => { this.#listeners.delete(changed); };
  }

  digest(): string {
    return this.#options.trustDigest?.() ?? '';
  }

  summaryOf(packageName: string): string | null {
    return this.#files.summaryOf(packageName);
  }

  async hash(path: string, executable?: ExecutableId): Promise<HashedFile | null> {
    const key = executable === undefined ? null : fileKeyOf(executable);
    const answer = await this.#link.ask({ kind: 'examine', path, key, hash: true }, 0, 'now');
    if (answer?.kind !== 'examine' || answer.examined.sha256 === null) return null;
    const { sha256, sizeBytes, packageState, package: name } = answer.examined;
    const isChecked = packageState === 'right' || packageState === 'wrong';
    return { sha256, sizeBytes, packageState: isChecked ? packageState : 'none', package: isChecked ? name : null };
  }

  async close(): Promise<void> {
    for (const stop of this.#stop) stop();
    if (this.#changedTimer !== null) clearTimeout(this.#changedTimer);
    this.#listeners.clear();
    await this.#link.close();
  }

  /** Looks up what is missing until nothing is, or the time is over. */
  #lookUp(inquiry: Inquiry, first: Looked): Promise<Attribution> {
    let looked = first;
    let isLate = false;
    const work = async (): Promise<void> => {
      // Each round fills one gap, and there are fewer gaps than this.
      for (let round = 0; looked.missing !== null && round < 8; round += 1) {
        await looked.missing();
        looked = this.#look(inquiry);
      }
      if (isLate) this.#changed('more');
    };
    return new Promise((resolve) => {
      const end = (late: boolean): void => {
        clearTimeout(timer);
        isLate = late;
        if (late) this.#late += 1;
        resolve(looked.attribution);
      };
      const startedMs = performance.now();
      const atLimit = (): void => {
        const path = looked.attribution.identity.path;
        const restMs = startedMs + UPGRADE_LIMIT_MS - performance.now();
        if (restMs > 0 && path !== null && this.#files.isWaiting(inquiry.owner.executable, path)) timer = setTimeout(atLimit, LOOKUP_LIMIT_MS / 8);
        else end(true);
      };
      let timer = setTimeout(atLimit, LOOKUP_LIMIT_MS);
      void work().catch((error: unknown) => {
        this.#options.logger.log('error', 'a program could not be identified', { why: String(error) });
      }).then(() => { end(false); });
    });
  }

  #look(inquiry: Inquiry): Looked {
    const { attribution, owner } = inquiry;
    const { missing: starters, ...lineage } = this.#ancestors.of(owner, inquiry.record, attribution);
    const looked = this.#withWho(inquiry, { ...attribution, ...lineage });
    return starters === null || looked.missing !== null ? looked : { ...looked, missing: starters };
  }

  #withWho(inquiry: Inquiry, withLineage: Attribution): Looked {
    const { owner } = inquiry;
    const { claimedPath: claimed, identity: { path } } = withLineage;
    if (path !== null) return this.#withProgram(inquiry, withLineage, path);
    const unknown: Attribution = { ...withLineage, identity: { path: null }, confidence: 'unknown' };
    if (claimed === null) return { attribution: unknown, missing: null };
    if (claimed.startsWith('/app/')) return this.#inFlatpak(inquiry, unknown, claimed);
    const { found, missing } = split(this.#places.appImage(owner, claimed, inquiry.record));
    if (found?.path == null) return { attribution: unknown, missing };
    return this.#inAppImage(inquiry, unknown, { path: found.path, executable: found.executable });
  }

  #inFlatpak(inquiry: Inquiry, attribution: Attribution, claimed: string): Looked {
    const { found: place, missing } = split(this.#places.flatpak(inquiry.owner, claimed));
    if (place === null) return { attribution, missing };
    // What a user can replace is found by its path, and no more is said of it.
    const best = attribution.evidence === 'kernel' && place.system ? 'certain' : 'likely';
    const confidence: Confidence = attribution.evidence === 'none' ? 'unknown' : best;
    return this.#withProgram(inquiry, { ...attribution, claimedPath: null, confidence }, place.path);
  }

  #inAppImage(inquiry: Inquiry, attribution: Attribution, { path, executable }: { readonly path: string; readonly executable: ExecutableId }): Looked {
    const { record, missing } = this.#file(executable, path, inquiry);
    if (record === null) return { attribution, missing };
    if (!record.examined.appImage || attribution.evidence !== 'kernel') return { attribution, missing: null };
    const identity = { ...fileIdentityOf(record, this.#files.judgedOf(record)), path: null };
    return { attribution: { ...attribution, identity, confidence: 'likely' }, missing: null };
  }

  #withProgram(inquiry: Inquiry, attribution: Attribution, path: string): Looked {
    const file = this.#programOf(inquiry, path);
    const script = isInterpreter(path) ? this.#scriptOf(inquiry, path, file.identity) : file;
    return { attribution: { ...attribution, identity: script.identity }, missing: file.missing ?? script.missing };
  }

  /** What the file says, as far as it is what the process ran. */
  #programOf(inquiry: Inquiry, path: string): Part {
    const { owner } = inquiry;
    const { record, missing } = this.#file(owner.executable, path, inquiry);
    const unproved: Identity = { path, ...(this.#files.expects(path) ? { integrity: 'changed' as const } : {}) };
    if (record === null) return { identity: unproved, missing };
    const identity = fileIdentityOf(record, this.#files.judgedOf(record));
    if (record.examined.sha256 === null) return { identity, missing: null };
    const { ctimeNs } = record.examined;
    if (this.#isOlderThan(record, owner.startNs)) return { identity, missing: null };
    const name = `${processName(owner)} ${String(ctimeNs)}`;
    const runs = this.#runs.get(name);
    if (runs?.runs === true) return { identity, missing: null };
    if (runs !== undefined) return { identity: unproved, missing: null };
    return {
      identity: unproved,
      missing: async () => {
        const { pid, startNs, uid } = owner;
        const answer = await this.#link.ask({ kind: 'runs', pid, startNs, key: fileKeyOf(owner.executable), ctimeNs }, uid, 'now');
        this.#runs.set(name, { runs: answer?.kind === 'runs' && answer.runs });
      },
    };
  }

  #scriptOf({ owner, record }: Inquiry, path: string, file: Identity): Part {
    const identity: Identity = { ...file, interpreter: true };
    const naming = namingOf(owner, path, record, this.#options.processes);
    if (naming === null) return { identity, missing: null };
    const look = this.#scripts.look(owner, naming);
    if ('missing' in look) return { identity, missing: look.missing };
    if (look.path === null) return { identity, missing: null };
    const named: Identity = { ...withoutHash(identity), script: look.path, scriptEvidence: naming.evidence };
    const script = look.path;
    const { judge, wantsHash } = this.#options;
    const expected = judge?.expects(script) === true;
    // A claim has no hash: a rule that names one would match what the process says of itself.
    if (naming.evidence === 'claimed' || (!expected && wantsHash?.() !== true)) return { identity: named, missing: null };
    const unproved: Identity = expected ? { ...named, scriptIntegrity: 'changed' } : named;
    // Each process has read the script anew.
    const name = `${processName(owner)}\0${script}`;
    const hash = this.#scriptHashes.get(name);
    const isTold = hash !== undefined && (hash.examined?.sha256 != null || performance.now() - hash.atMs < SCRIPT_HASH_MS);
    if (!isTold) return { identity: unproved, missing: () => this.#hashScript(name, script, owner.uid) };
    const { examined } = hash;
    // What stands there now is not what the interpreter read, if it came there later.
    if (examined?.sha256 == null || !this.#isOlder(examined.ctimeNs, owner.startNs)) return { identity: unproved, missing: null };
    const { sha256 } = examined;
    const judged = expected ? judge.judge({ path: script, executable: null, sha256, ...packageOf(examined) }) : null;
    return {
      identity: { ...named, sha256, ...(judged === null ? {} : { scriptIntegrity: judged.integrity, scriptTrusted: judged.trusted }) },
      missing: null,
    };
  }

  async #hashScript(name: string, path: string, uid: number): Promise<void> {
    const answer = await this.#link.ask({ kind: 'examine', path, key: null, hash: true }, uid, 'now');
    this.#scriptHashes.set(name, { examined: answer?.kind === 'examine' ? answer.examined : null, atMs: performance.now() });
  }

  #file(executable: ExecutableId, path: string, { owner, sinceMs }: Inquiry): { readonly record: FileRecord | null; readonly missing: Missing | null } {
    const look = this.#files.look(executable, path, owner.uid, sinceMs);
    return 'missing' in look ? { record: null, missing: look.missing } : { record: look.record, missing: null };
  }

  #isOlderThan({ examined: { ctimeNs } }: FileRecord, startNs: BootNs): boolean {
    return this.#isOlder(ctimeNs, startNs);
  }

  #isOlder(ctimeNs: bigint, startNs: BootNs): boolean {
    const { clock } = this.#options;
    return isOlderThan(ctimeNs, startNs, { bootNs: clock.bootNs(), wallMs: clock.wallMs() });
  }

  #changed(news: IdentityNews): void {
    if (news === 'different') this.#news = news;
    this.#changedTimer ??= setTimeout(() => {
      this.#changedTimer = null;
      const gathered = this.#news;
      this.#news = 'more';
      for (const changed of this.#listeners) changed(gathered);
    }, CHANGED_GATHER_MS).unref();
  }
}

function withoutHash(identity: Identity): Identity {
  const rest: { -readonly [K in keyof Identity]: Identity[K] } = { ...identity };
  delete rest.sha256;
  return rest;
}

function split<T>(look: { readonly found: T } | { readonly missing: Missing }): { readonly found: T | null; readonly missing: Missing | null } {
  return 'missing' in look ? { found: null, missing: look.missing } : { found: look.found, missing: null };
}

/** Nothing is read and no thread is started before the first program is to be identified. */
export function createIdentities(options: IdentitiesOptions): IdentityService {
  return new IdentityBook(options);
}
