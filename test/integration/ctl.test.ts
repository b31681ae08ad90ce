/** bastionctl as a process: the real service on a real bus, pipes that break, signals, a terminal, ssh's place taken. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { flowRecord, promptView, ruleRow } from '../contract/memory-engine.ts';
import { LOCAL, ServiceRig, STRANGER, cannotServe } from '../contract/service-rig.ts';
import { ROOT, finish, tool, within } from '../lab/process.ts';
import { treeFor } from '../lab/shown.ts';
import type { Result } from '../lab/process.ts';
import { until } from './support.ts';

const LIMIT_MS = 60_000;

describe('bastionctl', { skip: cannotServe() }, () => {
  let rig: ServiceRig;
  /** Where every user of the tests can read it. */
  const folder = mkdtempSync(join(tmpdir(), 'bastion-ctl-'));
  chmodSync(folder, 0o755);
  const tree = treeFor({ ...LOCAL, gid: LOCAL.uid, home: '/' }, join(folder, 'tree'));
  const PROGRAM = [process.execPath.replace(ROOT, tree), join(tree, 'helper/ctl/main.ts')];
  before(async () => {
    rig = await ServiceRig.start();
    rig.engine.rows.set('web', ruleRow('web', { path: '/usr/bin/curl', port: '443' }));
  });
  after(async () => {
    await rig.close();
    if (tree !== ROOT) tool('umount', [tree]);
    rmSync(folder, { recursive: true });
  });

  function start(command: readonly string[], env: Record<string, string> = {}): ChildProcess {
    const [program = '', ...args] = command;
    return spawn(program, args, { env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: rig.address, ...env }, cwd: '/' });
  }

  function ctl(...args: readonly string[]): Promise<Result> {
    return finish(start([...PROGRAM, ...args]), undefined, LIMIT_MS);
  }

  function ctlAs(uid: number, ...args: readonly string[]): Promise<Result> {
    const become = ['setpriv', `--reuid=${String(uid)}`, `--regid=${String(uid)}`, '--clear-groups', '--'];
    return finish(start([...become, ...PROGRAM, ...args, '--no-ask-password']), undefined, LIMIT_MS);
  }

  /** Resolves when the service has a listener (or has none). */
  async function subscribers(count: number): Promise<void> {
    await until(`${String(count)} listeners`, () => Promise.resolve(rig.service?.counters().subscribers === count ? true : null));
  }

  async function agents(count: number): Promise<void> {
    await until(`${String(count)} agents`, () => Promise.resolve(rig.service?.counters().agents === count ? true : null));
  }

  function agentPid(): number {
    return Number(rig.log.findLast((line) => line.message === 'an agent registered')?.fields['pid']);
  }

  test('reads: status, rules and prompts as JSON', async () => {
    const status: unknown = JSON.parse((await ctl('status', '--json')).stdout);
    assert.ok(typeof status === 'object' && status !== null && 'state' in status);
    assert.equal(status.state, 'protecting');
    const rules: unknown = JSON.parse((await ctl('rules', 'list', '--json')).stdout);
    assert.ok(Array.isArray(rules) && rules.length === 1);
    assert.equal((await ctl('prompts', 'list', '--json')).stdout, '[]\n');
  });

  test('changes: mode, pause, rules and prompts reach the engine', async () => {
    assert.equal((await ctl('mode', 'learning')).status, 0);
    assert.equal((await ctl('pause', '10m')).status, 0);
    assert.equal((await ctl('resume')).status, 0);
    const added = await ctl('rules', 'add', 'deny', '--application', '/usr/bin/env', '--id', 'no-env');
    assert.deepEqual([added.status, added.stdout], [0, 'Added rule no-env.\n']);
    assert.equal((await ctl('rules', 'remove', 'no-env')).status, 0);
    rig.engine.raise(promptView('nonce-1', LOCAL.uid));
    assert.equal((await ctl('prompts', 'answer', 'nonce-1', 'allow', '--lifetime', 'always')).status, 0);
    assert.deepEqual(rig.engine.answers.at(-1), { nonce: 'nonce-1', answer: { action: 'allow', lifetime: 'always', scope: 'host' } });
    assert.deepEqual(rig.engine.done.filter((one) => !one.startsWith('answer')), [
      'setMode learning', 'pause 600000', 'resume', 'add no-env', 'remove no-env',
    ]);
  });

  test('exit codes: 1 refused, 3 not connected, 4 not authorized, each with the next command', async () => {
    const missing = await ctl('rules', 'remove', 'none');
    assert.deepEqual([missing.status, missing.stdout], [1, '']);
    assert.match(missing.stderr, /\nTry: bastionctl rules list\n$/);
    const away = await ctl('status', '--bus', 'unix:path=/nonexistent');
    assert.deepEqual([away.status, away.stdout], [3, '']);
    const denied = await ctlAs(STRANGER.uid, 'status', '--json');
    assert.deepEqual([denied.status, denied.stdout], [4, '']);
    assert.match(denied.stderr, /\nTry: sudo bastionctl status --json --no-ask-password\n$/);
  });

  test('prompts answer: without --lifetime an ordinary user is never refused for his own program', async () => {
    rig.engine.raise(promptView('nonce-2', LOCAL.uid, { default_lifetime: 'always' }));
    const done = await ctlAs(LOCAL.uid, 'prompts', 'answer', 'nonce-2', 'allow', '--json');
    assert.deepEqual([done.status, done.stderr], [0, '']);
    assert.equal(rig.engine.answers.at(-1)?.answer.lifetime, 'process');
  });

  test('monitor: Ctrl-C ends it cleanly, with every line whole', async () => {
    const child = start([...PROGRAM, 'monitor', '--json']);
    const running = finish(child, undefined, LIMIT_MS);
    await subscribers(1);
    const seen = once(child.stdout ?? child, 'data');
    rig.engine.observe([flowRecord('f1', 1000), flowRecord('f2', null)]);
    await seen;
    child.kill('SIGINT');
    const { status, stdout, stderr } = await running;
    assert.deepEqual([status, stderr], [0, '']);
    assert.deepEqual(stdout.trimEnd().split('\n').map((line) => (JSON.parse(line) as { id: string }).id), ['f1', 'f2']);
    await subscribers(0);
  });

  test('monitor: a closed pipe ends it quietly', async () => {
    const child = start(['sh', '-c', `"$0" "$@" | head -n 1`, ...PROGRAM, 'monitor']);
    const running = finish(child, undefined, LIMIT_MS);
    await subscribers(1);
    const feeding = setInterval(() => rig.engine.observe([flowRecord('f3', 1000)]), 20);
    try {
      const { status, stdout, stderr } = await running;
      assert.deepEqual([status, stderr], [0, '']);
      assert.equal(stdout.split('\n').length, 2);
      await subscribers(0);
    } finally {
      clearInterval(feeding);
    }
  });

  /** A command in a terminal of its own, and what it shows. */
  function inTerminal(command: readonly string[]): { readonly child: ChildProcess; readonly see: (text: RegExp) => Promise<void> } {
    const line = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const child = start(['script', '--quiet', '--echo=never', '--command', line, '/dev/null'], { TERM: 'xterm' });
    let screen = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (screen += text));
    return {
      child,
      async see(text) {
        const shown = async (): Promise<void> => {
          while (!text.test(screen)) await once(child.stdout ?? child, 'data');
        };
        await within(shown(), LIMIT_MS, () => `waited for ${String(text)} in ${JSON.stringify(screen)}`);
      },
    };
  }

  /** Runs `agent` in a terminal until `end` has ended it; gives what the terminal showed. */
  async function agentInTerminal(folder: string, end: string): Promise<void> {
    const inner = 'stty -a > "$2/before"; "$0" "$1" agent; echo "status $?"; stty -a | cmp - "$2/before" && echo same';
    const { child, see } = inTerminal(['sh', '-c', inner, ...PROGRAM, folder]);
    try {
      await agents(1);
      await see(/Waiting for programs that ask\./);
      rig.engine.raise(promptView('nonce-3', 0, { uid: 0, application: 'git' }));
      await see(/git wants to connect[^]*\[a\]/u);
      child.stdin?.write('d');
      await see(/git may not reach example\.org/);
      assert.equal(rig.engine.answers.at(-1)?.answer.action, 'deny');
      if (end === 'SIGTERM' || end === 'SIGHUP') process.kill(agentPid(), end);
      else child.stdin?.write(end);
      await see(/status 0\r?\nsame/);
      await agents(0);
    } finally {
      child.kill('SIGKILL');
    }
  }

  test('agent: answers with one key in a real terminal and leaves it as it was, whatever ends it', async () => {
    for (const end of ['q', '\x03', 'SIGTERM', 'SIGHUP']) {
      const folder = mkdtempSync(join(tmpdir(), 'bastionctl-'));
      try {
        await agentInTerminal(folder, end);
      } finally {
        rmSync(folder, { recursive: true });
      }
    }
  });

  const noPasswords = existsSync('/usr/bin/pkttyagent') ? false : 'needs pkttyagent (package polkitd)';
  test('a password is asked for in the terminal, and a wrong one ends with 4', { skip: noPasswords }, async () => {
    const become = ['setpriv', `--reuid=${String(LOCAL.uid)}`, `--regid=${String(LOCAL.uid)}`, '--clear-groups', '--'];
    const without = ['env', '--unset=XDG_SESSION_ID', '--unset=DISPLAY', '--unset=WAYLAND_DISPLAY'];
    const inner = '"$0" "$@"; echo "status $?"';
    const { child, see } = inTerminal([...without, ...become, 'sh', '-c', inner, ...PROGRAM, 'rules', 'add', 'deny', '--application', '/usr/bin/env']);
    let typing: NodeJS.Timeout | undefined;
    try {
      await see(/AUTHENTICATING FOR org\.bastionfirewall\.helper1\.edit-rules/);
      await see(/Password:/);
      // pkttyagent throws away what was typed before it has switched the echo off, which is after the prompt.
      typing = setInterval(() => { child.stdin?.write('not the password\n'); }, 500);
      await see(/not allowed[^]*status 4/);
      assert.ok(!rig.engine.rows.has('rule-1'));
    } finally {
      clearInterval(typing);
      child.kill('SIGKILL');
    }
  });

  test('--host: the other bus is reached through ssh and its stdio bridge, and an ended ssh is not connected', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bastionctl-'));
    try {
      const ssh = join(folder, 'ssh');
      writeFileSync(ssh, `#!/bin/sh\n[ "$*" = "-xT -- alice@other.example systemd-stdio-bridge" ] || exit 9\nexec systemd-stdio-bridge --bus-path="$OTHER"\n`);
      chmodSync(ssh, 0o755);
      const env = { PATH: `${folder}:${process.env['PATH'] ?? ''}`, DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent', OTHER: rig.address };
      const there = await finish(start([...PROGRAM, '--host', 'alice@other.example', 'rules', '--json'], env), undefined, LIMIT_MS);
      assert.deepEqual([there.status, there.stderr], [0, '']);
      assert.ok(Array.isArray(JSON.parse(there.stdout)));
      const nobody = await finish(start([...PROGRAM, '--host', 'other.example', 'status'], env), undefined, LIMIT_MS);
      assert.equal(nobody.status, 3);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
