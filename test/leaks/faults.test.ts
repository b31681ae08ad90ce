/** The helper is killed, stopped or kept busy at random times under load: what is decided goes on, nothing else leaves. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { Lab } from '../lab/lab.ts';
import { FULL_SIZE, clientOf, copyInto, noLab } from '../integration/support.ts';
import { mustHold } from '../must-hold.ts';
import { MemoryGroup } from './memory-group.ts';
import { BUSY_HELPER, Traffic, monotonicMs, observe, trafficProgram } from './support.ts';

/** How often each is inflicted, in a random order. */
const FAULTS = FULL_SIZE
  ? { killed: 1000, 'standing still': 100, busy: 100, 'out of memory': 50 }
  : { killed: 20, 'standing still': 2, busy: 2, 'out of memory': 2 };
type Fault = keyof typeof FAULTS;
const DEADLINE_MS = FULL_SIZE ? 7_200_000 : 300_000;
/** Far longer than a receiver thread, an ask or a watchdog waits. */
const BLOCKED_MS = 10_000;
/** Of a packet: the kernel alone decides in microseconds, a busy machine schedules in tens of milliseconds. */
const ALLOWED_TIMEOUT_MS = '1500';
const REFUSED_TIMEOUT_MS = '5';
/** Below the time after which a receiver thread counts as away, and beyond it. */
const STOP_CONNECTIONS = [20, 400, 4000] as const;
/** A rule without a program: what was never seen has to be asked of the helper. */
const NEW_NETWORK = '198.18.0.0/15';
const NEW_ADDRESS = '198.18.7.7';
/** What the helper may still take, where it is to run out of memory. */
const LAST_BYTES = 1 << 20;

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

/** The faults in a random order; those that cannot be inflicted here are left out. */
function faultsInOrder(without: readonly Fault[]): readonly Fault[] {
  const all = (Object.keys(FAULTS) as Fault[]).filter((fault) => !without.includes(fault)).flatMap((fault) => Array.from({ length: FAULTS[fault] }, () => fault));
  for (let last = all.length - 1; last > 0; last -= 1) {
    const other = randomInt(0, last + 1);
    [all[last], all[other]] = [all[other] ?? 'killed', all[last] ?? 'killed'];
  }
  return all;
}

/** Ends the helper by what the kernel does when a group of processes has no memory left. */
async function exhaust(lab: Lab, group: MemoryGroup): Promise<void> {
  const client = clientOf(lab);
  group.take(lab.helperPid, LAST_BYTES);
  const ended = lab.helperEnded().then(() => 'ended');
  // Whatever it does takes memory.
  const work = (): Promise<string> => client.queryFlows({}, 500, '').then(() => 'answered', () => 'failed');
  while (await Promise.race([work(), ended]) !== 'ended') await Promise.race([observe(20), ended]);
  client.close();
  await lab.stopHelper();
}

/** Returns the recovery time after an end, ms, else 0. */
async function inflict(lab: Lab, load: Load, fault: Fault, round: number, memory: MemoryGroup | null): Promise<number> {
  const count = STOP_CONNECTIONS[randomInt(0, FULL_SIZE ? 3 : 2)] ?? 20;
  const when = `round ${String(round)}, while it was ${fault}`;
  if (fault === 'busy' || fault === 'standing still') {
    process.kill(lab.helperPid, fault === 'busy' ? 'SIGUSR2' : 'SIGSTOP');
    await goesOn(load, count, when);
    if (fault === 'standing still') process.kill(lab.helperPid, 'SIGCONT');
    await newcomer(lab, round);
    return 0;
  }
  if (fault === 'killed') await lab.stopHelper('SIGKILL');
  else if (memory !== null) await exhaust(lab, memory);
  await goesOn(load, count, when);
  const startMs = monotonicMs();
  await Promise.all([lab.startHelper(), newcomer(lab, round)]);
  return monotonicMs() - startMs;
}

