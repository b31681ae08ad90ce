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

for (const code of ['Busy', 'Conflict'] as const) {
  test(`rules: ${code} is no reason to go on with less`, async () => {
    const ruleset = failing(new BastionError(code));
    await assert.rejects(applyWhatGoes(ruleset, WANTED), { code });
    assert.equal(ruleset.calls(), 1);
  });
}
