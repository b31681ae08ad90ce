/** What the helper leans on goes away and comes back: polkit, the bus, its own place. Nothing undecided leaves meanwhile. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { noLab, promptFor, copyInto, until, FULL_SIZE } from '../integration/support.ts';
import { Lab } from '../lab/lab.ts';
import { enterNamespace } from '../lab/network.ts';
import { helperCommand } from '../lab/options.ts';
import { finish } from '../lab/process.ts';
import { mustHold } from '../must-hold.ts';
import { OUTAGE_LAB, OutageLoad, logged, rulesOf } from './outage-load.ts';
import { Traffic, monotonicMs, trafficProgram } from './support.ts';

const POLKIT_SENTENCE = /polkit did not answer, so nobody can be authorized/u;
const BUS_RESTARTS = FULL_SIZE ? 20 : 2;
/** The helper's, when the bus is lost. Source: sysexits.h, EX_TEMPFAIL. */
const EXIT_LOST = 75;

describe('outages of what the helper leans on', { skip: noLab() }, () => {
  test('polkit is away, comes, is killed and comes again: decided goes on, calls are refused with the reason, then work', async (t) => {
    await using lab = await Lab.create(OUTAGE_LAB);
    const load = await OutageLoad.start(t, lab);
    const outages: number[] = [];
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await lab.bus.stopPolkit(signal);
      const mode = await lab.ctl(['mode', 'learning']);
      assert.equal(mode.status, 1, mode.stdout);
      assert.match(mode.stderr, POLKIT_SENTENCE);
      assert.match((await lab.ctl(['status'])).stderr, POLKIT_SENTENCE);
      await load.goesOn(20, 'without polkit');
      await load.nothingLeft('without polkit');
      await lab.bus.startPolkit();
      const startMs = monotonicMs();
      await until('a call that is authorized again', async () => ((await lab.ctl(['status'])).status === 0 ? true : null));
      outages.push(monotonicMs() - startMs);
    }
    // A helper that starts without it protects all the same.
    await lab.bus.stopPolkit();
    await lab.restartHelper();
    await load.goesOn(20, 'started without polkit');
    assert.match((await lab.ctl(['status'])).stderr, POLKIT_SENTENCE);
    await lab.bus.startPolkit();
    await until('a call that is authorized again', async () => ((await lab.ctl(['status'])).status === 0 ? true : null));
    await load.othersTried(20);
    await load.nothingLeft('at the end');
    await load.end();
    mustHold({
      id: 'polkit-away', claim: 'polkit stopped, killed, absent at the start', size: '3 times', undecided: 0,
      figures: [`calls work again ${String(Math.round(Math.max(...outages)))} ms after it is back, without a restart of the helper`],
    });
  });

  test('the bus is restarted: the helper ends with 75, the next one takes over, agents come back', async (t) => {
    await using lab = await Lab.create(OUTAGE_LAB);
    const load = await OutageLoad.start(t, lab);
    await load.client.registerAgent();
    const asking = copyInto(lab, trafficProgram(), 'asking');
    const held = await Traffic.attempt(lab, [asking, 'datagrams', lab.peer4, '7', 'lab-tag:asking;']);
    await promptFor(load.client, asking);
    const before = rulesOf(lab);
    const recoveries: number[] = [];
    for (let round = 1; round <= BUS_RESTARTS; round += 1) {
      const from = lab.logText().length;
      await lab.bus.stop();
      assert.equal(await lab.helperEnded(), EXIT_LOST);
      await load.goesOn(20, `without a bus, round ${String(round)}`);
      const startMs = monotonicMs();
      await lab.bus.start();
      await lab.startHelper();
      recoveries.push(monotonicMs() - startMs);
      await logged(lab, ['an agent registered'], from);
      assert.equal(rulesOf(lab), before);
      await load.goesOn(20, `after round ${String(round)}`);
      await load.nothingLeft(`round ${String(round)}`);
    }
    assert.equal((await lab.peer.counts()).of('tag/asking'), 0, 'what was held when the bus went is refused');
    await held.end();
    await load.end();
    mustHold({
      id: 'bus-restarted', claim: 'the system bus restarted', size: `${String(BUS_RESTARTS)} times`, undecided: 0,
      figures: [`bus, polkit and helper back after at most ${String(Math.round(Math.max(...recoveries)))} ms; netfilter rules identical; agent registered again`],
    });
  });

  test('a second helper ends with a sentence, whatever folders it is given, and the first notices nothing', async (t) => {
    await using lab = await Lab.create(OUTAGE_LAB);
    const load = await OutageLoad.start(t, lab);
    const before = rulesOf(lab);
    const other = (name: string): string => join(lab.folder, `second-${name}`);
    const places = [
      { run: lab.runDir, state: lab.stateDir },
      { run: other('run'), state: lab.stateDir },
      { run: other('run'), state: other('state') },
    ];
    const waits: number[] = [];
    for (const { run, state } of places) {
      const command = helperCommand({}, {
        configDir: lab.configDir, stateDir: state, runDir: run, vendorDir: join(lab.folder, 'vendor'),
        cgroup: lab.cgroup, pinDir: lab.pinDir, busAddress: lab.busAddress,
      });
      const [program = '', ...words] = [...enterNamespace(lab.clientNamespace), ...command];
      const second = await finish(spawn(program, words, { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] }), undefined, 30_000);
      assert.equal(second.status, 1, second.stderr);
      assert.match(second.stderr, /another bastion-helper is running: it (uses|owns) .* This one ends and changes nothing\./u);
      waits.push(second.durationMs);
      assert.equal(rulesOf(lab), before);
      await load.goesOn(20, 'beside a second helper');
    }
    assert.equal((await load.client.status()).state, 'protecting');
    assert.doesNotMatch(lab.logText(), /put back|attached/u);
    await load.othersTried(20);
    await load.nothingLeft('at the end');
    await load.end();
    mustHold({
      id: 'second-helper', claim: 'a second helper started beside the first', size: '3 times, with the same folders and with others', undecided: 0,
      figures: [`it ends after at most ${String(Math.round(Math.max(...waits)))} ms; rules identical, state protecting`],
    });
  });
});

