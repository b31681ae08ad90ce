/** One user fills what can be filled: that is refused and counted, nothing leaks, and another user does not notice. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import { Lab } from '../lab/lab.ts';
import { FULL_SIZE, clientOf, copyInto, noLab, program, until } from '../integration/support.ts';
import { Talking, Traffic, flushRules, trafficProgram } from './support.ts';

/** `daemon`, another user than the lab's. */
const CROWD = ['setpriv', '--reuid', '1', '--regid', '1', '--clear-groups', '--'];
/** More than one user's share of the kernel's table of owners. */
const SOCKETS = 20_000;
/** More than the kernel's queue holds. */
const QUEUED = 20_000;
/** More than the ring of the gate's reports holds. */
const REPORTED = 5000;
/** More than the kernel or the helper remembers of one user. */
const DESTINATIONS = FULL_SIZE ? 80_000 : 20_000;
const FIRST = '198.18.0.1';
const OTHERS_LIMIT_MS = 20_000;
/** Of a connection: a new one would wait behind the crowd again. */
const FRESH_TIMEOUT_MS = '5000';

interface Scene {
  readonly client: HelperClient;
  /** Of the lab's user, allowed, decided and running. */
  readonly decided: Traffic;
  /** Of the crowd; no rule is about it. */
  readonly crowd: string;
}

async function scene(t: TestContext, lab: Lab): Promise<Scene> {
  const client = clientOf(lab);
  t.after(() => { client.close(); });
  const allowed = copyInto(lab, trafficProgram(), 'allowed');
  await client.addRule({ action: 'allow', path: allowed });
  const decided = await Traffic.start(lab, [allowed, 'anew', lab.peer4, '7', 'lab-tag:allowed;']);
  return { client, decided, crowd: copyInto(lab, program('sockets'), 'crowd') };
}

/** The other user's decided traffic went on all the time, and a program of his that nobody has seen is decided soon. */
async function otherUserIsFine(lab: Lab, { client, decided }: Scene, name: string): Promise<void> {
  await decided.read();
  const line = await decided.total('received', 100, OTHERS_LIMIT_MS);
  assert.equal(line.refused, 0);
  const fresh = copyInto(lab, trafficProgram(), name);
  await client.addRule({ action: 'allow', path: fresh });
  const traffic = await Traffic.start(lab, [fresh, 'connect', lab.peer4, '7', FRESH_TIMEOUT_MS]);
  await traffic.end();
}

/** What `bastionctl status` shows of one counter. */
async function shown(lab: Lab, key: string): Promise<number> {
  const done = await lab.ctl(['status', '--json'], { as: 'root' });
  assert.equal(done.status, 0, done.stderr);
  const status = JSON.parse(done.stdout) as { readonly statistics: Readonly<Record<string, number | undefined>> };
  const value = status.statistics[key];
  assert.ok(value !== undefined, `bastionctl status shows no ${key}`);
  return value;
}

describe('one user fills what can be filled', { skip: noLab() }, () => {
  test('sockets beyond his share: only his own are refused', async (t) => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    const parts = await scene(t, lab);
    await lab.peer.watch();
    const crowds = await Promise.all(Array.from({ length: 4 }, async () => {
      const talking = new Talking(lab.spawn(['prlimit', `--nofile=${String(SOCKETS)}`, ...CROWD, parts.crowd, 'crowd', String(SOCKETS / 4)], { as: 'root' }));
      assert.equal(await talking.line(), `ready ${String(SOCKETS / 4)}`);
      return talking;
    }));
    await otherUserIsFine(lab, parts, 'fresh');
    await lab.run([...CROWD, parts.crowd, 'from', 'tcp', lab.peer4, '80', '0', 'crowd'], { as: 'root' });
    const counts = await lab.peer.counts();
    assert.deepEqual([counts.lost, counts.of('tcp/80')], [0, 0]);
    assert.ok(await shown(lab, 'over_budget') > 0);
    await Promise.all(crowds.map((talking) => talking.end()));
    await parts.decided.end();
  });

  test('undecided packets beyond the queue, while the helper stands still: dropped and counted', async (t) => {
    await using lab = await Lab.create();
    const parts = await scene(t, lab);
    await lab.peer.watch();
    process.kill(lab.helperPid, 'SIGSTOP');
    try {
      await lab.run([...CROWD, parts.crowd, 'flood', FIRST, String(QUEUED), '9', 'crowd'], { as: 'root' });
      await parts.decided.total('received', 100, OTHERS_LIMIT_MS);
    } finally {
      process.kill(lab.helperPid, 'SIGCONT');
    }
    await otherUserIsFine(lab, parts, 'fresh');
    const counts = await lab.peer.counts();
    assert.deepEqual([counts.lost, counts.of('tag/crowd'), counts.of('udp/9')], [0, 0, 0]);
    assert.ok(await shown(lab, 'over_budget') + await shown(lab, 'queue_dropped') > 0);
    await parts.decided.end();
  });

  test('drops of the gate beyond its reports, with netfilter emptied: dropped and counted', async (t) => {
    await using lab = await Lab.create();
    const parts = await scene(t, lab);
    process.kill(lab.helperPid, 'SIGSTOP');
    try {
      await flushRules(lab);
      await lab.peer.watch();
      await lab.run([...CROWD, parts.crowd, 'flood', FIRST, String(REPORTED), '9', 'crowd'], { as: 'root' });
      await parts.decided.total('received', 100, OTHERS_LIMIT_MS);
    } finally {
      process.kill(lab.helperPid, 'SIGCONT');
    }
    await otherUserIsFine(lab, parts, 'fresh');
    const counts = await lab.peer.counts();
    assert.deepEqual([counts.lost, counts.of('tag/crowd'), counts.of('udp/9')], [0, 0, 0]);
    assert.ok(await shown(lab, 'gate_dropped') >= REPORTED);
    assert.ok(await shown(lab, 'over_budget') > 0);
    await parts.decided.end();
  });

  test(`${String(DESTINATIONS)} decided destinations: the tables forget some of them, and never the other user's`, async (t) => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    const parts = await scene(t, lab);
    await parts.client.addRule({ action: 'allow', path: parts.crowd, address: '198.18.0.0/15' });
    await lab.peer.watch();
    const flood = lab.run([...CROWD, parts.crowd, 'flood', FIRST, String(DESTINATIONS), '9', 'crowd'], { as: 'root' });
    await otherUserIsFine(lab, parts, 'during');
    await flood;
    await otherUserIsFine(lab, parts, 'after');
    // The crowd itself goes on: to a place that was forgotten, and to a new one.
    for (const [place, tag] of [['198.18.0.1', 'forgotten'], ['198.19.255.1', 'new']] as const) {
      await until(tag, async () => {
        // Again: beyond the crowd's share of the queue, which it has just filled, one datagram is dropped.
        await lab.run([...CROWD, parts.crowd, 'flood', place, '1', '9', tag], { as: 'root' });
        return (await lab.peer.counts()).of(`tag/${tag}`) > 0 ? true : null;
      }, OTHERS_LIMIT_MS);
    }
    await lab.run([...CROWD, parts.crowd, 'flood', lab.peer4, '1', '9', 'denied'], { as: 'root' });
    assert.equal((await lab.peer.counts()).of('tag/denied'), 0);
    await parts.decided.end();
  });
});
