/**
 * Debian's own kernels: downloaded from the mirror that this machine's apt uses, unpacked into a cache folder, never
 * installed.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { searchPath } from '../../lab/process.ts';
import { KEYRING, cacheFolder, cached, mirror, noArchive } from './cache.ts';

const run = promisify(execFile);
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

/** Why no kernel can be had here; null where one can. */
export function noKernels(): string | null {
  return noArchive('a kernel');
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
  const folder = cacheFolder('kernels', choice.suite);
  await cached(folder, (unfinished) => download(choice, unfinished));
  const modules = join(folder, 'root');
  const release = readdirSync(join(modules, 'lib/modules'))[0] ?? '';
  if (!release.startsWith(choice.version)) throw new Error(`${choice.name} has kernel ${release}, not ${choice.version}*`);
  return { release, modules, image: join(modules, `boot/vmlinuz-${release}`) };
}
