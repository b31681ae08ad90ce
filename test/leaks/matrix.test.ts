/** Every way that a program can send, in every state in which it may not: nothing arrives. Counted at the peer. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { oursInNetfilter } from '../lab/boot-scripts.ts';
import { which } from '../lab/process.ts';
import { keepColumn } from '../leak-matrix.ts';
import type { MeasuredWay, State } from '../leak-matrix.ts';
import { mustHold } from '../must-hold.ts';
import { FULL_SIZE, noLab, program, copyInto, promptFor, until } from '../integration/support.ts';
import { ROUNDS, SETS, Scene } from './matrix-scene.ts';
import type { Moment } from './matrix-scene.ts';
import { ageHistory, ageRunState, ageTables } from './other-version.ts';
import { start } from './support-boot.ts';
import { Talking, flushLoop, flushRules } from './support.ts';

const GOAL = FULL_SIZE ? 1_000_000 : 20_000;
/** A helper that starts does so with its time limits running: it is made to stand still for so many rounds at most. */
const STARTING_ROUNDS = Math.min(ROUNDS, 60) / 3;
/** On a busy machine, and while programs do their worst. */
const START_LIMIT_MS = 300_000;
const EVENT_LIMIT_MS = 120_000;
const CHANGES = 2;
const BEYOND_ROUNDS = 20;
/** Prompts that outlast the attempts, and attempts that are no storm. */
const PATIENT = 'prompt_timeout_s = 300\n[safeguard]\nrate = 100000\nper_uid = 100000\nper_app = 100000\n';
/** One that does not end while it is looked at. */
const ANXIOUS = '[safeguard]\nrate = 50\nper_uid = 50\nper_app = 50\nquiet_s = 3600\n';
/**
 * The base rules know no socket: a segment that opens no connection could be a server's answer. To write one takes CAP_NET_RAW.
 * See "The start of the machine" in helper/DESIGN.md.
 */
const PASSED_BY_BASE_RULES = new Set(['header-ack', 'header-reset', 'bare-reset']);
const STORM = ['20000', '2000', '1000'] as const;

let sum = 0;
let lacking: ReadonlySet<string> = new Set();

/** For the table, and for the sum of what the kernel let try. */
function keeping(state: State): (ways: readonly MeasuredWay[]) => void {
  return (ways) => {
    keepColumn(state, ways);
    for (const { name, attempts } of ways) sum += lacking.has(name) ? 0 : attempts;
  };
}

const once: Moment = (tries) => tries(ROUNDS);

/** A state as a test of its own, in the scene of those before it. */
async function inState(t: TestContext, scene: Scene, state: State, bring: () => Promise<void>): Promise<void> {
  await t.test(`${state}: nothing arrives, also not by the permission of another program`, async () => {
    await bring();
    await scene.nothingArrives([once], keeping(state));
  });
}

/** The same while something is done again and again. */
async function during(t: TestContext, scene: Scene, state: State, skip: string | false, change: (turn: number) => Promise<void>): Promise<void> {
  await t.test(`${state}: nothing arrives meanwhile`, { skip }, async () => {
    let done = false;
    const changes = async (): Promise<void> => {
      for (let turn = 0; turn < CHANGES || !done; turn += 1) await change(turn);
    };
    await scene.nothingArrives([async (tries) => {
      await Promise.all([tries(ROUNDS).finally(() => { done = true; }), changes()]);
    }], keeping(state));
  });
}

/** One start of the helper over the base rules of the boot, which is made to stand still at several points before it is ready. */
async function starting(t: TestContext, scene: Scene): Promise<void> {
  const { lab } = scene;
  await t.test('starting: nothing arrives between the base rules of the boot and the word that it is ready', async () => {
    await start(lab);
    let ready = false;
    let started: Promise<void> = Promise.resolve();
    const points = [
      async () => {
        started = lab.startHelper(START_LIMIT_MS).then(() => { ready = true; });
        started.catch(() => undefined);
        await until('the process', () => Promise.resolve(lab.helperRuns ? true : null), EVENT_LIMIT_MS);
      },
      () => until('its programs in the kernel', () => Promise.resolve(lab.pinDir === null || existsSync(join(lab.pinDir, 'maps')) ? true : null), EVENT_LIMIT_MS),
      () => until('its rules', () => Promise.resolve(oursInNetfilter(lab).some((line) => line.includes('BASTION_HOLD')) ? true : null), EVENT_LIMIT_MS),
    ];
    await scene.nothingArrives([...points.map((point): Moment => async (tries) => {
      await point();
      if (ready) return;
      process.kill(lab.helperPid, 'SIGSTOP');
      try {
        await tries(STARTING_ROUNDS);
      } finally {
        process.kill(lab.helperPid, 'SIGCONT');
      }
    }), () => started], keeping('starting'), PASSED_BY_BASE_RULES);
  });
}

