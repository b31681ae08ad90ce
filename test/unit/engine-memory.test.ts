/** What the kernel is let remember: kept equal to the rules, over their changes, to the end of their times, over restarts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Rule } from '../../helper/contract/vocabulary.ts';
import { Ledger, LEDGER_LIMITS } from '../../helper/engine/ledger.ts';
import type { Remembered } from '../../helper/engine/ledger.ts';
import { factsOf } from '../../helper/engine/decide.ts';
import { memoryOf } from '../../helper/engine/memory.ts';
import type { Ask, Settings } from '../../helper/ports.ts';
import { FakeRunState, Rig, WALL_MS } from './engine-support.ts';
import type { AskChange } from './engine-support.ts';
import { PATH, ports, rule } from './policy-support.ts';
import { processorTime } from './processor-time.ts';

const allowCurl = rule('curl', 'allow', { path: PATH });
const denyCurl = rule('no-curl', 'deny', { path: PATH });
const WGET: AskChange = { path: '/usr/bin/wget', owner: { executable: { device: 1, inode: 9n, generation: 0, ctimeSec: 1 } } };
const S = 1_000_000_000n;
const settled = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });
const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6];

/** A schedule of a number of minutes, from the minute of WALL_MS on, in local time. */
function fromNow(minutes: number): Rule['match'] {
  const at = new Date(WALL_MS);
  const fromMinute = at.getHours() * 60 + at.getMinutes();
  return { schedule: { days: EVERY_DAY, fromMinute, toMinute: fromMinute + minutes } };
}

