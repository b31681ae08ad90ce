import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BastionError } from '../../helper/contract/errors.ts';
import type { ErrorCode } from '../../helper/contract/errors.ts';
import type { Rule } from '../../helper/contract/vocabulary.ts';
import type { Settings } from '../../helper/ports.ts';
import { OnceTable } from '../../helper/engine/once.ts';
import { COUNTERS, FakeRunState, Rig, WALL_MS } from './engine-support.ts';
import type { AskChange } from './engine-support.ts';
import { PATH, ports, rule } from './policy-support.ts';

function code(wanted: ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof BastionError && error.code === wanted;
}

const allowCurl = rule('curl', 'allow', { path: PATH });
const denyCurl = rule('no-curl', 'deny', { path: PATH });
const NOBODY: AskChange = { owner: null };

describe('decisions', () => {
  const table: readonly (readonly [string, string, readonly Rule[], Partial<Settings>, AskChange])[] = [
    ['accept rule', 'an allow rule', [allowCurl], {}, {}],
    ['refuse rule', 'a deny rule', [denyCurl], {}, {}],
    ['drop rule', 'a drop rule', [rule('d', 'drop', { path: PATH })], {}, {}],
    ['hold -', 'no rule', [], {}, {}],
    ['hold -', 'an ask rule where the default is allow', [rule('a', 'ask')], { defaultAction: 'allow' }, {}],
    ['accept default-action', 'the default action allow', [], { defaultAction: 'allow' }, {}],
    ['refuse default-action', 'the default action deny', [], { defaultAction: 'deny' }, {}],
    ['drop default-action', 'the default action drop', [], { defaultAction: 'drop' }, {}],
    ['accept mode-learning', 'learning', [], { mode: 'learning' }, {}],
    ['accept mode-learning', 'learning, an ask rule', [rule('a', 'ask')], { mode: 'learning' }, {}],
    ['refuse rule', 'learning, a deny rule', [denyCurl], { mode: 'learning' }, {}],
    ['accept reply', 'a server that answers a peer', [], { defaultAction: 'deny' }, { answersPeer: true }],
    ['refuse rule', 'a denied server that answers a peer', [denyCurl], {}, { answersPeer: true }],
    ['drop no-owner', 'no owner', [allowCurl], {}, NOBODY],
    ['drop no-owner', 'no owner, whatever the default action', [], { defaultAction: 'allow' }, NOBODY],
    ['drop no-owner', 'no owner and an ask rule', [rule('a', 'ask')], {}, NOBODY],
    ['accept no-owner', 'no owner, untracked passes', [], { untracked: 'pass' }, NOBODY],
    ['accept rule', 'no owner and a rule without a program', [rule('web', 'allow', ports(443))], {}, NOBODY],
    ['hold -', 'an unverified path and an allow rule for it', [allowCurl], {}, { path: null, claimedPath: PATH }],
    ['refuse rule', 'an unverified path and a deny rule for it', [denyCurl], {}, { path: null, claimedPath: PATH }],
  ];
  for (const [wanted, name, rules, settings, change] of table) {
    test(`onAsks: ${name} is ${wanted}`, () => {
      const rig = Rig.with(rules, settings);
      const id = rig.ask(change);
      assert.equal(rig.dataPath.told(id).length, 1);
      assert.equal(`${rig.dataPath.last(id).verdict} ${rig.flows[0]?.decision.reason ?? '-'}`, wanted);
    });
  }

  test('onAsks: before any settings are loaded nothing passes and nobody is asked', () => {
    const rig = new Rig();
    rig.engine.attach(rig.dataPath);
    assert.deepEqual(rig.dataPath.told(rig.ask()), ['refuse']);
    assert.equal(rig.raised.length, 0);
  });

  test('onAsks: a batch is remembered first and answered in one call', () => {
    const rig = Rig.with([allowCurl]);
    rig.dataPath.calls.length = 0;
    rig.engine.onAsks([rig.make(), rig.make(), rig.make({ path: '/usr/bin/wget' })]);
    assert.deepEqual(rig.dataPath.calls, ['remember', 'answer']);
    assert.equal(rig.dataPath.remembered.length, 1, 'one memory for the same program and destination');
  });

  test('onAsks: a certain program is remembered with its file, user and namespace, and the destination that its rule names', () => {
    const rig = Rig.with([rule('one', 'allow', { path: PATH, address: '10.77.0.2', ...ports(443), protocols: [6] })]);
    rig.ask();
    assert.deepEqual(rig.dataPath.remembered, [{
      form: 'exact', reply: false,
      executable: { device: 8 << 20, inode: 42n, generation: 1, ctimeSec: 1_700_000_000 }, uid: 1000, networkNamespace: 11n, protocol: 6,
      family: 4, destinationAddress: '10.77.0.2', destinationPort: 443, verdict: 'accept', untilNs: 0n, hitSlot: 1,
    }]);
  });

  test('onAsks: what is not certain is remembered for its flow, and not for long where the socket may change hands', () => {
    const rig = Rig.with([denyCurl]);
    const tcp = rig.ask({ path: null, claimedPath: PATH });
    const udp = rig.ask({ path: null, claimedPath: PATH, tuple: { protocol: 17 } });
    const byTuple = rig.ask({ path: null, claimedPath: PATH, owner: { cookie: 0n } });
    assert.deepEqual(rig.dataPath.remembered, []);
    assert.equal(rig.dataPath.last(tcp).rememberUntilNs, 0n);
    for (const id of [udp, byTuple]) assert.equal(rig.dataPath.last(id).rememberUntilNs, rig.time.ns + 10_000_000_000n);
  });

  test('onAsks: a flow that makes the engine fail is refused, and the others of its batch are decided', () => {
    const rig = Rig.with([allowCurl]);
    const broken = rig.make();
    Object.defineProperty(broken, 'attribution', { get: () => { throw new Error('broken'); } });
    const good = rig.make();
    rig.engine.onAsks([broken, good]);
    assert.equal(rig.dataPath.last(broken.id).verdict, 'refuse');
    assert.equal(rig.dataPath.last(good.id).verdict, 'accept');
  });

  test('status: the default verdict follows mode and on_failure', () => {
    const rig = Rig.with();
    assert.equal(rig.dataPath.defaultVerdict, 'refuse');
    rig.load([], { onFailure: 'open' });
    assert.equal(rig.dataPath.defaultVerdict, 'accept');
    rig.load([], { mode: 'learning' });
    assert.equal(rig.dataPath.defaultVerdict, 'accept');
  });
});