async function nothingLeft(lab: Lab, when: string): Promise<void> {
  const counts = await lab.peer.counts();
  assert.equal(counts.lost, 0);
  assert.deepEqual([counts.of('tag/denied'), counts.of('tag/undecided'), counts.of('tcp/80'), counts.of('tcp6/80')], [0, 0, 0, 0], when);
}

/** A program whose datagrams are held waits with the next one for as long as a prompt does. */
const SETTINGS = 'prompt_timeout_s = 5';

describe('faults of the helper under load', { skip: noLab() }, () => {
  const sizes = Object.entries(FAULTS).map(([fault, count]) => `${String(count)} times ${fault}`).join(', ');

  test(`${sizes}: nothing leaks and what is decided goes on`, { timeout: DEADLINE_MS }, async (t) => {
    await using lab = await Lab.create({ helperProgram: BUSY_HELPER, settings: SETTINGS });
    using memory = MemoryGroup.make(`${lab.name}-memory`);
    if (memory === null) t.diagnostic('no memory controller of version 1: no helper runs out of memory here');
    const load = await startLoad(t, lab);
    await newcomer(lab, 0);
    await goesOn(load, 100, 'at first');
    await lab.peer.watch();
    const recoveries: number[] = [];
    const order = faultsInOrder(memory === null ? ['out of memory'] : []);
    for (const [index, fault] of order.entries()) {
      const round = index + 1;
      await goesOn(load, randomInt(1, 200), `before round ${String(round)}`);
      const recoveryMs = await inflict(lab, load, fault, round, memory);
      if (recoveryMs > 0) recoveries.push(recoveryMs);
      await nothingLeft(lab, `round ${String(round)}: ${fault}`);
    }
    recoveries.sort((a, b) => a - b);
    const figure = `${String(recoveries.length)} ends; a first-seen program has its connection after ${String(Math.round(recoveries[recoveries.length >> 1] ?? 0))} ms (median), ${String(Math.round(recoveries.at(-1) ?? 0))} ms at most`;
    t.diagnostic(figure);
    for (const traffic of load.others) assert.ok((await traffic.read()).sent > order.length, 'the others tried all the time');
    await Promise.all([...load.allowed, ...load.others].map((traffic) => traffic.end()));
    mustHold({
      id: 'faults', claim: 'kill -9, SIGSTOP, a busy thread, the end of memory at random moments under load', size: memory === null ? `${sizes} (the last not here)` : sizes,
      undecided: 0, figures: [figure, 'decided connections: none refused'],
    });
  });

  test('its JavaScript thread is blocked for 10 s: decided goes on, a new program is refused, then all is as before', async (t) => {
    await using lab = await Lab.create({ helperProgram: ['env', `BUSY_MS=${String(BLOCKED_MS)}`, ...BUSY_HELPER.slice(1)], settings: SETTINGS });
    const load = await startLoad(t, lab);
    await goesOn(load, 100, 'at first');
    await lab.peer.watch();
    process.kill(lab.helperPid, 'SIGUSR2');
    const endMs = monotonicMs() + BLOCKED_MS;
    const late = copyInto(lab, trafficProgram(), 'late');
    const traffic = await Traffic.attempt(lab, [late, 'connect', lab.peer6, '443', '100']);
    let rounds = 0;
    while (monotonicMs() < endMs) {
      await goesOn(load, 50, 'while it was blocked');
      rounds += 1;
    }
    assert.equal((await lab.peer.counts()).of('tcp6/443'), 0, 'nobody was there to decide about it');
    await nothingLeft(lab, 'after 10 s');
    await newcomer(lab, 1);
    await traffic.end();
    await Promise.all([...load.allowed, ...load.others].map((one) => one.end()));
    mustHold({
      id: 'blocked', claim: 'the event loop blocked for 10 s under load', size: 'once', undecided: 0,
      figures: [`${String(rounds * 100)} answers to decided programs at least meanwhile, none refused; new programs are decided again after it`],
    });
  });
});