describe('a change of the rules', () => {
  test('what stays allowed is allowed without a moment between, what is denied now is refused at once', () => {
    const rig = Rig.with([allowCurl, rule('wget', 'allow', { path: '/usr/bin/wget' })]);
    rig.ask();
    rig.ask(WGET);
    rig.dataPath.calls.length = 0;
    rig.load([allowCurl, rule('no-wget', 'deny', { path: '/usr/bin/wget' })]);
    assert.deepEqual(rig.dataPath.calls, ['replaceAll'], 'in one step');
    assert.equal(rig.recall(), 'accept');
    assert.equal(rig.recall(WGET), 'refuse');
  });

  test('a rule that narrows what was allowed ends only what it denies', () => {
    const rig = Rig.with([allowCurl]);
    rig.ask();
    assert.equal(rig.recall({ tuple: { destinationPort: 25 } }), 'accept');
    rig.load([allowCurl, rule('mail', 'deny', ports(25), { priority: 1 })]);
    assert.equal(rig.recall({ tuple: { destinationAddress: '192.0.2.9' } }), 'accept', 'the port that was in use');
    assert.equal(rig.recall({ tuple: { destinationPort: 25 } }), null);
    assert.equal(rig.dataPath.last(rig.ask({ tuple: { destinationPort: 25 } })).verdict, 'refuse');
  });

  test('what nobody has decided any more is left out, and asked about when the gate tells of it', () => {
    const rig = Rig.with([allowCurl]);
    rig.ask();
    rig.load([]);
    assert.equal(rig.recall(), null);
    const id = rig.ask({ held: false });
    assert.equal(rig.dataPath.last(id).verdict, 'hold');
    assert.equal(rig.raised.length, 1);
  });

  test('a denial holds while learning too', async () => {
    const rig = Rig.with([denyCurl]);
    rig.ask();
    await rig.engine.setMode('learning');
    assert.equal(rig.recall(), 'refuse');
    await rig.engine.setMode('enforcing');
    assert.equal(rig.recall(), 'refuse');
  });

  test('what only learning allowed is asked about when learning ends', async () => {
    const rig = Rig.with([], { mode: 'learning' });
    const flow: AskChange = { owner: { cookie: 77n } };
    rig.ask(flow);
    assert.equal(rig.recall(flow), 'accept');
    await rig.engine.setMode('enforcing');
    assert.equal(rig.recall(flow), null);
  });

  test('while learning each connection of a program is seen and recorded, not only its first', async () => {
    const rig = Rig.with([], { mode: 'learning' });
    const flow: AskChange = { owner: { cookie: 77n } };
    rig.ask(flow);
    assert.equal(rig.recall({ owner: { cookie: 78n } }), null, 'so the next one is asked about');
    rig.ask({ owner: { cookie: 78n } });
    assert.equal((await rig.engine.flows({}, 10, '')).rows.length, 2);
  });

  test('while learning what a server answers is let pass for the whole program: nobody would be asked about it', () => {
    const rig = Rig.with([], { mode: 'learning' });
    const answer: AskChange = { owner: { cookie: 77n }, answersPeer: true };
    rig.ask(answer);
    assert.equal(rig.recall({ owner: { cookie: 78n }, answersPeer: true }), 'accept');
  });

  test('a connection of an owner that is but likely is judged again too', () => {
    const likely: AskChange = { owner: { cookie: 77n }, attribution: { confidence: 'likely', evidence: 'sock_diag' } };
    const rig = Rig.with([allowCurl]);
    rig.ask(likely);
    rig.load([allowCurl, rule('other', 'deny', { path: '/bin/other' })]);
    assert.equal(rig.recall(likely), 'accept');
    rig.load([denyCurl]);
    assert.equal(rig.recall(likely), 'refuse');
    rig.load([allowCurl], { requireKernelIdentity: true });
    assert.equal(rig.recall(likely), null);
  });

  test('a flow that was allowed once goes on, and a rule that denies it ends it', async () => {
    const rig = Rig.with();
    const flow: AskChange = { owner: { cookie: 77n } };
    rig.ask(flow);
    await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'once' });
    rig.load([rule('other', 'allow', { path: '/bin/other' })]);
    assert.equal(rig.recall(flow), 'accept');
    assert.equal(rig.recall({ owner: { cookie: 78n } }), null);
    rig.load([denyCurl]);
    assert.equal(rig.recall(flow), 'refuse');
  });

  test('rules that come to the same leave the kernel alone', () => {
    const rig = Rig.with([allowCurl]);
    rig.ask();
    rig.dataPath.calls.length = 0;
    rig.load([{ ...allowCurl, name: 'Another name', group: 'g', source: { file: '50-user.toml', line: 9 } }, { ...denyCurl, enabled: false }]);
    assert.deepEqual(rig.dataPath.calls, []);
    assert.equal(rig.recall(), 'accept');
  });

  test('a flow that makes the engine fail is undecided afterwards, the others are decided', () => {
    const rig = Rig.with([allowCurl, rule('wget', 'allow', { path: '/usr/bin/wget' })]);
    const ask = rig.make();
    rig.engine.onAsks([ask]);
    rig.ask(WGET);
    Object.defineProperty(ask.tuple, 'destinationAddress', { get: () => { throw new Error('broken'); } });
    rig.load([allowCurl, rule('wget', 'allow', { path: '/usr/bin/wget' }), rule('x', 'deny', ports(1))]);
    assert.equal(rig.recall(), null);
    assert.equal(rig.recall(WGET), 'accept');
    assert.ok(rig.log.some((line) => line.startsWith('error: what was remembered')));
  });

  test('what is forwarded, or has no socket to be known by, is not carried over', () => {
    const rig = Rig.with([], { defaultAction: 'allow' });
    rig.ask({ owner: { cookie: 0n, networkNamespace: 0n } });
    rig.ask({ origin: 'forwarded', owner: { cookie: 0n, forwardedFrom: 'a container' } });
    rig.load([rule('x', 'deny', ports(1))], { defaultAction: 'allow' });
    assert.deepEqual([rig.dataPath.remembered, rig.dataPath.flows], [[], []]);
  });
});

