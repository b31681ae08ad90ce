/** One allowed program, and what others do to be taken for it. */
import assert from 'node:assert/strict';
import { appendFileSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { FlowInfo, RuleEdit } from '../../helper/contract/types.ts';
import { Lab } from '../lab/lab.ts';
import type { LabOptions, RunOptions } from '../lab/lab.ts';
import { clientOf, copyInto, program, until } from '../integration/support.ts';

/** Nobody listens there: an echo to a closed socket would bring the text to the peer once more, in the kernel's error. */
const VICTIM_PORT = '9';
const FIRST_PORT = 2000;
const SEEN_LIMIT_MS = 20_000;
/** After it a datagram of the allowed program is sent again: a busy machine may not have identified its program in time. */
const AGAIN_MS = 5000;
/** `ready FILE [COUNT]`: until COUNT programs (1) wait for FILE, as disguise.c tells. */
const READY = 'ready() { for i in $(seq 1500); do [ "$(stat -c %s "$1.ready" 2>/dev/null || echo 0)" -lt "${2:-1}" ] || return 0; sleep 0.01; done; }';

/**
 * A trick: a sentence, and the shell script of an ordinary user. In it $V is the allowed program, $I the intruder, $W a folder
 * that the user may write, and $S the words after a program's name that make it send the trick's datagram ($TO, $PORT, $TAG).
 */
export type Trick = readonly [what: string, script: string];

export interface SpoofOptions {
  readonly lab?: LabOptions;
  /** Source of the victim and of the intruder; programs/disguise.c by default. */
  readonly source?: string;
  /** Intruders have another content than the victim. */
  readonly distinct?: boolean;
  /** More variables of every script. */
  readonly env?: Readonly<Record<string, string>>;
}

export class SpoofBed {
  readonly lab: Lab;
  readonly client: HelperClient;
  readonly victim: string;
  readonly work: string;
  /** More variables of every script. */
  readonly env: Record<string, string>;
  readonly #source: string;
  readonly #distinct: boolean;
  #next = 0;

  private constructor(lab: Lab, source: string, { distinct = false, env = {} }: SpoofOptions) {
    this.lab = lab;
    this.client = clientOf(lab);
    this.victim = copyInto(lab, source, 'victim');
    this.#source = source;
    this.#distinct = distinct;
    this.env = { ...env };
    this.work = join(lab.folder, 'work');
    mkdirSync(this.work);
    chownSync(this.work, lab.user.uid, lab.user.gid);
  }

  /** What no rule decides is refused. */
  static async create(options: SpoofOptions = {}): Promise<SpoofBed> {
    return new SpoofBed(await Lab.create({ defaultAction: 'deny', doubtNewFiles: true, ...options.lab }), options.source ?? program('disguise'), options);
  }

  async allow(rule: RuleEdit): Promise<void> {
    await this.client.addRule({ id: `allowed-${String(this.#next)}`, action: 'allow', ...rule });
    this.#next += 1;
  }

  /** Runs a script of the user; a trick may fail, and what counts is what arrives. */
  async script(text: string, port: number | string, tag: string, options: RunOptions = {}): Promise<string> {
    const { lab: { peer4 }, victim, work } = this;
    const env = {
      V: victim, W: work, TO: peer4, PORT: String(port), TAG: tag, ...this.env, S: `send ${peer4} ${String(port)} ${tag}`,
      ...options.env,
    };
    const { stdout, stderr } = await this.lab.run(['sh', '-c', `${READY}\n${text}`], { timeoutMs: 25_000, ...options, env, cwd: work });
    return `${stdout}${stderr}`;
  }

  /** One datagram by `script` comes through. */
  async passes(script = '$V $S', tag = 'victim'): Promise<void> {
    await this.lab.peer.watch();
    const arrived = async (): Promise<true | null> => ((await this.lab.peer.counts()).of(`tag/${tag}`) > 0 ? true : null);
    await this.#seen(`the allowed program's datagram (${script})`, async () => {
      await this.script(script, VICTIM_PORT, tag);
      return until('it', arrived, AGAIN_MS).catch(() => null);
    });
  }

  /** The trick is seen, refused, and matched by no rule; nothing of it arrives. */
  async fails([what, script]: Trick, options: RunOptions = {}): Promise<void> {
    const tag = `trick${String(this.#next)}`;
    const port = FIRST_PORT + this.#next;
    this.#next += 1;
    // A file of its own: what is refused for good is not asked about again, and would not be in the history.
    const I = copyInto(this.lab, this.#source, `intruder${String(port)}`);
    if (this.#distinct) appendFileSync(I, what);
    await this.lab.peer.watch();
    const said = await this.script(script, port, tag, { ...options, env: { I, ...options.env } });
    // What the allowed program itself sent of the trick is not what this is about.
    const flows = await this.#seen(`the flow of ${what}: ${said}`, async () => {
      const others = (await this.flows(port))?.filter(({ path, rule_id }) => path !== this.victim || rule_id === '') ?? [];
      return others.length === 0 ? null : others;
    });
    // A socket in the hands of two programs is nobody's while both wait: dropped.
    const matched = flows.filter(({ action, rule_id }) => rule_id !== '' || (action !== 'deny' && action !== 'drop'));
    assert.deepEqual(matched.map(({ action, rule_id, path }) => ({ action, rule_id, path })), [], `${what}: ${said}`);
    const counts = await this.lab.peer.counts();
    assert.equal(counts.of(`tag/${tag}`), 0, `${what} came through: ${said}`);
    assert.equal(counts.lost, 0);
  }

  /** Says what the history and the peer have where there is nothing to be seen. */
  async #seen<T>(what: string, ask: () => Promise<T | null>): Promise<T> {
    return until(what, ask, SEEN_LIMIT_MS).catch(async (error: unknown) => {
      const { rows } = await this.client.queryFlows({}, 3, '');
      const last = rows.map(({ path, port, action, reason, rule_id, confidence }) => [path, port, action, reason, rule_id, confidence]);
      throw new Error(`${what}: not seen; ${JSON.stringify([last, [...(await this.lab.peer.counts()).keys]])}`, { cause: error });
    });
  }

  /** null for none yet. */
  async flows(port: number): Promise<readonly FlowInfo[] | null> {
    const { rows } = await this.client.queryFlows({ port }, 100, '');
    return rows.length === 0 ? null : rows;
  }

  /** The victim is let through before and after each trick. */
  async withstands(tricks: readonly Trick[], victim = '$V $S'): Promise<void> {
    await this.passes(victim, 'before');
    for (const trick of tricks) {
      await this.fails(trick);
      await this.passes(victim, 'after');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    await this.lab.dispose();
  }
}
