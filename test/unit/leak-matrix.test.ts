/** The table of the leak matrix: made of what tests keep, whole, in one order, and a packet that arrived is not hidden. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { documentOf, readColumns } from '../../tools/leak-matrix.ts';
import type { KeptColumn, MeasuredWay } from '../leak-matrix.ts';

const way = (name: string, arrived: number, more: Partial<MeasuredWay> = {}): MeasuredWay => ({ name, as: 'user', attempts: 1200, arrived, note: '', ...more });
const column = (name: KeptColumn['column'], ways: readonly MeasuredWay[]): KeptColumn => ({ column: name, kernel: '6.1.0', full: true, ways });

const ALLOWED = column('allowed', [way('datagram4', 3), way('later', 0, { as: 'root' }), way('sctp', 0, { note: 'EPROTONOSUPPORT' })]);
const KILLED = column('killed', [way('datagram4', 0), way('later', 0, { as: 'root' }), way('sctp', 0)]);
const DENIED = column('denied', [way('datagram4', 2)]);
const BEYOND = column('beyond', [way('packet4', 1200, { note: 'below IP' })]);

function folderWith(t: TestContext, columns: readonly unknown[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-leak-matrix-'));
  t.after(() => { rmSync(folder, { recursive: true }); });
  for (const [at, kept] of columns.entries()) writeFileSync(join(folder, `${String(at)}.json`), JSON.stringify(kept));
  return folder;
}

test('leak matrix: a row for each way, a column for each state, the sum of what could be tried', (t) => {
  const text = documentOf(readColumns(folderWith(t, [KILLED, BEYOND, DENIED, ALLOWED])));
  assert.match(text, /^\| way \| allowed \| denied \| killed \|$/mu);
  assert.match(text, /^\| datagram4 \| arrives \| 2 of 1200 \| 0 of 1200 \|$/mu);
  assert.match(text, /^\| later \| never \| - \| 0 of 1200 \|$/mu);
  assert.match(text, /\*\*2 of 3,600 attempts arrived\*\*: 2 ways in 2 states, on Linux 6\.1\.0/u);
  assert.match(text, /lacks, or did not grant: sctp \(EPROTONOSUPPORT\)\./u);
  assert.match(text, /^\| packet4 \| 1200 of 1200 \| below IP \|$/mu);
});

test('leak matrix: what no test kept is refused by its name', (t) => {
  assert.throws(() => readColumns(folderWith(t, [{ ...KILLED, column: 'asleep' }])), /0\.json/u);
  assert.throws(() => readColumns(folderWith(t, [column('killed', [way('a | b', 0)])])), /0\.json/u);
  assert.deepEqual(readColumns(join(tmpdir(), 'bastion-leak-matrix-that-is-not-there')), []);
});