describe('a program whose file was replaced', () => {
  test('is judged anew with the next change of the rules: no allowance by its path, and every denial', () => {
    const rig = Rig.with([allowCurl, rule('no-wget', 'deny', { path: '/usr/bin/wget' })]);
    rig.ask({ owner: { cookie: 77n } });
    rig.ask({ ...WGET, owner: { ...WGET.owner, cookie: 78n } });
    rig.dataPath.replacedFiles.add(PATH).add('/usr/bin/wget');
    rig.load([allowCurl, rule('no-wget', 'deny', { path: '/usr/bin/wget' }), rule('x', 'deny', ports(1))]);
    assert.equal(rig.recall({ owner: { cookie: 77n } }), null);
    assert.equal(rig.recall({ ...WGET, owner: { ...WGET.owner, cookie: 78n } }), 'refuse');
  });

  test('is judged anew within two seconds, and the program that has its place goes on', () => {
    const rig = Rig.with([allowCurl]);
    const executable = { device: 8 << 20, inode: 43n, generation: 1, ctimeSec: 1_800_000_000 };
    rig.ask();
    rig.ask({ owner: { executable } });
    rig.dataPath.verify = ({ inode }) => inode === 43n;
    rig.time.pass(2000);
    assert.equal(rig.recall(), null);
    assert.equal(rig.recall({ owner: { executable } }), 'accept');
    rig.dataPath.calls.length = 0;
    rig.time.pass(10_000);
    assert.deepEqual(rig.dataPath.calls, [], 'once');
  });

  test('of very many programs each has its turn', () => {
    const rig = Rig.with([], { defaultAction: 'allow' });
    const last: AskChange = { path: '/p999', owner: { executable: { device: 1, inode: 999n, generation: 0, ctimeSec: 1 } } };
    for (let at = 0; at < 1000; at += 1) {
      rig.ask({ path: `/p${String(at)}`, owner: { executable: { device: 1, inode: BigInt(at), generation: 0, ctimeSec: 1 } } });
    }
    let looked = 0;
    rig.dataPath.verify = ({ inode }) => {
      looked += 1;
      return inode !== 999n;
    };
    rig.time.pass(2000);
    assert.ok(looked <= 256);
    rig.dataPath.calls.length = 0;
    rig.time.pass(6000);
    assert.deepEqual(rig.dataPath.calls, ['replaceAll']);
    assert.equal(rig.recall(last), null);
  });

});

