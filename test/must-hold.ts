/** What a test measured of a promise that must hold: kept for the table in docs/must-hold.md, see tools/must-hold.ts. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './lab/process.ts';

export const MUST_HOLD_FOLDER = join(ROOT, 'build/must-hold');

export interface MustHold {
  /** Small letters, digits and `-`; the name of the file, and the order of the table. */
  readonly id: string;
  /** What holds, in a few words: "kill -9 at random moments under load". */
  readonly claim: string;
  /** How much of it was tried: "20 times", "200 connections from 10 programs". */
  readonly size: string;
  /** Undecided packets that the peer saw; null where the promise is about something else. */
  readonly undecided: number | null;
  /** What was measured, in words and numbers: "recovery: median 0.6 s, longest 1.8 s". */
  readonly figures: readonly string[];
}

/** What is kept: also on which kernel it was, and whether the counts were full ones. */
export interface KeptMustHold extends MustHold {
  readonly kernel: string;
  readonly full: boolean;
}

/** Keeps it, in place of what an earlier run kept. Call it when the test has passed its last assertion. */
export function mustHold(promise: MustHold): void {
  mkdirSync(MUST_HOLD_FOLDER, { recursive: true });
  const file = join(MUST_HOLD_FOLDER, `${promise.id}.json`);
  const kept: KeptMustHold = { ...promise, kernel: /^[0-9.]*[0-9]/u.exec(release())?.[0] ?? release(), full: process.env['BASTION_TEST_SIZE'] === 'full' };
  writeFileSync(`${file}.new`, `${JSON.stringify(kept, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}
