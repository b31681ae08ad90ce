/**
 * Debian's own kernels: downloaded from the mirror that this machine's apt uses, unpacked into a cache folder, never
 * installed.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { searchPath, tryTool } from '../../lab/process.ts';

const run = promisify(execFile);
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const TOOL_LIMIT_MS = 120_000;

export interface KernelChoice {
  /** What people call it. */
  readonly name: string;
  /** Debian's name of the release, as in its archive. */
  readonly suite: string;
  /** What `uname -r` begins with there. */
  readonly version: string;
}

export const DEBIAN_12: KernelChoice = { name: 'Debian 12', suite: 'bookworm', version: '6.1.' };
export const DEBIAN_13: KernelChoice = { name: 'Debian 13', suite: 'trixie', version: '6.12.' };

export interface Kernel {
  /** As `uname -r` says. */
  readonly release: string;
  /** The image that boots. */
  readonly image: string;
  /** Folder with `lib/modules/RELEASE`, as `modprobe --dirname` wants it. */
  readonly modules: string;
}

/** `$XDG_CACHE_HOME/bastion-firewall/kernels`: some hundred megabytes, which may be deleted at any time. */
function cacheFolder(): string {
  const given = process.env['XDG_CACHE_HOME'] ?? '';
  return join(given.startsWith('/') ? given : join(homedir(), '.cache'), 'bastion-firewall/kernels');
}

/** Address of the Debian archive in apt's own configuration, null without one. */
function mirror(): string | null {
  const known = tryTool('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages']) ?? '';
  return known.split('\n').find((address) => /\/debian\/?$/u.test(address)) ?? null;
}

/** Why no kernel can be had here; null where one can. */
export function noKernels(): string | null {
  if (tryTool('apt-get', ['--version']) === null) return 'there is no apt-get to fetch a kernel with';
  if (!existsSync(KEYRING)) return 'the package debian-archive-keyring is not installed';
  return mirror() === null ? 'apt knows no Debian mirror' : null;
}

/** apt with lists and sources of its own: the machine's are neither read nor changed. */
function privateApt(folder: string, suite: string): string[] {
  for (const name of ['lists/partial', 'archives/partial']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'sources.list'), `deb [arch=amd64 signed-by=${KEYRING}] ${mirror() ?? ''} ${suite} main\n`);
  return [
    `Dir::Etc::sourcelist=${join(folder, 'sources.list')}`, 'Dir::Etc::sourceparts=-', `Dir::State::lists=${join(folder, 'lists')}`,
    `Dir::Cache=${folder}`, 'APT::Sandbox::User=', 'Acquire::Languages=none',
  ].flatMap((option) => ['-o', option]);
}

async function tool(name: string, args: readonly string[], cwd = '/'): Promise<string> {
  const { stdout } = await run(name, [...args], { cwd, timeout: TOOL_LIMIT_MS, env: { ...process.env, LC_ALL: 'C', PATH: searchPath() } });
  return stdout;
}

/** Where the meta package points. */
async function packageName(options: readonly string[]): Promise<string> {
  const words = await tool('apt-cache', [...options, 'depends', 'linux-image-amd64']);
  const found = /^\s*Depends: (linux-image-\d\S*)$/mu.exec(words)?.[1];
  if (found === undefined) throw new Error(`linux-image-amd64 depends on no kernel: ${words}`);
  return found;
}

async function download(choice: KernelChoice, folder: string): Promise<void> {
  const options = privateApt(folder, choice.suite);
  await tool('apt-get', ['-q', ...options, 'update']);
  await tool('apt-get', ['-q', ...options, 'download', await packageName(options)], folder);
  const archive = readdirSync(folder).find((name) => name.endsWith('.deb'));
  if (archive === undefined) throw new Error('apt-get downloaded nothing');
  const root = join(folder, 'root');
  await tool('dpkg-deb', ['-x', join(folder, archive), root]);
  // Debian 13 has /lib merged into /usr, and modprobe looks below /lib.
  if (!existsSync(join(root, 'lib'))) symlinkSync('usr/lib', join(root, 'lib'));
  const release = readdirSync(join(root, 'lib/modules'))[0] ?? '';
  await tool('depmod', ['--basedir', root, release]);
  for (const name of readdirSync(folder)) if (name !== 'root') rmSync(join(folder, name), { recursive: true });
}

/** The kernel from the cache, or from the mirror if it is not there. Rejects with what failed. */
export async function fetchKernel(choice: KernelChoice): Promise<Kernel> {
  const folder = join(cacheFolder(), choice.suite);
  if (!existsSync(folder)) {
    const unfinished = `${folder}.${String(process.pid)}`;
    mkdirSync(unfinished, { recursive: true });
    try {
      await download(choice, unfinished);
      renameSync(unfinished, folder);
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
  }
  const modules = join(folder, 'root');
  const release = readdirSync(join(modules, 'lib/modules'))[0] ?? '';
  if (!release.startsWith(choice.version)) throw new Error(`${choice.name} has kernel ${release}, not ${choice.version}*`);
  return { release, modules, image: join(modules, `boot/vmlinuz-${release}`) };
}
