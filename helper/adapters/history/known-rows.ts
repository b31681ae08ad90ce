/** Rows of a small table that many others refer to: found or made by their content. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { arrays } from './stored-flow.ts';
import { USED_STEP } from './schema.ts';

/** Rows known without asking the table. */
const CACHE_LIMIT = 20_000;

type Value = string | number;

interface Known {
  readonly id: number;
  used: number;
}

export interface KnownTable {
  readonly table: string;
  /** The columns that say which row it is. */
  readonly unique: readonly string[];
  /** Columns that follow from those. */
  readonly more: readonly string[];
  /** Has it the column `used`? */
  readonly tracked: boolean;
}

function keyOf(unique: readonly Value[]): string {
  return unique.length === 1 ? String(unique[0]) : unique.map(String).join('\0');
}

export class KnownRows {
  readonly #find: StatementSync;
  readonly #make: StatementSync;
  readonly #use: StatementSync | null;
  readonly #known = new Map<string, Known>();

  constructor(database: DatabaseSync, { table, unique, more, tracked }: KnownTable) {
    const columns = [...unique, ...more, ...(tracked ? ['used'] : [])];
    const which = unique.map((column) => `${column} = ?`).join(' AND ');
    this.#find = arrays(database.prepare(`SELECT id, ${tracked ? 'used' : '0'} FROM ${table} WHERE ${which}`));
    this.#make = database.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`);
    this.#use = tracked ? database.prepare(`UPDATE ${table} SET used = ? WHERE id = ?`) : null;
  }

  /** What is known may not be so any more: a transaction was undone, or rows were taken out. */
  forget(): void {
    this.#known.clear();
  }

  /** The row's id; the row is there afterwards, and of a tracked table marked as used by about this flow. */
  id(unique: readonly Value[], more: readonly Value[] = [], number = 0): number {
    const key = keyOf(unique);
    const known = this.#known.get(key) ?? this.#look(key, unique) ?? this.#new(key, unique, more, number);
    if (this.#use !== null && number - known.used > USED_STEP) {
      this.#use.run(number, known.id);
      known.used = number;
    }
    return known.id;
  }

  /** The row's id if it is there. */
  find(unique: readonly Value[]): number | null {
    const key = keyOf(unique);
    return (this.#known.get(key) ?? this.#look(key, unique))?.id ?? null;
  }

  #look(key: string, unique: readonly Value[]): Known | null {
    const row = this.#find.get(...unique) as unknown as readonly [number, number] | undefined;
    return row === undefined ? null : this.#keep(key, { id: row[0], used: row[1] });
  }

  #new(key: string, unique: readonly Value[], more: readonly Value[], number: number): Known {
    const values = [...unique, ...more, ...(this.#use === null ? [] : [number])];
    return this.#keep(key, { id: Number(this.#make.run(...values).lastInsertRowid), used: number });
  }

  #keep(key: string, known: Known): Known {
    if (this.#known.size >= CACHE_LIMIT) this.#known.clear();
    this.#known.set(key, known);
    return known;
  }
}
