/** Rules that the kernel does not take in full, and failures that are no word of the kernel's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BastionError } from '../../helper/contract/errors.ts';
import { applyWhatGoes } from '../../helper/guard-apply.ts';
import type { RulesetSpec } from '../../helper/ports.ts';

const WANTED: RulesetSpec = { queueNumber: 1, bypass: false, refuseMark: 0x1000, xtPrograms: null, inbound: { ways: [], zones: [] } };

/** Fails once, then takes everything. */
function failing(error: Error): { readonly apply: () => Promise<void>; readonly calls: () => number } {
  let calls = 0;
  return {
    apply: () => {
      calls += 1;
      return calls === 1 ? Promise.reject(error) : Promise.resolve();
    },
    calls: () => calls,
  };
}

test('rules: what the kernel refused is left out, and it is said', async () => {
  const ruleset = failing(new BastionError('Failed', 'no such match'));
  assert.equal((await applyWhatGoes(ruleset, WANTED)).withoutInbound, 'no such match');
});

test('rules: what the system said of a tool that could not be run is said too, once', async () => {
  const cause = new Error('spawn /usr/sbin/ip6tables-nft-save EMFILE');
  const tool = failing(new BastionError('Failed', '/usr/sbin/ip6tables-nft-save failed.', { cause }));
  assert.equal((await applyWhatGoes(tool, WANTED)).withoutInbound, '/usr/sbin/ip6tables-nft-save failed. spawn /usr/sbin/ip6tables-nft-save EMFILE');
  const whole = failing(new BastionError('Failed', `The IPv6 rules could not be put in place: ${cause.message}`, { cause }));
  assert.equal((await applyWhatGoes(whole, WANTED)).withoutInbound, 'The IPv6 rules could not be put in place: spawn /usr/sbin/ip6tables-nft-save EMFILE');
});

for (const code of ['Busy', 'Conflict'] as const) {
  test(`rules: ${code} is no reason to go on with less`, async () => {
    const ruleset = failing(new BastionError(code));
    await assert.rejects(applyWhatGoes(ruleset, WANTED), { code });
    assert.equal(ruleset.calls(), 1);
  });
}
