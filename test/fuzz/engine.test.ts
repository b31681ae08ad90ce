/** The engine itself: that it finds what lies deep, says it as short as it can, and tries the same with the same seed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Coverage } from './coverage.ts';
import { Fuzzer } from './engine.ts';
import type { FuzzOptions, Outcome } from './engine.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';

const ENOUGH_MS = 300_000;

async function fuzz(read: (input: Buffer) => void, change: Partial<FuzzOptions> = {}): Promise<Outcome> {
  const coverage = new Coverage((url) => url.endsWith('/planted.ts'));
  const target = { name: 'planted', seeds: ['ABCD'], dictionary: [], maxBytes: 64, run: read };
  const options = { seed: 1, timeMs: ENOUGH_MS, coverage, corpus: [], slowMs: 5000, before: () => undefined, ...change };
  try {
    return await new Fuzzer(target, options).run();
  } finally {
    coverage.close();
  }
}

test('a fault that lies behind four comparisons is found step by step, and told by an input of the least length', async () => {
  const { readPlanted } = await import('./planted.ts');
  const { finding, found, runs } = await fuzz(readPlanted);
  assert.ok(found.length >= 1, `${String(found.length)} steps in ${String(runs)} runs`);
  assert.match(finding?.message ?? '', /the planted fault/u);
  assert.equal(finding?.input.length, 4);
});

test('an input of the corpus that breaks the target is told at once, and made short', async () => {
  const read = (input: Buffer): void => {
    if (input.includes('bad')) throw new Error('it is bad');
  };
  const { finding, runs } = await fuzz(read, { corpus: [Buffer.from('harmless'), Buffer.from('a long input with bad in it')], timeMs: 0 });
  assert.equal(finding?.input.toString(), 'bad');
  assert.ok(runs > 2);
});

test('the same seed makes the same changes, another one others, and none is too long', () => {
  const material = { corpus: [Buffer.from('one other input\n')], dictionary: [Buffer.from('word')], maxBytes: 40 };
  const changes = (seed: number): readonly string[] => {
    const random = new Random(seed);
    return Array.from({ length: 500 }, () => mutate(Buffer.from('key = "value 17"\nline\n'), random, material).toString('latin1'));
  };
  assert.deepEqual(changes(7), changes(7));
  assert.notDeepEqual(changes(7), changes(8));
  assert.ok(changes(7).every((text) => text.length <= material.maxBytes));
  assert.ok(new Set(changes(7)).size > 400);
});
