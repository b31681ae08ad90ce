import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission, CALL_LIMITS } from '../../helper/service/limits.ts';

/** Takes until refused; returns how often it went well. */
function takeAll(take: (index: number) => (() => void) | null, most = 5000): number {
  for (let index = 0; index < most; index += 1) if (take(index) === null) return index;
  return most;
}

test('Admission: one connection gets as many waiting calls as its limit, and room again when one has ended', () => {
  const admission = new Admission();
  const first = admission.arrive(':1.1');
  assert.equal(takeAll(() => admission.arrive(':1.1')), CALL_LIMITS.waitingPerSender - 1);
  assert.notEqual(admission.arrive(':1.2'), null);
  first?.();
  first?.();
  assert.equal(takeAll(() => admission.arrive(':1.1')), 1);
  assert.equal(admission.refused, 2);
});

test('Admission: all connections together stop at the overall limit', () => {
  const admission = new Admission();
  assert.equal(takeAll((index) => admission.arrive(`:1.${String(index)}`)), CALL_LIMITS.waitingOverall);
});

test('Admission: one user stops at the limit of users, root does not', () => {
  const admission = new Admission();
  assert.equal(takeAll(() => admission.enter(1000)), CALL_LIMITS.waitingPerUid);
  assert.notEqual(admission.enter(1001), null);
  assert.equal(takeAll(() => admission.enter(0)), 5000);
});

test('Admission: polkit is asked for at most 16 calls of a connection and 32 of a user', () => {
  const admission = new Admission();
  assert.equal(takeAll(() => admission.ask(':1.1', 1000)), CALL_LIMITS.askingPerSender);
  assert.equal(takeAll((index) => admission.ask(`:1.${String(index + 2)}`, 1000)), CALL_LIMITS.askingPerUid - CALL_LIMITS.askingPerSender);
});

test('Admission: root can still ask polkit when all others have taken what there is', () => {
  const admission = new Admission();
  assert.equal(takeAll((index) => admission.ask(`:1.${String(index)}`, 1000 + index)), CALL_LIMITS.askingOverall);
  const left = CALL_LIMITS.askingOverallRoot - CALL_LIMITS.askingOverall;
  assert.equal(takeAll((index) => admission.ask(`:2.${String(index)}`, 0)), left);
});
