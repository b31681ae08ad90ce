/**
 * A lab: a client's and a peer's network namespace, a guarded cgroup, a private bus with the real polkitd, and the helper.
 * Nothing of the machine itself is touched; everything carries the lab's name and goes with `dispose`, also after a signal
 * or, at the start of the next lab, after a crash.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUS_NAME } from '../../helper/contract/names.ts';
import { startPrivateBus } from './bus.ts';
import type { PrivateBus } from './bus.ts';
import { layGround } from './ground.ts';
import type { Ground } from './ground.ts';
import { ADDRESSES, allowPing, enterNamespace, makeNetwork } from './network.ts';
import { helperCommand } from './options.ts';
import { treeFor } from './shown.ts';
import type { LabOptions, RunOptions } from './options.ts';
import { Peer } from './peer.ts';
import { ROOT, endChild, finish, isRunning, searchPath, startTied, within } from './process.ts';
import type { Result } from './process.ts';
import { removeLeftovers, removeTraces } from './traces.ts';
import { ROOT_USER, becomeUser, ordinaryUser } from './user.ts';
import type { LabUser } from './user.ts';
import { mappedUids, missingRights } from './user-namespace.ts';

export type { LabOptions, RunOptions } from './options.ts';
export type { PeerCounts } from './peer.ts';
export type { Result } from './process.ts';

const HELPER_START_LIMIT_MS = 30_000;
/** As its unit gives it. A helper that is killed has not stopped cleanly. */
const HELPER_END_GRACE_MS = 15_000;
const RUN_LIMIT_MS = 60_000;
const LOG_TAIL_CHARACTERS = 4000;
/** A user namespace with fewer has no uid for an ordinary user. */
const MANY_UIDS = 65_536;

const living = new Set<Lab>();
let handling = false;

/** An exit handler takes away what nobody disposed of; a signal does the same first. */
function handleEnd(): void {
  if (handling) return;
  handling = true;
  process.on('exit', () => { for (const lab of living) lab.removeNow(); });
  for (const [signal, number] of [['SIGHUP', 1], ['SIGINT', 2], ['SIGTERM', 15]] as const) {
    process.on(signal, () => {
      if ([...living].some((lab) => lab.handlesSignals)) process.exit(128 + number);
    });
  }
}

export class Lab implements AsyncDisposable {
  readonly name: string;
  readonly folder: string;
  readonly configDir: string;
  readonly stateDir: string;
  readonly runDir: string;
  /** Folder on a bpffs of the lab's own; null where there is none. */
  readonly pinDir: string | null;
  /** Folder of the guarded cgroup; null where there is none. */
  readonly cgroup: string | null;
  readonly user: LabUser;
  readonly clientNamespace: string;
  readonly peerNamespace: string;
  readonly client4 = ADDRESSES.client4;
  readonly client6 = ADDRESSES.client6;
  readonly peer4 = ADDRESSES.peer4;
  readonly peer6 = ADDRESSES.peer6;
  readonly handlesSignals: boolean;
  readonly #options: LabOptions;
  readonly #limits: string[] = [];
  readonly #ground: Ground;
  readonly #log: number;
  #tree = ROOT;
  #bus: PrivateBus | null = null;
  #peer: Peer | null = null;
  #helper: ChildProcess | null = null;
  readonly #started = new Set<ChildProcess>();
  #disposal: Promise<void> | null = null;

