/** The real notification daemon dunst in a test's session. */
import { execFile } from 'node:child_process';
import { access, chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { becomeUser } from '../lab/user.ts';
import type { LabUser } from '../lab/user.ts';
import { LineProcess } from './processes.ts';

const run = promisify(execFile);
const DUNST = '/usr/bin/dunst';
const LIMIT_MS = 30_000;
const POLL_MS = 30;

/** What is missing for tests with dunst, '' if nothing. */
export async function missingForDunst(): Promise<string> {
  return access(DUNST).then(() => '', () => `${DUNST} is not installed`);
}

function settings(menu: string): string {
  return `[global]\ndmenu = ${menu}\nfont = Cantarell 10\norigin = top-right\nwidth = 380\nmarkup = full\n`;
}

export class Dunst {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #as: readonly string[];
  readonly #choice: string;

  private constructor(environment: NodeJS.ProcessEnv, as: readonly string[], choice: string) {
    this.#environment = environment;
    this.#as = as;
    this.#choice = choice;
  }

  /** Runs until the end of the test, on the display and the bus of `environment`. */
  static async start(t: TestContext, environment: NodeJS.ProcessEnv, user?: LabUser): Promise<Dunst> {
    const home = environment['HOME'] ?? '';
    const [menu, choice, config] = [join(home, 'menu'), join(home, 'choice'), join(home, 'dunstrc')];
    // dunst asks a menu program which action is meant: this one takes the line that the test has named.
    await writeFile(menu, `#!/bin/sh\ngrep -m1 -F -f ${choice}\n`);
    await chmod(menu, 0o755);
    await writeFile(choice, '\n');
    await writeFile(config, settings(menu));
    const as = user === undefined ? [] : becomeUser(user);
    const [program, ...rest] = [...as, DUNST, '-conf', config];
    const daemon = new LineProcess(program, rest, environment);
    t.after(() => daemon.stop());
    const dunst = new Dunst(environment, as, choice);
    await dunst.#until('running', async () => (await dunst.#control('is-paused')).trim() === 'false');
    return dunst;
  }

  /** Waits until so many are on the screen. */
  displays(count: number): Promise<void> {
    return this.#until(`${String(count)} displayed`, async () => Number(await this.#control('count', 'displayed')) === count);
  }

  /** Picks the action with this label of the newest notification, which takes it once it has been there for a moment. */
  async pick(label: string): Promise<void> {
    await writeFile(this.#choice, `${label}\n`);
    await this.#until(`answered by ${label}`, async () => {
      await this.#control('context');
      return Number(await this.#control('count', 'displayed')) === 0;
    });
  }

  /** A click on the text. */
  async click(): Promise<void> {
    await this.#control('action');
  }

  /** Summaries and bodies of what has left the screen, the newest first. */
  async history(): Promise<readonly { readonly summary: string; readonly body: string }[]> {
    const parsed = JSON.parse(await this.#control('history')) as {
      readonly data: readonly (readonly { readonly summary: { readonly data: string }; readonly body: { readonly data: string } }[])[];
    };
    return (parsed.data[0] ?? []).map((one) => ({ summary: one.summary.data, body: one.body.data }));
  }

  async #control(...args: readonly string[]): Promise<string> {
    const [program = '', ...rest] = [...this.#as, '/usr/bin/dunstctl', ...args];
    const { stdout } = await run(program, rest, { env: this.#environment });
    return stdout;
  }

  async #until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const until = performance.now() + LIMIT_MS;
    for (;;) {
      if (await holds().catch(() => false)) return;
      if (performance.now() > until) throw new Error(`dunst: not ${what} within 30 s: ${await this.#control('count').catch(String)}`);
      await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
    }
  }
}
