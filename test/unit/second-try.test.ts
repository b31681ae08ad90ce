/** A test of the desktop that failed and a wait that ran out get one more try, and it is told; nothing else does. */
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

const never = (): Promise<never> => Promise.reject(new Error('run again'));

test('outside the desktop an assertion has one try', async () => {
  for (const suite of ['leaks', 'security', 'integration', 'contract', 'unit', 'lint', 'system']) {
    for (const detail of ['no window', 'AssertionError [ERR_ASSERTION]: RanOutError: 3 leaked', 'BastionError: test timed out after 5ms']) {
      const failed = [result('b', 'two', 'failed', detail)];
      assert.deepEqual(await secondTry(suite, failed, never), { results: failed, unsteady: [] });
    }
  }
});

test('a wait that ran out has a second try, unless something else failed in the same file or the suite waits for nobody', async () => {
  const waits = ['RanOutError: waited in vain for a prompt\n    at x', "'test timed out after 90000ms'", 'did not end within 420 s; the end of build/log: x'];
  const passed = [result('b', 'two', 'passed')];
  for (const detail of waits) {
    const failed = [result('b', 'two', 'failed', detail)];
    for (const suite of ['leaks', 'security', 'integration', 'contract', 'system']) {
      assert.deepEqual(await secondTry(suite, failed, () => Promise.resolve(passed)), { results: passed, unsteady: failed });
    }
    for (const suite of ['unit', 'lint']) assert.deepEqual(await secondTry(suite, failed, never), { results: failed, unsteady: [] });
    const both = [...failed, result('b', 'three', 'failed', 'AssertionError [ERR_ASSERTION]: 1 packet leaked')];
    assert.deepEqual(await secondTry('leaks', both, never), { results: both, unsteady: [] });
  }
});

test('where many files fail none has a second try', async () => {
  const many = ['a', 'b', 'c', 'd'].map((file) => result(file, 'one', 'failed', 'RanOutError: x'));
  for (const suite of ['desktop', 'leaks']) assert.deepEqual(await secondTry(suite, many, never), { results: many, unsteady: [] });
});
