/**
 * Programs of Debian packages that nobody has to install: they are fetched from the machine's own archive, unpacked below
 * build/, and laid over /usr, /etc and /var in the mount namespace of one process in a lab. Installing a second firewall on the
 * machine that runs the tests would change that machine's network.
 */
import { execFile } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Lab } from './lab.ts';
import { ROOT, endChild, searchPath, within } from './process.ts';
import type { Result } from './process.ts';

const FETCH_LIMIT_MS = 180_000;
const LAY_LIMIT_MS = 10_000;
const END_GRACE_MS = 1000;
/** Folders of packages from before /usr was merged. */
const MERGED = ['bin', 'sbin', 'lib'];

const execute = promisify(execFile);

async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { stdout } = await execute(command, [...args], {
    cwd, timeout: FETCH_LIMIT_MS, maxBuffer: 16 * 1024 * 1024, env: { ...process.env, LC_ALL: 'C', PATH: searchPath() },
  });
  return stdout;
}

/** The package and what it needs that is not installed, as NAME=VERSION. */
async function wanted(name: string): Promise<string[]> {
  const plan = await run('apt-get', ['-s', '-q', '--no-install-recommends', 'install', name], '/');
  const found = [...plan.matchAll(/^Inst (\S+)(?: \[[^\]]*\])? \((\S+)/gmu)];
  return found.map(([, one = '', version = '']) => `${one}=${version}`);
}

async function fetch(name: string, folder: string): Promise<void> {
  const packages = await wanted(name);
  mkdirSync(join(folder, 'root'), { recursive: true });
  if (packages.length === 0) return;
  await run('apt-get', ['-q', 'download', ...packages], folder);
  for (const archive of readdirSync(folder).filter((file) => file.endsWith('.deb'))) {
    await run('dpkg-deb', ['-x', archive, 'root'], folder);
    rmSync(join(folder, archive));
  }
  for (const part of MERGED) {
    const old = join(folder, 'root', part);
    if (!existsSync(old) || lstatSync(old).isSymbolicLink()) continue;
    cpSync(old, join(folder, 'root/usr', part), { recursive: true, verbatimSymlinks: true });
    rmSync(old, { recursive: true });
  }
}

/**
 * The folder with the unpacked package and its missing dependencies; fetched once, then kept in build/. Throws an Error whose
 * message begins with "needs the Debian package" where it cannot be had.
 */
export async function unpacked(name: string): Promise<string> {
  const folder = join(ROOT, 'build/test/packages', name);
  if (existsSync(folder)) return join(folder, 'root');
  mkdirSync(join(folder, '..'), { recursive: true });
  const unfinished = mkdtempSync(`${folder}.`);
  try {
    await fetch(name, unfinished);
    if (!existsSync(folder)) renameSync(unfinished, folder);
  } catch (error: unknown) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new Error(`needs the Debian package ${name}, which apt-get cannot fetch here: ${said.slice(0, 500)}`, { cause: error });
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return join(folder, 'root');
}

/** $1: the unpacked root; $2: a folder for what changes. Ends with its input. */
const LAY = `
set -e
mount --make-rprivate /
mkdir -p "$1/usr" "$1/etc" "$1/var" "$2/etc" "$2/etc-work" "$2/var" "$2/var-work" "$2/usr" "$2/usr-work"
for part in usr etc var; do
  mount -t overlay overlay -o "lowerdir=$1/$part:/$part,upperdir=$2/$part,workdir=$2/$part-work" "/$part"
done
echo laid
exec cat >/dev/null
`;

/** A package laid over the system, for processes in a lab's client namespace only. */
export class LaidPackage {
  readonly #lab: Lab;
  readonly #holder: ChildProcess;

  private constructor(lab: Lab, holder: ChildProcess) {
    this.#lab = lab;
    this.#holder = holder;
  }

  static async lay(lab: Lab, root: string): Promise<LaidPackage> {
    const changes = mkdtempSync(join(lab.folder, 'package-'));
    const holder = lab.spawn(['unshare', '-m', 'sh', '-c', LAY, 'sh', root, changes], { as: 'root', stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    holder.stderr?.on('data', (chunk: Buffer) => { said += chunk.toString(); });
    const laid = Promise.race([
      once(holder.stdout ?? holder, 'data'),
      once(holder, 'exit').then(() => { throw new Error(`the package cannot be laid over the system: ${said}`); }),
    ]);
    await within(laid, LAY_LIMIT_MS, () => 'the package was not laid over the system');
    return new LaidPackage(lab, holder);
  }

  #inside(argv: readonly string[]): string[] {
    return ['nsenter', '-t', String(this.#holder.pid), '-m', '--', ...argv];
  }

  /** As root, to the end. */
  run(argv: readonly string[], env: Readonly<Record<string, string>> = {}, timeoutMs?: number): Promise<Result> {
    return this.#lab.run(this.#inside(argv), { as: 'root', env, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  }

  /** As root; the lab ends it. */
  start(argv: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    return this.#lab.spawn(this.#inside(argv), { as: 'root', env });
  }

  async close(): Promise<void> {
    this.#holder.stdin?.end();
    await endChild(this.#holder, END_GRACE_MS);
  }
}
