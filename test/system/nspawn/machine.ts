/**
 * A whole system with systemd as its first process, in a container: its own processes, cgroups, network and BPF file system,
 * the kernel of this machine. At the other end of its only interface is the lab's peer, which counts.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, openSync, readFileSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../integration/support.ts';
import { ADDRESSES, allowPing, enterNamespace, makeNetwork } from '../../lab/network.ts';
import { Peer } from '../../lab/peer.ts';
import type { PeerCounts } from '../../lab/peer.ts';
import { endChild, finish, isRunning, searchPath, startTied, tool, within } from '../../lab/process.ts';
import type { Result } from '../../lab/process.ts';
import { cgroup2Mount, removeLeftovers, removeTraces } from '../../lab/traces.ts';
import { PROBE_REPORT, TAG, UNDECIDED_PORT, layRoot, put } from './root.ts';
import type { RootOptions } from './root.ts';

export const HELPER_UNIT = 'bastion-firewall.service';
export const BOOT_UNIT = 'bastion-firewall-boot.service';

const BOOT_LIMIT_MS = 90_000;
const RUN_LIMIT_MS = 60_000;
const END_LIMIT_MS = 30_000;
/** SIGRTMIN+4, which asks systemd to power off. Source: systemd(1), signal(7): glibc's SIGRTMIN is 34. */
const POWER_OFF = 34 + 4;
const LAST_GROUP = 65_534;
const NAMESPACES = ['-m', '-u', '-i', '-n', '-p', '-C'];
/** Everything that the undecided sender can make arrive. */
const FORBIDDEN = [
  `tcp/${String(UNDECIDED_PORT)}`, `tcp6/${String(UNDECIDED_PORT)}`, `udp/${String(UNDECIDED_PORT)}`, `udp6/${String(UNDECIDED_PORT)}`,
  'icmp/8', 'icmp6/128', `tag/${TAG}`,
];

/** What the sender from the first moment has done. */
export interface ProbeReport {
  readonly rounds: number;
  /** Sends that the kernel took from it. */
  readonly passed: number;
}

/** CLOCK_MONOTONIC in microseconds, as systemd's properties have it. */
export function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

function children(pid: number | undefined): readonly string[] {
  return readFileSync(`/proc/${String(pid)}/task/${String(pid)}/children`, 'utf8').split(' ').filter((child) => child !== '');
}

function makeCgroup(name: string): string {
  const folder = join(cgroup2Mount() ?? '', name);
  mkdirSync(folder);
  return folder;
}

export class SystemMachine implements AsyncDisposable {
  readonly peer: Peer;
  readonly root: string;
  readonly #name: string;
  readonly #folder: string;
  readonly #cgroup: string;
  #container: ChildProcess | null = null;
  #leader = 0;
  #boots = 0;

  private constructor(name: string, folder: string, root: string, peer: Peer, cgroup: string) {
    this.#name = name;
    this.#folder = folder;
    this.root = root;
    this.peer = peer;
    this.#cgroup = cgroup;
  }

  /** Lays it out; `boot` starts it. */
  static async create(options: RootOptions = {}): Promise<SystemMachine> {
    removeLeftovers();
    const name = `bastion-lab-${String(process.pid)}-${randomBytes(3).toString('hex')}`;
    const folder = join('/tmp', name);
    process.once('exit', () => { if (existsSync(folder)) removeTraces(name); });
    try {
      mkdirSync(folder, { mode: 0o755 });
      const root = await layRoot(folder, options);
      makeNetwork(`${name}-client`, `${name}-peer`);
      allowPing(`${name}-client`, LAST_GROUP);
      const log = openSync(join(folder, 'peer.log'), 'a');
      const peer = await Peer.start(enterNamespace(`${name}-peer`), folder, log);
      closeSync(log);
      return new SystemMachine(name, folder, root, peer, makeCgroup(name));
    } catch (error: unknown) {
      removeTraces(name);
      throw error;
    }
  }