describe('outages of the kernel programs', { skip: noLab() }, () => {
  const cases = [
    { name: 'all pins deleted', words: 'rm -rf "$1"' },
    { name: 'the gate detached', words: 'bpftool link detach pinned "$1/links/on_egress"' },
    { name: 'an owner hook detached', words: 'bpftool link detach pinned "$1/links/on_connect4"' },
    { name: 'one link unpinned', words: 'rm "$1/links/on_egress"' },
    { name: 'one map unpinned', words: 'rm "$1/maps/verdicts"' },
    { name: 'the programs of netfilter unpinned and its rules flushed', words: 'rm -r "$1/progs"; iptables -t mangle -F; ip6tables -t mangle -F' },
  ];

  test('somebody takes them away: noticed, put back, nothing undecided leaves', async (t) => {
    await using lab = await Lab.create(OUTAGE_LAB);
    const { pinDir } = lab;
    if (pinDir === null || lab.cgroup === null) {
      t.skip(lab.limits.join(' '));
      return;
    }
    const load = await OutageLoad.start(t, lab);
    const before = rulesOf(lab);
    const times: number[] = [];
    for (const { name, words } of cases) {
      const from = lab.logText().length;
      const startMs = monotonicMs();
      const done = await lab.run(['nsenter', '-t', String(lab.helperPid), '-n', 'sh', '-ec', words, 'sh', pinDir], { as: 'root' });
      assert.equal(done.status, 0, done.stderr);
      await logged(lab, ['kernel programs were taken away', 'put back'], from);
      times.push(monotonicMs() - startMs);
      await until('rules as before', () => Promise.resolve(rulesOf(lab) === before ? true : null));
      await load.goesOn(20, name);
      await load.nothingLeft(name);
      await until(`a whole state after ${name}`, async () => ((await load.client.status()).state === 'protecting' ? true : null));
    }
    // What was put back is what the next helper adopts.
    await lab.restartHelper('SIGKILL');
    await load.goesOn(20, 'after a restart');
    await load.othersTried(20);
    await load.nothingLeft('after a restart');
    await load.end();
    mustHold({
      id: 'pins-deleted', claim: 'another tool deletes pins, maps, links, or detaches programs', size: `${String(cases.length)} ways`, undecided: 0,
      figures: [`whole again after at most ${String(Math.round(Math.max(...times)))} ms`],
    });
  });

  test('they cannot be put back: the state says so, netfilter goes on holding, and it is whole when that is mended', async (t) => {
    await using lab = await Lab.create(OUTAGE_LAB);
    const { pinDir } = lab;
    if (pinDir === null || lab.cgroup === null) {
      t.skip(lab.limits.join(' '));
      return;
    }
    const load = await OutageLoad.start(t, lab);
    // In the way of the folder, so that it cannot be made.
    const blocked = await lab.run(['sh', '-ec', 'rm -rf "$1"; bpftool map create "$1" type array key 4 value 4 entries 1 name in_the_way', 'sh', pinDir], { as: 'root' });
    assert.equal(blocked.status, 0, blocked.stderr);
    const status = await until('a degraded state', async () => {
      const now = await load.client.status();
      return now.state === 'degraded' ? now : null;
    });
    assert.deepEqual(status.degradedReasons.map(({ code }) => code), ['kernel-programs']);
    await load.answersCome(20);
    await load.othersTried(20);
    await load.nothingLeft('without kernel programs');
    assert.equal((await lab.run(['rm', pinDir], { as: 'root' })).status, 0);
    await until('a whole state', async () => ((await load.client.status()).state === 'protecting' ? true : null), 30_000);
    await load.goesOn(20, 'at the end');
    await load.nothingLeft('at the end');
    await load.end();
  });
});
