/**
 * The virtual machine as the checks see it: the machine's own network namespace and its root cgroup are guarded, at the other
 * end of a veth pair is a peer. Nothing is ever taken down, because the machine ends with the test.
 */
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connectHelper } from '../../../helper/contract/client.ts';
import type { HelperClient } from '../../../helper/contract/client.ts';
import { BUS_NAME } from '../../../helper/contract/names.ts';
import { startPrivateBus } from '../../lab/bus.ts';
import type { PrivateBus } from '../../lab/bus.ts';
import { layGround } from '../../lab/ground.ts';
import type { Ground } from '../../lab/ground.ts';
import { ADDRESSES, enterNamespace } from '../../lab/network.ts';
import { helperCommand } from '../../lab/options.ts';
import { Peer } from '../../lab/peer.ts';
import { endChild, finish, startTied, tool, within } from '../../lab/process.ts';
import type { Result } from '../../lab/process.ts';
import { ROOT_USER } from '../../lab/user.ts';
import { compiled } from './programs.ts';

/** A guest under emulation is some twenty times slower than its host. */
const START_LIMIT_MS = 120_000;
const RUN_LIMIT_MS = 60_000;
const END_GRACE_MS = 20_000;
const FOLDER = '/tmp/guest';
const PEER_NAMESPACE = 'peer';
/** The guest has nothing above these two. */
const ROOT_CGROUP = '/sys/fs/cgroup';
const PIN_DIR = '/sys/fs/bpf/bastion';

export { ADDRESSES };
export const ROUTED_PREFIX = 'fd79::';
/** Nobody has it. */
export const MOVED_ADDRESS = '10.77.0.200';

const SETTINGS = { mode: 'enforcing', defaultAction: 'ask', more: 'prompt_timeout_s = 5' } as const;

function rulesText(binDir: string): string {
  return `[[rule]]
id = "allowed"
action = "allow"
application = { path = "${binDir}/allowed" }

[[rule]]
id = "moved"
action = "allow"
application = { path = "${binDir}/moved" }
destination = { address = "${MOVED_ADDRESS}" }
`;
}

export interface Running {
  readonly child: ChildProcess;
  /** The first line that matches, already printed or yet to come. */
  line(pattern: RegExp): Promise<string>;
  /** What was printed so far. */
  lines(): readonly string[];
}

export class Machine {
  readonly folder = FOLDER;
  /** A program that a rule allows everything; usage of all three in traffic.c. */
  readonly allowed: string;
  /** One that may speak to MOVED_ADDRESS only. */
  readonly moved: string;
  /** One that no rule names. */
  readonly undecided: string;
  readonly peer: Peer;
  readonly client: HelperClient;
  readonly #ground: Ground;
  readonly #bus: PrivateBus;
  readonly #log: number;
  #helper: ChildProcess | null = null;

  private constructor(ground: Ground, bus: PrivateBus, peer: Peer, log: number) {
    this.#ground = ground;
    this.#bus = bus;
    this.#log = log;
    this.peer = peer;
    this.allowed = join(ground.binDir, 'allowed');
    this.moved = join(ground.binDir, 'moved');
    this.undecided = join(ground.binDir, 'undecided');
    for (const path of [this.allowed, this.moved, this.undecided]) {
      copyFileSync(compiled('traffic', FOLDER), path);
      chmodSync(path, 0o755);
    }
    this.client = connectHelper({ address: bus.address, timeoutMs: RUN_LIMIT_MS });
  }

  /** Everything but the helper; the interface eth0 exists and is down. */
  static async create(): Promise<Machine> {
    const ground = layGround('guest', FOLDER, ROOT_USER, { ...SETTINGS, rules: rulesText(join(FOLDER, 'bin')) });
    const log = openSync(join(FOLDER, 'log'), 'a');
    makeNetwork();
    const peer = await Peer.start(enterNamespace(PEER_NAMESPACE), FOLDER, log);
    const bus = await startPrivateBus({ folder: join(FOLDER, 'bus'), polkit: 'open', user: 'root', singleUser: false });
    return new Machine(ground, bus, peer, log);
  }

