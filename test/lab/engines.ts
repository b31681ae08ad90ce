/** Docker and Podman of Debian's packages in a lab, with an image made of one static program: nothing is pulled. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from './compile.ts';
import { LaidPackage, unpacked } from './debian-packages.ts';
import type { Lab } from './lab.ts';

const START_LIMIT_MS = 60_000;
const RUN_LIMIT_MS = 120_000;
const LOOK_MS = 50;
const EMPTY_LIMIT_MS = 30_000;
const TEXT_LIMIT = 2000;
const CGROUPS = '/sys/fs/cgroup';
export const TEST_IMAGE = 'bastion-test:latest';

/** One network of a container, as both engines describe it. */
export interface InspectedNetwork {
  readonly IPAddress: string;
  readonly IPPrefixLen: number;
  readonly GlobalIPv6Address: string;
  readonly GlobalIPv6PrefixLen: number;
}

/** What `inspect` says of a container, as far as tests look. */
export interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly State: { readonly Running: boolean; readonly Paused: boolean };
  readonly Config: { readonly Image: string };
  readonly HostConfig: { readonly NetworkMode: string };
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, InspectedNetwork>> | null };
}

/** An engine that listens on a socket in the lab's folder. */
export abstract class LabEngine implements AsyncDisposable {
  readonly lab: Lab;
  readonly laid: LaidPackage;
  readonly socket: string;
  protected readonly folder: string;
  #daemon: ChildProcess | null = null;
  #said = '';

  protected constructor(lab: Lab, laid: LaidPackage, name: string) {
    this.lab = lab;
    this.laid = laid;
    this.socket = join(lab.folder, `${name}.sock`);
    this.folder = join(lab.folder, name);
  }

  /** The command line of what serves the socket. */
  protected abstract serving(): readonly string[];
  /** A command of the engine. */
  protected abstract command(args: readonly string[]): readonly string[];
  protected environment(): Readonly<Record<string, string>> {
    return {};
  }

  /** Containers are in a cgroup of their own, not in the guarded one: there are processes in that, which version 2 allows no limits beside. */
  get cgroup(): string {
    return `/${this.lab.name}-engine`;
  }

  /** Until it answers on its socket. */
  async start(): Promise<void> {
    const daemon = this.laid.start(this.serving(), this.environment());
    this.#daemon = daemon;
    this.#said = '';
    daemon.stdout?.resume();
    daemon.stderr?.on('data', (chunk: Buffer) => { this.#said = (this.#said + chunk.toString()).slice(-TEXT_LIMIT); });
    const end = performance.now() + START_LIMIT_MS;
    while ((await this.laid.run(this.command(['info']), this.environment())).status !== 0 || !existsSync(this.socket)) {
      if (daemon.exitCode !== null || performance.now() > end) throw new Error(`the engine did not start: ${this.#said}`);
      await new Promise((resolve) => { setTimeout(resolve, LOOK_MS); });
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = null;
    if (daemon?.exitCode !== null || daemon.signalCode !== null) return;
    const ended = once(daemon, 'exit');
    daemon.kill(signal);
    await ended;
  }

  /** What it prints. Throws where it fails. */
  async run(...args: string[]): Promise<string> {
    const done = await this.laid.run(this.command(args), this.environment(), RUN_LIMIT_MS);
    if (done.status !== 0) throw new Error(`${args.join(' ')}: ${done.stdout}${done.stderr}`);
    return done.stdout;
  }

  /** Once: an image whose only program waits. */
  async makeImage(): Promise<void> {
    const root = join(this.folder, 'image');
    mkdirSync(root, { recursive: true });
    copyFileSync(compile('pause.c', this.lab.folder, ['-static']), join(root, 'pause'));
    const script = 'cd "$1" && shift && chmod 755 pause && tar -c -f - pause | "$@"';
    const command = this.command(['import', '-c', 'CMD ["/pause"]', '-', TEST_IMAGE]);
    const done = await this.laid.run(['sh', '-c', script, 'sh', root, ...command], this.environment(), RUN_LIMIT_MS);
    if (done.status !== 0) throw new Error(`the image was not made: ${done.stdout}${done.stderr}`);
  }

  /** All that run or are paused. */
  async inspectRunning(): Promise<readonly Inspected[]> {
    const ids = (await this.run('ps', '-q', '--no-trunc', '--filter', 'status=running', '--filter', 'status=paused')).split('\n').filter((id) => id !== '');
    return ids.length === 0 ? [] : JSON.parse(await this.run('inspect', ...ids)) as readonly Inspected[];
  }

  /** Also what its containers leave in every hierarchy of cgroups, which the lab does not know. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      const ids = (await this.run('ps', '-a', '-q')).split('\n').filter((id) => id !== '');
      if (ids.length > 0) await this.run('rm', '-f', ...ids);
    } finally {
      await this.stop();
      await this.laid.close();
      for (const hierarchy of [CGROUPS, ...readdirSync(CGROUPS).map((name) => join(CGROUPS, name))]) await removeEmpty(join(hierarchy, this.cgroup));
    }
  }
}

/** What is in it has ended, and leaves in a moment. */
async function removeEmpty(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) await removeEmpty(join(folder, entry.name));
  const end = performance.now() + EMPTY_LIMIT_MS;
  for (;;) {
    try {
      rmdirSync(folder);
      return;
    } catch (error: unknown) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => { setTimeout(resolve, LOOK_MS); });
    }
  }
}

export class LabDocker extends LabEngine {
  /** Not started. Throws where the package cannot be had. */
  static async lay(lab: Lab): Promise<LabDocker> {
    return LabDocker.over(lab, await LaidPackage.lay(lab, await unpacked('docker.io')));
  }

