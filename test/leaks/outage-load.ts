/** Programs whose traffic goes on while something that the helper needs is taken away. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import { clientOf, copyInto, until } from '../integration/support.ts';
import type { Lab } from '../lab/lab.ts';
import { tool } from '../lab/process.ts';
import { Traffic, trafficProgram } from './support.ts';

/** Of a packet: the kernel alone decides in microseconds, a busy machine schedules in tens of milliseconds. */
const ALLOWED_TIMEOUT_MS = '1500';
const REFUSED_TIMEOUT_MS = '100';
const ANSWERS_LIMIT_MS = 30_000;

/** A program whose datagrams are held waits with the next one for as long as a prompt does; and this load is no storm. */
export const OUTAGE_LAB = { settings: 'prompt_timeout_s = 5\n[safeguard]\nrate = 100000\nper_uid = 100000\nper_app = 100000\n' } as const;

/** One allowed program, a denied one and one that nobody has decided about, all of them at it all the time. */
export class OutageLoad {
  readonly client: HelperClient;
  readonly #lab: Lab;
  readonly #allowed: readonly Traffic[];
  readonly #others: readonly Traffic[];

  private constructor(lab: Lab, client: HelperClient, allowed: readonly Traffic[], others: readonly Traffic[]) {
    this.#lab = lab;
    this.client = client;
    this.#allowed = allowed;
    this.#others = others;
  }

  /** Resolves when the peer is watched and the allowed ones have had answers. */
  static async start(t: TestContext, lab: Lab): Promise<OutageLoad> {
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    const [allowed = '', denied = '', undecided = ''] = ['allowed', 'denied', 'undecided'].map((name) => copyInto(lab, trafficProgram(), name));
    await client.addRule({ action: 'allow', path: allowed });
    await client.addRule({ action: 'deny', path: denied });
    const allowedOnes = await Promise.all([
      Traffic.start(lab, [allowed, 'connect', lab.peer4, '7', ALLOWED_TIMEOUT_MS]),
      Traffic.start(lab, [allowed, 'anew', lab.peer6, '7', 'lab-tag:allowed;']),
    ]);
    const others = await Promise.all([
      Traffic.attempt(lab, [denied, 'connect', lab.peer4, '80', REFUSED_TIMEOUT_MS]),
      Traffic.attempt(lab, [denied, 'anew', lab.peer6, '7', 'lab-tag:denied;']),
      Traffic.attempt(lab, [undecided, 'connect', lab.peer6, '80', REFUSED_TIMEOUT_MS]),
      Traffic.attempt(lab, [undecided, 'datagrams', lab.peer4, '7', 'lab-tag:undecided;']),
    ]);
    const load = new OutageLoad(lab, client, allowedOnes, others);
    await load.goesOn(20, 'at first');
    await lab.peer.watch();
    return load;
  }

  /** Every allowed program gets `count` more answers and no refusal. */
  async goesOn(count: number, when: string): Promise<void> {
    const lines = await Promise.all(this.#allowed.map((traffic) => traffic.total('received', count, ANSWERS_LIMIT_MS)));
    for (const { refused, error } of lines) assert.equal(refused, 0, `${when}: ${String(refused)} failed, the last with ${error}`);
  }

  /** The same where an open connection may wait for a helper once. */
  async answersCome(count: number): Promise<void> {
    await Promise.all(this.#allowed.map((traffic) => traffic.total('received', count, ANSWERS_LIMIT_MS)));
  }

  /** Nothing that is denied or undecided has reached the peer since the start. */
  async nothingLeft(when: string): Promise<void> {
    const counts = await this.#lab.peer.counts();
    assert.equal(counts.lost, 0);
    const left = ['tag/denied', 'tag/undecided', 'tcp/80', 'tcp6/80'].map((key) => counts.of(key));
    assert.deepEqual(left, [0, 0, 0, 0], when);
  }

  /** The denied and undecided ones tried all the time. */
  async othersTried(tries: number): Promise<void> {
    for (const traffic of this.#others) await traffic.total('sent', tries, ANSWERS_LIMIT_MS);
  }

  async end(): Promise<void> {
    await Promise.all([...this.#allowed, ...this.#others].map((traffic) => traffic.end()));
  }
}

/** Waits for a line of the journal that holds all of the words, after the first `from` characters. */
export function logged(lab: Lab, words: readonly string[], from = 0): Promise<string> {
  return until(`a line with ${words.join(', ')}`, () => {
    const line = lab.logText().slice(from).split('\n').find((one) => words.every((word) => one.includes(word)));
    return Promise.resolve(line ?? null);
  });
}

/** Both families' rules without their counters. */
export function rulesOf(lab: Lab): string {
  const saved = ['iptables-save', 'ip6tables-save'].map((save) => tool('nsenter', [`--net=/run/netns/${lab.clientNamespace}`, '--', save]));
  return saved.join('').split('\n').filter((line) => !line.startsWith('#')).map((line) => line.replaceAll(/\[\d+:\d+\]/gu, '')).join('\n');
}