  /** Resolves when the helper owns its name. */
  async startHelper(): Promise<void> {
    await this.#bus.names.released(BUS_NAME);
    const place = { ...this.#ground, cgroup: ROOT_CGROUP, pinDir: PIN_DIR, busAddress: this.#bus.address };
    const child = startTied(helperCommand({}, place), { stdio: ['ignore', this.#log, this.#log] });
    this.#helper = child;
    const ended = once(child, 'exit').then(() => { throw new Error('the helper ended while starting'); });
    ended.catch(() => undefined);
    await within(Promise.race([this.#bus.names.owned(BUS_NAME), ended]), START_LIMIT_MS, () => 'the helper did not take its name');
  }

  async killHelper(): Promise<void> {
    if (this.#helper === null) return;
    await endChild(this.#helper, END_GRACE_MS, 'SIGKILL');
    await this.#bus.names.released(BUS_NAME);
  }

  /** A program of this machine, as root. */
  run(...argv: readonly string[]): Promise<Result> {
    return finish(this.#spawn(argv, ['ignore', 'pipe', 'pipe']), undefined, RUN_LIMIT_MS);
  }

  runAtPeer(...argv: readonly string[]): Promise<Result> {
    return this.run(...enterNamespace(PEER_NAMESPACE), ...argv);
  }

  /** A program that goes on. */
  start(argv: readonly string[], at: 'here' | 'peer' = 'here'): Running {
    const child = this.#spawn(at === 'here' ? argv : [...enterNamespace(PEER_NAMESPACE), ...argv], ['ignore', 'pipe', this.#log]);
    if (child.stdout === null) throw new Error('the program has no output');
    const seen: string[] = [];
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => seen.push(line));
    const line = async (pattern: RegExp): Promise<string> => {
      for (;;) {
        const found = seen.find((text) => pattern.test(text));
        if (found !== undefined) return found;
        await within(once(lines, 'line'), RUN_LIMIT_MS, () => `${argv.join(' ')} did not print ${String(pattern)} but: ${seen.join(' | ')}`);
      }
    };
    return { child, line, lines: () => seen };
  }

  /** A second rule file beside the first; null takes it away. */
  async setRules(text: string | null): Promise<void> {
    writeFileSync(join(this.#ground.configDir, 'rules.d/20-more.toml'), text ?? '');
    const faults = await this.client.reload();
    if (faults.length > 0) throw new Error(`the rules were refused: ${JSON.stringify(faults)}`);
  }

  log(): string {
    return readFileSync(join(FOLDER, 'log'), 'utf8');
  }

  /** A server without a rule on this machine: echo on port 7, HTTP on port 80. */
  startServer(): Promise<Peer> {
    return Peer.start([], FOLDER, this.#log);
  }

  #spawn(argv: readonly string[], stdio: StdioOptions): ChildProcess {
    const [command = '', ...args] = argv;
    const child = spawn(command, args, { cwd: '/', stdio });
    child.on('error', () => undefined);
    return child;
  }
}

/** `ip` in the machine's own namespace, several commands at once. */
export function ip(...lines: readonly string[]): void {
  tool('ip', ['-batch', '-'], lines.join('\n'));
}

/** Runs a tool in the peer's namespace to its end. */
export function toolAtPeer(name: string, args: readonly string[], input = ''): string {
  const [command = '', ...rest] = enterNamespace(PEER_NAMESPACE);
  return tool(command, [...rest, name, ...args], input);
}

export function ipAtPeer(...lines: readonly string[]): void {
  toolAtPeer('ip', ['-batch', '-'], lines.join('\n'));
}

function makeNetwork(): void {
  tool('ip', ['netns', 'add', PEER_NAMESPACE]);
  ip(`link add eth0 type veth peer name eth0 netns ${PEER_NAMESPACE}`);
  const { client4, client6, peer4, peer6 } = ADDRESSES;
  ipAtPeer('link set lo up', 'link set eth0 up', `address add ${peer4}/24 dev eth0`, `address add ${peer6}/64 dev eth0 nodad`);
  ip(`address add ${client4}/24 dev eth0`, `address add ${client6}/64 dev eth0 nodad`);
}
