/**
 * A storm of connections that nobody has decided, in rounds between idle ones: what of it arrives, what a program with a rule
 * notices, what the helper takes, and that it ends by itself.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import { memoryMegabytes } from '../bench/bed.ts';
import { Lab } from '../lab/lab.ts';
import type { PeerCounts } from '../lab/lab.ts';
import { mustHold } from '../must-hold.ts';
import { FULL_SIZE, clientOf, copyInto, noLab, program, until } from '../integration/support.ts';
import { Talking, observe } from './support.ts';

/** As many in a second at either size. */
const CONNECTIONS = FULL_SIZE ? 10_000 : 1000;
const STORM_MS = CONNECTIONS / 2;
const PROGRAMS = FULL_SIZE ? 500 : 10;
const ROUNDS = 3;
const FIRST_PORT = 20_000;
const PACE_US = 1000;
const QUIET_S = 2;
const END_LIMIT_MS = 60_000;

/** Of one round, idle or storm; see paced.c. */
interface Latency {
  readonly count: number;
  readonly failed: number;
  readonly p50: number;
  readonly p99: number;
}

interface Round {
  readonly idle: Latency;
  readonly storm: Latency;
  readonly begunMs: number;
  readonly endedMs: number;
  /** Memory of the helper, MB: before, at the height, after. */
  readonly memory: readonly [number, number, number];
}

function latencyOf(line: string): Latency {
  const parts = new Map(line.split(' ').map((pair) => pair.split('=') as [string, string]));
  const number = (name: string): number => Number(parts.get(name) ?? Number.NaN);
  return { count: number('count'), failed: number('failed'), p50: number('p50_us'), p99: number('p99_us') };
}

async function memoryOf(lab: Lab): Promise<number> {
  return (await memoryMegabytes(lab.helperPid)).pss;
}

/** Resolves with the moment when the helper tells that state. Ask before causing it. */
function toldOf(client: HelperClient, state: string): Promise<number> {
  return new Promise((resolve) => {
    const stop = client.on('status', (status) => {
      if (status.state !== state) return;
      stop();
      resolve(performance.now());
    });
  });
}

class Scene {
  readonly lab: Lab;
  readonly client: HelperClient;
  readonly #paced: Talking;
  readonly #noisy: readonly string[];

  private constructor(lab: Lab, client: HelperClient, paced: Talking, noisy: readonly string[]) {
    this.lab = lab;
    this.client = client;
    this.#paced = paced;
    this.#noisy = noisy;
  }

  static async create(t: TestContext, lab: Lab, programs: number): Promise<Scene> {
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    await client.status();
    const allowed = copyInto(lab, program('paced'), 'allowed');
    await client.addRule({ action: 'allow', path: allowed });
    const paced = new Talking(lab.spawn([allowed, lab.peer4, '7', String(PACE_US)]));
    assert.equal(await paced.line(), 'ready');
    const noisy = Array.from({ length: programs }, (_, index) => copyInto(lab, program('storm'), `noisy-${String(index)}`));
    return new Scene(lab, client, paced, noisy);
  }

