/** Which process is taken for one of the package's own programs. Files of the system stand for the package's. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Processes } from '../../helper/ports.ts';
import { isRootOwned, isTrusted, takesForeignCode } from '../../helper/service/trust.ts';

const SLEEP = realpathSync('/usr/bin/sleep');
const processes: Processes = { ancestors: () => [], alive: () => true, executable: () => null, commandLine: () => [] };

/** Runs `work` while the program waits with this environment. */
async function waiting(environment: NodeJS.ProcessEnv, work: (pid: number) => void): Promise<void> {
  const child = spawn(SLEEP, ['600'], { env: environment, stdio: 'ignore' });
  const ended = once(child, 'exit');
  try {
    // Started is when the new program is in place.
    await once(child, 'spawn');
    assert.ok(child.pid !== undefined);
    work(child.pid);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

test('a program of root’s that was started as it should be is trusted, under its own path alone', async () => {
  await waiting({ PATH: '/usr/bin' }, (pid) => {
    assert.equal(isTrusted(pid, ['/usr/bin/env', SLEEP], processes), true);
    assert.equal(isTrusted(pid, ['/usr/bin/env'], processes), false);
    assert.equal(isTrusted(pid, [], processes), false);
  });
});

test('a program that could take code from elsewhere is not trusted', async () => {
  for (const name of ['LD_PRELOAD', 'LD_LIBRARY_PATH', 'NODE_OPTIONS', 'GTK_PATH']) {
    await waiting({ [name]: '/nowhere' }, (pid) => { assert.equal(isTrusted(pid, [SLEEP], processes), false, name); });
  }
  assert.equal(takesForeignCode('PATH=/usr/bin\0LD_AUDIT=\0'), true);
  assert.equal(takesForeignCode('PATH=/usr/bin\0MY_LD_AUDIT=x\0LD_AUDIT\0\0'), false);
});

test('a program with more environment than anybody reads is not trusted', async () => {
  const big = Object.fromEntries(['A', 'B', 'C'].map((name) => [name, 'x'.repeat(100_000)]));
  await waiting(big, (pid) => { assert.equal(isTrusted(pid, [SLEEP], processes), false); });
});

test('nobody, the first process and one that has gone are not trusted', async () => {
  let gone = 0;
  await waiting({}, (pid) => { gone = pid; });
  for (const pid of [0, 1, -1, gone]) assert.equal(isTrusted(pid, [SLEEP], processes), false, String(pid));
});

test('a file that others may write, that is not there or has no whole path is nobody’s but theirs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-trust-'));
  const file = join(folder, 'program');
  try {
    writeFileSync(file, '');
    chmodSync(file, 0o777);
    assert.equal(isRootOwned(file), false);
    assert.equal(isRootOwned(join(folder, 'none')), false);
    assert.equal(isRootOwned('usr/bin/sleep'), false);
    assert.equal(isRootOwned(SLEEP), true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
