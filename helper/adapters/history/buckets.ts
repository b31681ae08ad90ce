/**
 * Totals by minute, hour and day, of programs and their destinations. They are added up with the flows and in the same
 * transaction, so that both always agree. A bucket has a limit: what is over counts under "others", of the same program while
 * there is room for that.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { LEVELS, OTHERS, numberOf } from './schema.ts';
import type { Level } from './schema.ts';
import { KnownRows } from './known-rows.ts';

/** Rows of one bucket for programs with their destinations; there are at most as many again for the others of each program. */
export const BUCKET_ROWS = { minute: 500, hour: 1000, day: 1000 } as const;
/** Rows of one bucket on top of that for others of one user each; what is over is everybody's. */
export const OTHER_USERS = 100;
/** Buckets whose number of rows is known without counting. */
const COUNTED_LIMIT = 64;
const NO_UID = -1;

/** What is counted together. */
export interface Counted {
  readonly path: string;
  readonly label: string;
  readonly uid: number | null;
  readonly target: string;
  readonly port: number;
  readonly protocol: number;
}

/** What one program of one user sent and received in some time. */
export interface Moved {
  readonly path: string | null;
  readonly uid: number | null;
  readonly sentBytes: number;
  readonly sentPackets: number;
  readonly receivedBytes: number;
  readonly receivedPackets: number;
}

interface Sum {
  readonly what: Counted;
  readonly timeMs: number;
  allowed: number;
  refused: number;
}

/** A table of totals: adds to a row that is there, makes a new one. */
interface Table {
  readonly name: 'connections' | 'traffic';
  readonly add: StatementSync;
  readonly make: StatementSync;
}

/** What is added, and to which row: its own, or one of the places after it, which are made only when they are needed. */
interface Addition {
  readonly table: Table;
  readonly timeMs: number;
  readonly amounts: readonly number[];
  /** The row of its own, if all that it names is there. */
  readonly find: () => readonly number[] | null;
  readonly places: readonly (() => readonly number[])[];
}

export class Buckets {
  readonly #database: DatabaseSync;
  readonly #applications: KnownRows;
  readonly #targets: KnownRows;
  readonly #flows: Table;
  readonly #traffic: Table;
  readonly #sums = new Map<string, Sum>();
  /** Rows by table, level and bucket. */
  readonly #rows = new Map<string, number>();

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#applications = new KnownRows(database, { table: 'applications', unique: ['path', 'label', 'uid', 'others'], more: [], tracked: false });
    this.#targets = new KnownRows(database, { table: 'targets', unique: ['target', 'port', 'protocol'], more: [], tracked: false });
    this.#flows = {
      name: 'connections',
      add: database.prepare(`UPDATE connections SET allowed = allowed + ?1, refused = refused + ?2
        WHERE level = ?3 AND bucket = ?4 AND application = ?5 AND target = ?6`),
      make: database.prepare(`INSERT INTO connections (allowed, refused, level, bucket, application, target)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)`),
    };
    this.#traffic = {
      name: 'traffic',
      add: database.prepare(`UPDATE traffic SET sent_bytes = sent_bytes + ?1, sent_packets = sent_packets + ?2,
        received_bytes = received_bytes + ?3, received_packets = received_packets + ?4
        WHERE level = ?5 AND bucket = ?6 AND application = ?7`),
      make: database.prepare(`INSERT INTO traffic
        (sent_bytes, sent_packets, received_bytes, received_packets, level, bucket, application) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`),
    };
  }

  /** A transaction was undone, or rows were taken out. */
  forget(): void {
    this.#applications.forget();
    this.#targets.forget();
    this.#rows.clear();
    this.#sums.clear();
  }

  /** Counts one flow; written by `flush`. */
  count(what: Counted, timeMs: number, allowed: boolean): void {
    const minute = Math.floor(timeMs / LEVELS[0].lengthMs);
    const key = `${String(minute)}\0${what.path}\0${what.label}\0${String(what.uid)}\0${what.target}\0${String(what.port)}\0${String(what.protocol)}`;
    let sum = this.#sums.get(key);
    if (sum === undefined) this.#sums.set(key, sum = { what, timeMs, allowed: 0, refused: 0 });
    if (allowed) sum.allowed += 1;
    else sum.refused += 1;
  }

  flush(): void {
    for (const sum of this.#sums.values()) {
      const { what, timeMs, allowed, refused } = sum;
      const own = [what.path, what.label, what.uid ?? NO_UID, 0];
      const target = [what.target, what.port, what.protocol];
      this.#add({
        table: this.#flows, timeMs, amounts: [allowed, refused],
        find: () => {
          const [application, there] = [this.#applications.find(own), this.#targets.find(target)];
          return application === null || there === null ? null : [application, there];
        },
        places: [
          () => [this.#applications.id(own), this.#targets.id(target)],
          () => [this.#applications.id(own), OTHERS.target],
          () => [this.#others(what.uid), OTHERS.target],
          () => [OTHERS.application, OTHERS.target],
        ],
      });
    }
    this.#sums.clear();
  }

  /** Adds what programs sent and received until `timeMs`. */
  move(rows: readonly Moved[], timeMs: number): void {
    for (const row of rows) {
      const own = [row.path ?? '', '', row.uid ?? NO_UID, 0];
      this.#add({
        table: this.#traffic, timeMs, amounts: [row.sentBytes, row.sentPackets, row.receivedBytes, row.receivedPackets],
        find: () => {
          const application = this.#applications.find(own);
          return application === null ? null : [application];
        },
        places: [
          () => [this.#applications.id(own)],
          () => [this.#others(row.uid)],
          () => [OTHERS.application],
        ],
      });
    }
  }

  #add(addition: Addition): void {
    for (const level of LEVELS) this.#put(addition, level, Math.floor(addition.timeMs / level.lengthMs));
  }

  /** Adds to the row that is there already; else to the first place that there is room for. There is always room for the last. */
  #put({ table, amounts, find, places }: Addition, level: Level, bucket: number): void {
    const own = find();
    if (own !== null && table.add.run(...amounts, level.code, bucket, ...own).changes === 1) return;
    const limit = BUCKET_ROWS[level.name];
    const there = this.#rowsOf(table.name, level.code, bucket);
    for (const [index, placeOf] of places.entries()) {
      const last = index === places.length - 1;
      const beforeLast = index === places.length - 2 ? OTHER_USERS : 0;
      const room = last || there < (index === 0 ? limit : 2 * limit + beforeLast);
      if (index === 0 && !room) continue;
      const place = placeOf();
      if (index > 0 && table.add.run(...amounts, level.code, bucket, ...place).changes === 1) return;
      if (!room) continue;
      table.make.run(...amounts, level.code, bucket, ...place);
      this.#rows.set(`${table.name} ${String(level.code)} ${String(bucket)}`, there + 1);
      return;
    }
  }

  #rowsOf(table: string, level: number, bucket: number): number {
    const key = `${table} ${String(level)} ${String(bucket)}`;
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const rows = numberOf(this.#database, `SELECT count(*) FROM ${table} WHERE level = ? AND bucket = ?`, level, bucket);
    if (this.#rows.size >= COUNTED_LIMIT) this.#rows.clear();
    this.#rows.set(key, rows);
    return rows;
  }

  /** The row for programs of this user that were too many. */
  #others(uid: number | null): number {
    return uid === null ? OTHERS.application : this.#applications.id(['', '', uid, 1]);
  }
}