describe('ends', () => {
  const minute = 60n * S;

  test('a flow under a schedule does not stall when the minute is full', () => {
    const rig = Rig.with([rule('hours', 'allow', { path: PATH, ...fromNow(2) })]);
    const flow: AskChange = { owner: { cookie: 77n } };
    rig.ask(flow);
    for (const ms of [59_999, 1, 1]) {
      rig.time.pass(ms);
      assert.equal(rig.recall(flow), 'accept');
    }
    assert.deepEqual(rig.dataPath.flows.map(({ untilNs }) => untilNs), [1000n * S + 2n * minute], 'and ends when the schedule does');
    rig.time.pass(60_000);
    assert.equal(rig.recall(flow), null);
    assert.equal(rig.time.timers, 0, 'nothing is left to look after');
  });

  test('a schedule ends by the clock on the wall, also after that was set back', () => {
    const rig = Rig.with([rule('hours', 'allow', { path: PATH, ...fromNow(1) })]);
    const flow: AskChange = { owner: { cookie: 77n } };
    rig.time.pass(40_000);
    rig.ask({ owner: { cookie: 1n } });
    rig.time.wallOffsetMs -= 30_000;
    rig.ask(flow);
    assert.deepEqual(rig.dataPath.flows.at(-1)?.untilNs, rig.time.ns + 50n * S);
  });

  test('the kernel itself ends an allowance exactly, and what goes on, or refuses, up to two seconds later', () => {
    const ends = { lifetime: { until: WALL_MS + 10_000 } };
    const entry = (list: readonly Rule[]): bigint => {
      const rig = Rig.with(list);
      rig.ask();
      return (rig.dataPath.remembered[0]?.untilNs ?? -1n) - rig.time.ns;
    };
    assert.equal(entry([rule('a', 'allow', { path: PATH }, ends)]), 10n * S);
    assert.equal(entry([rule('a', 'deny', { path: PATH }, ends)]), 12n * S);
    assert.equal(entry([rule('a', 'allow', { path: PATH }, { lifetime: { until: WALL_MS + 600_000 } })]), 62n * S);
  });

  test('an allowance that goes on more narrowly does not end later for the rest', () => {
    const rig = Rig.with([rule('web', 'allow', { path: PATH, ...ports(443) }), rule('all', 'allow', { path: PATH }, { lifetime: { until: WALL_MS + 10_000 } })]);
    rig.ask();
    assert.equal(rig.dataPath.remembered[0]?.form, 'program');
    assert.equal(rig.dataPath.remembered[0].untilNs, rig.time.ns + 10n * S);
    rig.time.pass(10_000);
    assert.equal(rig.recall(), 'accept');
    assert.equal(rig.recall({ tuple: { destinationPort: 80 } }), null);
  });

  test('nothing that a pause allows outlives it in the kernel, and it is decided again when the pause ends', () => {
    const rig = Rig.with([denyCurl]);
    rig.engine.pause(60_000);
    const untilNs = rig.time.ns + minute;
    rig.ask(WGET);
    rig.ask();
    assert.deepEqual([...rig.dataPath.remembered, ...rig.dataPath.flows].map((entry) => entry.untilNs), [untilNs, untilNs]);
    rig.time.pass(60_000);
    assert.equal(rig.recall(WGET), null);
    assert.equal(rig.recall(), 'refuse');
  });

  test('what a rule allows goes on without a gap when a pause begins and when it ends', () => {
    const rig = Rig.with([allowCurl]);
    rig.ask();
    rig.engine.pause(60_000);
    assert.equal(rig.recall(), 'accept');
    rig.time.pass(60_000);
    assert.equal(rig.recall(), 'accept');
  });

  test('flows of a process that has gone are not written again each minute', () => {
    const rig = Rig.with([rule('hours', 'allow', { path: PATH, ...fromNow(60) })]);
    rig.ask();
    rig.deadProcesses.add(100);
    rig.time.pass(60_000);
    assert.equal(rig.time.timers, 0);
    assert.equal(rig.recall(), null);
  });
});

describe('adoption', () => {
  /** A helper that starts while `before` has left its data path pinned. */
  async function restarted(before: Rig, rules: readonly Rule[], settings: Partial<Settings> = {}): Promise<Rig> {
    await before.engine.stop();
    const rig = new Rig(before.runState);
    rig.time.ns = before.time.ns + S;
    await rig.engine.restore();
    rig.load(rules, settings);
    Object.assign(rig.dataPath, { policy: before.dataPath.policy, remembered: before.dataPath.remembered });
    rig.engine.attach(rig.dataPath);
    return rig;
  }
  const rules = [allowCurl, rule('wget', 'deny', { path: '/usr/bin/wget', ...fromNow(60) })];

  test('a helper that starts with the same rules keeps what the one before it let the kernel remember', async () => {
    const rig = await restarted(Rig.with(rules), rules.toReversed());
    assert.deepEqual(rig.dataPath.calls, ['adopt']);
  });

  const other: readonly (readonly [string, readonly Rule[], Partial<Settings>])[] = [
    ['a rule that went', [allowCurl], {}],
    ['a rule with another address', [...rules.slice(1), { ...allowCurl, match: { path: PATH, address: '10.0.0.0/8' } }], {}],
    ['another priority', rules.map((one) => (one === allowCurl ? { ...one, priority: 5 } : one)), {}],
    ['another mode', rules, { mode: 'learning' }],
    ['another default action', rules, { defaultAction: 'allow' }],
    ['another setting for packets without an owner', rules, { untracked: 'pass' }],
    ['another setting for forwarded packets', rules, { forwarded: 'deny' }],
    ['another demand on identity', rules, { requireKernelIdentity: true }],
  ];
  for (const [name, list, settings] of other) {
    test(`${name}: everything is forgotten`, async () => {
      const before = Rig.with(rules);
      before.ask();
      const rig = await restarted(before, list, settings);
      assert.deepEqual(rig.dataPath.calls, ['adopt', 'replaceAll']);
      assert.deepEqual(rig.dataPath.remembered, []);
      assert.notEqual(rig.dataPath.policy, 0n);
      assert.notEqual(rig.dataPath.policy, before.dataPath.policy);
    });
  }

  test('what becomes known of other programs later takes nothing of it away; what is different of one does', async () => {
    const rig = await restarted(Rig.with(rules), rules);
    rig.ask();
    const known = () => rig.dataPath.calls.filter((call) => call === 'replaceAll').length;
    rig.identities.changed('more');
    await settled();
    assert.equal(known(), 0);
    rig.identities.changed('different');
    await settled();
    assert.equal(known(), 1);
  });

  test('a pause that goes on over a restart is the same policy, one that has ended is not', async () => {
    const before = Rig.with(rules);
    before.engine.pause(60_000);
    assert.deepEqual((await restarted(before, rules)).dataPath.calls, ['adopt']);
    const ended = Rig.with(rules);
    ended.engine.pause(1000);
    assert.deepEqual((await restarted(ended, rules)).dataPath.calls, ['adopt', 'replaceAll']);
  });

  test('sessions count where a rule is bound to one', async () => {
    const bound = [rule('s', 'allow', { session: 's1' })];
    for (const [list, calls] of [[bound, ['adopt', 'replaceAll']], [rules, ['adopt']]] as const) {
      const before = Rig.with(list);
      await before.engine.stop();
      const rig = new Rig(new FakeRunState());
      rig.setSessions([]);
      rig.load(list);
      rig.dataPath.policy = before.dataPath.policy;
      rig.engine.attach(rig.dataPath);
      assert.deepEqual(rig.dataPath.calls, calls);
    }
  });
});

