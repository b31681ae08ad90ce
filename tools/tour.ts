/** The scripted tour: the main job step by step on real packets, each with its result. */
import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lab } from '../test/lab/lab.ts';
import type { Result } from '../test/lab/lab.ts';
import { which } from '../test/lab/process.ts';

/** curl's exit status for "could not connect". */
const COULD_NOT_CONNECT = 7;
const PROMPT_LIMIT_MS = 10_000;
const ASK_EVERY_MS = 50;

interface Listed {
  readonly id: string;
  readonly application: string;
}

function isListed(value: unknown): value is Listed {
  return typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string'
    && 'application' in value && typeof value.application === 'string';
}

async function prompts(lab: Lab): Promise<readonly Listed[]> {
  const { status, stdout, stderr } = await lab.ctl(['prompts', 'list', '--json']);
  if (status !== 0) throw new Error(`bastionctl prompts list: ${stderr.trim()}`);
  const parsed: unknown = JSON.parse(stdout);
  return Array.isArray(parsed) ? parsed.filter(isListed) : [];
}

async function promptOf(lab: Lab, application: string): Promise<Listed | null> {
  for (const end = performance.now() + PROMPT_LIMIT_MS; performance.now() < end;) {
    const found = (await prompts(lab)).find((prompt) => prompt.application === application);
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
  return null;
}

class Tour {
  readonly #lab: Lab;
  readonly #say: (line: string) => void;
  holds = true;

  constructor(lab: Lab, say: (line: string) => void) {
    this.#lab = lab;
    this.#say = say;
  }

  /** Prints one result; a false one makes the tour fail. */
  check(what: string, holds: boolean, seen: string): void {
    this.#say(`  ${holds ? 'ok  ' : 'FAIL'}  ${what}${holds ? '' : ` (${seen.trim().slice(0, 300)})`}`);
    if (!holds) this.holds = false;
  }

  /** A copy of curl: a program that no rule knows. */
  #curl(name: string): (url: string) => Promise<Result> {
    const source = which('curl');
    if (source === null) throw new Error('curl is not installed; run: npm run setup');
    const path = join(this.#lab.folder, 'bin', name);
    copyFileSync(source, path);
    chmodSync(path, 0o755);
    return (url) => this.#lab.run([path, '--silent', '--verbose', '--max-time', '25', url]);
  }

  async #atPeer(): Promise<number> {
    const counts = await this.#lab.peer.counts();
    return counts.of('syn/80') + counts.of('syn6/80');
  }

  async #ask(application: string, action: 'allow' | 'deny'): Promise<void> {
    const prompt = await promptOf(this.#lab, application);
    this.check(`a prompt asks about ${application}`, prompt !== null, 'there is none');
    this.check('until then not one packet has reached the other side', (await this.#atPeer()) === 0, 'one has');
    if (prompt === null) return;
    const answered = await this.#lab.ctl(['prompts', 'answer', prompt.id, action, '--lifetime', 'always', '--scope', 'host']);
    this.check(`"${action}, always" is taken`, answered.status === 0, answered.stderr);
  }

  async state(): Promise<void> {
    const { stdout } = await this.#lab.ctl(['status']);
    this.#say(stdout.trimEnd().replaceAll(/^/gmu, '  '));
  }

  async allow(): Promise<void> {
    const curl = this.#curl('visitor');
    await this.#lab.peer.watch();
    const held = curl(`http://${this.#lab.peer4}/`);
    await this.#ask('visitor', 'allow');
    const done = await held;
    this.check('the very same connection goes through', done.status === 0, done.stderr);
    const file = readFileSync(join(this.#lab.configDir, 'rules.d/50-user.toml'), 'utf8');
    this.check('the rule is in 50-user.toml', file.includes('visitor') && file.includes('action = "allow"'), file);
    const again = await curl(`http://${this.#lab.peer4}/`);
    this.check('the second visit succeeds', again.status === 0, again.stderr);
    this.check('and nobody was asked', (await prompts(this.#lab)).length === 0, 'a prompt is there');
  }

  async deny(): Promise<void> {
    const curl = this.#curl('stranger');
    await this.#lab.peer.watch();
    const held = curl(`http://[${this.#lab.peer6}]/`);
    await this.#ask('stranger', 'deny');
    const done = await held;
    this.check('it fails at once with "connection refused"', done.status === COULD_NOT_CONNECT && /refused/iu.test(done.stderr), done.stderr);
    const again = await curl(`http://[${this.#lab.peer6}]/`);
    this.check('so does the next attempt, without a question', again.status === COULD_NOT_CONNECT && again.durationMs < 2000, again.stderr);
    this.check('not one packet has reached the other side', (await this.#atPeer()) === 0, 'one has');
  }
}

/** Runs the tour; true when every step held. */
export async function tour(say: (line: string) => void): Promise<boolean> {
  const lab = await Lab.create();
  try {
    const guide = new Tour(lab, say);
    say('Bastion Firewall, in a lab of its own: a client behind the firewall, a web server on the other side.');
    for (const limit of lab.limits) say(`  Missing here: ${limit}`);
    await guide.state();
    say('A program without a rule visits the web server, and is allowed:');
    await guide.allow();
    say('Another one visits it over IPv6, and is denied:');
    await guide.deny();
    say(guide.holds ? 'Everything held.' : 'Something did not hold; see above.');
    return guide.holds;
  } finally {
    await lab.dispose();
  }
}