  /** As long as a storm, then a storm, then until it is over. */
  async round(): Promise<Round> {
    const before = await memoryOf(this.lab);
    await this.#latency();
    await observe(STORM_MS);
    const idle = await this.#latency();
    const [first = '', ...more] = this.#noisy;
    const each = String(CONNECTIONS / this.#noisy.length);
    const begun = toldOf(this.client, 'safeguard');
    const storm = new Talking(this.lab.spawn([first, this.lab.peer4, String(FIRST_PORT), each, String(STORM_MS), ...(more.length > 0 ? this.#noisy : [])]));
    assert.equal(await storm.line(), 'begun');
    const sinceMs = performance.now();
    for (let left = this.#noisy.length; left > 0;) left -= (await storm.line(END_LIMIT_MS)).startsWith('done') ? 1 : 0;
    const latency = await this.#latency();
    const height = await memoryOf(this.lab);
    const begunMs = await begun - sinceMs;
    await until('the end of the safeguard', async () => ((await this.client.safeguard()).on ? null : true), END_LIMIT_MS);
    const endedMs = performance.now() - sinceMs;
    await storm.end();
    return { idle, storm: latency, begunMs, endedMs, memory: [before, height, await memoryOf(this.lab)] };
  }

  end(): Promise<void> {
    return this.#paced.end();
  }

  async #latency(): Promise<Latency> {
    return latencyOf(await this.#paced.ask());
  }
}

/** The middle one of an odd number. */
function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** The middle round of each kind, and of what the one is to the idle one beside it. */
function latencyFigure(rounds: readonly Round[], which: 'p50' | 'p99'): string {
  const [idle, storm] = [median(rounds.map((round) => round.idle[which])), median(rounds.map((round) => round.storm[which]))];
  const ratio = median(rounds.map((round) => round.storm[which] / round.idle[which]));
  return `${which} ${idle.toFixed(0)} us idle, ${storm.toFixed(0)} us in the storm (${ratio.toFixed(1)} x)`;
}

function figuresOf(rounds: readonly Round[], warmUp: Round): readonly string[] {
  const whole = (value: number): string => value.toFixed(0);
  const last = rounds.at(-1) ?? warmUp;
  return [
    `safeguard after ${rounds.map(({ begunMs }) => whole(begunMs)).join(', ')} ms`,
    `over by itself after ${rounds.map(({ endedMs }) => (endedMs / 1000).toFixed(1)).join(', ')} s (quiet for ${String(QUIET_S)} s)`,
    `connections by a rule, middle round: ${latencyFigure(rounds, 'p50')}, ${latencyFigure(rounds, 'p99')}; none failed`,
    `memory of the helper: ${warmUp.memory.map(whole).join(', ')} MB before, at the height of and after a first storm, ${last.memory.map(whole).join(', ')} MB the last one`,
  ];
}

/** Connections that the peer saw begun, but those that the rule allows. */
function undecided(counts: PeerCounts): number {
  return [...counts.keys].filter(([key]) => /^syn6?\//u.test(key) && key !== 'syn/7').reduce((sum, [, packets]) => sum + packets, 0);
}

async function stormsOf(t: TestContext, programs: number): Promise<void> {
  await using lab = await Lab.create({ settings: `[safeguard]\nquiet_s = ${String(QUIET_S)}` });
  const scene = await Scene.create(t, lab, programs);
  await lab.peer.watch();
  // Tables and code are warm after the first one.
  const warmUp = await scene.round();
  const rounds: Round[] = [];
  for (let at = 0; at < ROUNDS; at += 1) rounds.push(await scene.round());
  await scene.end();
  const counts = await lab.peer.counts();
  assert.deepEqual([counts.lost, undecided(counts)], [0, 0]);
  for (const { idle, storm } of rounds) assert.deepEqual([idle.failed, storm.failed, idle.count > 0, storm.count > 0], [0, 0, true, true]);
  assert.equal((await scene.client.status()).statistics.safeguard_begins, ROUNDS + 1);
  const many = programs === 1 ? 'one program' : `${String(programs)} programs`;
  mustHold({
    id: `storm-${programs === 1 ? 'one' : 'many'}`, claim: `Storm of undecided connections from ${many}`,
    size: `${String(CONNECTIONS)} connections in ${String(STORM_MS / 1000)} s, ${String(ROUNDS)} times between idle rounds`,
    undecided: 0, figures: figuresOf(rounds, warmUp),
  });
}

describe('a storm of connections that nobody has decided', { skip: noLab() }, () => {
  for (const [name, programs] of [['one program', 1], ['many programs', PROGRAMS]] as const) {
    test(`from ${name}: nothing of it arrives, what a rule allows goes on, and it is over by itself`, (t) => stormsOf(t, programs));
  }
});
