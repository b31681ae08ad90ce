/** Makes what a helper left behind that of another version. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { tool } from '../lab/process.ts';

export const OTHER_VERSION = 99;

/** The layout stands in the first four bytes of the only entry. */
export function ageTables(pinDir: string): void {
  const map = join(pinDir, 'maps/settings');
  const [entry] = JSON.parse(tool('bpftool', ['-j', 'map', 'dump', 'pinned', map])) as { readonly value: readonly string[] }[];
  assert.ok(entry !== undefined);
  const value = [OTHER_VERSION.toString(16).padStart(2, '0'), '00', '00', '00', ...entry.value.slice(4).map((byte) => byte.replace('0x', ''))];
  tool('bpftool', ['map', 'update', 'pinned', map, 'key', 'hex', '00', '00', '00', '00', 'value', 'hex', ...value]);
}

export function ageHistory(stateDir: string): void {
  const history = new DatabaseSync(join(stateDir, 'history.sqlite'));
  history.exec(`PRAGMA user_version = ${String(OTHER_VERSION)}`);
  history.close();
}

export function ageRunState(runDir: string): string {
  const file = join(runDir, 'state.json');
  const text = JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')) as object, version: OTHER_VERSION, news: true });
  writeFileSync(file, text);
  return text;
}
