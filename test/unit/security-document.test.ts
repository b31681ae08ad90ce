/** SECURITY.md promises nothing without a test: each claim names one that is there. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../lab/process.ts';
import { isThere, textOf } from './docs-support.ts';

const FILE = 'SECURITY.md';
const PROOF = /\[(?<name>[^\]]+)\]\((?<file>test\/[^)]+\.ts)\)/gu;

test('SECURITY.md: each claim has a proof, by the name of a test that is in the file', () => {
  const claims = textOf(FILE).slice(textOf(FILE).indexOf('## The claims')).split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| claim |'));
  assert.ok(claims.length > 30);
  for (const claim of claims) {
    const proofs = [...claim.matchAll(PROOF)].map(({ groups = {} }) => groups);
    assert.notEqual(proofs.length, 0, claim);
    for (const { name = '', file = '' } of proofs) {
      assert.ok(isThere(file), file);
      const lines = readFileSync(join(ROOT, file), 'utf8').replaceAll(String.raw`\'`, "'").split('\n');
      const named = lines.some((line) => /^ *(?:await t\.)?test\(/u.test(line) && line.includes(name));
      assert.ok(named, `${file} has no test with "${name}"`);
    }
  }
});
