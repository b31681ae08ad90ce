/** Drives the netfilter adapter inside a lab, and lists and sabotages what it made. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';
import type { Ruleset, RulesetCheck, RulesetMend, RulesetSpec } from '../../helper/ports.ts';
import type { Lab } from './lab.ts';
import { ROOT, endChild, within } from './process.ts';
import type { Answer, Request } from './ruleset-driver.ts';

export type Backend = Ruleset['backend'];

const ANSWER_LIMIT_MS = 60_000;

/** The error that an operation ended with. */
export class RulesetError extends Error {
  override readonly name = 'RulesetError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export class RulesetClient {
  readonly #lab: Lab;
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  constructor(lab: Lab) {
    this.#lab = lab;
    this.#child = lab.spawn([process.execPath, join(ROOT, 'test/lab/ruleset-driver.ts')], {
      as: 'root',
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    if (this.#child.stdout === null) throw new Error('the driver has no output');
    this.#lines = createInterface({ input: this.#child.stdout });
  }

  async apply(backend: Backend, spec: RulesetSpec): Promise<void> {
    await this.#ask([backend, 'apply', spec]);
  }

  async check(backend: Backend): Promise<RulesetCheck> {
    return (await this.#ask([backend, 'check'])) as RulesetCheck;
  }

  async mend(backend: Backend): Promise<RulesetMend> {
    return (await this.#ask([backend, 'mend'])) as RulesetMend;
  }

  async remove(backend: Backend): Promise<void> {
    await this.#ask([backend, 'remove']);
  }

  /** `iptables-save` and `ip6tables-save` of one backend, without comments and counters, tables in order of their names. */
  async listing(backend: Backend): Promise<string> {
    let text = '';
    for (const program of ['iptables', 'ip6tables']) {
      const saved = await this.#tool([`${program}${backend.slice('iptables'.length)}-save`]);
      const tables = saved.split(/^\*/mu).slice(1).map((table) =>
        table.split('\n').filter((line) => line !== '' && !line.startsWith('#')).join('\n').replaceAll(/ \[\d+:\d+\]/gu, ''));
      text += `${program}\n${tables.sort().map((table) => `*${table}\n`).join('')}`;
    }
    return text;
  }

  /** Runs `iptables ARGS` and `ip6tables ARGS` of one backend; lines of arguments split at blanks. */
  async change(backend: Backend, ...lines: readonly string[]): Promise<void> {
    for (const program of ['iptables', 'ip6tables']) {
      for (const line of lines) await this.#tool([program + backend.slice('iptables'.length), '-w', ...line.split(' ')]);
    }
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    await endChild(this.#child, ANSWER_LIMIT_MS, 'SIGTERM');
    this.#lines.close();
  }

  async #tool(argv: readonly string[]): Promise<string> {
    const result = await this.#lab.run(argv, { as: 'root' });
    if (result.status !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr}`);
    return result.stdout;
  }

  async #ask(request: Request): Promise<unknown> {
    const line = once(this.#lines, 'line');
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    const values: unknown[] = await within(line, ANSWER_LIMIT_MS, () => 'the driver did not answer');
    const answer = JSON.parse(String(values[0])) as Answer;
    if ('error' in answer) throw new RulesetError(answer.error.code, answer.error.message);
    return answer.ok;
  }
}
