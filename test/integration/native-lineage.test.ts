/** What the kernel recorded at fork and exec is what happened, whoever has ended, changed or lied since. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import type { NativeAsk, NativeImage, NativeProcessRecord } from '../../native/binding.ts';
import { recordedPath } from '../../helper/contract/recorded-path.ts';
import { Bed, PEER4, missingForBed, saidReady } from './support-native/bed.ts';
import type { Host } from './support-native/host-client.ts';

const missing = missingForBed();
const SEND = ['udp-send', PEER4, '7', '1'];

function paths(record: NativeProcessRecord): readonly (string | null)[] {
  return record.ancestors.map((one) => one.path);
}

function nearest(record: NativeProcessRecord): NativeImage {
  const [first] = record.ancestors;
  assert.ok(first !== undefined, 'no ancestor');
  return first;
}

describe('the record of forks and execs', { skip: missing ?? false }, () => {
  let bed: Bed;
  let family: string;
  const shell = realpathSync('/bin/sh');

  before(async () => {
    bed = new Bed();
    await bed.peer.ready();
    family = join(bed.folder, 'family');
    execFileSync('gcc', ['-O2', '-Wall', '-o', family, join(import.meta.dirname, 'support-native/family.c')]);
  });
  afterEach(() => bed.closeHosts());
  after(() => bed.close());

  /** Another file with the program of this one. */
  function copyOf(program: string, name: string): string {
    const path = join(bed.folder, name);
    copyFileSync(program, path);
    return path;
  }

  function script(name: string, text: string): string {
    const path = join(bed.folder, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
    chmodSync(path, 0o755);
    return path;
  }

  /** Runs a command line inside the firewall until its flow is asked about. */
  async function asked(host: Host, program: string, args: readonly string[]): Promise<{ readonly ask: NativeAsk; readonly record: NativeProcessRecord }> {
    bed.start(program, args);
    const ask = await host.nextAsk((one) => one.path?.startsWith(bed.folder) === true);
    const record = await host.lineage(ask);
    await host.answer({ id: ask.id, verdict: 'refuse' });
    return { ask, record };
  }

  test('a parent that has ended before its child speaks is named', async () => {
    const host = await bed.open();
    const { record } = await asked(host, family, ['orphan', bed.program, ...SEND]);
    assert.equal(record.image?.path, bed.program);
    assert.equal(paths(record)[0], family);
    assert.deepEqual(nearest(record).exec?.arguments.slice(0, 3), [family, 'orphan', bed.program]);
    assert.ok(record.ancestors.some((one) => one.pid === process.pid), 'the test itself started it all');
  });

  test('a program that has sent and ended is known while its packet is held', async () => {
    const host = await bed.open();
    await bed.run(shell, ['-c', `${bed.program} ${SEND.join(' ')}; exit 0`]);
    const ask = await host.nextAsk();
    const record = await host.lineage(ask);
    assert.equal(record.image?.path, bed.program);
    assert.equal(paths(record)[0], shell);
  });

  test('two forks and a session of its own hide nobody', async () => {
    const host = await bed.open();
    const { record } = await asked(host, family, ['daemon', bed.program, ...SEND]);
    assert.equal(paths(record)[0], family);
    // The processes between them only forked.
    assert.notEqual(paths(record)[1], family);
  });

  test('a program that becomes another one by exec stays among its ancestors', async () => {
    const host = await bed.open();
    const { ask, record } = await asked(host, family, ['exec', bed.program, ...SEND]);
    assert.equal(paths(record)[0], family);
    assert.equal(nearest(record).pid, ask.owner?.pid);
  });

  test('what a parent becomes after the fork does not change its child\'s ancestors', async () => {
    const host = await bed.open();
    const sleep = copyOf('/usr/bin/sleep', 'looks-better');
    const { record } = await asked(host, family, ['become', sleep, bed.program, ...SEND]);
    assert.equal(paths(record)[0], family);
    assert.ok(!paths(record).includes(sleep));
  });

  test('a number that is given to a second process names two', async () => {
    const host = await bed.open();
    const ends = copyOf('/usr/bin/true', 'ends-at-once');
    const { ask, record } = await asked(host, family, ['same-number', ends, bed.program, ...SEND]);
    const { image } = record;
    assert.equal(image?.path, bed.program);
    assert.equal(image.startNs, ask.owner?.startNs);
    assert.ok(!paths(record).includes(ends));
    assert.equal(await host.processRecord(image.pid, 1n), null);
  });

  test('a process that calls exec after its packet: the record is that of the packet', async () => {
    const host = await bed.open();
    const child = bed.start(shell, ['-c', `${bed.program} ${SEND.join(' ')}; read -r go; exec ${family} crowd 0`]);
    const first = await host.nextAsk();
    const parent = nearest(await host.lineage(first));
    const before = await host.processImage(parent.pid, parent.startNs);
    assert.ok(before !== null && before === await host.processImage(parent.pid, parent.startNs));
    const ready = saidReady(child);
    child.stdin?.write('go\n');
    await ready;
    assert.notEqual(await host.processImage(parent.pid, parent.startNs), before);
    assert.equal(await host.processImage(parent.pid, 1n), null);
    const now = await host.processRecord(parent.pid, parent.startNs);
    assert.equal(now?.image?.path, family);
    assert.equal(now.ancestors[0]?.path, shell);
    const then = await host.processRecord(parent.pid, parent.startNs, parent.executable);
    assert.equal(then?.image?.path, shell);
    const never = await host.processRecord(parent.pid, parent.startNs, { ...parent.executable, inode: 1n });
    assert.equal(never?.image?.path, family);
  });

  test('a program that says another file is its executable is known by the one that it ran', async (t) => {
    const spoof = join(bed.folder, 'spoof');
    execFileSync('gcc', ['-O2', '-Wall', '-static', '-no-pie', '-o', spoof, join(import.meta.dirname, 'support-native/spoof.c')]);
    const other = copyOf('/usr/bin/true', 'trusted');
    const host = await bed.open();
    const user = ['--reuid', '4245', '--regid', '4245', '--clear-groups', 'unshare', '-U', '-r', spoof];
    const child = bed.start('/usr/bin/setpriv', [...user, other, PEER4, '7']);
    const [said] = await once(child.stdout ?? child, 'data') as [Buffer];
    if (said.toString() !== `${other}\n`) {
      t.skip(`the kernel does not let it: ${said.toString()}`);
      return;
    }
    const ask = await host.nextAsk();
    assert.equal(ask.path, spoof);
    assert.equal((await host.lineage(ask)).image?.path, spoof);
    // What it says must not become the path of the file that it runs.
    const honest = bed.start('/usr/bin/setpriv', [...user, '-', PEER4, '7']);
    assert.ok(honest.pid !== undefined);
    assert.equal((await host.nextAsk()).path, spoof);
  });

  test('a script with a #! line: the kernel names it, and the interpreter', async () => {
    const host = await bed.open();
    const path = script('job.sh', `#!${shell} -e\n${bed.program} ${SEND.join(' ')}\n:\n`);
    const { record } = await asked(host, path, ['one', 'two']);
    const { exec, path: runs, command } = nearest(record);
    assert.equal(runs, shell);
    assert.equal(command, 'job.sh');
    assert.equal(exec?.filename, path);
    assert.equal(exec.interpreter, shell);
    assert.equal(exec.isScript, true);
    assert.deepEqual(exec.arguments, [shell, '-e', path, 'one', 'two']);
    assert.equal(exec.truncated, false);
  });

  test('a script that is an argument: a relative path counts from where the process was, wherever it goes', async () => {
    const host = await bed.open();
    const path = script('deep/er/job.sh', `cd /; ${bed.program} ${SEND.join(' ')}; :\n`);
    const { record } = await asked(host, shell, ['-c', `cd ${bed.folder}/deep; ${shell} er/job.sh; :`]);
    const { exec } = nearest(record);
    assert.equal(exec?.isScript, false);
    assert.deepEqual(exec.arguments, [shell, 'er/job.sh']);
    assert.equal(exec.workingDirectory, join(bed.folder, 'deep'));
    assert.equal(recordedPath(exec.arguments[1] ?? '', exec.workingDirectory), path);
  });

  test('a program text on the command line is told as it is', async () => {
    const host = await bed.open();
    const text = `${bed.program} ${SEND.join(' ')}; :`;
    const { record } = await asked(host, shell, ['-c', text]);
    assert.deepEqual(nearest(record).exec?.arguments, [shell, '-c', text]);
  });

  test('a process that writes over its arguments and its name changes nothing that was recorded', async () => {
    const host = await bed.open();
    const { record } = await asked(host, family, ['disguise', bed.program, ...SEND]);
    const { command, exec } = nearest(record);
    assert.equal(command, 'family');
    assert.deepEqual(exec?.arguments, [family, 'disguise', bed.program, ...SEND]);
  });

  test('arguments: at most eight, at most 896 bytes, whole ones only, and it is said when some are left out', async () => {
    const host = await bed.open();
    const send = `${bed.program} ${SEND.join(' ')}; :`;
    const many = await asked(host, shell, ['-c', send, 'a', 'b', 'c', 'd', 'e', 'f']);
    assert.deepEqual(nearest(many.record).exec?.arguments, [shell, '-c', send, 'a', 'b', 'c', 'd', 'e']);
    assert.equal(nearest(many.record).exec?.truncated, true);
    const long = await asked(host, shell, ['-c', send, 'x'.repeat(2000), 'y']);
    assert.deepEqual(nearest(long.record).exec?.arguments, [shell, '-c', send]);
    assert.equal(nearest(long.record).exec?.truncated, true);
  });

  test('a file name that does not fit is left out, not cut off', async () => {
    const host = await bed.open();
    const path = script(`${'n'.repeat(200)}/${'m'.repeat(100)}.sh`, `#!${shell}\n${bed.program} ${SEND.join(' ')}\n:\n`);
    const { record } = await asked(host, path, []);
    assert.equal(nearest(record).exec?.filename, null);
    assert.equal(nearest(record).exec?.truncated, true);
  });

  test('below a root directory of its own there is no working directory', async () => {
    const host = await bed.open();
    const inside = `mount --bind / ${bed.folder}/root && exec chroot ${bed.folder}/root ${shell} -c '${bed.program} ${SEND.join(' ')}; :'`;
    mkdirSync(join(bed.folder, 'root'), { recursive: true });
    const { record } = await asked(host, 'unshare', ['-m', shell, '-c', inside]);
    assert.equal(nearest(record).exec?.workingDirectory, null);
    assert.equal(nearest(record).path, null, 'nor a path: its mount namespace is another one');
  });

  test('on a mount that was taken away meanwhile there is no working directory: its names would be taken for others', async () => {
    const host = await bed.open();
    const mount = join(bed.folder, 'mount');
    script('mount/keep', '');
    const job = `cd ${mount}/usr/bin && umount -l ${mount} && exec ${shell} job.sh`;
    const fill = `mount -t tmpfs none ${mount} && mkdir -p ${mount}/usr/bin && echo '${bed.program} ${SEND.join(' ')}; :' > ${mount}/usr/bin/job.sh`;
    const { record } = await asked(host, shell, ['-c', `${fill} && ${job}`]);
    assert.deepEqual(nearest(record).exec?.arguments, [shell, 'job.sh']);
    assert.equal(nearest(record).exec?.workingDirectory, null);
  });

  test('more than eight: the nearest are told, and that there are more', async () => {
    const host = await bed.open();
    const { ask, record } = await asked(host, family, ['again', '9', bed.program, ...SEND]);
    assert.equal(record.ancestors.length, 8);
    assert.ok(record.ancestors.every((one) => one.pid === ask.owner?.pid && one.path === family));
    assert.equal(record.complete, false);
  });

  test('a program that goes on calling exec fills no table, and its last images stay', async () => {
    const host = await bed.open();
    const before = countOf('images');
    const { record } = await asked(host, family, ['again', '400', bed.program, ...SEND]);
    assert.equal(record.ancestors.length, 8);
    assert.ok(countOf('images') - before < 200, 'the far end of the chain has gone');
    assert.equal((await host.counters()).lineageLost, 0);
  });

  function countOf(map: string): number {
    const text = execFileSync('bpftool', ['-j', 'map', 'dump', 'pinned', join(bed.pins, 'maps', map)], { encoding: 'utf8', maxBuffer: 1 << 28 });
    return (JSON.parse(text) as unknown[]).length;
  }

  function shareOf(uid: number): { readonly processes: number; readonly images: number } {
    const key = Array.from(new Uint8Array(new Uint32Array([uid]).buffer), (byte) => `0x${byte.toString(16)}`);
    const text = execFileSync('bpftool', ['-j', 'map', 'lookup', 'pinned', join(bed.pins, 'maps/family_shares'), 'key', ...key], { encoding: 'utf8' });
    const { formatted } = JSON.parse(text) as { formatted: { value: { processes: number; images: number } } };
    return formatted.value;
  }

  /** Runs as an ordinary user. */
  function startAs(uid: number, program: string, args: readonly string[]): ChildProcess {
    return bed.start('/usr/bin/setpriv', ['--reuid', uid, '--regid', uid, '--clear-groups', program, ...args]);
  }

  test('thousands of processes of one user: what is known of others stays, and so does what he started before', async () => {
    const host = await bed.open();
    const speaker = bed.start(family, ['disguise', bed.program, 'udp-on-demand', PEER4, '7']);
    await saidReady(speaker);
    const flood = startAs(4242, family, ['one-by-one', '3000', '/usr/bin/true']);
    await saidReady(flood);
    speaker.stdin?.write('1\n');
    const record = await host.lineage(await host.nextAsk());
    assert.equal(paths(record)[0], family);
    assert.ok(countOf('processes') < 1024 * 3, 'processes that have ended leave');
    assert.ok(shareOf(4242).images <= 1024 + 16, 'and what they ran with them');
    assert.ok(shareOf(4242).processes <= 1, 'and what they took of the share is given back');
    speaker.stdin?.end();
  });

  test('a crowd above one user\'s share has no record and is counted; others are recorded as before', async () => {
    const host = await bed.open();
    limitShare(4243);
    const crowd = startAs(4243, family, ['crowd', '50']);
    await saidReady(crowd);
    assert.ok((await host.counters()).lineageLost > 0);
    const { record } = await asked(host, family, ['orphan', bed.program, ...SEND]);
    assert.equal(paths(record)[0], family);
    const ended = once(crowd, 'exit');
    crowd.stdin?.end();
    await ended;
  });

  /** As if this user had that many processes but ten. */
  function limitShare(uid: number): void {
    const share = new DataView(new ArrayBuffer(16));
    share.setUint32(0, 16_384 - 10, true);
    const bytes = (view: DataView): string[] => Array.from(new Uint8Array(view.buffer), (byte) => `0x${byte.toString(16)}`);
    const key = new DataView(new ArrayBuffer(4));
    key.setUint32(0, uid, true);
    execFileSync('bpftool', ['map', 'update', 'pinned', join(bed.pins, 'maps/family_shares'), 'key', ...bytes(key), 'value', ...bytes(share)]);
  }

  test('the next helper knows what the one before recorded', async () => {
    const first = await bed.open();
    const child = bed.start(family, ['disguise', bed.program, 'udp-on-demand', PEER4, '7']);
    await saidReady(child);
    await first.kill();
    const between = bed.start(family, ['disguise', bed.program, 'udp-on-demand', PEER4, '7']);
    await saidReady(between);
    const host = await bed.open();
    for (const one of [child, between]) {
      one.stdin?.write('1\n');
      const record = await host.lineage(await host.nextAsk());
      assert.deepEqual(nearest(record).exec?.arguments.slice(0, 2), [family, 'disguise']);
      assert.equal(record.ancestors.filter((each) => each.command === 'family').length, 1, 'no exec was recorded twice');
      one.stdin?.end();
    }
  });

  test('processes that are older than the record are known, as such, and their children are recorded', async () => {
    const first = await bed.open();
    await first.call({ op: 'close', unpin: true });
    const child = bed.start(shell, ['-c', `echo ready; while read -r line; do ${bed.program} ${SEND.join(' ')}; done`]);
    await saidReady(child);
    const host = await bed.open();
    child.stdin?.write('go\n');
    const record = await host.lineage(await host.nextAsk());
    assert.equal(record.image?.adopted, false);
    assert.equal(nearest(record).path, shell);
    assert.equal(nearest(record).adopted, true);
    assert.equal(nearest(record).exec, null);
    assert.equal(record.complete, false);
    child.stdin?.end();
  });

  test('without the kernel\'s programs there is no record', async () => {
    const host = await bed.open({ kernel: null });
    assert.equal(await host.processRecord(process.pid, 1n), null);
  });
});
