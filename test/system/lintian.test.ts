/** Debian's own reader of packages finds nothing in ours: no errors, no warnings. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { ROOT, which } from '../lab/process.ts';
import { builtPackages, noPackages } from './packages.ts';

const LIMIT_MS = 300_000;
const OVERRIDES = join(ROOT, 'debian/bastion-firewall.lintian-overrides');
/** The tests' packages are not compressed, to save minutes; what people get is. */
const NOT_COMPRESSED = ['uses-no-compression-for-data-tarball', 'uses-no-compression-for-control-tarball'];

const missing = noPackages() || (which('lintian') === null && 'not installed: lintian');

test('the packages have no errors and no warnings by lintian, and every override is needed', { skip: missing }, () => {
  const changes = join(dirname(builtPackages()[0] ?? ''), 'bastion-firewall.changes');
  const { stdout, error } = spawnSync('lintian', [
    '--display-level', '>=warning', '--tag-display-limit', '0', '--suppress-tags', NOT_COMPRESSED.join(','), '--show-overrides', changes,
  ], { encoding: 'utf8', timeout: LIMIT_MS, env: { ...process.env, LC_ALL: 'C' } });
  assert.equal(error, undefined);
  const lines = stdout.split('\n').filter((line) => line !== '');
  assert.deepEqual(lines.filter((line) => !/^[NO]: /u.test(line)), []);
  const overrides = readFileSync(OVERRIDES, 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  assert.deepEqual(lines.filter((line) => line.startsWith('O: ')).map((line) => line.slice('O: '.length)).sort(), overrides.sort());
});
