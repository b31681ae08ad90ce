import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createProcesses } from '../../helper/adapters/procfs.ts';
import type { BootNs, Owner } from '../../helper/contract/vocabulary.ts';

const processes = createProcesses();

function startNs(pid: number): BootNs {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  return BigInt(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0') * 10_000_000n + 123n;
}

function owner(pid: number, start: BootNs): Owner {
  return {
    cookie: 0n, pid, startNs: start, uid: 0, gid: 0, executable: { device: 0, inode: 0n, generation: 0, ctimeSec: 0 },
    mountNamespace: 0, networkNamespace: 0n, cgroup: 0n, command: '',
  };
}

/** A child that has said that it runs, and ends with the test. */
async function running(t: TestContext, program: string, args: readonly string[]): Promise<{ readonly child: ChildProcess; readonly pid: number }> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  assert.ok(child.pid !== undefined);
  return { child, pid: child.pid };
}

test('processes: the parents are told nearest first, with path and label, and at most as many as asked for', async (t) => {
  const { pid } = await running(t, '/bin/sh', ['-c', '(echo ready; read line); true']);
  const found = processes.ancestors(owner(pid, startNs(pid)), 8);
  assert.deepEqual(found[0], { pid: process.pid, path: realpathSync(process.execPath), command: found[0]?.command });
  assert.ok(found.length === 8 || found.at(-1)?.pid === 1, 'up to the first process, or to the limit');
  assert.equal(processes.ancestors(owner(pid, startNs(pid)), 1).length, 1);
  assert.deepEqual(processes.ancestors(owner(pid, startNs(pid)), 0), []);
});

test('processes: another process with the same number is not taken for the owner', async (t) => {
  const { pid, child } = await running(t, '/bin/sh', ['-c', 'echo ready; read line']);
  const start = startNs(pid);
  assert.equal(processes.alive(pid, start), true);
  assert.equal(processes.alive(pid, start + 10_000_000n), false);
  assert.deepEqual(processes.ancestors(owner(pid, start - 10_000_000n), 8), []);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(processes.alive(pid, start), false);
  assert.deepEqual([processes.executable(pid), processes.commandLine(pid)], [null, []]);
});

test('processes: a program that was deleted or replaced has no path', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-proc-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, 'shell');
  copyFileSync(realpathSync('/bin/sh'), program);
  const { pid } = await running(t, program, ['-c', 'echo ready; read line']);
  assert.equal(processes.executable(pid), realpathSync(program));
  unlinkSync(program);
  assert.equal(processes.executable(pid), null);
  copyFileSync(realpathSync('/bin/sh'), `${program} (deleted)`);
  assert.equal(processes.executable(pid), null, 'a file with the name of the link is not the program');
});

test('processes: the command line is split at NUL and cut at 4096 bytes', async (t) => {
  const { pid } = await running(t, '/bin/sh', ['-c', 'echo ready; read line', 'x\ny', 'z'.repeat(6000)]);
  const line = processes.commandLine(pid);
  assert.deepEqual(line.slice(0, 4), ['/bin/sh', '-c', 'echo ready; read line', 'x\ny']);
  assert.equal(Buffer.byteLength(line.join('\0')), 4096);
});

test('processes: hostile names neither move fields nor make a loop', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'bastion-proc-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const make = (pid: number, command: string, parent: number, start: number): void => {
    mkdirSync(join(root, String(pid)));
    const fields = ['S', String(parent), ...Array.from({ length: 17 }, () => '0'), String(start), '0'];
    writeFileSync(join(root, String(pid), 'stat'), `${String(pid)} (${command}) ${fields.join(' ')}\n`);
    symlinkSync('relative', join(root, String(pid), 'exe'));
  };
  make(10, ') S 1 (\n) S 99', 20, 500);
  make(20, 'x'.repeat(900), 30, 400);
  make(30, 'loop', 20, 400);
  make(40, 'young parent', 10, 100);
  const fake = createProcesses(root);
  const found = fake.ancestors(owner(10, 5_000_000_000n), 100);
  assert.equal(found.length, 8);
  assert.deepEqual(found[0], { pid: 20, path: null, command: 'x'.repeat(64) });
  assert.deepEqual(fake.ancestors(owner(40, 1_000_000_000n), 8), [], 'a parent that is younger than its child is another process');
  writeFileSync(join(root, '10', 'stat'), 'nonsense');
  assert.deepEqual(fake.ancestors(owner(10, 5_000_000_000n), 8), []);
});
