/** What is pinned goes on without the helper, and the next helper takes it over. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { tryTool } from '../lab/process.ts';
import { until } from './support.ts';
import { Bed, PEER4, missingForBed } from './support-native/bed.ts';
import type { Host } from './support-native/host-client.ts';
import { programDecision } from './support-native/journey.ts';

const missing = missingForBed();

describe('pinned programs and maps', { skip: missing ?? false }, () => {
  let bed: Bed;

  before(async () => {
    bed = new Bed();
    await bed.peer.ready();
  });
  afterEach(() => bed.closeHosts());
  after(() => bed.close());

  /** Leaves one decision for the traffic program in the kernel. */
  async function decide(): Promise<void> {
    const host = await bed.open();
    const ended = bed.traffic('udp-echo', PEER4, 7);
    const ask = await host.nextAsk();
    await host.call({ op: 'remember', entries: [programDecision(ask, 'accept')] });
    await host.answer({ id: ask.id, verdict: 'accept' });
    assert.equal(await ended, 0);
    await host.kill();
  }

  /** Has begun to load, over what an earlier helper left. */
  async function loadingAhead(): Promise<Host> {
    await decide();
    const { kernel } = bed.options();
    assert.ok(kernel !== null);
    const host = bed.newHost(null);
    await host.loadAhead(bed.addon, kernel);
    return host;
  }

  test('pins are for root only', async () => {
    await bed.open();
    for (const folder of ['', 'maps', 'progs', 'links']) assert.equal(statSync(join(bed.pins, folder)).mode & 0o777, 0o700);
  });

  test('a killed helper: a decided program goes on, an undecided one gets nothing through', async () => {
    await decide();
    assert.equal(await bed.traffic('udp-echo', PEER4, 7), 0);
    const before = await bed.peer.seen();
    assert.equal(await bed.run(bed.copy('undecided'), ['udp-send', PEER4, 7, 5]), 0);
    assert.deepEqual(await bed.peer.seen(), before);
  });

  test('the next helper: replaces the programs in place, and decisions of the run before are void', async () => {
    await decide();
    const links = readdirSync(join(bed.pins, 'links')).sort();
    const host = await bed.open();
    assert.deepEqual(readdirSync(join(bed.pins, 'links')).sort(), links);
    const ended = bed.traffic('udp-echo', PEER4, 7);
    const ask = await host.nextAsk();
    assert.equal(ask.path, bed.program);
    await host.answer({ id: ask.id, verdict: 'refuse' });
    assert.notEqual(await ended, 0);
  });

  test('the next helper: still knows who owns a socket that was made before it', async () => {
    const first = await bed.open();
    const child = bed.start(bed.program, ['udp-on-demand', PEER4, 7]);
    child.stdin?.write('1\n');
    const before = await first.nextAsk();
    await first.kill();
    const second = await bed.open();
    child.stdin?.write('2\n');
    const after = await second.nextAsk();
    assert.deepEqual(after.owner, before.owner);
    assert.equal(after.path, bed.program);
    child.stdin?.end();
  });

  test('a datagram socket older than the hooks: the kernel names who sends', async () => {
    const first = await bed.open();
    await first.call({ op: 'close', unpin: true });
    await first.stop();
    const child = bed.start(bed.program, ['udp-on-demand', PEER4, 7]);
    if (child.stdout === null) throw new TypeError('no standard output');
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    const host = await bed.open();
    child.stdin?.write('1\n');
    const ask = await host.nextAsk();
    assert.equal(ask.evidence, 'kernel');
    assert.equal(ask.path, bed.program);
    await host.answer({ id: ask.id, verdict: 'accept', rememberUntilNs: 0n });
    child.stdin?.write('2\n');
    for (let allowed = 0; allowed < 1;) allowed = (await host.counters()).kernelAllowed;
    child.stdin?.end();
  });

  test('the five capabilities of the unit suffice, for the first helper and for the next', async () => {
    const rights = ['net_admin', 'bpf', 'perfmon', 'sys_ptrace', 'dac_read_search'].map((name) => `+${name}`).join(',');
    const wrapper = ['setpriv', '--bounding-set', `-all,${rights}`, '--inh-caps', `-all,${rights}`];
    for (const run of ['first', 'next']) {
      const host = bed.newHost(null, wrapper);
      const features = await host.open(bed.addon, bed.options());
      assert.deepEqual(features.missing, [], run);
      bed.applyRules(bed.pins);
      const ended = bed.run('/usr/bin/setpriv', ['--reuid', 65534, '--clear-groups', bed.program, 'tcp', PEER4, 7]);
      const ask = await host.nextAsk((one) => one.path === bed.program);
      assert.equal(ask.owner?.uid, 65534);
      await host.answer({ id: ask.id, verdict: 'accept' });
      assert.equal(await ended, 0);
      await host.call({ op: 'close', unpin: false });
      await host.stop();
    }
  });

  test('loaded ahead: the programs of an earlier helper stay as they are, and nothing is left where it is never opened', async () => {
    const host = await loadingAhead();
    assert.equal(await bed.traffic('udp-echo', PEER4, 7), 0);
    // It waits until all is loaded.
    await host.call({ op: 'removePins', addon: bed.addon, pinPath: bed.pins });
    assert.equal(existsSync(bed.pins), false);
    const features = await host.open(bed.addon, bed.options());
    assert.deepEqual(features.missing, []);
    assert.equal(features.discarded, '');
  });

  test('loaded ahead, and the pins taken away before it is opened: it loads once more', async () => {
    const host = await loadingAhead();
    rmSync(bed.pins, { recursive: true });
    const features = await host.open(bed.addon, bed.options());
    assert.equal(features.identification, 'kernel');
    assert.deepEqual(features.missing, []);
  });

  test('pins of another layout are replaced as a whole', { skip: tryTool('bpftool', ['version']) === null ? 'bpftool does not run here' : false }, async () => {
    const first = await bed.open();
    await first.kill();
    const settings = join(bed.pins, 'maps/settings');
    execFileSync('bpftool', ['map', 'update', 'pinned', settings, 'key', '0', '0', '0', '0', 'value', ...Array<string>(80).fill('9')]);
    const host = await bed.open();
    const ended = bed.traffic('tcp', PEER4, 7);
    const ask = await host.nextAsk();
    assert.equal(ask.evidence, 'kernel');
    await host.answer({ id: ask.id, verdict: 'accept' });
    assert.equal(await ended, 0);
  });

  test('over pins of another layout nobody is looked up for what the old rules hold, until rules that note nobody are in force', { skip: tryTool('bpftool', ['version']) === null ? 'bpftool does not run here' : false }, async () => {
    const first = await bed.open();
    await first.kill();
    const settings = join(bed.pins, 'maps/settings');
    execFileSync('bpftool', ['map', 'update', 'pinned', settings, 'key', '0', '0', '0', '0', 'value', ...Array<string>(80).fill('9')]);
    const host = bed.newHost(null);
    await host.open(bed.addon, bed.options());
    await host.call({ op: 'adopt', policy: 0n });
    // The socket may be in other hands by now: the note of who sent is in the old tables.
    const early = bed.traffic('tcp', PEER4, 7);
    const unknown = await host.nextAsk();
    assert.equal(unknown.evidence, 'none');
    await host.answer({ id: unknown.id, verdict: 'refuse' });
    assert.notEqual(await early, 0);
    bed.applyRules(null);
    await host.call({ op: 'setRecorder', there: false });
    const late = bed.traffic('tcp', PEER4, 7);
    const found = await host.nextAsk();
    assert.equal(found.evidence, 'kernel', 'its socket is younger than the hooks');
    await host.answer({ id: found.id, verdict: 'refuse' });
    assert.notEqual(await late, 0);
  });

  test('pins of another layout, and no place for the gate: it is said to be missing, and the earlier one is not left to judge', {
    skip: tryTool('bpftool', ['version']) === null ? 'bpftool does not run here' : false,
  }, async () => {
    const first = await bed.open();
    await first.kill();
    const gate = join(bed.pins, 'links/on_egress');
    assert.ok(existsSync(gate));
    const crowd = join(bed.folder, 'crowd');
    execFileSync('gcc', ['-O2', '-Wall', '-o', crowd, join(import.meta.dirname, 'support-native/crowd.c'), '-lbpf']);
    const child = spawn(crowd, [bed.cgroup], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    execFileSync('bpftool', ['map', 'update', 'pinned', join(bed.pins, 'maps/settings'), 'key', '0', '0', '0', '0', 'value', ...Array<string>(80).fill('9')]);
    const host = bed.newHost(null);
    const features = await host.open(bed.addon, bed.options());
    child.stdin.end();
    await once(child, 'exit');
    assert.deepEqual(features.missing.map(({ what }) => what), ['the gate']);
    assert.equal(existsSync(gate), false);
    assert.ok(existsSync(join(bed.pins, 'links/on_connect4')));
  });

  test('health: the queue is known as ours, and the map that is shared answers', async () => {
    const host = await bed.open();
    const turned = (await host.health()).lastTurnNs;
    await until('the receiver thread to turn', async () => ((await host.health()).lastTurnNs > turned ? true : null));
    assert.deepEqual({ ...await host.health(), lastTurnNs: 0n }, { lastTurnNs: 0n, queue: true, kernelFault: '' });
    await host.call({ op: 'close', unpin: false });
    assert.equal((await host.health()).queue, false);
  });

  test('pins: what somebody does to them is told until it is as it was', async () => {
    const host = await bed.open();
    const lost = (): Promise<unknown> => host.call({ op: 'lostPins' });
    for (const [pin, name] of [['maps/settings', 'map settings'], ['links/on_egress', 'on_egress'], ['links/on_fork', 'on_fork'], ['progs/xt_allow', 'xt_allow']] as const) {
      const path = join(bed.pins, pin);
      renameSync(path, `${path}_away`);
      assert.deepEqual(await lost(), [name]);
      renameSync(`${path}_away`, path);
      assert.deepEqual(await lost(), []);
    }
    // Its own link, but another one's program: somebody moved pins.
    const [one, other] = ['links/on_fork', 'links/on_exec'].map((pin) => join(bed.pins, pin));
    assert.ok(one !== undefined && other !== undefined);
    renameSync(one, `${one}_away`);
    renameSync(other, one);
    assert.deepEqual(await lost(), ['on_fork', 'on_exec']);
    renameSync(one, other);
    renameSync(`${one}_away`, one);
    assert.deepEqual(await lost(), []);
    await host.call({ op: 'close', unpin: false });
  });

  test('close with unpin: nothing of ours is left on the bpffs', async () => {
    const host = await bed.open();
    await host.call({ op: 'close', unpin: true });
    assert.equal(existsSync(bed.pins), false);
  });

  test('a folder that is not on a bpffs: said to be missing, and sock_diag does the work', async () => {
    const host = bed.newHost();
    const options = bed.options();
    assert.ok(options.kernel !== null);
    const features = await host.open(bed.addon, { ...options, kernel: { ...options.kernel, pinPath: join(bed.folder, 'nowhere') } });
    assert.equal(features.identification, 'sock_diag');
    assert.equal(features.xtPrograms, null);
    assert.match(features.missing[0]?.why ?? '', /not on a BPF file system/u);
  });
});