describe('prompts', () => {
  test('answer: allow once lets the held flow through and writes no rule', async () => {
    const rig = Rig.with();
    const id = rig.ask();
    assert.equal(rig.raised.length, 1);
    assert.equal(rig.dataPath.last(id).deadlineNs, rig.time.ns + 32_000_000_000n);
    assert.deepEqual(await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'once' }), { ruleId: null, flows: 1 });
    assert.deepEqual(rig.dataPath.told(id), ['hold', 'accept']);
    assert.equal(rig.dataPath.last(id).rememberUntilNs, 0n);
    assert.deepEqual(rig.store.added, []);
    assert.deepEqual(rig.dataPath.remembered, []);
  });

  test('answer: once covers the flows that joined, and no later one', async () => {
    const rig = Rig.with();
    const first = rig.ask();
    const second = rig.ask();
    assert.equal(rig.raised.length, 1);
    assert.equal((await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'once' })).flows, 2);
    const third = rig.ask();
    assert.deepEqual([first, second, third].map((id) => rig.dataPath.last(id).verdict), ['accept', 'accept', 'hold']);
  });

  test('answer: a flow that was allowed once goes on when other rules change, its program is asked again', async () => {
    const rig = Rig.with();
    rig.ask({ owner: { cookie: 77n } });
    await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'once' });
    await rig.engine.addRule({ action: 'allow', path: '/usr/bin/other' });
    assert.equal(rig.dataPath.last(rig.ask({ owner: { cookie: 77n } })).verdict, 'accept');
    assert.equal(rig.dataPath.last(rig.ask({ owner: { cookie: 77n, pid: 4 } })).verdict, 'hold', 'a socket in other hands');
    rig.load([denyCurl]);
    assert.equal(rig.dataPath.last(rig.ask({ owner: { cookie: 77n } })).verdict, 'refuse', 'a deny rule holds');
  });

  test('answer: always is in force before it is written, and is written', async () => {
    const rig = Rig.with();
    const id = rig.ask();
    let open = (): void => undefined;
    rig.store.gate = new Promise((resolve) => { open = resolve; });
    const answered = rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'always', scope: 'host' });
    assert.equal(rig.dataPath.last(id).verdict, 'accept');
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'accept');
    open();
    const { ruleId } = await answered;
    const [written] = rig.store.added;
    assert.match(ruleId ?? '', /^curl-10\.77\.0\.2-443-[0-9a-f]{4}$/);
    assert.deepEqual({ ...written, id: '', name: '' }, {
      id: '', name: '', action: 'allow', enabled: true, path: PATH, address: '10.77.0.2', port: '443', protocol: 'tcp', user: 'alice',
      lifetime: 'always', schedule: '', priority: 0, group: '',
    });
  });

  test('answer: a rule that is being written is not lost to a load that began before', async () => {
    const rig = Rig.with();
    rig.ask();
    const answered = rig.engine.answer(rig.nonce(), { action: 'deny', lifetime: 'always' });
    rig.engine.setLoaded({ ...rig.store.loaded, rules: [] });
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'refuse');
    await answered;
  });

  test('answer: what cannot be written holds until the restart and says so', async () => {
    const rig = Rig.with();
    rig.ask();
    rig.store.failure = new Error('No space left on device');
    await assert.rejects(rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'always' }), code('Failed'));
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'accept');
    assert.equal(rig.engine.ruleInfos()[0]?.lifetime, 'boot');
  });

  test('answer: a nonce is good once', async () => {
    const rig = Rig.with();
    rig.ask();
    const nonce = rig.nonce();
    await rig.engine.answer(nonce, { action: 'deny', lifetime: 'once' });
    await assert.rejects(rig.engine.answer(nonce, { action: 'allow', lifetime: 'once' }), code('PromptGone'));
    assert.throws(() => rig.engine.promptByNonce(nonce), code('PromptGone'));
  });

  test('answer: two answers at the same time decide once', async () => {
    const rig = Rig.with();
    const id = rig.ask();
    const nonce = rig.nonce();
    const results = await Promise.allSettled([
      rig.engine.answer(nonce, { action: 'deny', lifetime: 'session' }), rig.engine.answer(nonce, { action: 'allow', lifetime: 'session' }),
    ]);
    assert.deepEqual(results.map((result) => result.status), ['fulfilled', 'rejected']);
    assert.deepEqual(rig.dataPath.told(id), ['hold', 'refuse']);
    assert.equal(rig.engine.ruleInfos().length, 1);
  });

  test('answer: what is not offered is refused and decides nothing', async () => {
    const rig = Rig.with();
    const id = rig.ask({ path: null, claimedPath: PATH });
    await assert.rejects(rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'always' }), code('InvalidArgument'));
    await assert.rejects(rig.engine.answer(rig.nonce(), { action: 'allow', scope: 'domain' }), code('InvalidArgument'));
    await assert.rejects(rig.engine.answer(rig.nonce(), { action: 'allow', until_ms: WALL_MS * 2 }), code('InvalidArgument'));
    assert.deepEqual(rig.dataPath.told(id), ['hold']);
  });

  test('expiry: refuses the flow, writes no rule, keeps the question in the inbox', async () => {
    const rig = Rig.with();
    const id = rig.ask();
    rig.time.pass(29_999);
    assert.deepEqual(rig.dataPath.told(id), ['hold']);
    rig.time.pass(1);
    assert.deepEqual(rig.dataPath.told(id), ['hold', 'refuse']);
    assert.deepEqual(rig.ended.map(({ why }) => why), ['expired']);
    assert.deepEqual(rig.engine.ruleInfos(), []);
    const [view] = rig.engine.prompts();
    assert.equal(view?.info.status, 'expired');
    assert.equal(view.info.expires_in_ms, 0);
    await assert.rejects(rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'once' }), code('PromptGone'));
    await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'always' });
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'accept', 'the next attempt');
    assert.deepEqual(rig.dataPath.told(id), ['hold', 'refuse'], 'the former one stays refused');
  });

  test('prompts: 50 programs wait for 50 prompts, each program for one at a time', () => {
    const rig = Rig.with([rule('web', 'allow', { path: '/usr/bin/allowed' })]);
    for (let at = 0; at < 50; at += 1) {
      rig.ask({ path: `/opt/p${String(at)}` });
      if (at < 10) rig.ask({ path: `/opt/p${String(at)}`, tuple: { destinationPort: 80 } });
    }
    assert.equal(rig.raised.length, 50);
    assert.equal(rig.engine.prompts().length, 50);
    assert.equal(rig.dataPath.last(rig.ask({ path: '/usr/bin/allowed' })).verdict, 'accept');
  });

  test('prompts: the next prompt of a program comes when the first is answered', async () => {
    const rig = Rig.with();
    rig.ask();
    const second = rig.ask({ tuple: { destinationPort: 80 } });
    await rig.engine.answer(rig.nonce(), { action: 'deny', lifetime: 'once' });
    assert.deepEqual(rig.raised.map((view) => view.info.port), [443, 80]);
    await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'once' });
    assert.equal(rig.dataPath.last(second).verdict, 'accept');
  });

  test('prompts: an answer for the whole program decides what waited behind, without showing it', async () => {
    const rig = Rig.with();
    rig.ask();
    const second = rig.ask({ tuple: { destinationPort: 80 } });
    await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'boot', scope: 'any' });
    assert.equal(rig.dataPath.last(second).verdict, 'accept');
    assert.equal(rig.raised.length, 1);
    assert.deepEqual(rig.engine.prompts(), []);
    assert.deepEqual(rig.ended.map(({ why }) => why), ['answered']);
  });

  test('prompts: a new rule decides what is held and withdraws the prompt', async () => {
    const rig = Rig.with();
    const id = rig.ask();
    await rig.engine.addRule({ action: 'deny', path: PATH });
    assert.deepEqual(rig.dataPath.told(id), ['hold', 'refuse']);
    assert.deepEqual(rig.ended.map(({ why }) => why), ['withdrawn']);
  });

  test('prompts: allow never outranks a deny rule that has come into force meanwhile', async () => {
    const rig = new Rig();
    // A schedule begins while the prompt is open: nothing else tells the engine.
    const minute = new Date(rig.time.wallMs());
    const from = minute.getHours() * 60 + minute.getMinutes() + 1;
    const schedule = { days: [0, 1, 2, 3, 4, 5, 6], fromMinute: from % 1440, toMinute: (from + 5) % 1440 };
    rig.load([rule('closed', 'deny', { schedule })], { promptTimeoutMs: 300_000 });
    rig.engine.attach(rig.dataPath);
    const id = rig.ask();
    rig.time.pass(90_000);
    await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'once' });
    assert.deepEqual(rig.dataPath.told(id), ['hold', 'refuse']);
  });

  test('prompts: a lookup shows the name that is looked up, and both lookups of a name are one question', () => {
    const rig = Rig.with();
    rig.ask({ tuple: { protocol: 17, destinationPort: 53 }, dnsQuestion: 'example.org' });
    rig.ask({ tuple: { protocol: 17, destinationPort: 53 }, dnsQuestion: 'example.org' });
    assert.equal(rig.raised.length, 1);
    assert.equal(rig.raised[0]?.info.destination, 'example.org');
    assert.equal(rig.raised[0].info.address, '10.77.0.2');
  });

  test('prompts: over the limit a flow is refused at once and counted as such', () => {
    const rig = Rig.with();
    for (let at = 0; at < 17; at += 1) rig.ask({ tuple: { destinationPort: 1000 + at } });
    assert.deepEqual(rig.flows.map((flow) => flow.decision), [{ action: 'deny', reason: 'limit', ruleId: null }]);
    assert.deepEqual(rig.dataPath.told(17), ['refuse']);
  });

  test('prompts: the target is the owner; root and users that nobody knows are the system', () => {
    const rig = Rig.with();
    for (const uid of [1000, 0, 4242]) rig.ask({ owner: { uid } });
    assert.deepEqual(rig.raised.map((view) => view.target), [
      { uid: 1000, system: false }, { uid: 0, system: true }, { uid: 4242, system: true },
    ]);
  });

  test('onEnded: a prompt whose flows the data path ended is withdrawn before its time', () => {
    const rig = Rig.with();
    const id = rig.ask();
    rig.engine.onEnded([id, 999]);
    assert.deepEqual(rig.ended.map(({ why }) => why), ['withdrawn']);
    assert.deepEqual(rig.flows.map((flow) => flow.decision.action), ['deny']);
    rig.time.pass(60_000);
    assert.deepEqual(rig.dataPath.told(id), ['hold'], 'nothing is said twice');
  });

  test('attach: a data path that goes takes its prompts with it', () => {
    const rig = Rig.with();
    rig.ask();
    rig.engine.attach(null);
    assert.deepEqual(rig.engine.prompts(), []);
    assert.equal(rig.engine.status().state, 'off');
    assert.equal(rig.time.timers, 0);
  });
});

