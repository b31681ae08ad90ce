/** The machine sleeps, and somebody sets its clock: what was to end ends, and nothing lasts longer for it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { scheduler } from '../../helper/scheduler.ts';
import { Rig, WALL_MS } from './engine-support.ts';
import { rule } from './policy-support.ts';

const DAY_MS = 86_400_000;
const DAY_NS = 86_400_000_000_000n;
const HOUR_NS = DAY_NS / 24n;
const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6];

/** The boot clock went on; timers stood still, as Node's do while the machine sleeps. */
function sleepThrough(rig: Rig, ns: bigint): void {
  rig.time.ns += ns;
}

describe('clock jumps: the machine sleeps', () => {
  test('an alarm that was due meanwhile rings soon after, however long it had still to go', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let nowNs = 0n;
    let rang = 0;
    const clock = { bootNs: () => nowNs, wallMs: () => 0 };
    scheduler(clock)(8n * HOUR_NS, () => { rang += 1; });
    t.mock.timers.tick(1000);
    assert.equal(rang, 0);
    nowNs = 9n * HOUR_NS;
    t.mock.timers.tick(10_000);
    assert.equal(rang, 1);
    t.mock.timers.tick(DAY_MS);
    assert.equal(rang, 1);
  });

  test('a pause that ended meanwhile lets nothing pass any more, also before its alarm rings', () => {
    const rig = Rig.with();
    rig.engine.pause(60_000);
    sleepThrough(rig, HOUR_NS);
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold');
    rig.time.pass(0);
    assert.equal(rig.engine.status().state, 'protecting');
  });

  test('a rule until a time is over, and a question that waited is in the inbox', async () => {
    const rig = Rig.with();
    rig.ask();
    await rig.engine.answer(rig.nonce(), { action: 'allow', until_ms: rig.time.wallMs() + 3_600_000 });
    const asked = rig.ask({ path: '/opt/other' });
    sleepThrough(rig, 2n * HOUR_NS);
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold');
    rig.time.pass(0);
    assert.equal(rig.dataPath.last(asked).verdict, 'refuse');
    assert.ok(rig.ended.some(({ prompt, why }) => prompt.info.path === '/opt/other' && why === 'expired'));
  });

  test('a safeguard ends after its quiet time, which passed in sleep', () => {
    const rig = Rig.with([], { safeguard: { quietMs: 5000 } });
    for (let port = 1; port <= 200; port += 1) rig.ask({ tuple: { sourcePort: 10_000 + port, destinationPort: 8080 } });
    assert.equal(rig.engine.status().state, 'safeguard');
    sleepThrough(rig, HOUR_NS);
    rig.time.pass(0);
    assert.equal(rig.engine.status().state, 'protecting');
  });
});

