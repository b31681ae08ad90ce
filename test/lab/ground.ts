/** What a lab stands on before anything runs: its folders, its configuration, its cgroup, its place for BPF programs. */
import { chmodSync, chownSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, tryTool } from './process.ts';
import { cgroup2Mount } from './traces.ts';
import type { LabUser } from './user.ts';
import { insideUserNamespace } from './user-namespace.ts';

export interface Settings {
  readonly mode: string;
  readonly defaultAction: string;
  /** More lines of bastion.toml. */
  readonly more: string;
  /** Text of rules.d/10-lab.toml; undefined for no such file. */
  readonly rules: string | undefined;
}

export interface Ground {
  readonly configDir: string;
  readonly stateDir: string;
  readonly runDir: string;
  /** The vendor's rules as an installed package has them: a checkout may belong to anybody. */
  readonly vendorDir: string;
  readonly binDir: string;
  readonly homeDir: string;
  /** Folder of the guarded cgroup; null where there is none. */
  readonly cgroup: string | null;
  /** Folder on a bpffs of the lab's own; null where there is none. */
  readonly pinDir: string | null;
  /** What is missing, in sentences. */
  readonly limits: readonly string[];
}

/** Whatever the umask says, the modes are those of an installed product. */
function makeFolder(path: string, mode: number): string {
  mkdirSync(path);
  chmodSync(path, mode);
  return path;
}

function writeConfig(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o640);
}

function writeSettings(configDir: string, settings: Settings): void {
  const lines = [`mode = "${settings.mode}"`, `default_action = "${settings.defaultAction}"`, settings.more];
  writeConfig(join(configDir, 'bastion.toml'), `${lines.join('\n')}\n`);
  const rulesDir = makeFolder(join(configDir, 'rules.d'), 0o755);
  if (settings.rules !== undefined) writeConfig(join(rulesDir, '10-lab.toml'), settings.rules);
}

function copyVendorRules(path: string): string {
  const source = join(ROOT, 'data/rules');
  makeFolder(path, 0o755);
  for (const name of readdirSync(source)) writeConfig(join(path, name), readFileSync(join(source, name), 'utf8'));
  return path;
}

function makeCgroup(name: string, limits: string[]): string | null {
  const cost = 'programs are found through /proc, a short-lived one is refused instead of identified, and the state is degraded.';
  const mount = cgroup2Mount();
  if (mount === null) {
    limits.push(`No cgroup v2 is mounted: ${cost}`);
    return null;
  }
  try {
    return makeFolder(join(mount, name), 0o755);
  } catch (error: unknown) {
    limits.push(`No cgroup of the lab's own (${error instanceof Error ? error.message : String(error)}): ${cost}`);
    return null;
  }
}

function makePinFolder(folder: string, limits: string[]): string | null {
  const mount = makeFolder(join(folder, 'bpf'), 0o700);
  const mounted = !insideUserNamespace() && tryTool('mount', ['-t', 'bpf', '-o', 'mode=0700', 'bpf', mount]) !== null;
  if (mounted) return join(mount, 'bastion');
  limits.push('The kernel takes no programs here (BPF): the helper repeats decisions itself, which costs time at each connection.');
  return null;
}

/** Makes everything below `folder`, and the cgroup `name`. */
export function layGround(name: string, folder: string, user: LabUser, settings: Settings): Ground {
  const limits: string[] = [];
  makeFolder(folder, 0o755);
  const configDir = makeFolder(join(folder, 'config'), 0o755);
  writeSettings(configDir, settings);
  const homeDir = makeFolder(join(folder, 'home'), 0o700);
  chownSync(homeDir, user.uid, user.gid);
  return {
    configDir,
    homeDir,
    stateDir: makeFolder(join(folder, 'state'), 0o700),
    runDir: makeFolder(join(folder, 'run'), 0o755),
    vendorDir: copyVendorRules(join(folder, 'vendor')),
    binDir: makeFolder(join(folder, 'bin'), 0o755),
    cgroup: makeCgroup(name, limits),
    pinDir: makePinFolder(folder, limits),
    limits,
  };
}
