/** What the tests of address sets share: a keeper of sets in a lab's namespace, and what an administrator does beside it. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { SetView, ZoneSettings } from '../../helper/ports.ts';
import type { Lab } from '../lab/lab.ts';
import { ROOT, endChild, within } from '../lab/process.ts';
import type { SetsAnswer, SetsRequest } from '../lab/sets-driver.ts';
import { until } from './support.ts';

const ANSWER_LIMIT_MS = 30_000;
const END_GRACE_MS = 10_000;

/** A `[[zone]]` with what bastion.toml fills in. */
export function zone(name: string, more: Partial<ZoneSettings> = {}): ZoneSettings {
  return {
    name, family: 'inet', table: 'filter', set4: `${name}_ips`, set6: `${name}_ips6`, create: false, keepOthers: true, inbound: 'off', inboundAllow: [],
    line: 1, ...more,
  };
}

/** `ZoneSets` in a process of its own. */
export class Keeper {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(lab: Lab) {
    this.#child = lab.spawn([process.execPath, join(ROOT, 'test/lab/sets-driver.ts'), lab.runDir], { as: 'root', stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.#child.stdout === null) throw new Error('the keeper has no output');
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  tell(request: SetsRequest): void {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
  }

  async answer(): Promise<SetsAnswer> {
    const next = await within(this.#answers.next(), ANSWER_LIMIT_MS, () => 'the keeper gives no answer');
    if (next.done === true) throw new Error('the keeper has ended');
    return JSON.parse(next.value) as SetsAnswer;
  }

  async ask(request: SetsRequest): Promise<readonly SetView[]> {
    this.tell(request);
    return (await this.answer()).views;
  }

  async kill(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    await endChild(this.#child, END_GRACE_MS);
  }
}

/** As the administrator; what is printed. */
export async function nft(lab: Lab, script: string): Promise<string> {
  const done = await lab.run(['nft', '-f', '-'], { as: 'root', input: script });
  assert.equal(done.status, 0, done.stderr);
  return done.stdout;
}

/** `elements = { … }` of a set as the kernel has it, sorted. */
export async function elementsOf(lab: Lab, set: string): Promise<readonly string[]> {
  const text = await nft(lab, `list set ${set}`);
  const [, inner = ''] = /elements = \{([^}]*)\}/u.exec(text) ?? [];
  return inner.split(',').map((one) => one.trim()).filter((one) => one !== '').sort();
}

export interface Monitor {
  /** What it has told, without the first commits, which only showed that it listens. */
  told(): string;
  close(): Promise<void>;
}

/** `nft monitor`, when it listens. */
export async function startMonitor(lab: Lab): Promise<Monitor> {
  const child = lab.spawn(['nft', 'monitor'], { as: 'root', stdio: ['ignore', 'pipe', 'inherit'] });
  let told = '';
  child.stdout?.on('data', (part: Buffer) => { told += part.toString(); });
  await until('the monitor to listen', async () => {
    await nft(lab, 'add table inet probe\ndelete table inet probe');
    return told.includes('probe') ? true : null;
  });
  return {
    told: () => told.split('\n').filter((line) => !line.includes('probe')).join('\n'),
    close: () => endChild(child, END_GRACE_MS),
  };
}