describe('lifetimes', () => {
  test('process: holds for the process, on the socket, and ends with it', async () => {
    const rig = Rig.with();
    rig.ask();
    await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'process', scope: 'any' });
    const same = rig.ask();
    assert.equal(rig.dataPath.last(same).verdict, 'accept');
    assert.deepEqual(rig.dataPath.remembered, [], 'the kernel must not allow the whole program');
    assert.equal(rig.dataPath.last(rig.ask({ owner: { pid: 101 } })).verdict, 'hold');
    rig.deadProcesses.add(100);
    rig.time.pass(120_000);
    assert.deepEqual(rig.engine.ruleInfos(), []);
  });

  test('session: ends when the session ends', async () => {
    const rig = Rig.with();
    rig.ask();
    await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'session', scope: 'any' });
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'accept');
    rig.setSessions([]);
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold');
    assert.deepEqual(rig.engine.ruleInfos(), []);
  });

  test('until: ends at its time even when the clock is set back', async () => {
    const rig = Rig.with();
    rig.ask();
    await rig.engine.answer(rig.nonce(), { action: 'allow', until_ms: rig.time.wallMs() + 90_000 });
    rig.ask();
    // Two seconds more than the minute that the wall clock is trusted for: the rule still holds then.
    assert.equal(rig.dataPath.remembered[0]?.untilNs, rig.time.ns + 62_000_000_000n);
    rig.time.wallOffsetMs -= 3_600_000;
    rig.time.pass(91_000);
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold');
  });

  test('boot: survives a restart of the helper, and so do pause and inbox', async () => {
    const rig = Rig.with();
    rig.ask();
    await rig.engine.answer(rig.nonce(), { action: 'deny', lifetime: 'boot' });
    rig.ask({ path: '/opt/late' });
    rig.time.pass(30_000);
    rig.engine.pause(60_000);
    await rig.engine.stop();

    const again = new Rig(rig.runState);
    again.time.ns = rig.time.ns + 1_000_000_000n;
    await again.engine.restore();
    again.load([]);
    again.engine.attach(again.dataPath);
    assert.equal(again.engine.status().state, 'paused');
    assert.equal(again.dataPath.last(again.ask()).verdict, 'refuse', 'the rule until restart');
    assert.equal(again.dataPath.last(again.ask({ path: '/opt/new' })).verdict, 'accept', 'still paused');
    assert.deepEqual(again.engine.prompts().map((view) => view.info.path), ['/opt/late']);
    again.time.pass(60_000);
    assert.equal(again.dataPath.last(again.ask({ path: '/opt/new' })).verdict, 'hold');
  });

  test('restore: what was written over the limit is still read', async () => {
    const rig = Rig.with();
    rig.store.failure = new Error('disk full');
    for (let at = 0; at < 1001; at += 1) {
      // Slower than what the safeguard refuses.
      rig.time.pass(20);
      rig.ask({ path: `/opt/p${String(at)}` });
      await assert.rejects(rig.engine.answer(rig.nonce(), { action: 'deny', lifetime: 'always' }), code('Failed'));
    }
    await rig.engine.stop();
    const again = new Rig(rig.runState);
    await again.engine.restore();
    assert.equal(again.engine.ruleInfos().length, 1000);
    assert.deepEqual(again.log, []);
  });

  for (const [name, state] of Object.entries({
    'another version': { version: 9 }, 'no object': 'x', 'a rule that is none': { version: 1, rules: [{ id: '../x' }], pausedUntilNs: null, inbox: [], wall: null },
  })) {
    test(`restore: ${name} is ignored with a line in the log`, async () => {
      const runState = new FakeRunState();
      runState.state = state;
      const rig = new Rig(runState);
      await rig.engine.restore();
      assert.deepEqual(rig.engine.ruleInfos(), []);
      assert.ok(rig.log.some((line) => line.startsWith('warning: the run state')));
    });
  }

  test('restore: a pause that claims to last for ever is not believed', async () => {
    const runState = new FakeRunState();
    runState.state = { version: 1, rules: [], pausedUntilNs: '18446744073709551615', inbox: [], wall: null };
    const rig = new Rig(runState);
    await rig.engine.restore();
    assert.equal(rig.engine.status().pausedUntilMs, 0);
  });
});

