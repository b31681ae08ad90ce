/** Everything that native code reads from the kernel, from packets and from /proc, under the sanitizers. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { buildNativeTargets, missingForNative, NATIVE_TARGETS, runNative } from './native.ts';
import { SECONDS } from './options.ts';

const END_LINES = 60;

describe('fuzzing native code', { skip: missingForNative() ?? false, concurrency: 2 }, () => {
  before(buildNativeTargets);

  for (const name of Object.keys(NATIVE_TARGETS)) {
    test(`${name} keeps within its bytes and its word`, async (context) => {
      const { status, signal, stderr } = await runNative(name, SECONDS);
      const words = stderr.trimEnd().split('\n').slice(-END_LINES).join('\n');
      assert.equal(status, 0, `${signal ?? `status ${String(status)}`}; the input named below belongs into test/fuzz/corpus/${name}\n${words}`);
      const runs = /number_of_executed_units: (\d+)/u.exec(stderr)?.[1];
      assert.ok(Number(runs) > 0, words);
      context.diagnostic(`${runs ?? '0'} inputs`);
    });
  }
});
