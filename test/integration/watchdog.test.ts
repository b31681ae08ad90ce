/** What the service manager hears of the real helper: only while everything that is attached answers does it hear that it lives. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import { ROOT, tryTool } from '../lab/process.ts';
import { Talking, monotonicMs } from '../leaks/support.ts';
import { mustHold } from '../must-hold.ts';
import { NotifyEar } from './support-notify.ts';
import type { Heard } from './support-notify.ts';
import { clientOf, copyInto, noLab, program, until } from './support.ts';

const HELPER = join(ROOT, 'build/bin/bastion-helper');
const CURL = '/usr/bin/curl';
const INTERVAL_MS = 3000;
/** The product's own unit gives it this much between kill and start, and everything may take 5 s. */
const RESTART_MS = 500;
/** The real helper with an event loop that can be blocked for longer than the interval. */
const BLOCKED_MS = 3300;
const BLOCKABLE = `process.on("SIGUSR2", () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${String(BLOCKED_MS)}))`;
/** Takes queue 1 for itself until its input ends. */
const TAKE_QUEUE = `import { loadBinding } from ${JSON.stringify(join(ROOT, 'native/binding.ts'))};
const path = loadBinding(${JSON.stringify(join(ROOT, 'build/native/bastion.node'))}).open({ queueNumber: 1, queueMaxLength: 16, maxHeld: 16,
  maxHeldPerFlow: 16, maxHeldPerUid: 16, answerDeadlineMs: 1000, defaultVerdict: 'drop', refuseMark: 0x20000000, kernel: null }, () => undefined);
console.log('taken');
process.stdin.on('end', () => void path.close({ unpin: false }).then(() => process.exit(0))).resume();`;
const noPython = tryTool('python3', ['-c', 'pass']) === null ? 'needs python3' : false;

/** Pings among what was heard. */
function pings(heard: readonly Heard[]): readonly number[] {
  return heard.filter(({ text }) => text === 'WATCHDOG=1').map(({ atMs }) => atMs);
}