  private constructor(options: LabOptions) {
    this.#options = options;
    this.handlesSignals = options.handleSignals ?? true;
    this.name = `bastion-lab-${String(process.pid)}-${randomBytes(3).toString('hex')}`;
    this.folder = join('/tmp', this.name);
    this.clientNamespace = `${this.name}-client`;
    this.peerNamespace = `${this.name}-peer`;
    living.add(this);
    handleEnd();
    const singleUser = mappedUids() < MANY_UIDS;
    this.user = ordinaryUser(singleUser);
    if (singleUser) this.#limits.push('One user only is mapped: the ordinary user is the same as root, so authorization cannot be shown.');
    const { mode = 'enforcing', defaultAction = 'ask', settings: more = '', rules } = options;
    this.#ground = layGround(this.name, this.folder, this.user, { mode, defaultAction, more, rules });
    this.#limits.push(...this.#ground.limits);
    ({ configDir: this.configDir, stateDir: this.stateDir, runDir: this.runDir } = this.#ground);
    ({ pinDir: this.pinDir, cgroup: this.cgroup } = this.#ground);
    this.#log = openSync(join(this.folder, 'log'), 'a', 0o600);
  }

  /**
   * Resolves when the helper owns its name on the lab's bus. Needs the rights to make network namespaces: as root, or in the
   * process that `reenter` (user-namespace.ts) started. Throws with the end of the log when a part does not start.
   */
  static async create(options: LabOptions = {}): Promise<Lab> {
    const missing = missingRights();
    if (missing !== null) throw new Error(`the lab cannot make network namespaces: ${missing}`);
    removeLeftovers();
    const lab = new Lab(options);
    try {
      await lab.#start();
      return lab;
    } catch (error: unknown) {
      await lab.dispose();
      throw error;
    }
  }

  /** What this machine or these rights do not give, and what that costs, in sentences. */
  get limits(): readonly string[] {
    return this.#limits;
  }

  get busAddress(): string {
    return this.bus.address;
  }

  get bus(): PrivateBus {
    return this.#need(this.#bus);
  }

  get peer(): Peer {
    return this.#need(this.#peer);
  }

  get helperPid(): number {
    return this.#need(this.#helper?.pid ?? null);
  }

  /** The process is there; whether it is ready is another matter. */
  get helperRuns(): boolean {
    return this.#helper !== null && isRunning(this.#helper);
  }

  /** How the helper that was started last has ended; null while it runs. */
  get helperEnd(): { readonly status: number | null; readonly signal: NodeJS.Signals | null } | null {
    const helper = this.#helper;
    return helper === null || isRunning(helper) ? null : { status: helper.exitCode, signal: helper.signalCode };
  }

  /** The tree, where the ordinary user can read it. */
  get tree(): string {
    return this.#tree;
  }

  /** One executable: bastionctl aimed at this lab's bus. */
  get ctlPath(): string {
    return join(this.#ground.binDir, 'bastionctl');
  }

  /** Variables that a program in the lab finds its way by. */
  environment(): Record<string, string> {
    return {
      BASTION_BUS: this.busAddress,
      BASTION_CTL: this.ctlPath,
      BASTION_PEER4: this.peer4,
      BASTION_PEER6: this.peer6,
      BASTION_PEER_NS: this.peerNamespace,
      BASTION_CLIENT_NS: this.clientNamespace,
      BASTION_CONFIG_DIR: this.configDir,
      ...(this.#helper?.pid === undefined ? {} : { BASTION_HELPER_PID: String(this.#helper.pid) }),
      DBUS_SYSTEM_BUS_ADDRESS: this.busAddress,
    };
  }

  /** HOME and names of a user, the ordinary one by default. */
  userVariables(user: LabUser = this.user): Record<string, string> {
    const own = user.uid === 0 || existsSync(user.home);
    return { HOME: own ? user.home : this.#ground.homeDir, USER: user.name, LOGNAME: user.name };
  }

  /** Where programs of the lab print. */
  get logDescriptor(): number {
    return this.#log;
  }

  /** Starts a program inside the firewall: in the client's namespace and the guarded cgroup. */
  spawn(argv: readonly string[], options: RunOptions & { readonly stdio?: StdioOptions } = {}): ChildProcess {
    const user = options.as === 'root' ? ROOT_USER : this.user;
    const guard = this.cgroup === null ? [] : ['sh', '-c', 'echo 0 > "$1/cgroup.procs" && shift && exec "$@"', 'sh', this.cgroup];
    return this.#spawn([...enterNamespace(this.clientNamespace), ...guard, ...becomeUser(user), ...argv], user, options);
  }

  /** `spawn` to the end. */
  run(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
    return finish(this.spawn(argv, options), options.input, options.timeoutMs ?? RUN_LIMIT_MS);
  }

  /** Starts a program as root in the peer's namespace, outside the firewall. */
  spawnAtPeer(argv: readonly string[], options: RunOptions = {}): ChildProcess {
    return this.#spawn([...enterNamespace(this.peerNamespace), ...argv], ROOT_USER, options);
  }

  /** `spawnAtPeer` to the end. */
  runAtPeer(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
    return finish(this.spawnAtPeer(argv, options), options.input, options.timeoutMs ?? RUN_LIMIT_MS);
  }

  /** Runs bastionctl. */
  ctl(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return this.run([this.ctlPath, ...args], options);
  }

  /** What the helper, the bus and the peer have printed. */
  logText(): string {
    return readFileSync(join(this.folder, 'log'), 'utf8');
  }

  /** Starts the helper and waits until it owns its name; with a longer limit for who makes it stand still meanwhile. */
  async startHelper(limitMs = HELPER_START_LIMIT_MS): Promise<void> {
    if (this.#helper !== null && isRunning(this.#helper)) throw new Error('the helper runs already');
    const names = this.#need(this.#bus).names;
    await names.released(BUS_NAME);
    const child = startTied([...enterNamespace(this.clientNamespace), ...helperCommand(this.#options, { ...this.#ground, busAddress: this.busAddress })], {
      env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: this.busAddress },
      stdio: ['ignore', this.#log, this.#log],
    });
    this.#helper = child;
    const ended = once(child, 'exit').then(() => {
      throw new Error(`the helper ended while starting:\n${this.logText().slice(-LOG_TAIL_CHARACTERS)}`);
    });
    ended.catch(() => undefined);
    await within(Promise.race([names.owned(BUS_NAME), ended]), limitMs, () =>
      `the helper did not take its name on the bus:\n${this.logText().slice(-LOG_TAIL_CHARACTERS)}`);
  }

  /** Ends the helper: SIGTERM lets it stop cleanly, SIGKILL does not ask. Resolves when it has gone from the bus too. */
  async stopHelper(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#helper === null) return;
    await endChild(this.#helper, HELPER_END_GRACE_MS, signal);
    await this.#need(this.#bus).names.released(BUS_NAME);
  }

  async restartHelper(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.stopHelper(signal);
    await this.startHelper();
  }

  /** Resolves when the helper has ended by itself, with its exit status; null after a signal. */
  async helperEnded(): Promise<number | null> {
    const helper = this.#helper;
    if (helper !== null && isRunning(helper)) await once(helper, 'exit');
    return helper?.exitCode ?? null;
  }

  /** Ends and removes everything, in reverse order. Idempotent; throws when something stays. */
  dispose(): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** `dispose` without waiting, for the end of the process: kills, then removes. */
  removeNow(): void {
    living.delete(this);
    for (const child of this.#started) child.kill('SIGKILL');
    this.#helper?.kill('SIGKILL');
    removeTraces(this.name);
  }

  #need<T>(part: T | null): T {
    if (part === null) throw new Error('this part of the lab has not been started');
    return part;
  }

  #spawn(argv: readonly string[], user: LabUser, options: RunOptions & { readonly stdio?: StdioOptions }): ChildProcess {
    const [command = '', ...args] = argv;
    const child = spawn(command, args, {
      cwd: options.cwd ?? '/',
      stdio: options.stdio ?? ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, PATH: searchPath(), ...this.userVariables(user), ...this.environment(), ...options.env },
    });
    this.#started.add(child);
    child.on('error', () => undefined);
    child.once('close', () => this.#started.delete(child));
    return child;
  }

  async #start(): Promise<void> {
    makeNetwork(this.clientNamespace, this.peerNamespace);
    try {
      allowPing(this.clientNamespace, mappedUids() < MANY_UIDS ? 0 : 2_147_483_647);
    } catch {
      this.#limits.push('Unprivileged ping is not allowed here.');
    }
    this.#peer = await Peer.start(enterNamespace(this.peerNamespace), this.folder, this.#log);
    const bus = await startPrivateBus({
      folder: join(this.folder, 'bus'),
      polkit: this.#options.polkit ?? 'open',
      user: this.user.name,
      singleUser: this.user.uid === 0,
    });
    this.#bus = bus;
    this.#limits.push(...bus.limits);
    this.#writeCtl();
    if (this.#options.startHelper ?? true) await this.startHelper();
  }

  #writeCtl(): void {
    this.#tree = treeFor(this.user, join(this.folder, 'product'));
    const program = join(this.#tree, 'build/bin/bastionctl');
    writeFileSync(this.ctlPath, `#!/bin/sh\nDBUS_SYSTEM_BUS_ADDRESS='${this.busAddress}' exec '${program}' "$@"\n`);
    chmodSync(this.ctlPath, 0o755);
  }

  async #dispose(): Promise<void> {
    for (const child of this.#started) child.kill('SIGKILL');
    if (this.#helper !== null) await endChild(this.#helper, HELPER_END_GRACE_MS);
    await this.#peer?.close();
    await this.#bus?.close();
    closeSync(this.#log);
    living.delete(this);
    removeTraces(this.name);
  }
}