  /** Lays it out and starts it. */
  static async started(options: RootOptions = {}): Promise<SystemMachine> {
    const machine = await SystemMachine.create(options);
    try {
      await machine.boot();
      return machine;
    } catch (error: unknown) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** An interface without address and switched off, as a kernel leaves it; another BPF file system, as after each boot. */
  #fresh(): string {
    const bpf = join(this.#folder, `bpf-${String(++this.#boots)}`);
    mkdirSync(bpf);
    tool('mount', ['-t', 'bpf', '-o', 'mode=0700', 'bpf', bpf]);
    const client = enterNamespace(`${this.#name}-client`);
    for (const args of [['link', 'set', 'eth0', 'down'], ['address', 'flush', 'dev', 'eth0'], ['link', 'set', 'lo', 'down']]) {
      const [command = '', ...rest] = [...client, 'ip', ...args];
      tool(command, rest);
    }
    return bpf;
  }

  #startContainer(bpf: string): ChildProcess {
    const argv = [
      'sh', '-c', 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"', 'sh', this.#cgroup,
      'systemd-nspawn', '--quiet', '--directory', this.root, '--machine', this.#name, '--register=no', '--keep-unit', '--boot',
      '--console=read-only', '--capability=all', '--system-call-filter=bpf perf_event_open', `--network-namespace-path=/run/netns/${this.#name}-client`,
      `--bind=${bpf}:/sys/fs/bpf`, '--kill-signal=SIGRTMIN+3', '--link-journal=no', '--resolv-conf=off', '--timezone=off',
    ];
    const log = openSync(this.#consoleFile, 'a');
    try {
      return startTied(argv, { env: { ...process.env, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' }, stdio: ['ignore', log, log] });
    } finally {
      closeSync(log);
    }
  }

  /** Resolves when systemd has nothing more to start; gives its word for the state. Counting starts before. */
  async boot(): Promise<string> {
    const bpf = this.#fresh();
    await this.peer.watch();
    const container = this.#startContainer(bpf);
    this.#container = container;
    this.#leader = await until('the bus of the system', () => {
      if (!isRunning(container)) throw new Error(`the system ended:\n${this.console()}`);
      // Read again each time: the first process begins as the child of one that ends.
      const leader = children(container.pid)[0];
      return Promise.resolve(leader !== undefined && existsSync(join('/proc', leader, 'root', 'run/dbus/system_bus_socket')) ? Number(leader) : null);
    }, BOOT_LIMIT_MS);
    const { stdout } = await this.run(['systemctl', 'is-system-running', '--wait'], BOOT_LIMIT_MS);
    return stdout.trim();
  }

  /** Ends it as a person would. */
  async powerOff(): Promise<void> {
    const container = this.#container;
    if (container === null) return;
    const gone = new Promise<void>((resolve) => { container.once('exit', () => { resolve(); }); });
    process.kill(this.#leader, POWER_OFF);
    await within(gone, END_LIMIT_MS, () => `the system does not power off:\n${this.console()}`);
    this.#container = null;
  }

  get #consoleFile(): string {
    return join(this.#folder, 'console');
  }

  /** Everything that was written to the console. */
  console(): string {
    return readFileSync(this.#consoleFile, 'utf8');
  }

  #inside(argv: readonly string[]): string[] {
    return ['-t', String(this.#leader), ...NAMESPACES, '--', ...argv];
  }

  /** Starts a tool, as root and outside what the firewall guards. */
  start(argv: readonly string[]): ChildProcess {
    const env = { PATH: searchPath(), LC_ALL: 'C', TERM: 'dumb', SYSTEMD_PAGER: '', SYSTEMD_COLORS: '0' };
    return spawn('nsenter', this.#inside(argv), { cwd: '/', env, stdio: ['pipe', 'pipe', 'pipe'] });
  }

  /** The same, to its end. */
  run(argv: readonly string[], limitMs = RUN_LIMIT_MS): Promise<Result> {
    return finish(this.start(argv), undefined, limitMs);
  }

  /** `run`, which throws with what the tool said when it fails. */
  async must(argv: readonly string[], limitMs = RUN_LIMIT_MS): Promise<string> {
    const { status, stdout, stderr } = await this.run(argv, limitMs);
    if (status !== 0) throw new Error(`${argv.join(' ')}: status ${String(status)}: ${stderr}${stdout}`);
    return stdout;
  }

  /** A program as a unit of its own, which the firewall guards. */
  guarded(argv: readonly string[]): Promise<Result> {
    return this.run(['systemd-run', '--quiet', '--pipe', '--wait', '--collect', '--', ...argv]);
  }

  /** Starts a program at the other end of the interface. */
  atPeer(argv: readonly string[]): ChildProcess {
    return startTied([...enterNamespace(`${this.#name}-peer`), ...argv], { stdio: ['ignore', 'pipe', 'ignore'] });
  }

  put(path: string, content: string, mode?: number): void {
    put(this.root, path, content, mode);
  }

  /** Properties of a unit, as `systemctl show` has them. */
  async unit<const Name extends string>(unit: string, ...names: readonly Name[]): Promise<Readonly<Record<Name, string>>> {
    const text = await this.must(['systemctl', 'show', unit, ...names.map((name) => `--property=${name}`)]);
    const found = new Map(text.split('\n').map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
    return Object.fromEntries(names.map((name) => [name, found.get(name) ?? ''])) as Readonly<Record<Name, string>>;
  }

  /** The journal of a unit. */
  async journal(unit: string = HELPER_UNIT): Promise<string> {
    return this.must(['journalctl', '--no-pager', '--output=short-monotonic', '--unit', unit]);
  }

  probe(file = PROBE_REPORT): ProbeReport {
    const text = existsSync(`/proc/${String(this.#leader)}/root${file}`) ? readFileSync(`/proc/${String(this.#leader)}/root${file}`, 'utf8') : '';
    const found = /rounds=(\d+) passed=(\d+)/u.exec(text);
    return { rounds: Number(found?.[1] ?? 0), passed: Number(found?.[2] ?? 0) };
  }

  /** Resolves when the sender from the first moment has tried so many more rounds. */
  async probed(rounds: number): Promise<void> {
    const before = this.probe().rounds;
    await until(`${String(rounds)} more tries of the undecided program`, () => Promise.resolve(this.probe().rounds >= before + rounds ? true : null), RUN_LIMIT_MS);
  }

  /** Packets of undecided programs that the peer saw since the boot, or since `peer.watch`; by kind. */
  async leaked(): Promise<{ readonly counts: PeerCounts; readonly undecided: readonly string[] }> {
    const counts = await this.peer.counts();
    if (counts.lost > 0) throw new Error(`the peer's counter missed ${String(counts.lost)} packets`);
    return { counts, undecided: FORBIDDEN.filter((key) => counts.of(key) > 0).map((key) => `${key}=${String(counts.of(key))}`) };
  }

  /** Statuses of an allowed program's TCP and UDP, IPv4 and IPv6; 0 is right. */
  async allowed(program: string): Promise<readonly (number | null)[]> {
    const statuses: (number | null)[] = [];
    for (const address of [ADDRESSES.peer4, ADDRESSES.peer6]) {
      for (const mode of ['tcp', 'udp-echo']) statuses.push((await this.guarded([program, mode, address, '7'])).status);
    }
    return statuses;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.peer.close();
    const container = this.#container;
    if (container !== null) await endChild(container, 0);
    removeTraces(this.#name);
  }
}