describe('the gate', () => {
  const postures: readonly (readonly [string, Partial<Settings>, string])[] = [
    ['enforcing', {}, 'drop drop drop'],
    ['on_failure = "open"', { onFailure: 'open' }, 'drop pass drop'],
    ['untracked = "pass"', { untracked: 'pass' }, 'drop drop pass'],
    ['learning', { mode: 'learning' }, 'drop pass drop'],
  ];
  for (const [name, settings, wanted] of postures) {
    test(`${name}: ${wanted}`, () => {
      const rig = Rig.with([], settings);
      const { undecided, whenAway, untracked } = rig.dataPath.gate ?? assert.fail('never set');
      assert.equal(`${undecided} ${whenAway} ${untracked}`, wanted);
    });
  }

  test('stays closed in every mode and in a pause: the engine allows, until the pause ends', async () => {
    const rig = Rig.with();
    await rig.engine.setMode('learning');
    assert.equal(rig.dataPath.gate?.undecided, 'drop');
    await rig.engine.setMode('enforcing');
    rig.engine.pause(60_000);
    assert.equal(rig.dataPath.gate.undecided, 'drop');
    assert.equal(rig.dataPath.last(rig.ask({ held: false })).verdict, 'accept');
    assert.equal(rig.recall(), 'accept');
  });

  test('what it tells of is decided by the rules and remembered, though nothing waits', () => {
    const rig = Rig.with([allowCurl, rule('no-wget', 'deny', { path: '/usr/bin/wget' })]);
    const ids = [rig.ask({ held: false }), rig.ask({ ...WGET, held: false })];
    assert.deepEqual(ids.map((id) => rig.dataPath.told(id)), [['accept'], ['refuse']]);
    assert.deepEqual([rig.recall(), rig.recall(WGET)], ['accept', 'refuse']);
  });

  test('a flow that a new rule denies is refused, though another of its program stood for it in memory', () => {
    const rig = Rig.with([], { defaultAction: 'allow' });
    const mail: AskChange = { owner: { cookie: 77n }, tuple: { destinationPort: 25 } };
    rig.ask();
    assert.equal(rig.recall(mail), 'accept');
    rig.load([rule('mail', 'deny', ports(25))], { defaultAction: 'allow' });
    assert.equal(rig.recall(), 'accept');
    assert.equal(rig.recall(mail), null, 'so the gate asks');
    assert.equal(rig.dataPath.last(rig.ask({ ...mail, held: false })).verdict, 'refuse');
  });

  test('a prompt about it works: the answer is remembered, or the time ends', async () => {
    const rig = Rig.with();
    const flow: AskChange = { owner: { cookie: 77n }, held: false };
    const first = rig.ask(flow);
    await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'once' });
    assert.deepEqual(rig.dataPath.told(first), ['hold', 'accept']);
    assert.equal(rig.recall(flow), 'accept');
    const second = rig.ask({ ...WGET, held: false });
    rig.time.pass(30_000);
    assert.equal(rig.dataPath.last(second).verdict, 'refuse');
    const third = rig.ask({ path: '/opt/x', held: false });
    rig.engine.onEnded([third]);
    assert.deepEqual(rig.ended.map(({ why }) => why), ['answered', 'expired', 'withdrawn']);
  });
});

