import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Session, Sessions } from '../../helper/ports.ts';
import { Activity, SUBSCRIBER_LIMITS } from '../../helper/service/activity.ts';
import { AGENT_LIMITS, Agents, REGISTRATION_LIMITS } from '../../helper/service/agents.ts';
import type { Caller } from '../../helper/service/callers.ts';
import { MemoryEngine } from '../contract/memory-engine.ts';

/** Every process is in a session of its own, whose number is the process's. */
const manySessions: Sessions = {
  ofProcess: (pid) => Promise.resolve(session(pid)),
  activeLocal: () => null,
  list: () => [],
  onChanged: () => () => undefined,
};

function session(pid: number): Session {
  return { id: `s${String(pid)}`, uid: Math.trunc(pid / 1000), active: true, remote: false, locked: false };
}

/** A caller whose user is the thousands of its process number. */
function caller(pid: number, uid = Math.trunc(pid / 1000)): Caller {
  return { name: `:1.${String(pid)}`, uid, pid };
}

function agents(isThere = true, bootNs = (): bigint => 0n): Agents {
  return new Agents({
    sessions: manySessions,
    processes: { ancestors: () => [], alive: () => true, executable: () => null, commandLine: () => [] },
    clock: { bootNs, wallMs: () => 1 },
    logger: { log: () => undefined, setLevel: () => undefined },
    trustedAgents: [],
    isThere: () => isThere,
    changed: () => undefined,
  });
}

test('Agents: one user has at most 8 sessions with an agent, all users together 64', async () => {
  const table = agents();
  for (let index = 0; index < AGENT_LIMITS.perUid; index += 1) await table.register(caller(1_000_000 + index), '');
  await assert.rejects(table.register(caller(1_000_999), ''), { code: 'LimitReached' });
  const others: number = AGENT_LIMITS.overall - AGENT_LIMITS.perUid;
  for (let index = 0; index < others; index += 1) await table.register(caller(2_000_000 + index * 1000), '');
  await assert.rejects(table.register(caller(9_000_000), ''), { code: 'LimitReached' });
  table.remove(caller(1_000_000).name);
  await table.register(caller(9_000_000), '');
});

test('Agents: the same connection registers once, however often it asks', async () => {
  const table = agents();
  const first = await table.register(caller(1_000_000), 'desktop');
  assert.equal(await table.register(caller(1_000_000), 'other'), first);
  assert.equal(table.all.length, 1);
});

test('Agents: a user whose agents come and go too often waits for a minute, root and others do not', async () => {
  let nowNs = 0n;
  const table = agents(true, () => nowNs);
  const comeAndGo = async (pid: number, uid?: number): Promise<void> => {
    await table.register(caller(pid, uid), '');
    table.remove(caller(pid).name);
  };
  for (let index = 0; index < REGISTRATION_LIMITS.perUid; index += 1) await comeAndGo(1_000_000);
  await assert.rejects(comeAndGo(1_000_000), { code: 'LimitReached', message: /came and went too often/u });
  await comeAndGo(2_000_000);
  for (let index = 0; index <= REGISTRATION_LIMITS.perUid; index += 1) await comeAndGo(3_000_000, 0);
  nowNs = BigInt(REGISTRATION_LIMITS.windowMs) * 1_000_000n;
  await comeAndGo(1_000_000);
});

test('Agents: a caller whose process the bus does not know stands for its user', async () => {
  assert.equal((await agents().register({ name: ':1.9', uid: 1000, pid: 0 }, '')).session, 'uid:1000');
});

test('Agents: a process of another user inside a session does not stand for that session', async () => {
  const table = agents();
  assert.equal((await table.register(caller(1_000_000, 0), '')).session, 'uid:0');
});

test('Agents: a connection that leaves while it registers is no agent', async () => {
  const table = agents(false);
  await assert.rejects(table.register(caller(1_000_000), ''));
  assert.deepEqual(table.all, []);
});

test('Activity: one user has at most 8 live listeners, all users together 64; again from one connection takes no more', async () => {
  const activity = new Activity({
    engine: new MemoryEngine(), send: () => undefined, isThere: () => true, setPacketTrace: () => undefined,
  });
  const subscribe = async (from: Caller): Promise<void> => {
    const prepared = activity.served.methods['Subscribe']?.prepare([{}]);
    await prepared?.run({ caller: from, action: null, allows: () => Promise.resolve(false) });
  };
  for (let index = 0; index < SUBSCRIBER_LIMITS.perUid; index += 1) await subscribe(caller(1_000_000 + index));
  await subscribe(caller(1_000_000));
  await assert.rejects(subscribe(caller(1_000_999)), { code: 'LimitReached' });
  const others: number = SUBSCRIBER_LIMITS.overall - SUBSCRIBER_LIMITS.perUid;
  for (let index = 0; index < others; index += 1) await subscribe(caller(2_000_000 + index * 1000));
  await assert.rejects(subscribe(caller(9_000_000)), { code: 'LimitReached' });
  assert.equal(activity.subscribers, SUBSCRIBER_LIMITS.overall);
  activity.close();
});
