/**
 * The history as one object: opens the file, stores, answers, thins, and mends itself. Runs on the history thread, where
 * everything may take its time. It never throws: what fails is told, and tried again.
 */
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { BastionError } from '../../contract/errors.ts';
import type { FlowEnd, FlowRecord } from '../../engine-api.ts';
import type { HistorySettings } from '../../ports.ts';
import type { Moved } from './buckets.ts';
import { makeFile, removeFiles, setAside } from './files.ts';
import type { Answers, Question } from './messages.ts';
import { Queries } from './query.ts';
import { Thinner } from './retention.ts';
import { ForeignFileError, HISTORY_FILE, numberOf, prepareTables } from './schema.ts';
import { DamagedHistoryError } from './stored-flow.ts';
import { readTotals } from './totals.ts';
import { Writer } from './writer.ts';

/** Numbers that are put by at a time, durably: none is given twice, even if the last flows are lost with the power. */
const RESERVED = 65_536;
/** After a failure, and after a file was set aside, that is not done again for so long. */
const AGAIN_MS = 60_000;
const BUSY_MS = 2000;
const BYTES_PER_MEGABYTE = 1_000_000;
const LOG_BYTES = 16 * 1024 * 1024;
/** Flows after which the sizes are looked at. */
const LOOK_AFTER_FLOWS = 2000;
/** Result codes of SQLite for a file that is damaged or none of its own. Source: sqlite.org/rescode.html */
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
const PRIMARY_CODE = 0xff;

export interface StoreOptions {
  readonly folder: string;
  readonly settings: HistorySettings;
  /** Wall time, ms since 1970. */
  readonly now: () => number;
  /** Storing does not work (why), or works again (null). */
  readonly onState: (failure: string | null) => void;
  readonly onNote: (message: string, fields: Readonly<Record<string, string | number>>) => void;
}

interface Open {
  readonly database: DatabaseSync;
  readonly writer: Writer;
  readonly queries: Queries;
}

