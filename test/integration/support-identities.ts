/** A package database, programs and processes of the test's own, and the real worker to look at them. */
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createIdentities } from '../../helper/adapters/identities.ts';
import type { IdentitiesOptions, IdentityService } from '../../helper/adapters/identities.ts';
import { sameFile } from '../../helper/adapters/file-check.ts';
import { createProcesses } from '../../helper/adapters/procfs.ts';
import type { Attribution, ExecutableId } from '../../helper/contract/vocabulary.ts';
import type { IntegrityJudge, JudgedFile, Logger } from '../../helper/ports.ts';
import { loadBinding } from '../../native/binding.ts';
import { ROOT } from './support-native/bed.ts';

export const native = loadBinding(join(ROOT, 'build/native/bastion.node'));
export const WORKER = join(ROOT, 'helper/adapters/identities/worker.ts');
const TICK_NS = 10_000_000n;

export function verify(executable: ExecutableId, path: string): boolean {
  const there = native.fileIdentity(path);
  return there !== null && sameFile(there, executable);
}

export function idOf(path: string): ExecutableId {
  const found = native.fileIdentity(path);
  if (found === null) throw new Error(`${path} is no file`);
  const { device, inode, generation, ctimeSec } = found;
  return { device, inode, generation, ctimeSec };
}

export const silent: Logger = { log: () => undefined, setLevel: () => undefined };

/** A registry that knows what it is told, and writes down what it was asked. */
export class Judge implements IntegrityJudge {
  readonly known = new Map<string, string>();
  readonly judged: JudgedFile[] = [];
  readonly #listeners = new Set<() => void>();

  expects(path: string): boolean { return this.known.has(path); }

  judge(file: JudgedFile): ReturnType<IntegrityJudge['judge']> {
    this.judged.push(file);
    const known = this.known.get(file.path);
    if (file.packageState === 'right') return { integrity: 'valid', trusted: false };
    if (known === undefined) return { integrity: 'unknown', trusted: false };
    return { integrity: known === file.sha256 ? 'valid' : 'changed', trusted: known === file.sha256 };
  }

  onChanged(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => { this.#listeners.delete(changed); };
  }

  tell(): void { for (const listener of this.#listeners) listener(); }
}

export class Scene {
  readonly folder = mkdtempSync(join(tmpdir(), 'bastion-identities-'));
  readonly database = join(this.folder, 'dpkg');
  readonly flatpak = join(this.folder, 'flatpak');
  readonly passwd = join(this.folder, 'passwd');
  readonly judge = new Judge();
  readonly #services: IdentityService[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #ends: (() => void)[] = [];

  constructor() {
    chmodSync(this.folder, 0o755);
    mkdirSync(join(this.database, 'info'), { recursive: true });
    mkdirSync(this.flatpak);
    writeFileSync(join(this.database, 'lock'), '', { mode: 0o640 });
    writeFileSync(this.passwd, `someone:x:1000:1000::${join(this.folder, 'home')}:/bin/sh\n`);
  }

  /** A program below the scene's folder: a copy of `true` with `tail` behind it. */
  program(path: string, tail = path): string {
    const full = join(this.folder, path);
    mkdirSync(dirname(full), { recursive: true });
    copyFileSync('/bin/true', full);
    writeFileSync(full, tail, { flag: 'a' });
    chmodSync(full, 0o755);
    return full;
  }

  /** Writes what dpkg records of a package; `sums` false leaves the checksums out. */
  package(name: string, paths: readonly string[], { conffiles = [], sums = true }: { readonly conffiles?: readonly string[]; readonly sums?: boolean } = {}): void {
    const at = (kind: string): string => join(this.database, 'info', `${name}.${kind}`);
    writeFileSync(at('list'), ['/.', ...paths, ''].join('\n'));
    if (conffiles.length > 0) writeFileSync(at('conffiles'), [...conffiles, ''].join('\n'));
    rmSync(at('md5sums'), { force: true });
    if (sums) writeFileSync(at('md5sums'), paths.map((path) => `${md5Of(path)}  ${path.slice(1)}\n`).join(''));
  }

  open(options: Partial<IdentitiesOptions> = {}): IdentityService {
    const service = createIdentities({
      workerPath: WORKER, clock: { bootNs: () => native.bootNs(), wallMs: () => Date.now() }, logger: silent, processes: createProcesses(), verify,
      judge: this.judge, places: { database: this.database, flatpak: this.flatpak, passwd: this.passwd }, ...options,
    });
    this.#services.push(service);
    return service;
  }

  spawn(command: string, args: readonly string[], options: { readonly cwd?: string; readonly argv0?: string } = {}): ChildProcess {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], ...options });
    this.#children.push(child);
    return child;
  }

  /** Starts a program and waits for its first output. */
  async started(command: string, args: readonly string[], options: { readonly cwd?: string; readonly argv0?: string } = {}): Promise<ChildProcess> {
    const child = this.spawn(command, args, options);
    await once(child.stdout ?? child, 'data');
    return child;
  }

  /** Called before the folder goes. */
  atEnd(end: () => void): void {
    this.#ends.push(end);
  }

  async end(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const service of this.#services) await service.close();
    for (const end of this.#ends) end();
    for (const child of this.#children) await this.end(child);
    rmSync(this.folder, { recursive: true });
  }
}

export function md5Of(path: string): string {
  return createHash('md5').update(readFileSync(path)).digest('hex');
}

export function sha256Of(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** Start of a process on the boot clock, as near as /proc tells. */
export function startOf(pid: number): bigint {
  const text = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
  return BigInt(text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '0') * TICK_NS;
}

export interface Told {
  /** null: the path could not be verified. */
  readonly path: string | null;
  readonly claimed?: string;
  readonly executable: ExecutableId;
  readonly pid?: number;
  readonly startNs?: bigint;
  readonly uid?: number;
}

/** What the data path tells of a flow. A process that nobody named began this very moment and has gone. */
export function attribution({ path, claimed, executable, pid = 0x3fff_fff0, startNs = native.bootNs(), uid = 0 }: Told): Attribution {
  return {
    owner: {
      cookie: 1n, pid, startNs, uid, gid: 0, executable, mountNamespace: 1, networkNamespace: 1n, cgroup: 1n, command: 'test',
    },
    identity: { path }, claimedPath: path === null ? claimed ?? null : null, evidence: 'kernel',
    confidence: path === null ? 'unknown' : 'certain', ancestors: [],
  };
}

/** Of a program that lies at `path` and runs; its file is older than the process. */
export function running(path: string, more: Partial<Told> = {}): Attribution {
  return attribution({ path, executable: idOf(path), startNs: native.bootNs() + 60_000_000_000n, ...more });
}