describe('clock jumps: the clock on the wall is set', () => {
  test('a day back: pause, question, rule until a time and rate limits end as if nothing had happened', async () => {
    const rig = Rig.with();
    rig.ask();
    await rig.engine.answer(rig.nonce(), { action: 'allow', until_ms: rig.time.wallMs() + 90_000 });
    const asked = rig.ask({ path: '/opt/other' });
    rig.time.wallOffsetMs -= DAY_MS;
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'accept');
    rig.time.pass(30_000);
    assert.equal(rig.dataPath.last(asked).verdict, 'refuse');
    rig.engine.pause(60_000);
    rig.time.pass(61_000);
    assert.equal(rig.engine.status().state, 'protecting');
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold', 'the rule ended 90 s after it was made');
  });

  test('a day back and a new helper: a rule until a time gains nothing', async () => {
    const rules = [rule('for-a-while', 'allow', {}, { lifetime: { until: WALL_MS + 90_000 } })];
    const rig = Rig.with(rules);
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'accept');
    rig.time.pass(60_000);
    await rig.engine.stop();
    const again = new Rig(rig.runState);
    again.time.ns = rig.time.ns;
    again.time.wallOffsetMs = rig.time.wallOffsetMs - DAY_MS;
    await again.engine.restore();
    again.load(rules);
    again.engine.attach(again.dataPath);
    assert.equal(again.dataPath.last(again.ask()).verdict, 'accept');
    again.time.pass(31_000);
    assert.equal(again.dataPath.last(again.ask()).verdict, 'hold');
  });

  test('a day forward: a rule until a time is over at once, questions and a pause keep their time', async () => {
    const rig = Rig.with();
    rig.ask();
    await rig.engine.answer(rig.nonce(), { action: 'allow', until_ms: rig.time.wallMs() + 3_600_000 });
    const asked = rig.ask({ path: '/opt/other' });
    rig.time.wallOffsetMs += DAY_MS;
    assert.equal(rig.dataPath.last(asked).verdict, 'hold');
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold');
    rig.time.pass(29_000);
    assert.equal(rig.dataPath.last(asked).verdict, 'hold');
    rig.time.pass(1000);
    assert.equal(rig.dataPath.last(asked).verdict, 'refuse');
    rig.engine.pause(60_000);
    rig.time.wallOffsetMs += DAY_MS;
    assert.equal(rig.engine.status().state, 'paused');
    rig.time.pass(60_000);
    assert.equal(rig.engine.status().state, 'protecting');
  });

  test('forward and back: a schedule follows the clock, and the kernel was never let remember beyond a minute', () => {
    const now = new Date(WALL_MS);
    const from = now.getHours() * 60 + now.getMinutes();
    const schedule = { days: EVERY_DAY, fromMinute: from, toMinute: Math.min(from + 60, 1440) };
    const rig = Rig.with([rule('hours', 'allow', { schedule })]);
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'accept');
    rig.time.wallOffsetMs += DAY_MS / 2;
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold');
    rig.time.wallOffsetMs -= DAY_MS / 2;
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'accept');
    const furthestNs = rig.time.ns + 62_000_000_000n;
    assert.ok([...rig.dataPath.flows, ...rig.dataPath.remembered].every(({ untilNs }) => untilNs > 0n && untilNs <= furthestNs));
  });
});

describe('user switching', () => {
  const ALICE = { id: 's1', uid: 1000, active: true, remote: false, locked: false } as const;
  const BOB = { id: 's2', uid: 1001, active: false, remote: false, locked: false } as const;

  test('a question waits for its own user while another one is at the screen, and is still his when he is back', async () => {
    const rig = Rig.with([], { promptTimeoutMs: 300_000 });
    rig.setSessions([ALICE, BOB]);
    const asked = rig.ask({ owner: { uid: ALICE.uid } });
    rig.setSessions([{ ...BOB, active: true }, { ...ALICE, active: false }]);
    const his = rig.ask({ path: '/opt/other', owner: { uid: BOB.uid } });
    rig.time.pass(60_000);
    assert.deepEqual(rig.raised.map(({ target }) => target.uid), [ALICE.uid, BOB.uid]);
    assert.deepEqual([asked, his].map((id) => rig.dataPath.last(id).verdict), ['hold', 'hold']);
    rig.setSessions([ALICE, BOB]);
    const [first] = rig.raised;
    assert.ok(first !== undefined);
    await rig.engine.answer(first.info.nonce, { action: 'allow' });
    assert.deepEqual([asked, his].map((id) => rig.dataPath.last(id).verdict), ['accept', 'hold']);
  });

  test('without a login manager questions are raised all the same, and rules for a session end with it', async () => {
    const rig = Rig.with();
    rig.ask();
    await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'session', scope: 'any' });
    rig.setSessions([]);
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold');
    assert.equal(rig.dataPath.last(rig.ask({ path: '/opt/system', owner: { uid: 0 } })).verdict, 'hold');
    assert.deepEqual(rig.raised.map(({ target }) => [target.uid, target.system]), [[1000, false], [1000, false], [0, true]]);
  });
});
