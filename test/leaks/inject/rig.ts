/** A lab whose helper can be made to fail at any call of ours, and what has to be true of it then. */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { basename, join } from 'node:path';
import { connectHelper } from '../../../helper/contract/client.ts';
import type { HelperClient, HelperStatus } from '../../../helper/contract/client.ts';
import { BastionError } from '../../../helper/contract/errors.ts';
import { Lab } from '../../lab/lab.ts';
import { ROOT, tool } from '../../lab/process.ts';
import { copyInto, ruleText, until } from '../../integration/support.ts';
import { Traffic, trafficProgram } from '../support.ts';
import { PLAN_BYTES, planBytes } from './plan.ts';
import type { Plan } from './plan.ts';

/** A start that waits for something that failed takes as long as its own limits say. */
const WHOLE_LIMIT_MS = 20_000;
/** What is mended by itself at once is not restarted for. */
const SOON_MS = 400;
/** A call may wait for others on a busy disk; one that hangs is a defect. */
const CALL_LIMIT_MS = 60_000;
const CALM_TRIES = 6;
const TEMPORARY = /\.tmp$|\.new$/u;

/** The user's rules that every fault has to leave as they are. */
export const USER_RULES = ['kept-one', 'kept-two'] as const;

function sharedObject(): string {
  const source = join(ROOT, 'test/leaks/inject/native.c');
  const hash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
  const folder = join(ROOT, 'build/test');
  const path = join(folder, `inject-${hash}.so`);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  tool('gcc', ['-O1', '-fno-optimize-sibling-calls', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-o', `${path}.${String(process.pid)}`, source]);
  renameSync(`${path}.${String(process.pid)}`, path);
  return path;
}

/** The preloaded module as JavaScript, so that each start saves the time to strip its types. */
function preloadModule(folder: string): string {
  for (const name of ['faults', 'plan', 'preload']) {
    const source = readFileSync(join(ROOT, `test/leaks/inject/${name}.ts`), 'utf8');
    writeFileSync(join(folder, `${name}.mjs`), stripTypeScriptTypes(source).replaceAll(/from '\.\/(\w+)\.ts'/gu, "from './$1.mjs'"));
  }
  return join(folder, 'preload.mjs');
}

/** A call of ours, and how often it was met. */
export interface Site {
  readonly name: string;
  readonly count: number;
}

export type Fault = Pick<Plan, 'site' | 'code' | 'form' | 'skip' | 'calls'>;

/** What one fault led to. */
export interface Look {
  readonly status: HelperStatus;
  readonly rules: readonly string[];
}

const UNDECIDED = ['tag/undecided', 'tcp6/80', 'tcp/80'] as const;

export class FaultRig implements AsyncDisposable {
  readonly lab: Lab;
  readonly allowed: string;
  readonly stranger: string;
  readonly #folder: string;
  readonly #planFile: number;
  #traffic: readonly Traffic[] = [];
  #client: HelperClient | null = null;
  #plans = 0;
  #logMark = 0;

  private constructor(lab: Lab, folder: string) {
    this.lab = lab;
    this.#folder = folder;
    this.#planFile = openSync(join(folder, 'plan'), 'w');
    this.#plan(null);
    this.allowed = copyInto(lab, trafficProgram(), 'allowed');
    this.stranger = copyInto(lab, trafficProgram(), 'stranger');
  }

  /** With a helper that runs, rules, and traffic of an undecided program that goes on until the end. */
  static async create(): Promise<FaultRig> {
    const name = `/tmp/bastion-inject-${String(process.pid)}`;
    mkdirSync(name, { recursive: true });
    const lab = await Lab.create({
      settings: 'prompt_timeout_s = 5\n[safeguard]\nrate = 100000\nper_app = 100000\nper_uid = 100000\n',
      startHelper: false,
      helperProgram: [
        'env', `NODE_OPTIONS=--import=${preloadModule(name)}`, `LD_PRELOAD=${sharedObject()}`,
        `BASTION_INJECT=${name}`, join(ROOT, 'build/bin/bastion-helper'),
      ],
    });
    const rig = new FaultRig(lab, name);
    try {
      await rig.#begin();
      return rig;
    } catch (error: unknown) {
      await rig[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #begin(): Promise<void> {
    const { lab } = this;
    writeFileSync(join(lab.configDir, 'rules.d/10-lab.toml'), ruleText('lab-allowed', 'allow', this.allowed), { mode: 0o640 });
    await lab.startHelper();
    for (const id of USER_RULES) await this.calm((client) => client.addRule({ id, action: 'deny', path: `/usr/bin/${id}` }));
    this.#traffic = [
      await Traffic.attempt(lab, [this.stranger, 'connect', lab.peer6, '80', '200']),
      await Traffic.attempt(lab, [this.stranger, 'datagrams', lab.peer4, '7', 'lab-tag:undecided;']),
    ];
    await this.whole();
    await lab.peer.watch();
  }

  get client(): HelperClient {
    this.#client ??= connectHelper({ address: this.lab.busAddress, timeoutMs: CALL_LIMIT_MS });
    return this.#client;
  }

  /** Text that the helper has printed since `arm` or `disarm`. */
  said(): string {
    return this.lab.logText().slice(this.#logMark);
  }

  /** In place: the helper has the file in its memory. */
  #plan(plan: Plan | null): void {
    writeSync(this.#planFile, planBytes(plan), 0, PLAN_BYTES, 0);
  }

  /** From now on this fault happens. */
  arm(fault: Fault): void {
    this.#logMark = this.lab.logText().length;
    this.#plans += 1;
    rmSync(join(this.#folder, 'seen'), { force: true });
    this.#plan({ ...fault, id: `fault-${String(this.#plans)}`, record: false });
  }

  disarm(): void {
    this.#plan(null);
  }

  /** Sites where something was made to fail since `arm`. */
  failed(): readonly string[] {
    return this.#seen().filter(([, what]) => what === 'failed').map(([, , site = '']) => site);
  }

  #seen(): readonly (readonly string[])[] {
    const path = join(this.#folder, 'seen');
    if (!existsSync(path)) return [];
    return readFileSync(path, 'utf8').split('\n').filter((line) => line !== '').map((line) => line.split('\t'));
  }

  /** The sites that `work` meets. */
  async record(work: () => Promise<void>): Promise<readonly Site[]> {
    this.#plans += 1;
    rmSync(join(this.#folder, 'seen'), { force: true });
    this.#plan({ id: `record-${String(this.#plans)}`, record: true, site: '', code: 'EIO', form: 'once', skip: 0, calls: [] });
    await work();
    this.disarm();
    const counts = new Map<string, number>();
    for (const [, , site = ''] of this.#seen()) counts.set(site, (counts.get(site) ?? 0) + 1);
    return [...counts].map(([name, count]) => ({ name, count })).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** A call while nothing fails: where the machine is too busy for polkit's time limit, it is asked again. */
  async calm<T>(call: (client: HelperClient) => Promise<T>): Promise<T> {
    for (let again = CALM_TRIES; ; again -= 1) {
      try {
        return await call(this.client);
      } catch (error: unknown) {
        if (again === 0 || !(error instanceof BastionError) || !error.message.startsWith('polkit did not answer')) throw error;
      }
    }
  }

  async look(): Promise<Look> {
    const status = await this.client.status();
    const { rows } = await this.calm((client) => client.listRules(500, ''));
    return { status, rules: rows.map(({ id }) => id) };
  }

  /** Everything works: state, rules, and the way from a packet to a question. Null when not, with why in `lacking`. */
  lacking = '';
  async #looksWhole(): Promise<true | null> {
    try {
      const { status, rules } = await this.look();
      const missing = ['lab-allowed', ...USER_RULES].filter((id) => !rules.includes(id));
      const { rows } = await this.client.listPrompts(500, '');
      const asks = rows.some((row) => row.status === 'pending');
      this.lacking = [
        status.state === 'protecting' ? '' : `${status.state}: ${status.degradedReasons.map(({ text }) => text).join('; ')}`,
        status.mode === 'enforcing' ? '' : `mode ${status.mode}`,
        missing.length === 0 ? '' : `rules missing: ${missing.join(', ')}`,
        status.loadErrors.map(({ message }) => message).join('; '),
        asks ? '' : 'nothing is asked',
      ].filter((part) => part !== '').join('; ');
    } catch (error: unknown) {
      this.lacking = String(error);
    }
    return this.lacking === '' ? true : null;
  }

  async whole(limitMs = WHOLE_LIMIT_MS): Promise<void> {
    await until('the helper to be whole', () => this.#looksWhole(), limitMs).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${this.lacking}`);
    });
  }

  /** Whole by itself or else after a restart; tells which. */
  async mends(): Promise<'itself' | 'restart'> {
    this.disarm();
    if (this.lab.helperEnd === null) {
      const soon = await this.whole(SOON_MS).then(() => true, () => false);
      if (soon) return 'itself';
      await this.lab.stopHelper();
    }
    await this.lab.startHelper();
    await this.whole();
    return 'restart';
  }

  /** What undecided programs have got out since the beginning, in words; empty: nothing. */
  async leaked(): Promise<string> {
    const counts = await this.lab.peer.counts();
    if (counts.lost > 0) throw new Error(`the peer missed ${String(counts.lost)} packets`);
    const found = UNDECIDED.filter((key) => counts.of(key) > 0);
    // A connection's other keys say which of its packets it was.
    const seen = [...counts.keys].map(([key, packets]) => `${key} ${String(packets)}`).join(', ');
    return found.length === 0 ? '' : `undecided packets: ${found.map((key) => `${String(counts.of(key))} of ${key}`).join(', ')} (all that was seen: ${seen})`;
  }

  /** Counts from now on, after a time in which undecided programs were allowed to send. */
  async forgetLeaks(): Promise<void> {
    await this.lab.peer.watch();
  }

  /** Until the undecided programs have tried so often again. */
  async attempts(count: number): Promise<void> {
    let made = 0;
    await until(`${String(count)} attempts`, async () => {
      made += await this.tried();
      return made >= count ? true : null;
    });
  }

  /** Undecided attempts that were made since this was asked last. */
  async tried(): Promise<number> {
    const lines = await Promise.all(this.#traffic.map((traffic) => traffic.read()));
    return lines.reduce((sum, { sent }) => sum + sent, 0);
  }

  /** Every file of configuration, by name; temporary ones left out. */
  stored(): ReadonlyMap<string, string> {
    const { configDir } = this.lab;
    const names = readdirSync(configDir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const files = names.map((entry) => join(entry.parentPath, entry.name)).filter((path) => !TEMPORARY.test(path)).sort();
    return new Map(files.map((path) => [path.slice(configDir.length + 1), readFileSync(path, 'utf8')]));
  }

  /** Files that a write left behind. */
  leftovers(): readonly string[] {
    const { configDir, stateDir, runDir } = this.lab;
    return [configDir, stateDir, runDir].flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && TEMPORARY.test(entry.name)).map((entry) => join(basename(folder), entry.name)));
  }

  /** The kernel as before the first start: no pins, no rules but the base rules. */
  async clearKernel(): Promise<void> {
    const { lab } = this;
    const base = 'table inet bastion_boot { chain output { type filter hook output priority 0; policy drop; oifname "lo" accept; }; }';
    const change = async (commands: string): Promise<void> => {
      const done = await lab.run(['nft', '-f', '-'], { as: 'root', input: commands });
      if (done.status !== 0) throw new Error(done.stderr);
    };
    // First and alone: a packet that the kernel began with before a change, and ends with after it, meets neither what was nor what is.
    await change(base);
    if (lab.pinDir !== null) rmSync(lab.pinDir, { recursive: true, force: true });
    await change(`flush ruleset\n${base}\n`);
    // What left while the test took pins and rules away is not the helper's.
    await this.forgetLeaks();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.close();
    await Promise.all(this.#traffic.map((traffic) => traffic.end()));
    await this.lab.dispose();
    closeSync(this.#planFile);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
