/** Whether somebody is there, what is held for him, and what many answers at once may ask of the helper. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attentionOf, Missed } from '../../desktop/model/attention.ts';
import { HoldPlan } from '../../desktop/model/hold-plan.ts';
import { PromptQueue } from '../../desktop/model/prompt-queue.ts';
import { missedText } from '../../desktop/model/prompt-text.ts';
import { Turns } from '../../desktop/client/turns.ts';
import { promptOf } from '../desktop/samples.ts';

test('attention: whoever says that the screen is locked is believed, and another user’s turn is nobody’s', () => {
  const savers = (...covers: readonly boolean[]): ReadonlyMap<string, boolean> => new Map(covers.map((one, at) => [String(at), one]));
  assert.equal(attentionOf(null, savers()), 'here', 'nothing is known');
  assert.equal(attentionOf({ locked: false, active: true }, savers(false, false)), 'here');
  assert.equal(attentionOf({ locked: true, active: true }, savers(false)), 'locked');
  assert.equal(attentionOf({ locked: false, active: true }, savers(false, true)), 'locked');
  assert.equal(attentionOf(null, savers(true)), 'locked');
  assert.equal(attentionOf({ locked: false, active: false }, savers()), 'elsewhere');
  assert.equal(attentionOf({ locked: true, active: false }, savers()), 'locked');
});

test('attention: what was missed is told once, in its own form of number', () => {
  const missed = new Missed();
  for (let times = 0; times < 3; times += 1) missed.add();
  assert.equal(missedText(missed.take()), '3 questions ran out of time while the screen was locked');
  assert.equal(missed.take(), 0);
  assert.equal(missedText(1), '1 question ran out of time while the screen was locked');
});

test('hold: the helper is told at once, then once in each third of the time, between one and ten seconds', () => {
  for (const [timeoutMs, everyMs] of [[30_000, 10_000], [5000, 5000 / 3], [300_000, 10_000], [1000, 1000]] as const) {
    const plan = new HoldPlan();
    const facts = { engaged: true, timeoutMs, leftMs: timeoutMs };
    assert.equal(plan.due(facts, 0), true);
    assert.equal(plan.due(facts, everyMs - 1), false, String(timeoutMs));
    assert.equal(plan.due(facts, everyMs), true, String(timeoutMs));
  }
});

test('hold: nobody inside asks for nothing, and a helper that refuses is not asked again', () => {
  const plan = new HoldPlan();
  const facts = { engaged: true, timeoutMs: 30_000, leftMs: 30_000 };
  assert.equal(plan.due({ ...facts, engaged: false }, 0), false);
  assert.equal(plan.stands({ ...facts, engaged: false }), false);
  assert.equal(plan.stands(facts), true);
  plan.refuse();
  assert.equal(plan.due(facts, 99_000), false);
  assert.equal(plan.stands(facts), false);
});

test('hold: the countdown goes on when the helper gives no more time', () => {
  const plan = new HoldPlan();
  assert.equal(plan.stands({ engaged: true, timeoutMs: 30_000, leftMs: 20_000 }), true, 'just before it is renewed');
  assert.equal(plan.stands({ engaged: true, timeoutMs: 30_000, leftMs: 18_000 }), false);
});

test('queue: a renewed prompt has another deadline, an expired or unknown one has none', () => {
  const queue = new PromptQueue();
  queue.put(promptOf({ nonce: 'a' }), 0);
  queue.renew('a', 30_000, 20_000);
  assert.equal(queue.get('a')?.deadlineMs, 50_000);
  queue.expire('a');
  queue.renew('a', 30_000, 90_000);
  queue.renew('b', 1, 1);
  assert.equal(queue.get('a')?.deadlineMs, 50_000);
  assert.equal(queue.get('b'), null);
});

test('turns: a few at a time, in order, and one that fails gives its turn on', async () => {
  const turns = new Turns(2);
  const started: number[] = [];
  const ends = new Map<number, (fails: boolean) => void>();
  const all = [0, 1, 2, 3].map((number) => turns.run(() => {
    started.push(number);
    return new Promise<number>((resolve, reject) => {
      ends.set(number, (fails) => { if (fails) reject(new Error('refused')); else resolve(number); });
    });
  }));
  assert.deepEqual(started, [0, 1]);
  ends.get(0)?.(true);
  await assert.rejects(all[0] ?? Promise.resolve(), /refused/u);
  ends.get(1)?.(false);
  assert.equal(await all[1], 1);
  assert.deepEqual(started, [0, 1, 2, 3]);
  ends.get(2)?.(false);
  ends.get(3)?.(false);
  assert.deepEqual(await Promise.all(all.slice(2)), [2, 3]);
});
