/** What of the netfilter rules in a lab is ours, and what becomes of three programs under them. */
import assert from 'node:assert/strict';
import type { Lab } from '../lab/lab.ts';
import type { Backend } from '../lab/ruleset-client.ts';
import { clientOf, copyInto, until } from './support.ts';

/** The helper looks by itself once a minute: whoever is back before has heard of the change. */
const BACK_LIMIT_MS = 30_000;

/** Listings of both families, without comments, counters and empty tables' lines. */
export async function listing(lab: Lab, backend: Backend = 'iptables-nft'): Promise<string[]> {
  const variant = backend.slice('iptables-'.length);
  const { stdout, stderr, status } = await lab.run(
    ['sh', '-c', `iptables-${variant}-save && ip6tables-${variant}-save`], { as: 'root' });
  if (status !== 0) throw new Error(stderr);
  return stdout.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.replace(/ \[\d+:\d+\]/u, ''));
}

/** Chains, rules and jumps of ours, in order. */
export function oursIn(lines: readonly string[]): string[] {
  return lines.filter((line) => /^:BASTION_|^-A BASTION_|-j BASTION_[A-Z_]+$/u.test(line));
}

/** No rule of others stands before our jumps in their chains. */
function inFront(lines: readonly string[]): boolean {
  const first = new Map<string, string>();
  for (const line of lines) {
    if (line.startsWith('*')) first.clear();
    const chain = /^-A (OUTPUT|POSTROUTING) /u.exec(line)?.[1];
    if (chain === undefined) continue;
    if (!first.has(chain)) first.set(chain, line);
    else if (line.includes('-j BASTION_') && !(first.get(chain) ?? '').includes('-j BASTION_')) return false;
  }
  return true;
}

export class RulesBed {
  readonly lab: Lab;
  readonly backend: Backend;
  readonly #whole: readonly string[];
  readonly #allowed: string;
  readonly #denied: string;
  readonly #undecided: string;

  private constructor(lab: Lab, backend: Backend, whole: readonly string[]) {
    this.lab = lab;
    this.backend = backend;
    this.#whole = whole;
    this.#allowed = copyInto(lab, '/usr/bin/curl', 'allowed');
    this.#denied = copyInto(lab, '/usr/bin/curl', 'denied');
    this.#undecided = copyInto(lab, '/usr/bin/curl', 'undecided');
  }

  /** `lab`: one with the default action deny, whose helper has just started. */
  static async make(lab: Lab, backend: Backend = 'iptables-nft'): Promise<RulesBed> {
    const whole = oursIn(await listing(lab, backend));
    assert.ok(whole.length > 20, 'the helper has no rules');
    const bed = new RulesBed(lab, backend, whole);
    await bed.#addRules();
    return bed;
  }

  async #addRules(): Promise<void> {
    const client = clientOf(this.lab);
    try {
      await client.addRule({ action: 'allow', path: this.#allowed });
      await client.addRule({ action: 'deny', path: this.#denied });
    } finally {
      client.close();
    }
  }

  /** Waits until exactly one set of ours is there; the milliseconds since the call. */
  async back(): Promise<number> {
    const start = performance.now();
    await until('our rules', async () => {
      const lines = await listing(this.lab, this.backend);
      return JSON.stringify(oursIn(lines)) === JSON.stringify(this.#whole) && inFront(lines) ? true : null;
    }, BACK_LIMIT_MS).catch(async (error: unknown) => {
      assert.deepEqual(oursIn(await listing(this.lab, this.backend)), this.#whole);
      throw error;
    });
    return performance.now() - start;
  }

  /** The allowed program connects, the denied and the unknown one do not, over both families. */
  async enforces(): Promise<void> {
    for (const address of [this.lab.peer4, `[${this.lab.peer6}]`]) {
      const [allowed, denied, undecided] = await Promise.all([this.#allowed, this.#denied, this.#undecided].map((program) =>
        this.lab.run([program, '--silent', '--output', '/dev/null', '--max-time', '20', `http://${address}/`])));
      assert.equal(allowed?.status, 0, `an allowed program does not reach ${address}: ${allowed?.stderr ?? ''}`);
      assert.notEqual(denied?.status, 0, `a denied program reaches ${address}`);
      assert.notEqual(undecided?.status, 0, `an undecided program reaches ${address}`);
    }
  }
}
