/** Two network namespaces, a cgroup and a bpffs of the test's own, with a ruleset around the queue like the helper's. */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chmodSync, constants, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';
import type { NativeOptions } from '../../../native/binding.ts';
import { cgroupRoot } from '../../../helper/adapters/data-path.ts';
import { Host } from './host-client.ts';

export const ROOT = dirname(dirname(dirname(import.meta.dirname)));
export const QUEUE = 7;
export const MARK = 0x2000_0000;
export const CLIENT4 = '10.213.0.1';
export const PEER4 = '10.213.0.2';
export const PEER6 = 'fd13::2';

function run(program: string, args: readonly string[], input = ''): string {
  return execFileSync(program, args, { encoding: 'utf8', input, stdio: ['pipe', 'pipe', 'pipe'] });
}

/** Why the native suites cannot run on this machine; null if they can. */
export function missingForBed(): string | null {
  if (process.getuid?.() !== 0) return 'needs root';
  const cgroup = cgroupRoot();
  if (cgroup === null) return 'needs a mounted cgroup v2 hierarchy';
  try {
    accessSync(cgroup, constants.W_OK);
    run('ip', ['netns', 'list']);
    run('iptables-nft', ['--version']);
    run('gcc', ['--version']);
  } catch (error: unknown) {
    return `needs a writable cgroup v2, ip, iptables-nft and gcc: ${String(error)}`;
  }
  return null;
}

/** mangle: hold; filter: refuse; POSTROUTING: the belt. `pins` null: every first packet goes to the queue. */
function ruleset(family: 4 | 6, pins: string | null): string {
  const mark = `0x${MARK.toString(16)}`;
  const reject = family === 4 ? 'icmp-admin-prohibited' : 'icmp6-adm-prohibited';
  const exceptions = family === 4 ? [] : ['133', '134', '135', '136', '137', '143'].map((type) => `-A HOLD -p icmpv6 --icmpv6-type ${type} -j RETURN`);
  const asks = (program: string): string => `-A HOLD -m bpf --object-pinned ${String(pins)}/progs/${program}`;
  const queue = `-j NFQUEUE --queue-num ${String(QUEUE)}`;
  const decided = pins === null ? [`-A HOLD ${queue}`] : [
    `${asks('xt_allow')} -j RETURN`,
    `${asks('xt_refuse')} -j MARK --set-xmark ${mark}/${mark}`,
    `-A HOLD -m mark --mark ${mark}/${mark} -j RETURN`,
    `${asks('xt_hold')} ${queue}`,
    `${asks('xt_reply')} ${queue} --queue-bypass`,
    '-A HOLD -j DROP',
  ];
  return [
    '*mangle', ':HOLD - [0:0]', '-A OUTPUT -j HOLD', '-A HOLD -o lo -j RETURN', ...exceptions,
    `-A HOLD -p tcp ${pins === null ? '! --syn' : '--tcp-flags SYN NONE'} -j RETURN`, ...decided,
    `-A POSTROUTING -m mark --mark ${mark}/${mark} -j DROP`, 'COMMIT',
    '*filter', `-A OUTPUT -p tcp -m mark --mark ${mark}/${mark} -j REJECT --reject-with tcp-reset`,
    `-A OUTPUT -m mark --mark ${mark}/${mark} -j REJECT --reject-with ${reject}`, 'COMMIT', '',
  ].join('\n');
}

const END_MS = 10_000;

/** Ends a program of traffic.c that reads its standard input; one that does not end by itself is killed. */
export async function endInput(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.stdin?.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
  await ended;
  clearTimeout(timer);
}

/** Resolves when the program has said its first word. */
export async function saidReady(child: ChildProcess): Promise<ChildProcess> {
  if (child.stdout === null) throw new TypeError('no standard output');
  await once(child.stdout, 'data');
  return child;
}

/** TCP and UDP echo in the peer's namespace, with what came in. */
export class Peer {
  readonly #process: ChildProcess;
  readonly #lines: Interface;

  constructor(program: string, namespace: string, port: number) {
    this.#process = spawn('nsenter', [`--net=/run/netns/${namespace}`, program, 'peer', String(port)], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.#process.stdout === null) throw new TypeError('no standard output');
    this.#lines = createInterface({ input: this.#process.stdout });
  }

