/** Netfilter is emptied by other tools, again and again: nothing undecided or denied leaves, and what is allowed goes on. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import type { PeerCounts } from '../lab/lab.ts';
import { FULL_SIZE, clientOf, copyInto, noLab } from '../integration/support.ts';
import { Traffic, flushLoop, flushRules, trafficProgram } from './support.ts';

const CONNECTIONS = FULL_SIZE ? 10_000 : 500;
const LIMIT_MS = FULL_SIZE ? 600_000 : 60_000;
/** An allowed SYN that meets a ruleset in the making is sent again after a second. */
const ALLOWED_TIMEOUT_MS = '1500';
/** Nobody answers these. */
const REFUSED_TIMEOUT_MS = '5';
const ALLOWED_PORT = '7';
const DENIED_PORT = '80';
const UNDECIDED_PORT = '443';
const ROUNDS = 4;

function nothingArrived(counts: PeerCounts): void {
  assert.equal(counts.lost, 0);
  for (const port of [DENIED_PORT, UNDECIDED_PORT]) {
    for (const key of [`tcp/${port}`, `tcp6/${port}`]) assert.equal(counts.of(key), 0, key);
  }
  for (const tag of ['denied', 'undecided']) assert.equal(counts.of(`tag/${tag}`), 0, tag);
}

interface Actors {
  readonly allowed: readonly Traffic[];
  readonly others: readonly Traffic[];
}

/** Connections over both families and datagrams of an allowed, a denied and an undecided program. */
async function startActors(lab: Lab): Promise<Actors> {
  const client = clientOf(lab);
  try {
    const [allowed, denied, undecided] = ['allowed', 'denied', 'undecided'].map((name) => copyInto(lab, trafficProgram(), name));
    assert.ok(allowed !== undefined && denied !== undefined && undecided !== undefined);
    await client.addRule({ action: 'allow', path: allowed });
    await client.addRule({ action: 'deny', path: denied });
    return {
      allowed: await Promise.all([
        Traffic.start(lab, [allowed, 'connect', lab.peer4, ALLOWED_PORT, ALLOWED_TIMEOUT_MS]),
        Traffic.start(lab, [allowed, 'connect', lab.peer6, ALLOWED_PORT, ALLOWED_TIMEOUT_MS]),
      ]),
      others: await Promise.all([
        Traffic.attempt(lab, [denied, 'connect', lab.peer4, DENIED_PORT, REFUSED_TIMEOUT_MS]),
        Traffic.attempt(lab, [denied, 'connect', lab.peer6, DENIED_PORT, REFUSED_TIMEOUT_MS]),
        Traffic.attempt(lab, [denied, 'anew', lab.peer6, ALLOWED_PORT, 'lab-tag:denied;']),
        Traffic.attempt(lab, [undecided, 'connect', lab.peer4, UNDECIDED_PORT, REFUSED_TIMEOUT_MS]),
        Traffic.attempt(lab, [undecided, 'connect', lab.peer6, UNDECIDED_PORT, REFUSED_TIMEOUT_MS]),
        Traffic.attempt(lab, [undecided, 'datagrams', lab.peer4, ALLOWED_PORT, 'lab-tag:undecided;']),
      ]),
    };
  } finally {
    client.close();
  }
}

async function endActors(actors: Actors): Promise<void> {
  await Promise.all([...actors.allowed, ...actors.others].map((traffic) => traffic.end()));
}

describe('netfilter emptied by other tools', { skip: noLab() }, () => {
  test(`in a loop during ${String(CONNECTIONS)} connections: only what is allowed arrives`, async (t) => {
    await using lab = await Lab.create();
    const actors = await startActors(lab);
    await lab.peer.watch();
    const flushing = await flushLoop(lab);
    const opened = await Promise.all(actors.allowed.map((traffic) => traffic.total('received', CONNECTIONS, LIMIT_MS)));
    const tried = await Promise.all(actors.others.map((traffic) => traffic.total('sent', CONNECTIONS, LIMIT_MS)));
    await flushing.rounds(ROUNDS);
    await flushing.end();
    const counts = await lab.peer.counts();
    await endActors(actors);
    nothingArrived(counts);
    assert.deepEqual(tried.map(({ received }) => received), tried.map(() => 0));
    for (const { sent, refused, gapMs } of opened) {
      t.diagnostic(`allowed: ${String(sent)} tried, ${String(refused)} failed, longest gap ${gapMs.toFixed(0)} ms`);
      assert.ok(refused < CONNECTIONS / 10, `${String(refused)} of ${String(sent)} connections failed`);
    }
  });

  test('with the helper killed and nobody to put the rules back: the kernel alone lets pass what is decided', async (t) => {
    await using lab = await Lab.create();
    const actors = await startActors(lab);
    await lab.stopHelper('SIGKILL');
    await flushRules(lab);
    for (const traffic of [...actors.allowed, ...actors.others]) await traffic.read();
    await lab.peer.watch();
    const opened = await Promise.all(actors.allowed.map((traffic) => traffic.total('received', CONNECTIONS, LIMIT_MS)));
    const tried = await Promise.all(actors.others.map((traffic) => traffic.total('sent', CONNECTIONS, LIMIT_MS)));
    const counts = await lab.peer.counts();
    await endActors(actors);
    nothingArrived(counts);
    assert.deepEqual(tried.map(({ received }) => received), tried.map(() => 0));
    for (const { refused, gapMs } of opened) {
      t.diagnostic(`allowed: ${String(refused)} failed, longest gap ${gapMs.toFixed(0)} ms`);
      assert.equal(refused, 0);
    }
    const rules = await lab.run(['nft', 'list', 'ruleset'], { as: 'root' });
    assert.doesNotMatch(rules.stdout, /BASTION/u, 'somebody put the rules back');
  });

  test('with the helper standing still: the same, and after it goes on the rules are back', async () => {
    await using lab = await Lab.create();
    const actors = await startActors(lab);
    process.kill(lab.helperPid, 'SIGSTOP');
    try {
      await flushRules(lab);
      for (const traffic of [...actors.allowed, ...actors.others]) await traffic.read();
      await lab.peer.watch();
      await Promise.all(actors.allowed.map((traffic) => traffic.total('received', CONNECTIONS, LIMIT_MS)));
      await Promise.all(actors.others.map((traffic) => traffic.total('sent', CONNECTIONS, LIMIT_MS)));
    } finally {
      process.kill(lab.helperPid, 'SIGCONT');
    }
    await Promise.all(actors.others.map((traffic) => traffic.total('sent', CONNECTIONS, LIMIT_MS)));
    nothingArrived(await lab.peer.counts());
    await endActors(actors);
  });
});
