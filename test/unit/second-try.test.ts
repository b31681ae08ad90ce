/** A test of the desktop that failed gets one more try, and it is told; nothing else does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestResult } from '../runner/events.ts';
import { secondTry } from '../runner/second-try.ts';

function result(file: string, name: string, outcome: TestResult['outcome'], detail = ''): TestResult {
  return { suite: 'desktop', file, name, outcome, detail, durationMs: 1 };
}

const FIRST = [result('a', 'one', 'passed'), result('b', 'two', 'failed', 'no window'), result('b', 'three', 'passed')];

test('a test that passes the second time has passed, and is told with how it failed', async () => {
  const asked: string[] = [];
  const { results, unsteady } = await secondTry('desktop', FIRST, (file) => {
    asked.push(file);
    return Promise.resolve([result('b', 'two', 'passed'), result('b', 'three', 'passed')]);
  });
  assert.deepEqual(asked, ['b']);
  assert.deepEqual(results.map(({ name, outcome }) => [name, outcome]), [['one', 'passed'], ['two', 'passed'], ['three', 'passed']]);
  assert.deepEqual(unsteady, [FIRST[1]]);
});

test('a test that fails again has failed; so has another one that fails now', async () => {
  const { results, unsteady } = await secondTry('desktop', FIRST, () => Promise.resolve([result('b', 'two', 'failed'), result('b', 'three', 'failed')]));
  assert.deepEqual(results.map(({ name, outcome }) => [name, outcome]), [['one', 'passed'], ['two', 'failed'], ['three', 'failed']]);
  assert.deepEqual(unsteady, []);
});

test('a second try that tells nothing leaves the failure as it was', async () => {
  const { results, unsteady } = await secondTry('desktop', FIRST, () => Promise.resolve([]));
  assert.deepEqual([results.length, results.filter(({ outcome }) => outcome === 'failed').length, unsteady.length], [3, 1, 0]);
});

test('a file that hung and then came to its end has passed', async () => {
  const hung = [result('b', 'b runs to its end', 'failed')];
  const { results, unsteady } = await secondTry('desktop', hung, () => Promise.resolve([result('b', 'two', 'passed')]));
  assert.deepEqual([results.map(({ outcome }) => outcome), unsteady], [['passed'], hung]);
});

test('only tests of the desktop have a second try, and not where many files fail', async () => {
  const never = (): Promise<never> => Promise.reject(new Error('run again'));
  for (const suite of ['leaks', 'security', 'integration', 'unit', 'lint', 'system']) {
    assert.deepEqual(await secondTry(suite, FIRST, never), { results: FIRST, unsteady: [] });
  }
  const many = ['a', 'b', 'c', 'd'].map((file) => result(file, 'one', 'failed'));
  assert.deepEqual(await secondTry('desktop', many, never), { results: many, unsteady: [] });
});