describe('mode and pause', () => {
  test('pause: allows what no rule denies, remembered no longer than the pause', () => {
    const rig = Rig.with([denyCurl]);
    rig.engine.pause(60_000);
    const untilNs = rig.time.ns + 60_000_000_000n;
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'refuse');
    assert.equal(rig.dataPath.last(rig.ask({ path: '/opt/x' })).verdict, 'accept');
    assert.ok(rig.dataPath.remembered.every((entry) => entry.untilNs === untilNs));
    assert.equal(rig.engine.status().state, 'paused');
    rig.time.pass(60_000);
    assert.equal(rig.engine.status().state, 'protecting');
    assert.equal(rig.dataPath.last(rig.ask({ path: '/opt/x' })).verdict, 'hold');
  });

  test('pause: ends on time even when the timer is late', () => {
    const rig = Rig.with();
    rig.engine.pause(60_000);
    rig.time.ns += 60_000_000_000n;
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold');
  });

  test('pause: refuses times out of range', () => {
    const rig = Rig.with();
    for (const ms of [0, 999, 86_400_001, Number.NaN, Infinity]) assert.throws(() => { rig.engine.pause(ms); }, code('InvalidArgument'));
  });

  test('pause: lets through what is held, resume asks again', () => {
    const rig = Rig.with();
    const id = rig.ask();
    rig.engine.pause(60_000);
    assert.equal(rig.dataPath.last(id).verdict, 'accept');
    rig.engine.resume();
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold');
  });

  test('setMode: is written, forgets what was remembered, and decides what is held', async () => {
    const rig = Rig.with();
    const id = rig.ask();
    await rig.engine.setMode('learning');
    assert.deepEqual(rig.store.calls, ['setMode learning']);
    assert.equal(rig.dataPath.last(id).verdict, 'accept');
    rig.dataPath.calls.length = 0;
    await rig.engine.setMode('enforcing');
    assert.ok(rig.dataPath.calls.includes('replaceAll'));
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold');
  });

  test('setMode: what cannot be written is not changed', async () => {
    const rig = Rig.with();
    rig.store.failure = new Error('read-only file system');
    await assert.rejects(rig.engine.setMode('learning'));
    assert.equal(rig.engine.status().mode, 'enforcing');
  });

  test('setMode: goes back by itself unless confirmed', async () => {
    const rig = Rig.with([], { mode: 'learning' });
    await rig.engine.setMode('enforcing', 60_000);
    assert.equal(rig.engine.status().mode, 'enforcing');
    assert.deepEqual(rig.store.calls, []);
    rig.load([], { mode: 'learning' });
    assert.equal(rig.engine.status().mode, 'enforcing', 'a reload does not end the trial');
    rig.time.pass(60_000);
    assert.equal(rig.engine.status().mode, 'learning');
    await rig.engine.setMode('enforcing', 60_000);
    await rig.engine.setMode('enforcing');
    rig.time.pass(120_000);
    assert.equal(rig.engine.status().mode, 'enforcing');
    assert.deepEqual(rig.store.calls, ['setMode enforcing']);
  });

  test('a mode on trial: goes on after a restart of the helper, ends in time, and opens meanwhile what was open before', async () => {
    const rig = Rig.with([denyCurl], { mode: 'learning', defaultAction: 'deny' });
    await rig.engine.setMode('enforcing', 60_000);
    assert.deepEqual([rig.dataPath.gate?.whenAway, rig.dataPath.defaultVerdict], ['pass', 'accept']);
    const again = new Rig(rig.runState);
    again.time.ns = rig.time.ns + 20_000_000_000n;
    await again.engine.restore();
    again.load([denyCurl], { mode: 'learning', defaultAction: 'deny' });
    again.engine.attach(again.dataPath);
    assert.deepEqual([again.engine.status().mode, again.engine.status().trial?.before], ['enforcing', 'learning']);
    assert.equal(again.dataPath.last(again.ask({ path: '/opt/new' })).verdict, 'refuse');
    const untilNs = again.dataPath.remembered.at(-1)?.untilNs ?? 0n;
    assert.ok(untilNs > 0n && untilNs <= again.time.ns + 2_000_000_000n, 'a refusal by the mode alone is forgotten within two seconds');
    again.time.pass(40_000);
    assert.deepEqual([again.engine.status().mode, again.engine.status().trial], ['learning', undefined]);
    assert.equal(again.dataPath.last(again.ask({ path: '/opt/new' })).verdict, 'accept');
  });

  test('a mode on trial: of learning, it stays closed without the helper; one that claims to last for ever is not believed', async () => {
    const rig = Rig.with();
    await rig.engine.setMode('learning', 60_000);
    assert.deepEqual([rig.dataPath.gate?.whenAway, rig.dataPath.defaultVerdict], ['drop', 'accept']);
    const id = rig.ask({ path: '/opt/new' });
    assert.equal(rig.dataPath.last(id).rememberUntilNs, rig.time.ns + 60_000_000_000n);
    const runState = new FakeRunState();
    const trial = { mode: 'learning', endsNs: '18446744073709551615', fromOff: true };
    runState.state = { version: 1, rules: [], pausedUntilNs: null, trial, inbox: [], wall: null };
    const again = new Rig(runState);
    await again.engine.restore();
    assert.deepEqual([again.engine.status().trial, again.engine.failsOpen], [undefined, false]);
  });

  test('status: off, degraded, protecting, and counters that count a packet once', () => {
    const rig = new Rig();
    assert.equal(rig.engine.status().state, 'off');
    rig.engine.attach(rig.dataPath);
    assert.equal(rig.engine.status().state, 'protecting');
    rig.engine.onQueueReady(false, 'EBUSY');
    assert.equal(rig.engine.status().state, 'degraded');
    rig.engine.onQueueReady(true, '');
    rig.engine.setDegraded([{ code: 'no-bpf', text: 'x', remedy: 'y' }]);
    assert.equal(rig.engine.status().state, 'degraded');
    const { packets, allowed, denied, kernel_decided } = rig.engine.status().statistics;
    assert.deepEqual({ packets, allowed, denied, kernel_decided }, { packets: 19, allowed: 10, denied: 4, kernel_decided: 9 });
  });

  test('status: losses of every part are told, but none that did not happen', () => {
    const rig = new Rig();
    assert.deepEqual(rig.engine.status().statistics.losses, {});
    rig.engine.attach(rig.dataPath);
    rig.dataPath.counters = () => ({ ...COUNTERS, limitDrops: 4, socketsNotEnded: 1 });
    rig.engine.countLosses(() => ({ calls_refused: 2, lists_refused: 0, identities_refused: 3 }));
    assert.deepEqual(rig.engine.status().statistics.losses, {
      packets_over_limit: 4, sockets_not_ended: 1, calls_refused: 2, identities_refused: 3,
    });
  });

  test('onEvents: a listener that throws harms nobody', () => {
    const rig = Rig.with([allowCurl]);
    rig.engine.onEvents({ flows: () => { throw new Error('bad listener'); } });
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'accept');
    assert.ok(rig.log.includes('error: a listener of the engine failed'));
  });
});

