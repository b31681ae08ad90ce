/** What people are told of an error is what the tool or the system said, however often it was wrapped. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BastionError, reasonOf } from '../../helper/contract/errors.ts';

test('the reason of an error is the innermost one', () => {
  const system = new Error('spawn /usr/sbin/iptables-nft-save EMFILE');
  const tool = new BastionError('Failed', '/usr/sbin/iptables-nft-save failed.', { cause: system });
  const rules = new BastionError('Failed', 'The IPv4 rules could not be put in place.', { cause: tool });
  assert.deepEqual([system, tool, rules].map(reasonOf), Array.from({ length: 3 }, () => system.message));
  assert.deepEqual([reasonOf(new BastionError('Failed', 'alone')), reasonOf('a text')], ['alone', 'a text']);
});
