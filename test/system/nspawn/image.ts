/**
 * A plain Debian of this machine's own release with systemd, made by mmdebstrap from the archive that its apt uses and kept in
 * the cache folder, and why it cannot be had.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { promisify } from 'node:util';
import { searchPath, tool, which } from '../../lab/process.ts';
import { cgroup2Mount } from '../../lab/traces.ts';
import { insideUserNamespace, missingRights } from '../../lab/user-namespace.ts';
import { cacheFolder, cached, mirror, noArchive } from '../rig/cache.ts';

const run = promisify(execFile);
const MAKE_LIMIT_MS = 330_000;
const OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024;

/** The system, what the product needs of it, and what the tests run in it. */
const PACKAGES = [
  'systemd', 'systemd-sysv', 'dbus', 'polkitd', 'iptables', 'nftables', 'iproute2', 'kmod', 'procps',
  'libnetfilter-queue1', 'libmnl0', 'libbpf1', 'libstdc++6', 'libelf1', 'zlib1g',
];
const LEFT_OUT = ['/usr/share/man/*', '/usr/share/doc/*', '/usr/share/locale/*'];

/** Program and the Debian package that has it. */
const NEEDED = [['systemd-nspawn', 'systemd-container'], ['mmdebstrap', 'mmdebstrap'], ['nsenter', 'util-linux']] as const;

/** This machine's release, because the addon is linked with its libraries. Source: os-release(5). */
function release(): { readonly id: string; readonly codename: string } {
  const text = readFileSync('/etc/os-release', 'utf8');
  const value = (key: string): string => new RegExp(`^${key}="?([^"\\n]*)"?$`, 'mu').exec(text)?.[1] ?? '';
  return { id: value('ID'), codename: value('VERSION_CODENAME') };
}

/** Why no system can be started here, for a test's `skip`; false where one can. */
export function noSystem(): string | false {
  if (insideUserNamespace() || process.getuid?.() !== 0) return 'a system of its own takes root';
  const rights = missingRights();
  if (rights !== null) return `no network namespaces: ${rights}`;
  if (cgroup2Mount() === null) return 'no cgroup v2 to put a container in';
  const missing = NEEDED.filter(([program]) => which(program) === null).map(([, name]) => name);
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`;
  if (release().id !== 'debian') return 'the system in the container is a Debian of the same release as this machine';
  return noArchive('a system') ?? false;
}

/** How this machine's apt reaches the archive. */
export function aptOptions(): string[] {
  const known = tool('apt-config', ['dump', '--format', '%F "%v";%n', 'Acquire']);
  const wanted = /^Acquire::(?:http|https|Check-Valid-Until|Check-Date)\b.*"[^"]+";$/u;
  return ['APT::Install-Recommends "false";', 'Acquire::Languages "none";', ...known.split('\n').filter((line) => wanted.test(line))];
}

async function make(folder: string): Promise<void> {
  // mmdebstrap wants an empty folder of its own making.
  rmSync(folder, { recursive: true });
  await run('mmdebstrap', [
    '--quiet', '--mode=root', '--variant=minbase', `--include=${PACKAGES.join(',')}`,
    ...aptOptions().map((option) => `--aptopt=${option}`), ...LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`),
    release().codename, folder, mirror() ?? '',
  ], { timeout: MAKE_LIMIT_MS, maxBuffer: OUTPUT_LIMIT_BYTES, env: { ...process.env, LC_ALL: 'C', PATH: searchPath() } });
}

/** Folder of the image, from the cache or made now. Nobody writes to it. Rejects with what failed. */
export async function image(): Promise<string> {
  const key = createHash('sha256').update([...PACKAGES, ...LEFT_OUT].join('\n')).digest('hex').slice(0, 12);
  const folder = cacheFolder('systems', `${release().codename}-${process.arch}-${key}`);
  await cached(folder, make);
  return folder;
}