describe('every way to send', { skip: noLab() }, () => {
  test('when it is allowed, every way arrives: the other counts mean something', async () => {
    await using scene = await Scene.create({ defaultAction: 'allow', settings: PATIENT });
    await scene.lab.startHelper(START_LIMIT_MS);
    const ways = await scene.everyWayArrives('allowed');
    lacking = new Set(ways.filter(({ note }) => note !== '').map(({ name }) => name));
    keepColumn('allowed', ways);
  });

  test('nobody has decided', async (t) => {
    await using scene = await Scene.create({ defaultAction: 'ask', settings: PATIENT });
    const { lab, client } = scene;
    await starting(t, scene);
    await scene.prepare();
    await inState(t, scene, 'prompt open', async () => {
      for (const set of SETS) await scene.attempt(set, 1, 'first');
      for (const set of SETS) await promptFor(client, scene.pathOf(set.program));
    });
    await t.test('flushed: nothing arrives while netfilter is emptied in a loop', async () => {
      const flushing = await flushLoop(lab);
      try {
        await scene.nothingArrives([once], keeping('flushed'));
      } finally {
        await flushing.end();
      }
    });
    await t.test('standing still: nothing arrives', async () => {
      process.kill(lab.helperPid, 'SIGSTOP');
      try {
        await scene.nothingArrives([once], keeping('standing still'));
      } finally {
        process.kill(lab.helperPid, 'SIGCONT');
      }
    });
    await during(t, scene, 'restarting', false, async (turn) => {
      await lab.stopHelper(turn % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
      await lab.startHelper(START_LIMIT_MS);
    });
    await during(t, scene, 'upgrading', which('bpftool') === null ? 'needs bpftool' : false, async () => {
      await lab.stopHelper();
      if (lab.pinDir !== null) ageTables(lab.pinDir);
      ageHistory(lab.stateDir);
      ageRunState(lab.runDir);
      await lab.startHelper(START_LIMIT_MS);
    });
    await scene.prepare();
    await inState(t, scene, 'stopped', () => lab.stopHelper());
    await lab.startHelper(START_LIMIT_MS);
    await inState(t, scene, 'killed', () => lab.stopHelper('SIGKILL'));
    await inState(t, scene, 'killed, flushed', () => flushRules(lab));
  });

  test('nobody is asked', async (t) => {
    await using scene = await Scene.create({ defaultAction: 'deny', settings: PATIENT });
    const { lab, client } = scene;
    await lab.startHelper(START_LIMIT_MS);
    await scene.prepare();
    await inState(t, scene, 'no rule', () => Promise.resolve());
    await t.test('no rule: what is out of scope or let pass on purpose is measured too', () => beyond(scene));
    await inState(t, scene, 'paused, ended', async () => {
      await client.pause(600);
      await scene.everyWayArrives('paused');
      await client.resume();
    });
    await inState(t, scene, 'denied', async () => {
      for (const path of scene.intruders) await client.addRule({ action: 'deny', path });
    });
    await inState(t, scene, 'denied, killed, flushed', async () => {
      await lab.stopHelper('SIGKILL');
      await flushRules(lab);
    });
  });

  test('in a storm', async (t) => {
    await using scene = await Scene.create({ defaultAction: 'ask', settings: ANXIOUS });
    const { lab, client } = scene;
    await lab.startHelper(START_LIMIT_MS);
    await scene.prepare();
    const on = async (): Promise<true | null> => ((await client.safeguard()).on ? true : null);
    await inState(t, scene, 'safeguard', async () => {
      const noisy = copyInto(lab, program('storm'), 'noisy');
      await lab.run([noisy, lab.peer4, ...STORM]);
      await until('the safeguard', on, EVENT_LIMIT_MS);
    });
    assert.equal(await on(), true, 'it was on all the time');
  });

  test(`${String(GOAL)} attempts in sum`, () => {
    assert.ok(sum >= GOAL, `${String(sum)} attempts`);
    mustHold({
      id: 'leak-matrix', claim: 'every way to send in every state in which it may not', size: `${String(sum)} attempts`, undecided: 0,
      figures: [`each way and state: docs/leak-matrix.md; let pass: ${String(PASSED_BY_BASE_RULES.size)} ways of CAP_NET_RAW while the helper starts`],
    });
  });
});

/** Each says why nothing of it can, or may, be stopped. */
const BEYOND: ReadonlyMap<string, string> = new Map([
  ['packet4', 'below IP (AF_PACKET), where neither netfilter nor the gate is; takes CAP_NET_RAW'],
  ['packet6', 'the same'],
  ['dhcp', 'from the port of a DHCP client to a server nearby: an exception, which takes CAP_NET_BIND_SERVICE'],
  ['neighbour6', 'neighbour discovery from a raw socket: an exception, which takes CAP_NET_RAW and does not leave the link'],
  ['stub', 'a lookup through a stub resolver of this machine that may send: what the resolver sends is its own'],
]);

async function beyond(scene: Scene): Promise<void> {
  const { lab, client } = scene;
  const stub = copyInto(lab, program('detours'), 'stub');
  // Of its own: what the kernel knows as refused gets no exception either.
  const fresh = copyInto(lab, program('ways'), 'beyond');
  await client.addRule({ action: 'allow', path: stub });
  await lab.peer.watch();
  const serving = new Talking(lab.spawn([stub, 'stub', lab.peer4, '7'], { as: 'root' }));
  assert.equal(await serving.line(EVENT_LIMIT_MS), 'ready');
  const tried = await scene.attempt({ program: 'ways', what: 'beyond', as: 'root', firstPort: 21_400 }, BEYOND_ROUNDS, 'beyond', fresh);
  for (let round = 0; round < BEYOND_ROUNDS; round += 1) {
    await lab.run([scene.pathOf('detours'), 'send', '127.0.0.53', '53', 'lab-tag:beyond-stub;']);
  }
  const counts = await until('the last of them', async () => {
    const seen = await scene.settle();
    return [...BEYOND.keys()].every((name) => seen.of(`tag/beyond-${name}`) > 0) ? seen : null;
  }, EVENT_LIMIT_MS);
  await serving.end();
  const ways = [...tried.map(({ name, as }) => ({ name, as })), { name: 'stub', as: 'user' } as const];
  keepColumn('beyond', ways.map((way) => ({ ...way, attempts: BEYOND_ROUNDS, arrived: counts.of(`tag/beyond-${way.name}`), note: BEYOND.get(way.name) ?? '' })));
}