  async ready(): Promise<void> {
    await once(this.#lines, 'line');
  }

  /** Accepted connections and datagrams since the start. */
  async seen(): Promise<{ readonly connections: number; readonly datagrams: number }> {
    const line = once(this.#lines, 'line');
    this.#process.stdin?.write('\n');
    const [text] = await line as [string];
    const [connections, datagrams] = text.split(' ').map(Number);
    return { connections: connections ?? -1, datagrams: datagrams ?? -1 };
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.stdin?.end();
    await ended;
  }
}

export class Bed {
  readonly folder = mkdtempSync(join(tmpdir(), 'bastion-native-'));
  readonly client = `bnc${String(process.pid)}`;
  readonly peerNamespace = `bnp${String(process.pid)}`;
  readonly cgroup: string;
  readonly pins: string;
  readonly program: string;
  readonly peer: Peer;
  readonly #hosts: Host[] = [];
  readonly #started: ChildProcess[] = [];
  readonly #addon: string;

  constructor(addon = join(ROOT, 'build/native/bastion.node')) {
    this.#addon = addon;
    // Programs of other users live here too.
    chmodSync(this.folder, 0o755);
    this.cgroup = join(cgroupRoot() ?? '', `bastion-native-${String(process.pid)}`);
    mkdirSync(this.cgroup);
    const bpffs = join(this.folder, 'bpffs');
    mkdirSync(bpffs);
    run('mount', ['-t', 'bpf', 'bpf', bpffs]);
    this.pins = join(bpffs, 'bastion');
    this.program = join(this.folder, 'traffic');
    run('gcc', ['-O2', '-Wall', '-o', this.program, join(import.meta.dirname, 'traffic.c')]);
    this.#makeNetwork();
    this.peer = new Peer(this.program, this.peerNamespace, 7);
  }

  /** A second program: the same code under another inode. */
  copy(name: string): string {
    const path = join(this.folder, name);
    copyFileSync(this.program, path);
    return path;
  }

  options(changes: Partial<NativeOptions> = {}): NativeOptions {
    return {
      queueNumber: QUEUE,
      queueMaxLength: 4096,
      maxHeld: 1024,
      maxHeldPerFlow: 32,
      maxHeldPerUid: 512,
      answerDeadlineMs: 5000,
      defaultVerdict: 'refuse',
      refuseMark: MARK,
      kernel: { objectPath: join(ROOT, 'build/native/bastion.bpf.o'), cgroupPath: this.cgroup, pinPath: this.pins },
      ...changes,
    };
  }

  newHost(preload: string | null = null, wrapper: readonly string[] = []): Host {
    const host = new Host({ namespace: this.client, wrapper, preload });
    this.#hosts.push(host);
    return host;
  }

  /** A host with an open data path, and the ruleset for it. */
  async open(changes: Partial<NativeOptions> = {}, preload: string | null = null): Promise<Host> {
    const host = this.newHost(preload);
    const options = this.options(changes);
    // As the helper does it.
    if (options.kernel !== null) await host.loadAhead(this.#addon, options.kernel);
    const features = await host.open(this.#addon, options);
    if (changes.kernel !== null && features.missing.length > 0) throw new Error(JSON.stringify(features.missing));
    // As the engine does it: what an earlier helper decided counts only if it had the same rules.
    await host.call({ op: 'adopt', policy: 0n });
    this.applyRules(features.xtPrograms === null ? null : this.pins);
    return host;
  }

  applyRules(pins: string | null): void {
    run('nsenter', [`--net=/run/netns/${this.client}`, 'iptables-nft-restore'], ruleset(4, pins));
    run('nsenter', [`--net=/run/netns/${this.client}`, 'ip6tables-nft-restore'], ruleset(6, pins));
  }

  get addon(): string {
    return this.#addon;
  }

  /** What any other tool may do: no rule of anybody is left. */
  flushRules(): void {
    run('nsenter', [`--net=/run/netns/${this.client}`, 'nft', 'flush', 'ruleset']);
  }

  /** Starts a program inside the firewall: the client's namespace and the guarded cgroup. */
  start(program: string, args: readonly (string | number)[]): ChildProcess {
    const inside = ['-c', 'echo 0 > "$0/cgroup.procs" && exec "$@"', this.cgroup, program, ...args.map(String)];
    return this.#spawn(this.client, ['sh', ...inside]);
  }

  /** Exit status of a program inside the firewall: an errno for traffic.c. */
  async run(program: string, args: readonly (string | number)[]): Promise<number | null> {
    const child = this.start(program, args);
    await once(child, 'exit');
    return child.exitCode;
  }

  traffic(...args: readonly (string | number)[]): Promise<number | null> {
    return this.run(this.program, args);
  }

  /** The same on the other side, outside the firewall. */
  startPeer(...args: readonly (string | number)[]): ChildProcess {
    return this.#spawn(this.peerNamespace, [this.program, ...args.map(String)]);
  }

  /** Any command on the other side. */
  atPeer(command: readonly string[]): ChildProcess {
    return this.#spawn(this.peerNamespace, command);
  }

  /** A program on the other side, outside the firewall. */
  async fromPeer(...args: readonly (string | number)[]): Promise<number | null> {
    const child = this.startPeer(...args);
    await once(child, 'exit');
    return child.exitCode;
  }

  async closeHosts(): Promise<void> {
    await Promise.all(this.#hosts.splice(0).map((host) => host.stop()));
  }

  async close(): Promise<void> {
    await this.closeHosts();
    await this.peer.stop();
    await Promise.all(this.#started.map(endInput));
    run('umount', [join(this.folder, 'bpffs')]);
    for (const namespace of [this.client, this.peerNamespace]) run('ip', ['netns', 'delete', namespace]);
    rmdirSync(this.cgroup);
    rmSync(this.folder, { recursive: true });
  }

  #spawn(namespace: string, command: readonly string[]): ChildProcess {
    const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, ...command], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#started.push(child);
    return child;
  }

  #makeNetwork(): void {
    for (const namespace of [this.client, this.peerNamespace]) {
      run('ip', ['netns', 'add', namespace]);
      run('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
    }
    run('ip', ['-n', this.client, 'link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth0', 'netns', this.peerNamespace]);
    for (const [namespace, four, six] of [[this.client, CLIENT4, 'fd13::1'], [this.peerNamespace, PEER4, PEER6]] as const) {
      run('ip', ['-n', namespace, 'address', 'add', `${four}/24`, 'dev', 'veth0']);
      run('ip', ['-n', namespace, 'address', 'add', `${six}/64`, 'dev', 'veth0', 'nodad']);
      run('ip', ['-n', namespace, 'link', 'set', 'veth0', 'up']);
    }
  }
}

/** Where the compiler keeps a sanitizer's library; null if it has none. */
export function sanitizerLibrary(): string | null {
  const path = run('g++', ['-print-file-name=libasan.so']).trim();
  return existsSync(path) ? path : null;
}