describe('watchdog', { skip: noLab() || noPython }, () => {
  let folder: string;
  let ear: NotifyEar;
  let lab: Lab;
  let allowed: string;
  let undecided: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'bastion-watchdog-'));
    ear = await NotifyEar.listen(folder);
    lab = await Lab.create({
      startHelper: false, defaultAction: 'deny',
      helperProgram: [
        'env', `NOTIFY_SOCKET=${ear.path}`, `WATCHDOG_USEC=${String(INTERVAL_MS * 1000)}`,
        `NODE_OPTIONS=--import=data:text/javascript,${encodeURIComponent(BLOCKABLE)}`, HELPER,
      ],
    });
    [allowed, undecided] = ['allowed', 'undecided'].map((name) => copyInto(lab, CURL, name)) as [string, string];
    await lab.startHelper();
    const client = clientOf(lab);
    await client.addRule({ action: 'allow', path: allowed });
    client.close();
  });
  after(async () => {
    await lab.dispose();
    await ear.close();
    rmSync(folder, { recursive: true });
  });

  async function connects(path: string, port: number): Promise<boolean> {
    const { status } = await lab.run([path, '--silent', '--max-time', '1', '--output', '/dev/null', `http://${lab.peer4}:${String(port)}/`]);
    return status === 0;
  }

  /** Runs `work`; nothing undecided arrives meanwhile or afterwards, and then what is allowed does. */
  async function nothingLeaves(work: () => Promise<unknown>): Promise<void> {
    await lab.peer.watch();
    const over = new AbortController();
    const tries = (async () => {
      while (!over.signal.aborted) await connects(undecided, 7);
      await connects(undecided, 7);
    })();
    try {
      await work();
    } finally {
      over.abort();
      await tries;
    }
    assert.equal((await lab.peer.counts()).of('syn/7'), 0);
    await until('what is allowed to connect', async () => ((await connects(allowed, 80)) ? true : null), 30_000);
  }

  test('it is told when the helper is ready, in which mode it is, and from then on that it lives', async () => {
    await ear.hear('READY=1');
    await ear.hear(/^STATUS=Mode enforcing, (?:protecting|degraded)\./u);
    await ear.pings(2);
    const texts = ear.heard.map(({ text }) => text);
    assert.ok(texts.indexOf('WATCHDOG=1') > texts.indexOf('READY=1'));
  });

  test('a reload is announced with its time, and its end', async () => {
    const from = ear.heard.length;
    process.kill(lab.helperPid, 'SIGHUP');
    const { atMs, text } = await ear.hear(/^RELOADING=1\nMONOTONIC_USEC=\d+$/u, from);
    assert.ok(Math.abs(Number(text.split('=').at(-1)) / 1000 - atMs) < 60_000);
    await ear.hear('READY=1', from);
  });

  test('off is a state and no hang: it is told, the helper lives on, and so it does when it is on again', async () => {
    const client = clientOf(lab);
    const from = ear.heard.length;
    await client.off();
    await ear.hear('STATUS=Off: nothing is filtered.', from);
    await ear.pings(3);
    await client.setMode('enforcing');
    await ear.hear(/^STATUS=Mode enforcing/u, from);
    await ear.pings(3);
    client.close();
    assert.ok(!ear.heard.some(({ text }) => text === 'WATCHDOG=trigger'));
  });

  test('a receiver thread that stands still: it is given up at once and no more is told, until it turns again', async (context) => {
    const freezer = new Talking(lab.spawn([program('freeze'), String(lab.helperPid), 'bastion-queue'], { as: 'root' }));
    const from = ear.heard.length;
    await nothingLeaves(async () => {
      assert.equal(await freezer.line(), 'frozen');
      const frozenMs = monotonicMs();
      const { atMs } = await ear.hear('WATCHDOG=trigger', from);
      const heard = ear.heard.length;
      context.diagnostic(`given up after ${(atMs - frozenMs).toFixed(0)} ms`);
      mustHold({
        id: 'watchdog-thread', claim: 'a receiver thread that hangs is given up, so that the helper is started again within 5 s',
        size: 'once', undecided: 0, figures: [`given up after ${((atMs - frozenMs) / 1000).toFixed(1)} s, before a kill, ${String(RESTART_MS / 1000)} s of pause and the start`],
      });
      await connects(undecided, 7);
      assert.deepEqual(pings(ear.heard.slice(heard)), []);
      await freezer.end();
    });
    await ear.pings(2);
  });

  test('an event loop that is blocked for longer than the interval: not one ping comes, and nothing leaves', async () => {
    const from = ear.heard.length;
    await nothingLeaves(async () => {
      process.kill(lab.helperPid, 'SIGUSR2');
      await ear.pings(2);
    });
    const times = pings(ear.heard.slice(from));
    const longestMs = Math.max(...times.map((atMs, index) => atMs - (times[index - 1] ?? atMs)));
    assert.ok(longestMs > INTERVAL_MS, String(longestMs));
  });

  test('pins and links that another tool removes: everything is attached anew, and it goes on being told that it lives', async () => {
    const { pinDir } = lab;
    if (pinDir === null) return;
    const links = join(pinDir, 'links');
    const names = readdirSync(links).sort();
    await nothingLeaves(async () => {
      for (const part of ['links', 'progs', 'maps']) {
        for (const name of readdirSync(join(pinDir, part))) unlinkSync(join(pinDir, part, name));
      }
      await until('the links to be back', () => Promise.resolve(readdirSync(links).length === names.length ? true : null), 30_000);
      await ear.pings(3);
    });
    assert.deepEqual(readdirSync(links).sort(), names);
    assert.ok(existsSync(join(pinDir, 'maps/settings')));
    const client = clientOf(lab);
    await until('protection', async () => ((await client.status()).state === 'protecting' ? true : null));
    client.close();
  });

  test('a queue that belongs to somebody else is a state and no hang: the status says so, and nothing leaves', async () => {
    await lab.stopHelper('SIGKILL');
    const taker = new Talking(lab.spawn([process.execPath, '--input-type=module', '-e', TAKE_QUEUE], { as: 'root' }));
    assert.equal(await taker.line(), 'taken');
    const from = ear.heard.length;
    await nothingLeaves(async () => {
      await lab.startHelper();
      await ear.hear(/^STATUS=.*could not be attached: queue 1 belongs to another process/u, from);
      await ear.pings(3);
      await taker.end();
      await ear.hear(/^STATUS=Mode enforcing, protecting\./u, from);
    });
    await ear.pings(2);
  });
});
