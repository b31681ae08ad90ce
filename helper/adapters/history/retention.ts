/** What is too old, or over the size, leaves in small steps, so that flows are stored in between. */
import type { DatabaseSync } from 'node:sqlite';
import { LEVELS, OTHERS, USED_STEP, numberOf } from './schema.ts';

/** Flows that one step takes out. */
export const STEP_FLOWS = 5000;
/** Pages that one step gives back to the file system. */
const STEP_PAGES = 500;
/** Taken out down to this share of the limit, so that the next flow does not need a step again. */
const LOW_SHARE = 0.95;
const DAY_MS = 86_400_000;
/** What nothing refers to any more is looked for after so many steps, and else this often at most. */
const SWEEP_AFTER_STEPS = 10;
const SWEEP_AFTER_MS = 600_000;
/** Totals are kept so long, if the size allows it. */
const KEPT_MS = { minute: 2 * DAY_MS, hour: 60 * DAY_MS, day: 5 * 366 * DAY_MS } as const;

/** What may stay. */
export interface Limits {
  readonly keepDays: number;
  readonly maxBytes: number;
}

/** Bytes in use, and the size of the file. */
export function sizesOf(database: DatabaseSync): { readonly usedBytes: number; readonly fileBytes: number } {
  const pageBytes = numberOf(database, 'PRAGMA page_size');
  const pages = numberOf(database, 'PRAGMA page_count');
  return { usedBytes: (pages - numberOf(database, 'PRAGMA freelist_count')) * pageBytes, fileBytes: pages * pageBytes };
}

/** Changes rows; true when something was taken out. */
function deleted(database: DatabaseSync, sql: string, ...parameters: readonly number[]): boolean {
  return Number(database.prepare(sql).run(...parameters).changes) > 0;
}

/** Sums that are older than their level is kept. */
function oldTotals(database: DatabaseSync, nowMs: number): boolean {
  let some = false;
  for (const { name, code, lengthMs } of LEVELS) {
    const first = Math.floor((nowMs - KEPT_MS[name]) / lengthMs);
    for (const table of ['connections', 'traffic']) {
      some = deleted(database, `DELETE FROM ${table} WHERE level = ? AND bucket < ?`, code, first) || some;
    }
  }
  return some;
}

/** The oldest sums of the finest level that has any: a tenth of its time at once. */
function someTotals(database: DatabaseSync): boolean {
  for (const { code } of LEVELS) {
    const first = numberOf(database, 'SELECT min(bucket) FROM connections WHERE level = ?', code);
    const last = numberOf(database, 'SELECT max(bucket) FROM connections WHERE level = ?', code);
    const until = first + Math.ceil((last - first + 1) / 10);
    const some = deleted(database, 'DELETE FROM connections WHERE level = ? AND bucket < ?', code, until);
    if (deleted(database, 'DELETE FROM traffic WHERE level = ? AND bucket < ?', code, until) || some) return true;
  }
  return false;
}

/** Programs, destinations, lineages and texts that no flow refers to. */
function sweepFlows(database: DatabaseSync): void {
  const oldest = numberOf(database, `SELECT ifnull(min(number), ${String(Number.MAX_SAFE_INTEGER)}) FROM flows`);
  for (const table of ['programs', 'destinations', 'lineages', 'texts']) {
    deleted(database, `DELETE FROM ${table} WHERE used < ?`, oldest - USED_STEP);
  }
}

/** Programs and targets that no sum refers to. */
function sweepTotals(database: DatabaseSync): void {
  deleted(database, 'DELETE FROM targets WHERE id NOT IN (SELECT target FROM connections)');
  deleted(
    database, 'DELETE FROM applications WHERE id <> ? AND id NOT IN (SELECT application FROM connections UNION SELECT application FROM traffic)',
    OTHERS.application,
  );
}

function oldFlows(database: DatabaseSync, beforeMs: number): boolean {
  return deleted(
    database, 'DELETE FROM flows WHERE number IN (SELECT number FROM flows WHERE time_ms < ? ORDER BY time_ms LIMIT ?)', beforeMs, STEP_FLOWS,
  );
}

function firstFlows(database: DatabaseSync): boolean {
  return deleted(database, 'DELETE FROM flows WHERE number IN (SELECT number FROM flows ORDER BY number LIMIT ?)', STEP_FLOWS);
}

/** What one step did. */
export interface Step {
  /** There is more to do. */
  readonly more: boolean;
  /** Rows went that others knew by their ids. */
  readonly swept: boolean;
}

/** Takes out step by step; each step belongs into a transaction. */
export class Thinner {
  /** Going down to `LOW_SHARE`. */
  #over = false;
  #stepsUnswept = 0;
  #totalsUnswept = false;
  #sweptMs = Number.NEGATIVE_INFINITY;

  step(database: DatabaseSync, limits: Limits, nowMs: number): Step {
    if (this.#stepsUnswept >= SWEEP_AFTER_STEPS) {
      this.#sweep(database);
      return { more: true, swept: true };
    }
    if (this.#takeOut(database, limits, nowMs)) return { more: true, swept: false };
    // At its size limit the file loses a little every moment: what is left over then can wait.
    if (nowMs - this.#sweptMs < SWEEP_AFTER_MS && nowMs >= this.#sweptMs) return { more: false, swept: false };
    this.#sweptMs = nowMs;
    this.#totalsUnswept = oldTotals(database, nowMs) || this.#totalsUnswept;
    if (this.#stepsUnswept === 0 && !this.#totalsUnswept) return { more: false, swept: false };
    this.#sweep(database);
    return { more: true, swept: true };
  }

  /** True when something was taken out, or given back. */
  #takeOut(database: DatabaseSync, { keepDays, maxBytes }: Limits, nowMs: number): boolean {
    if (oldFlows(database, nowMs - keepDays * DAY_MS)) {
      this.#stepsUnswept += 1;
      return true;
    }
    const { usedBytes, fileBytes } = sizesOf(database);
    this.#over = usedBytes > maxBytes * (this.#over ? LOW_SHARE : 1);
    if (this.#over) return this.#takeOutMore(database);
    if (fileBytes <= maxBytes) return false;
    database.exec(`PRAGMA incremental_vacuum(${String(STEP_PAGES)})`);
    return sizesOf(database).fileBytes < fileBytes;
  }

  /** The oldest flows, then what nothing refers to any more, then the oldest sums. */
  #takeOutMore(database: DatabaseSync): boolean {
    if (firstFlows(database)) {
      this.#stepsUnswept += 1;
      return true;
    }
    if (this.#stepsUnswept > 0) {
      this.#stepsUnswept = SWEEP_AFTER_STEPS;
      return true;
    }
    if (!someTotals(database)) return false;
    this.#totalsUnswept = true;
    this.#stepsUnswept = SWEEP_AFTER_STEPS;
    return true;
  }

  #sweep(database: DatabaseSync): void {
    sweepFlows(database);
    if (this.#totalsUnswept) sweepTotals(database);
    this.#stepsUnswept = 0;
    this.#totalsUnswept = false;
  }
}
