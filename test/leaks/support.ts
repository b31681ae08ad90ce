/** What the leak tests share: traffic that goes on while something happens to it, and tools that empty netfilter. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import type { Lab, RunOptions } from '../lab/lab.ts';
import { ROOT, endChild, within } from '../lab/process.ts';
import { program, until } from '../integration/support.ts';

const ANSWER_LIMIT_MS = 20_000;
/** A first packet can wait for a helper that is starting, and is sent again after 1 s. */
const READY_LIMIT_MS = 30_000;
const END_GRACE_MS = 500;
/** Between two emptyings: the rules stand for a part of the time, and packets meet every state of them. */
const PAUSE_BETWEEN_FLUSHES_S = '0.02';

/** Since the line before; see traffic.c. */
export interface TrafficLine {
  readonly sent: number;
  readonly refused: number;
  readonly received: number;
  readonly gapMs: number;
  /** On the clock of `monotonicMs`; 0 while the stream goes on. */
  readonly endedMs: number;
  /** Name of the last error, `-` for none. */
  readonly error: string;
}

/** How long a peer is watched where there is nothing to wait for. */
export const OBSERVED_MS = 1000;

/** Lets time pass: that nothing arrives has no event of its own. */
export function observe(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** CLOCK_MONOTONIC, which programs in the lab read too. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** A program in the lab that prints lines and answers a line on its standard input with one. */
export class Talking {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(child: ChildProcess) {
    this.child = child;
    if (child.stdout === null) throw new Error('the program has no output');
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stdin?.on('error', () => undefined);
  }

  /** The next line that it prints. Throws when it ends instead. */
  async line(limitMs = ANSWER_LIMIT_MS): Promise<string> {
    const next = await within(this.#lines.next(), limitMs, () => 'the program printed nothing');
    if (next.done === true) throw new Error('the program ended instead of printing a line');
    return next.value;
  }

  ask(): Promise<string> {
    const line = this.line();
    this.child.stdin?.write('\n');
    return line;
  }

  async end(): Promise<void> {
    this.child.stdin?.end();
    await endChild(this.child, END_GRACE_MS, 'SIGKILL');
  }
}

/** traffic.c in the lab. */
export class Traffic {
  readonly #talking: Talking;

  private constructor(talking: Talking) {
    this.#talking = talking;
  }

  /** Resolves with the first answer that the program got. */
  static async start(lab: Lab, argv: readonly string[], options: RunOptions = {}): Promise<Traffic> {
    const talking = new Talking(lab.spawn(argv, options));
    assert.equal(await talking.line(READY_LIMIT_MS), 'ready');
    return new Traffic(talking);
  }

  /** The same for traffic that gets no answer. */
  static attempt(lab: Lab, argv: readonly string[], options: RunOptions = {}): Promise<Traffic> {
    return Traffic.start(lab, argv, { ...options, env: { READY: 'now', ...options.env } });
  }

  /** What happened since it was asked last. */
  async read(): Promise<TrafficLine> {
    const parts = new Map((await this.#talking.ask()).split(' ').map((pair) => pair.split('=') as [string, string]));
    const number = (name: string): number => Number(parts.get(name) ?? Number.NaN);
    return {
      sent: number('sent'), refused: number('refused'), received: number('received'), gapMs: number('gap_ms'),
      endedMs: number('ended_ms'), error: parts.get('error') ?? '',
    };
  }

  /** Reads until the sum of one figure has come to `count`; gives the sums, and the longest gap of all. */
  async total(figure: 'sent' | 'received' | 'refused', count: number, limitMs: number): Promise<TrafficLine> {
    let sum: TrafficLine = { sent: 0, refused: 0, received: 0, gapMs: 0, endedMs: 0, error: '-' };
    return until(`${String(count)} ${figure}`, async () => {
      const next = await this.read();
      sum = {
        sent: sum.sent + next.sent, refused: sum.refused + next.refused, received: sum.received + next.received,
        gapMs: Math.max(sum.gapMs, next.gapMs), endedMs: next.endedMs, error: next.error === '-' ? sum.error : next.error,
      };
      return sum[figure] >= count ? sum : null;
    }, limitMs);
  }

  end(): Promise<void> {
    return this.#talking.end();
  }
}

const FLUSHES = [
  'iptables -t mangle -F', 'iptables -t filter -F', 'ip6tables -t mangle -F', 'ip6tables -t filter -F', 'nft flush ruleset',
];

/** Empties netfilter in the client's namespace once, by every tool. */
export async function flushRules(lab: Lab): Promise<void> {
  const done = await lab.run(['sh', '-c', FLUSHES.map((command) => `${command} || exit`).join('\n')], { as: 'root' });
  assert.equal(done.status, 0, done.stderr);
}

/** Empties netfilter again and again until `end`; `rounds` waits for so many. A tool may fail beside another one. */
export async function flushLoop(lab: Lab): Promise<{ readonly rounds: (count: number) => Promise<void>; readonly end: () => Promise<void> }> {
  const round = FLUSHES.map((command) => `${command} 2>/dev/null; sleep ${PAUSE_BETWEEN_FLUSHES_S}`).join('\n');
  const script = `trap 'stop=1' TERM\necho flushing\nwhile [ -z "$stop" ]; do\n${round}\necho round\ndone\necho ended`;
  const talking = new Talking(lab.spawn(['sh', '-c', script], { as: 'root' }));
  assert.equal(await talking.line(), 'flushing');
  return {
    rounds: async (count) => {
      for (let done = 0; done < count; done += 1) assert.equal(await talking.line(), 'round');
    },
    end: async () => {
      talking.child.kill('SIGTERM');
      while (await talking.line() !== 'ended');
      await talking.end();
    },
  };
}

/** The helper with a way to keep its JavaScript thread busy for a second: SIGUSR2. */
export const BUSY_HELPER = [
  'env', `NODE_OPTIONS=--import=${join(ROOT, 'test/leaks/busy.ts')}`, join(ROOT, 'build/bin/bastion-helper'),
] as const;

/** The traffic program, compiled. */
export function trafficProgram(): string {
  return program('traffic');
}