describe('hits', () => {
  const hits = (rig: Rig): Readonly<Record<string, number>> =>
    Object.fromEntries(rig.engine.rules().map(({ rule: { id }, hits: count }) => [id, count]));
  const wget = rule('wget', 'deny', { path: '/usr/bin/wget' });

  test('what the kernel counted is added to what the engine decided, looked at once a second', () => {
    const rig = Rig.with([allowCurl, wget]);
    rig.ask();
    const slot = rig.dataPath.remembered[0]?.hitSlot ?? 0;
    assert.ok(slot > 0);
    const before = rig.engine.rules().find(({ rule: { id } }) => id === 'curl')?.lastHitMs ?? 0;
    rig.dataPath.counted = [0, 0, 0].with(slot, 41);
    assert.deepEqual(hits(rig), { curl: 1, wget: 0 }, 'within the second');
    rig.time.pass(1000);
    assert.deepEqual(hits(rig), { curl: 42, wget: 0 });
    const use = rig.engine.rules().find(({ rule: { id } }) => id === 'curl');
    assert.equal(use?.lastHitMs, before + 1000);
    rig.time.pass(5000);
    assert.equal(rig.engine.ruleInfos().find(({ id }) => id === 'curl')?.last_hit_ms, before + 1000, 'nothing new, nothing moved');
  });

  test('a rule that takes the place of another does not inherit its count', () => {
    const rig = Rig.with([allowCurl]);
    rig.ask();
    rig.dataPath.counted = [0, 7, 0];
    rig.load([wget]);
    rig.time.pass(1000);
    assert.deepEqual(hits(rig), { wget: 0 });
    rig.load([wget, allowCurl]);
    rig.time.pass(1000);
    assert.deepEqual(hits(rig), { wget: 0, curl: 0 });
  });

  test('what was counted before this helper is not counted again', () => {
    const rig = new Rig();
    rig.load([allowCurl]);
    rig.dataPath.counted = [0, 1000];
    rig.engine.attach(rig.dataPath);
    rig.dataPath.counted = [0, 1003];
    assert.deepEqual(hits(rig), { curl: 3 });
  });

  test('looking at them changes nothing', () => {
    const rig = Rig.with([allowCurl]);
    let told = 0;
    rig.engine.onEvents({ rulesChanged: () => { told += 1; } });
    rig.dataPath.counted = [0, 5];
    rig.time.pass(1000);
    rig.engine.rules();
    assert.equal(told, 0);
  });
});

