/** The helper is killed, stopped or kept busy at random times under load: what is decided goes on, nothing else leaves. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { Lab } from '../lab/lab.ts';
import { FULL_SIZE, clientOf, copyInto, noLab } from '../integration/support.ts';
import { BUSY_HELPER, Traffic, monotonicMs, trafficProgram } from './support.ts';

const ROUNDS = FULL_SIZE ? 200 : 20;
/** Of a packet: the kernel alone decides in microseconds, a busy machine schedules in tens of milliseconds. */
const ALLOWED_TIMEOUT_MS = '500';
const REFUSED_TIMEOUT_MS = '5';
const RECOVERY_MS = 1000;
/** Below the time after which a receiver thread counts as away, and beyond it. */
const STOP_CONNECTIONS = [20, 400, 4000] as const;
/** A rule without a program: what was never seen has to be asked of the helper. */
const NEW_NETWORK = '198.18.0.0/15';
const NEW_ADDRESS = '198.18.7.7';
const FAULTS = ['killed', 'standing still', 'busy'] as const;

interface Load {
  readonly allowed: readonly Traffic[];
  readonly others: readonly Traffic[];
}

async function startLoad(t: TestContext, lab: Lab): Promise<Load> {
  const [allowed, denied, undecided] = ['allowed', 'denied', 'undecided'].map((name) => copyInto(lab, trafficProgram(), name));
  assert.ok(allowed !== undefined && denied !== undefined && undecided !== undefined);
  const client = clientOf(lab);
  t.after(() => { client.close(); });
  await client.addRule({ action: 'allow', path: allowed });
  await client.addRule({ action: 'deny', path: denied });
  await client.addRule({ action: 'allow', address: NEW_NETWORK, port: '7' });
  return {
    allowed: await Promise.all([
      Traffic.start(lab, [allowed, 'connect', lab.peer4, '7', ALLOWED_TIMEOUT_MS]),
      Traffic.start(lab, [allowed, 'anew', lab.peer6, '7', 'lab-tag:allowed;']),
    ]),
    others: await Promise.all([
      Traffic.attempt(lab, [denied, 'connect', lab.peer4, '80', REFUSED_TIMEOUT_MS]),
      Traffic.attempt(lab, [denied, 'anew', lab.peer6, '7', 'lab-tag:denied;']),
      Traffic.attempt(lab, [undecided, 'connect', lab.peer6, '80', REFUSED_TIMEOUT_MS]),
      Traffic.attempt(lab, [undecided, 'datagrams', lab.peer4, '7', 'lab-tag:undecided;']),
    ]),
  };
}

/** A program that nobody has seen yet opens a connection: the whole way up works. */
async function newcomer(lab: Lab, round: number): Promise<void> {
  const path = copyInto(lab, trafficProgram(), `new-${String(round)}`);
  const traffic = await Traffic.start(lab, [path, 'connect', NEW_ADDRESS, '7', '50']);
  await traffic.end();
}

/** What goes on in the kernel alone, on every allowed flow, until `count` more answers have come. */
async function goesOn(load: Load, count: number, when: string): Promise<void> {
  const lines = await Promise.all(load.allowed.map((traffic) => traffic.total('received', count, 30_000)));
  for (const { refused, error } of lines) assert.equal(refused, 0, `${when}: ${String(refused)} failed, the last with ${error}`);
}

/** Returns the recovery time after a kill, ms, else 0. */
async function inflict(lab: Lab, load: Load, fault: typeof FAULTS[number], round: number): Promise<number> {
  const count = STOP_CONNECTIONS[randomInt(0, FULL_SIZE ? 3 : 2)] ?? 20;
  if (fault === 'busy') {
    process.kill(lab.helperPid, 'SIGUSR2');
    await goesOn(load, count, `round ${String(round)}, while it was ${fault}`);
    await newcomer(lab, round);
    return 0;
  }
  if (fault === 'standing still') {
    process.kill(lab.helperPid, 'SIGSTOP');
    await goesOn(load, count, `round ${String(round)}, while it was ${fault}`);
    process.kill(lab.helperPid, 'SIGCONT');
    await newcomer(lab, round);
    return 0;
  }
  await lab.stopHelper('SIGKILL');
  await goesOn(load, count, `round ${String(round)}, while it was ${fault}`);
  const startMs = monotonicMs();
  await Promise.all([lab.startHelper(), newcomer(lab, round)]);
  return monotonicMs() - startMs;
}

describe('faults of the helper under load', { skip: noLab() }, () => {
  test(`${String(ROUNDS)} times killed, stopped or busy: nothing leaks and what is decided goes on`, async (t) => {
    // A program whose datagrams are held waits with the next one for as long as a prompt does.
    await using lab = await Lab.create({ helperProgram: BUSY_HELPER, settings: 'prompt_timeout_s = 5' });
    const load = await startLoad(t, lab);
    await newcomer(lab, 0);
    await goesOn(load, 100, 'at first');
    await lab.peer.watch();
    const recoveries: number[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const fault = FAULTS[randomInt(0, FAULTS.length)] ?? 'killed';
      await goesOn(load, randomInt(1, 200), `before round ${String(round)}`);
      const recoveryMs = await inflict(lab, load, fault, round);
      if (recoveryMs > 0) recoveries.push(recoveryMs);
      const counts = await lab.peer.counts();
      assert.equal(counts.lost, 0);
      assert.deepEqual(
        [counts.of('tag/denied'), counts.of('tag/undecided'), counts.of('tcp/80'), counts.of('tcp6/80')], [0, 0, 0, 0],
        `round ${String(round)}: ${fault}`);
    }
    const sorted = recoveries.sort((a, b) => a - b);
    t.diagnostic(`${String(sorted.length)} kills; recovery of a first-seen program: median ${String(Math.round(sorted[sorted.length >> 1] ?? 0))} ms, longest ${String(Math.round(sorted.at(-1) ?? 0))} ms`);
    assert.ok((sorted.at(-1) ?? 0) <= RECOVERY_MS, `a recovery took ${String(Math.round(sorted.at(-1) ?? 0))} ms`);
    for (const traffic of load.others) assert.ok((await traffic.read()).sent > ROUNDS, 'the others tried all the time');
    await Promise.all([...load.allowed, ...load.others].map((traffic) => traffic.end()));
  });
});
