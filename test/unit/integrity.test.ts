/** Is a file the one that it was known as? Every row of the table. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judgeIntegrity } from '../../helper/policy/integrity.ts';
import type { IntegrityFacts, KnownBy } from '../../helper/policy/integrity.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

function known(sha256: string, by: KnownBy): IntegrityFacts['known'] {
  return { sha256, by };
}

function says(facts: Partial<IntegrityFacts>): string {
  const { integrity, trusted, reason, learn } = judgeIntegrity({ trusted: null, known: null, sha256: A, packageState: 'none', ...facts });
  return [integrity, reason, ...(trusted ? ['trusted'] : []), ...(learn === null ? [] : [`learns ${learn.by}`])].join(' ');
}

describe('integrity', () => {
  const rows: readonly (readonly [string, Partial<IntegrityFacts>, string])[] = [
    ['a file that was never seen is valid, and its hash is the known one', {}, 'valid first-seen learns first-seen'],
    ['the same file stays valid', { known: known(A, 'first-seen') }, 'valid first-seen'],
    ['another file is changed, and nothing is learned of it', { known: known(B, 'first-seen') }, 'changed other-hash'],
    ['an accepted hash is valid', { known: known(A, 'accepted') }, 'valid accepted'],
    ['another than the accepted one is changed', { known: known(B, 'accepted') }, 'changed other-hash'],
    ['a right checksum of the package is valid', { packageState: 'right' }, 'valid package learns package'],
    ['an update by the package is accepted silently', { packageState: 'right', known: known(B, 'package') }, 'valid package learns package'],
    ['a right checksum goes before what was seen first', { packageState: 'right', known: known(B, 'first-seen') }, 'valid package learns package'],
    ['nothing is learned twice', { packageState: 'right', known: known(A, 'package') }, 'valid package'],
    ['a wrong checksum is changed at first sight', { packageState: 'wrong' }, 'changed package-wrong'],
    ['a wrong checksum is changed, whatever was known', { packageState: 'wrong', known: known(B, 'package') }, 'changed package-wrong'],
    ['a file that its package has replaced is changed', { packageState: 'wrong', known: known(A, 'package') }, 'changed package-wrong'],
    ['a wrong checksum that a person accepted is valid', { packageState: 'wrong', known: known(A, 'accepted') }, 'valid accepted'],
    ['a file that was there before its package is valid', { packageState: 'wrong', known: known(A, 'first-seen') }, 'valid first-seen'],
    ['a file whose package went away is still known', { known: known(A, 'package') }, 'valid package'],
    ['a file that was replaced after its package went away is changed', { known: known(B, 'package') }, 'changed other-hash'],
    ['a trusted hash is valid', { trusted: A }, 'valid trusted trusted'],
    ['a trusted hash goes before a wrong checksum', { trusted: A, packageState: 'wrong' }, 'valid trusted trusted'],
    ['another than the trusted hash is changed, with a right checksum too', { trusted: B, packageState: 'right' }, 'changed not-trusted'],
    ['another than the trusted hash is changed, even if it was accepted', { trusted: B, known: known(A, 'accepted') }, 'changed not-trusted'],
    ['another than the trusted hash is changed at first sight', { trusted: B }, 'changed not-trusted'],
  ];
  for (const [name, facts, expected] of rows) test(name, () => { assert.equal(says(facts), expected); });
});