describe('rules', () => {
  test('addRule: is written, in force, and forgets what the kernel remembers', async () => {
    const rig = Rig.with();
    rig.dataPath.calls.length = 0;
    const id = await rig.engine.addRule({
      action: 'allow', path: PATH, address: '10.77.0.9/24', port: '443,8000-8080', protocol: 'tcp', user: 'alice', name: 'The web',
      schedule: 'mon-sun', group: 'g', priority: 5,
    });
    assert.match(id, /^curl-[0-9a-f]{4}$/);
    assert.deepEqual(rig.dataPath.calls[0], 'replaceAll');
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'accept');
    assert.equal(rig.store.added[0]?.address, '10.77.0.0/24');
    const [info] = rig.engine.ruleInfos();
    assert.deepEqual([info?.port, info?.user, info?.editable, info?.hits], ['443,8000-8080', 'alice', true, 1]);
  });

  const bad: readonly (readonly [string, object])[] = [
    ['no action', {}], ['a relative path', { path: 'curl' }], ['a bad address', { address: 'x' }], ['a bad port', { port: '70000' }],
    ['a bad protocol', { protocol: 'http' }], ['an unknown user', { user: 'mallory' }], ['a bad id', { id: 'A B' }],
    ['a bad schedule', { schedule: 'noon' }], ['a priority out of range', { priority: 1001 }], ['a name of two lines', { name: 'a\nb' }],
    ['until without a time', { lifetime: 'until' }], ['a time that has passed', { lifetime: 'until', until_ms: 5 }],
    ['a time without until', { lifetime: 'always', until_ms: WALL_MS * 2 }],
  ];
  for (const [name, edit] of bad) {
    test(`addRule: refuses ${name} and changes nothing`, async () => {
      const rig = Rig.with();
      const action = name === 'no action' ? {} : { action: 'allow' as const };
      await assert.rejects(rig.engine.addRule({ ...action, ...edit }), code('InvalidArgument'));
      assert.deepEqual(rig.store.added, []);
      assert.deepEqual(rig.engine.ruleInfos(), []);
    });
  }

  test('addRule: what cannot be written is not in force', async () => {
    const rig = Rig.with();
    rig.store.failure = new Error('disk full');
    await assert.rejects(rig.engine.addRule({ action: 'allow' }));
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold');
  });

  test('addRule: an id is taken once', async () => {
    const rig = Rig.with([rule('mine', 'allow', {}, { tier: 'administrator' })]);
    await assert.rejects(rig.engine.addRule({ id: 'mine', action: 'deny' }), code('Conflict'));
  });

  test('addRule: the limits hold', async () => {
    const rig = Rig.with(Array.from({ length: 10_000 }, (_, at) => rule(`r${String(at)}`, 'deny', { uid: at + 2000 })));
    await assert.rejects(rig.engine.addRule({ action: 'allow' }), code('LimitReached'));
    rig.ask();
    const nonce = rig.nonce();
    await assert.rejects(rig.engine.answer(nonce, { action: 'allow', lifetime: 'always' }), code('LimitReached'));
    assert.equal(rig.engine.promptByNonce(nonce).info.status, 'pending', 'it can still be answered');
    for (let at = 0; at < 1000; at += 1) await rig.engine.addRule({ action: 'deny', lifetime: 'boot', user: '7' });
    await assert.rejects(rig.engine.addRule({ action: 'deny', lifetime: 'boot', user: '7' }), code('LimitReached'));
    await rig.engine.removeRule('r1');
    await rig.engine.addRule({ action: 'deny', user: '7' });
  });

  test('addRule: a rule made for one user is for that user', async () => {
    const rig = Rig.with();
    await rig.engine.addRule({ action: 'allow', path: PATH }, 1001);
    assert.equal(rig.engine.ruleInfos()[0]?.user, 'bob');
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold');
  });

  test('updateRule: keeps what is not named, and its id', async () => {
    const rig = Rig.with([rule('mine', 'allow', { path: PATH, ...ports(443) }, { source: { file: '50-user.toml', line: 3 } })]);
    await rig.engine.updateRule('mine', { action: 'deny' });
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'refuse');
    assert.match(rig.store.calls[0] ?? '', /^update mine .*"port":"443"/);
    await assert.rejects(rig.engine.updateRule('mine', { id: 'other' }), code('InvalidArgument'));
    await assert.rejects(rig.engine.updateRule('nothing', { action: 'deny' }), code('NotFound'));
  });

  test('updateRule: a rule that comes to last moves between memory and file', async () => {
    const rig = Rig.with();
    const id = await rig.engine.addRule({ action: 'allow', path: PATH, lifetime: 'boot' });
    assert.deepEqual(rig.store.calls, []);
    await rig.engine.updateRule(id, { lifetime: 'always' });
    await rig.engine.updateRule(id, { lifetime: 'boot' });
    assert.deepEqual(rig.store.calls, [`add ${id}`, `remove ${id}`]);
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'accept');
  });

  for (const tier of ['administrator', 'vendor'] as const) {
    test(`updateRule: a rule of the ${tier} can be switched and nothing else`, async () => {
      const rig = Rig.with([rule('theirs', 'deny', {}, { tier })]);
      await assert.rejects(rig.engine.updateRule('theirs', { action: 'allow' }), code('ReadOnly'));
      await assert.rejects(rig.engine.updateRule('theirs', { enabled: false, priority: 1 }), code('ReadOnly'));
      await assert.rejects(rig.engine.removeRule('theirs'), code('ReadOnly'));
      await rig.engine.updateRule('theirs', { enabled: false });
      assert.deepEqual(rig.store.calls, ['setEnabled theirs false']);
      assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold');
    });
  }

  test('rules: built-in ones are listed last and cannot be changed', async () => {
    const rig = Rig.with([rule('mine', 'allow')]);
    rig.engine.setBuiltIn([{ id: 'dhcp', name: 'Getting an address' }]);
    assert.deepEqual(rig.engine.ruleInfos().map(({ id, editable }) => [id, editable]), [['mine', true], ['dhcp', false]]);
    await assert.rejects(rig.engine.updateRule('dhcp', { enabled: false }), code('ReadOnly'));
    await assert.rejects(rig.engine.addRule({ id: 'dhcp', action: 'allow' }), code('Conflict'));
  });

  test('removeRule: ends the rule at once', async () => {
    const rig = Rig.with([allowCurl]);
    await rig.engine.removeRule('curl');
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold');
    assert.deepEqual(rig.store.calls, ['remove curl']);
  });

  test('reload: reports what did not load', async () => {
    const rig = Rig.with();
    const errors = [{ file: '10-x.toml', line: 2, column: 1, message: 'bad' }];
    rig.store.loaded = { ...rig.store.loaded, rules: [denyCurl], errors };
    assert.deepEqual(await rig.engine.reload(), errors);
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'refuse');
  });
});

