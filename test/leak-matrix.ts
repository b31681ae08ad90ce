/** What the leak matrix measured, one state after the other: kept for the table in docs/leak-matrix.md, see tools/leak-matrix.ts. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './lab/process.ts';

export const LEAK_MATRIX_FOLDER = join(ROOT, 'build/leak-matrix');

/** The columns of the table, in this order: first two that are no promise, then the states in which nothing may arrive. */
export const COLUMNS = [
  'allowed', 'beyond', 'starting', 'no rule', 'denied', 'prompt open', 'safeguard', 'paused, ended', 'killed', 'stopped', 'standing still',
  'restarting', 'upgrading', 'flushed', 'killed, flushed', 'denied, killed, flushed',
] as const;
export type Column = typeof COLUMNS[number];
export type State = Exclude<Column, 'allowed' | 'beyond'>;

/** One way to send, by an ordinary user or by root. */
export interface MeasuredWay {
  readonly name: string;
  readonly as: 'user' | 'root';
  readonly attempts: number;
  /** Packets that the peer counted. */
  readonly arrived: number;
  /** Why nothing could be tried ("EPROTONOSUPPORT"), or why something may arrive; empty otherwise. */
  readonly note: string;
}

export interface KeptColumn {
  readonly column: Column;
  readonly kernel: string;
  readonly full: boolean;
  readonly ways: readonly MeasuredWay[];
}

/** Keeps it, in place of what an earlier run kept. */
export function keepColumn(column: Column, ways: readonly MeasuredWay[]): void {
  mkdirSync(LEAK_MATRIX_FOLDER, { recursive: true });
  const file = join(LEAK_MATRIX_FOLDER, `${column.replaceAll(/[ ,]+/gu, '-')}.json`);
  const kept: KeptColumn = { column, kernel: /^[0-9.]*[0-9]/u.exec(release())?.[0] ?? release(), full: process.env['BASTION_TEST_SIZE'] === 'full', ways };
  writeFileSync(`${file}.new`, `${JSON.stringify(kept)}\n`);
  renameSync(`${file}.new`, file);
}
