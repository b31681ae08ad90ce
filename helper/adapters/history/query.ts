/** Stored flows by a filter, page by page. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { FlowRecord } from '../../engine-api.ts';
import type { FlowGroups, HistoryFilter } from '../../ports.ts';
import { conditionsOf } from './conditions.ts';
import { GroupSums } from './flow-groups.ts';
import { numberOf } from './schema.ts';
import { FLOW_COLUMNS, FlowReader, arrays } from './stored-flow.ts';
import type { Row } from './stored-flow.ts';

/** Flows that are looked through before the clock is looked at. */
const STEP_ROWS = 20_000;
/** A page takes about so long at most; meanwhile flows wait to be stored. */
export const QUERY_BUDGET_MS = 150;
/** Sums of a whole filter are worth a longer wait; what is older than what this reaches is left out, and said to be. */
export const GROUP_BUDGET_MS = 600;

/** Bounds of numbers that the times leave, so that nobody looks through what is too old or too young. */
function bounds(database: DatabaseSync, { sinceMs, untilMs }: HistoryFilter, before: number): { readonly low: number; readonly high: number } {
  const low = sinceMs === undefined ? 0 : numberOf(database, 'SELECT ifnull(min(number), -1) FROM flows WHERE time_ms >= ?', sinceMs);
  const last = untilMs === undefined ? before - 1 : numberOf(database, 'SELECT ifnull(max(number), -1) FROM flows WHERE time_ms < ?', untilMs);
  return low < 0 ? { low: 0, high: 0 } : { low, high: Math.min(before, last + 1) };
}

/** Statement and parameters that look for a filter between two numbers: `find(before, from)`. */
interface Search {
  readonly where: string;
  readonly parameters: readonly (string | number)[];
}

function searchOf(filter: HistoryFilter): Search {
  const conditions = conditionsOf(filter);
  return {
    where: ['number < ?', 'number >= ?', ...conditions.map(({ sql }) => sql)].join(' AND '),
    parameters: conditions.flatMap((one) => one.parameters),
  };
}

export class Queries {
  readonly #database: DatabaseSync;
  readonly #reader: FlowReader;
  readonly #step: StatementSync;
  readonly #one: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#reader = new FlowReader(database);
    this.#step = database.prepare(`SELECT min(number) AS low FROM (SELECT number FROM flows WHERE number < ? AND number >= ?
      ORDER BY number DESC LIMIT ${String(STEP_ROWS)})`);
    this.#one = arrays(database.prepare(`SELECT ${FLOW_COLUMNS} FROM flows WHERE number = ?`));
  }

  flow(number: number): FlowRecord | null {
    const row = this.#one.get(number) as unknown as Parameters<FlowReader['read']>[0] | undefined;
    return row === undefined ? null : this.#reader.read(row);
  }

  /** See port `History.query`. */
  page(filter: HistoryFilter, limit: number, before: number): { readonly rows: readonly FlowRecord[]; readonly before: number } {
    const { where, parameters } = searchOf(filter);
    const find = arrays(this.#database.prepare(`SELECT ${FLOW_COLUMNS} FROM flows NOT INDEXED WHERE ${where} ORDER BY number DESC LIMIT ?`));
    const rows: FlowRecord[] = [];
    const next = this.#look(filter, limit, before, (from, start, left) => {
      const found = find.all(from, start, ...parameters, left) as unknown as readonly Row[];
      for (const row of found) rows.push(this.#reader.read(row));
      return { count: found.length, last: Number(found.at(-1)?.[0]) };
    });
    return { rows, before: next };
  }

  /** See port `History.numbers`. They come as one text, because making a row of each takes four times as long. */
  numbers(filter: HistoryFilter, limit: number, before: number): { readonly numbers: Float64Array; readonly before: number } {
    const { where, parameters } = searchOf(filter);
    const find = arrays(this.#database.prepare(`SELECT group_concat(number, ' ') FROM (SELECT number FROM flows NOT INDEXED WHERE ${where}
      ORDER BY number DESC LIMIT ?)`));
    const found: number[] = [];
    const next = this.#look(filter, limit, before, (from, start, left) => {
      const [text] = (find.get(from, start, ...parameters, left) as unknown as Row | undefined) ?? [];
      const numbers = typeof text === 'string' ? text.split(' ').map(Number) : [];
      for (const number of numbers) found.push(number);
      return { count: numbers.length, last: numbers.at(-1) ?? 0 };
    });
    return { numbers: Float64Array.from(found), before: next };
  }

  /** See port `History.groups`. */
  groups(filter: HistoryFilter, by: 'application' | 'destination', limit: number): FlowGroups {
    const endMs = performance.now() + GROUP_BUDGET_MS;
    const { where, parameters } = searchOf(filter);
    const sums = new GroupSums(this.#database, by, where);
    const { low, high } = bounds(this.#database, filter, Number.MAX_SAFE_INTEGER);
    let from = high;
    while (from > low) {
      const start = this.#step.get(from, low)?.['low'];
      if (typeof start !== 'number') break;
      sums.add([from, start, ...parameters]);
      from = start;
      if (performance.now() >= endMs) break;
    }
    const isWhole = this.#step.get(from, low)?.['low'] == null;
    const sinceMs = isWhole ? 0 : numberOf(this.#database, 'SELECT time_ms FROM flows WHERE number = ?', from);
    return { groups: sums.most(limit), sinceMs };
  }

  /**
   * Looks from `before` down in steps until `limit` flows are found, nothing is left, or the time is up. Returns where the next
   * look goes on, 0 for nowhere.
   */
  #look(filter: HistoryFilter, limit: number, before: number, step: (from: number, start: number, left: number) => { readonly count: number; readonly last: number }): number {
    const endMs = performance.now() + QUERY_BUDGET_MS;
    const { low, high } = bounds(this.#database, filter, before);
    let from = high;
    for (let left = limit; left > 0 && performance.now() < endMs;) {
      const start = this.#step.get(from, low)?.['low'];
      if (typeof start !== 'number') return 0;
      const { count, last } = step(from, start, left);
      left -= count;
      from = left <= 0 ? last : start;
    }
    return from <= low ? 0 : from;
  }
}