describe('once', () => {
  test('OnceTable: keeps the flows that were used last and no more than its limit', () => {
    const rig = new Rig();
    const table = new OnceTable(2);
    const [first, second, third] = [rig.make(), rig.make(), rig.make()];
    table.set(first, 'allow');
    table.set(second, 'deny');
    assert.equal(table.get(first), 'allow');
    table.set(third, 'allow');
    assert.equal(table.size, 2);
    assert.deepEqual([table.get(first), table.get(second), table.get(third)], ['allow', null, 'allow']);
  });

  test('OnceTable: a flow without a socket to be known by is not kept', () => {
    const table = new OnceTable();
    const ask = new Rig().make({ owner: { cookie: 0n } });
    table.set(ask, 'allow');
    assert.equal(table.get(ask), null);
  });
});

describe('history', () => {
  test('flows: the newest first, page by page, by path and user', async () => {
    const rig = Rig.with([rule('all', 'allow')]);
    for (let at = 0; at < 5; at += 1) rig.ask({ path: at % 2 === 0 ? '/a' : '/b' });
    const first = await rig.engine.flows({ path: '/a' }, 2, '');
    assert.deepEqual(first.rows.map((flow) => flow.id), ['f4', 'f2']);
    assert.deepEqual((await rig.engine.flows({ path: '/a' }, 2, first.next)).rows.map((flow) => flow.id), ['f0']);
    assert.deepEqual((await rig.engine.flows({ uid: 7 }, 2, '')).rows, []);
    await assert.rejects(rig.engine.flows({}, 2, 'x'), code('InvalidArgument'));
    assert.equal((await rig.engine.flow('f0'))?.path, '/a');
    assert.equal(await rig.engine.flow('f9'), null);
  });

  const sentences: readonly (readonly [string, readonly Rule[], Partial<Settings>, AskChange])[] = [
    ["Allowed by the rule “curl”, because it names the program; next would have been “all”; identified in the kernel, certain.",
      [allowCurl, rule('all', 'deny')], {}, {}],
    ["Refused by the administrator's rule “no”, the only one that matches; identified in the kernel, certain.",
      [rule('no', 'deny', {}, { tier: 'administrator' })], {}, {}],
    ['Allowed because the mode is learning and no rule refuses it; identified in the kernel, certain.', [], { mode: 'learning' }, {}],
    ['Dropped because no program could be found that owns it; not identified.', [], {}, NOBODY],
    ['Refused by the default action, because no rule matches; identified in the kernel, but its file could not be verified.',
      [], { defaultAction: 'deny' }, { path: null }],
  ];
  for (const [sentence, rules, settings, change] of sentences) {
    test(`explain: ${sentence.slice(0, 60)}`, async () => {
      const rig = Rig.with(rules, settings);
      rig.ask(change);
      assert.equal((await rig.engine.explain('f0')).text, sentence);
    });
  }

  test('explain: a flow that is not there is not found', async () => {
    await assert.rejects(Rig.with().engine.explain('f0'), code('NotFound'));
  });
});