function isDamage(error: unknown): boolean {
  if (error instanceof DamagedHistoryError || error instanceof ForeignFileError || error instanceof SyntaxError) return true;
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return false;
  const primary = error.errcode & PRIMARY_CODE;
  return primary === SQLITE_CORRUPT || primary === SQLITE_NOTADB;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export class HistoryStore {
  readonly #options: StoreOptions;
  #settings: HistorySettings;
  #open: Open | null = null;
  #failure: string | null = null;
  #failedMs = Number.NEGATIVE_INFINITY;
  #setAsideMs = Number.NEGATIVE_INFINITY;
  /** The next number, and the first that is not put by. */
  #next = 0;
  #reserved = 0;
  #sinceLook = 0;
  readonly #thinner = new Thinner();

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#settings = options.settings;
  }

  /** Opens the file. Returns the number for the next flow, larger than every one that was given before. */
  start(): number {
    const opened = this.#guarded(() => this.#ready());
    // Without the file nobody knows what was given; the time in milliseconds is larger than any count.
    if (opened === null || this.#setAsideMs > Number.NEGATIVE_INFINITY) this.#next = Math.max(this.#next, this.#options.now());
    this.#guarded(({ database }) => { this.#reserve(database); });
    return this.#next;
  }

  configure(settings: HistorySettings): void {
    this.#settings = settings;
  }

  /** Returns how many of the flows were stored. */
  add(flows: readonly FlowRecord[]): number {
    const stored = this.#guarded((open) => {
      this.#transaction(open, () => { open.writer.add(flows, this.#settings); });
      const [last] = flows.slice(-1);
      if (last !== undefined) this.#next = Math.max(this.#next, Number.parseInt(last.id.slice(1), 36) + 1);
      if (this.#next + RESERVED / 2 > this.#reserved) this.#reserve(open.database);
      return flows.length;
    }, true);
    this.#sinceLook += flows.length;
    return stored ?? 0;
  }

  /** False when that could not be stored. */
  end(ends: readonly FlowEnd[]): boolean {
    return this.#guarded((open) => this.#transaction(open, () => {
      open.writer.end(ends);
      return true;
    }), true) ?? false;
  }

  move(rows: readonly Moved[], timeMs: number): void {
    this.#guarded((open) => { this.#transaction(open, () => { open.writer.buckets.move(rows, timeMs); }); }, true);
  }

  /** Throws BastionError Failed. */
  ask(question: Question): Answers[keyof Answers] {
    if (question.kind === 'clear') return this.#clear();
    const answer = this.#guarded(({ database, queries }): { readonly value: Answers[keyof Answers] } => {
      switch (question.kind) {
        case 'query':
          return { value: queries.page(question.filter, question.limit, question.before) };
        case 'numbers':
          return { value: queries.numbers(question.filter, question.limit, question.before) };
        case 'groups':
          return { value: queries.groups(question.filter, question.by, question.limit) };
        case 'flow':
          return { value: queries.flow(question.number) };
        case 'totals':
          return { value: readTotals(database, question) };
      }
    });
    if (answer === null) throw new BastionError('Failed', `The history cannot be read: ${this.#failure ?? 'its file was damaged'}.`);
    return answer.value;
  }

  /** True when flows enough were stored to look at the size again. */
  get wantsLook(): boolean {
    return this.#sinceLook >= LOOK_AFTER_FLOWS;
  }

  /** Takes out some of what is too old or too much. True when there is more to do. */
  thin(): boolean {
    this.#sinceLook = 0;
    const { keepDays, maxMegabytes } = this.#settings;
    const nowMs = this.#options.now();
    return this.#guarded((open) => {
      const step = this.#transaction(open, () => this.#thinner.step(open.database, { keepDays, maxBytes: maxMegabytes * BYTES_PER_MEGABYTE }, nowMs));
      if (step.swept) open.writer.forget();
      return step.more;
    }) ?? false;
  }

  close(): void {
    if (this.#open === null) return;
    // What was put by and not used is given next time.
    this.#guarded(({ database }) => {
      database.prepare("UPDATE meta SET value = ? WHERE key = 'reserved'").run(this.#next);
      database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    });
    this.#shut();
  }

  /** Numbers that main gave meanwhile, stored or not, are not given again. */
  given(next: number): void {
    this.#next = Math.max(this.#next, next);
  }

  #clear(): null {
    this.#shut();
    try {
      removeFiles(this.#options.folder);
    } catch (error: unknown) {
      throw new BastionError('Failed', `The history could not be removed: ${messageOf(error)}.`, { cause: error });
    }
    this.#failedMs = Number.NEGATIVE_INFINITY;
    this.#guarded(() => undefined);
    return null;
  }

  /** Runs with the open file. null when that failed; of a damaged file the work is done on a new one if `again`. */
  #guarded<T>(work: (open: Open) => T, again = false): T | null {
    if (this.#failure !== null && this.#options.now() - this.#failedMs < AGAIN_MS) return null;
    try {
      const value = work(this.#ready());
      this.#tell(null);
      return value;
    } catch (error: unknown) {
      this.#shut();
      if (isDamage(error) && this.#replace(error)) return again ? this.#guarded(work) : null;
      this.#tell(messageOf(error));
      return null;
    }
  }

  #tell(failure: string | null): void {
    if (failure !== null) this.#failedMs = this.#options.now();
    if (failure === this.#failure) return;
    this.#failure = failure;
    this.#options.onState(failure);
  }

  /** Sets the damaged file aside; false where that was just done, or cannot be. */
  #replace(why: unknown): boolean {
    const nowMs = this.#options.now();
    if (nowMs - this.#setAsideMs < AGAIN_MS) return false;
    this.#setAsideMs = nowMs;
    try {
      const name = setAside(this.#options.folder, nowMs);
      this.#options.onNote('the history was damaged and was set aside; a new one was begun', { file: name, why: messageOf(why) });
      return true;
    } catch (error: unknown) {
      this.#options.onNote('the damaged history could not be set aside', { why: messageOf(error) });
      return false;
    }
  }

  #ready(): Open {
    if (this.#open !== null) return this.#open;
    const path = join(this.#options.folder, HISTORY_FILE);
    makeFile(path);
    const database = new DatabaseSync(path, { defensive: true, timeout: BUSY_MS });
    try {
      // auto_vacuum counts only before the first table. NORMAL: a power cut loses the last seconds and never the file; one
      // fsync for each batch would wake the disk several times a second for something that no decision needs.
      database.exec(`PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA auto_vacuum = INCREMENTAL;
        PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;
        PRAGMA journal_size_limit = ${String(LOG_BYTES)}`);
      prepareTables(database);
      const given = numberOf(database, "SELECT value FROM meta WHERE key = 'reserved'");
      this.#next = Math.max(this.#next, given, numberOf(database, 'SELECT max(number) + 1 FROM flows'));
      this.#reserve(database);
      this.#open = { database, writer: new Writer(database), queries: new Queries(database) };
      return this.#open;
    } catch (error: unknown) {
      database.close();
      throw error;
    }
  }

  #shut(): void {
    const open = this.#open;
    this.#open = null;
    try {
      open?.database.close();
    } catch (error: unknown) {
      this.#options.onNote('the history could not be closed', { why: messageOf(error) });
    }
  }

  #transaction<T>({ database, writer }: Open, work: () => T): T {
    database.exec('BEGIN IMMEDIATE');
    try {
      const value = work();
      database.exec('COMMIT');
      return value;
    } catch (error: unknown) {
      writer.forget();
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }

  /** With an fsync, unlike everything else: numbers are in the journal and in people's notes. */
  #reserve(database: DatabaseSync): void {
    this.#reserved = this.#next + RESERVED;
    database.exec('PRAGMA synchronous = FULL');
    database.prepare("INSERT INTO meta VALUES ('reserved', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1").run(this.#reserved);
    database.exec('PRAGMA synchronous = NORMAL');
  }
}