  /** Not started, of a package that is laid over the system already. */
  static async over(lab: Lab, laid: LaidPackage): Promise<LabDocker> {
    await laid.run(['sh', '-c', 'mkdir -p /run/docker && mount -t tmpfs tmpfs /run/docker']);
    return new LabDocker(lab, laid, 'docker');
  }

  protected override serving(): readonly string[] {
    return [
      'dockerd', '--data-root', '/run/docker/data', '--exec-root', '/run/docker/exec', '-p', '/run/docker/pid', '-H', `unix://${this.socket}`,
      '--storage-driver', 'vfs', '--cgroup-parent', this.cgroup,
    ];
  }

  protected override command(args: readonly string[]): readonly string[] {
    return ['docker', '-H', `unix://${this.socket}`, ...args];
  }
}

export class LabPodman extends LabEngine {
  readonly #config: string;

  private constructor(lab: Lab, laid: LaidPackage, runc: string) {
    super(lab, laid, 'podman');
    mkdirSync(this.folder);
    this.#config = join(this.folder, 'containers.conf');
    // crun refuses cgroups of both versions side by side; nobody may raise limits here.
    writeFileSync(this.#config, `[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n[engine]\ncgroup_manager = "cgroupfs"\n`
      + `events_logger = "file"\nruntime = "runc"\n[engine.runtimes]\nrunc = ["${runc}"]\n`);
  }

  /** Not started. Throws where the packages cannot be had. */
  static async lay(lab: Lab): Promise<LabPodman> {
    const runc = join(await unpacked('docker.io'), 'usr/sbin/runc');
    const laid = await LaidPackage.lay(lab, await unpacked('podman'));
    const made = await laid.run(['sh', '-c', 'mkdir -p /run/podman-lab /run/cni && mount -t tmpfs tmpfs /run/podman-lab && mount -t tmpfs tmpfs /run/cni']);
    if (made.status !== 0) throw new Error(made.stderr);
    return new LabPodman(lab, laid, runc);
  }

  protected override serving(): readonly string[] {
    return this.command(['system', 'service', '-t', '0', `unix://${this.socket}`]);
  }

  protected override command(args: readonly string[]): readonly string[] {
    const [verb = '', ...rest] = args;
    return [
      'podman', '--root', '/run/podman-lab/root', '--runroot', '/run/podman-lab/run', '--tmpdir', '/run/podman-lab/tmp', '--storage-driver', 'vfs',
      '--network-config-dir', '/run/podman-lab/net', verb, ...(verb === 'run' ? ['--cgroup-parent', this.cgroup] : []), ...rest,
    ];
  }

  protected override environment(): Readonly<Record<string, string>> {
    return { CONTAINERS_CONF: this.#config };
  }
}
