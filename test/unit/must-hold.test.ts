/** The table of what must hold: made of what tests keep, whole, in one order, and the same for the same measurements. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { readKept, tableOf } from '../../tools/must-hold.ts';
import type { KeptMustHold } from '../must-hold.ts';

const STORM: KeptMustHold = {
  id: 'storm', claim: 'a storm of connections', size: '10,000 connections', undecided: 0, figures: ['safeguard: 0.1 s', 'p99: 1.2 x idle'],
  kernel: '6.1.0', full: true,
};

function folderWith(t: TestContext, files: Readonly<Record<string, unknown>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-must-hold-'));
  t.after(() => { rmSync(folder, { recursive: true }); });
  for (const [name, value] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(value));
  return folder;
}

const rowsOf = (text: string): readonly string[] => text.split('\n').filter((line) => line.startsWith('| ')).slice(1);

test('must-hold: each promise is a row, by id, whatever the order they were kept in', () => {
  const kill: KeptMustHold = { ...STORM, id: 'kill', claim: 'kill -9', size: '1,000 times', undecided: null, figures: [] };
  const text = tableOf([STORM, kill]);
  assert.deepEqual(rowsOf(text), [
    '| kill -9 | 1,000 times | - |  |',
    '| a storm of connections | 10,000 connections | 0 | safeguard: 0.1 s<br>p99: 1.2 x idle |',
  ]);
  assert.equal(tableOf([kill, STORM]), text);
  assert.match(text, /on\nLinux 6\.1\.0\.\n/u);
  assert.equal(text.includes('(small)'), false);
});

test('must-hold: small counts and other kernels are said', () => {
  const text = tableOf([STORM, { ...STORM, id: 'b', full: false, kernel: '6.12.0' }]);
  assert.match(text, /Linux 6\.1\.0, 6\.12\.0\.\n/u);
  assert.match(text, /\| 10,000 connections \(small\) \|/u);
  assert.match(text, /marked as small/u);
});

test('must-hold: a text breaks no row and is no markup', () => {
  const [row] = rowsOf(tableOf([{ ...STORM, claim: 'a | b\nc *d* <e>' }]));
  assert.match(row ?? '', /^\| a \\\| b c \\\*d\\\* \\<e\\> \| /u);
});

test('must-hold: what is kept is read, and a file that no test kept is refused by its name', (t) => {
  assert.deepEqual(readKept(folderWith(t, { 'storm.json': STORM, 'notes.txt': 1 })), [STORM]);
  assert.deepEqual(readKept(join(tmpdir(), 'bastion-must-hold-that-is-not-there')), []);
  assert.throws(() => readKept(folderWith(t, { 'storm.json': { ...STORM, undecided: -1 } })), /storm\.json/u);
  assert.throws(() => readKept(folderWith(t, { 'other.json': STORM })), /other\.json holds storm/u);
});