describe('the kernel as a program', () => {
  const KERNEL: AskChange = {
    path: 'kernel', origin: 'kernel',
    owner: { cookie: 0n, pid: 0, startNs: 0n, uid: 0, gid: 0, executable: { device: 0, inode: 0n, generation: 0, ctimeSec: 0 }, command: 'kernel' },
    tuple: { protocol: 17, destinationPort: 4789 },
  };

  test('is named by a rule, remembered as a program, and ends with the rule', async () => {
    const rig = Rig.with();
    const id = await rig.engine.addRule({ action: 'allow', path: 'kernel', port: '4789', protocol: 'udp' });
    assert.equal(rig.dataPath.last(rig.ask(KERNEL)).verdict, 'accept');
    assert.deepEqual(rig.dataPath.remembered.map(({ form, executable: { inode } }) => [form, inode]), [['any-address', 0n]]);
    assert.equal(rig.recall(KERNEL), 'accept');
    await rig.engine.removeRule(id);
    assert.equal(rig.recall(KERNEL), null);
  });

  test('is asked about as the system\'s, under a name of its own, and never for one process', () => {
    const rig = Rig.with();
    rig.ask(KERNEL);
    const [view] = rig.raised;
    assert.deepEqual(view?.target, { uid: 0, system: true });
    assert.equal(view.info.application, 'The kernel (tunnels, network file systems)');
    assert.ok(!view.info.lifetimes.includes('process'));
    assert.ok(view.info.lifetimes.includes('always'));
  });
});

describe('Ledger', () => {
  const rig = new Rig();
  function entry(number: number, uid: number): Remembered {
    const ask: Ask = rig.make({ owner: { uid, cookie: BigInt(number + 1) }, tuple: { destinationPort: number % 60_000 } });
    const decision = { action: 'allow', reason: 'rule', ruleId: null } as const;
    const memory = memoryOf(ask, decision, { for: 'socket', lastsMs: null }, { nowNs: 1n, capNs: null, hitSlot: 0, sameAfter: false, before: null });
    assert.ok(memory !== null);
    return { held: { ask, facts: factsOf(ask) }, action: 'allow', memory };
  }
  const users = { name: (uid: number) => (uid < 2000 ? `user${String(uid)}` : String(uid)) };
  const limits = { total: 20, perUser: 10, kept: 3 };

  test('one user fills his share and loses his own oldest entries, nobody else any', () => {
    const ledger = new Ledger({ users, limits });
    for (let at = 0; at < 5; at += 1) ledger.put(entry(at, 1000));
    for (let at = 0; at < 50; at += 1) ledger.put(entry(at, 1001));
    assert.equal(ledger.size, 15);
    assert.equal(ledger.lost, 40);
    assert.deepEqual(ledger.all().map(({ held }) => held.ask.tuple.destinationPort), [0, 1, 2, 3, 4, ...Array.from({ length: 10 }, (_, at) => 40 + at)]);
  });

  test('thousands of uids that are no users of this machine share one share', () => {
    const ledger = new Ledger({ users, limits });
    ledger.put(entry(1, 1000));
    for (let at = 0; at < 100; at += 1) ledger.put(entry(at, 100_000 + at));
    assert.equal(ledger.size, 11);
  });

  test('the same flow is one entry, and putting all back loses and counts nothing', () => {
    const ledger = new Ledger({ users, limits });
    for (let round = 0; round < 3; round += 1) for (let at = 0; at < 8; at += 1) ledger.put(entry(at, 1000));
    assert.equal(ledger.size, 8);
    ledger.fill(ledger.all());
    assert.deepEqual([ledger.size, ledger.lost], [8, 0]);
  });

  test('a full ledger is decided again within the blink of an eye', () => {
    const port = rule('x', 'deny', ports(1), { priority: 1 });
    const full = Rig.with([allowCurl, port, rule('y', 'deny', { address: '192.0.2.1' }, { priority: 1 })]);
    for (let at = 0; at < LEDGER_LIMITS.total; at += 1) {
      const address = `10.${String(at >> 16)}.${String((at >> 8) & 255)}.${String(at & 255)}`;
      full.ask({ owner: { uid: 1000 + (at % 2) }, tuple: { destinationAddress: address, destinationPort: 2 + at } });
    }
    const { tookMs } = processorTime(() => { full.load([allowCurl, port, rule('y', 'deny', { address: '192.0.2.2' }, { priority: 1 })]); });
    assert.equal(full.dataPath.remembered.length, LEDGER_LIMITS.total);
    assert.ok(tookMs < 1500, `${String(Math.round(tookMs))} ms`);
  });
});
