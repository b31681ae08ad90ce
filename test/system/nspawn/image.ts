/**
 * A plain Debian with systemd, made by mmdebstrap from the archive that this machine's apt uses and kept in the cache folder,
 * and why it cannot be had.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { searchPath, tool, which } from '../../lab/process.ts';
import { cgroup2Mount } from '../../lab/traces.ts';
import { insideUserNamespace, missingRights } from '../../lab/user-namespace.ts';
import { KEYRING, cacheFolder, cached, mirror, noArchive } from '../rig/cache.ts';

const run = promisify(execFile);
const MAKE_LIMIT_MS = 330_000;
const FETCH_LIMIT_MS = 120_000;
const OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024;

/** Releases that one set of packages is for, the oldest first. */
const RELEASES = ['bookworm', 'trixie'] as const;

/** The system, and what the tests run in it. */
const SYSTEM = ['systemd', 'systemd-sysv', 'dbus', 'iproute2', 'kmod', 'procps', 'libelf1', 'zlib1g'];
/** What the product's packages ask for: nothing in the container reaches the archive. */
export const PRODUCT_NEEDS = [
  'polkitd', 'iptables', 'nftables', 'libnetfilter-queue1', 'libmnl0', 'libbpf1', 'libstdc++6',
  'adwaita-icon-theme', 'dconf-gsettings-backend', 'gir1.2-adw-1', 'gir1.2-girepository-2.0', 'gir1.2-gtk-4.0', 'gir1.2-notify-0.7',
  'libcairo2', 'libgirepository-1.0-1', 'libharfbuzz-gobject0', 'librsvg2-common',
];
const PACKAGES = [...SYSTEM, ...PRODUCT_NEEDS];
/** In the image: dpkg's list when there was nothing but the essential packages, for apt to tell what it would add to them. */
export const ESSENTIAL = '/var/lib/dpkg/status-essential';
const LEFT_OUT = ['/usr/share/man/*', '/usr/share/doc/*', '/usr/share/locale/*'];

/** Program and the Debian package that has it. */
const NEEDED = [['systemd-nspawn', 'systemd-container'], ['mmdebstrap', 'mmdebstrap'], ['nsenter', 'util-linux']] as const;

/** This machine's release. Source: os-release(5). */
function ownRelease(): { readonly id: string; readonly codename: string } {
  const text = readFileSync('/etc/os-release', 'utf8');
  const value = (key: string): string => new RegExp(`^${key}="?([^"\\n]*)"?$`, 'mu').exec(text)?.[1] ?? '';
  return { id: value('ID'), codename: value('VERSION_CODENAME') };
}

/** Releases that what is built here is for: this machine's own, whose libraries it is linked with, and later ones. */
export function releases(): readonly string[] {
  const { codename } = ownRelease();
  const own = RELEASES.findIndex((one) => one === codename);
  return own < 0 ? [codename] : RELEASES.slice(own);
}

/** Why no system can be started here, for a test's `skip`; false where one can. */
export function noSystem(): string | false {
  if (insideUserNamespace() || process.getuid?.() !== 0) return 'a system of its own takes root';
  const rights = missingRights();
  if (rights !== null) return `no network namespaces: ${rights}`;
  if (cgroup2Mount() === null) return 'no cgroup v2 to put a container in';
  const missing = NEEDED.filter(([program]) => which(program) === null).map(([, name]) => name);
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`;
  if (ownRelease().id !== 'debian') return 'the system in the container is a Debian of the same release as this machine';
  return noArchive('a system') ?? false;
}

/** How this machine's apt reaches the archive. */
export function aptOptions(): string[] {
  const known = tool('apt-config', ['dump', '--format', '%F "%v";%n', 'Acquire']);
  const wanted = /^Acquire::(?:http|https|Check-Valid-Until|Check-Date)\b.*"[^"]+";$/u;
  return ['APT::Install-Recommends "false";', 'Acquire::Languages "none";', ...known.split('\n').filter((line) => wanted.test(line))];
}

/** The archive's lists stay, so that apt inside finds by them what a package needs. */
async function make(release: string, folder: string): Promise<void> {
  // mmdebstrap wants an empty folder of its own making.
  rmSync(folder, { recursive: true });
  await run('mmdebstrap', [
    '--quiet', '--mode=root', '--variant=minbase', `--keyring=${KEYRING}`, '--skip=cleanup/apt/lists', `--include=${PACKAGES.join(',')}`,
    ...aptOptions().map((option) => `--aptopt=${option}`), ...LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`),
    `--essential-hook=cp "$1/var/lib/dpkg/status" "$1${ESSENTIAL}"`, release, folder, mirror() ?? '',
  ], { timeout: MAKE_LIMIT_MS, maxBuffer: OUTPUT_LIMIT_BYTES, env: { ...process.env, LC_ALL: 'C', PATH: searchPath() } });
}

/** Folder of the image, from the cache or made now. Nobody writes to it. Rejects with what failed. */
export async function image(release: string = ownRelease().codename): Promise<string> {
  const key = createHash('sha256').update([...PACKAGES.toSorted(), ...LEFT_OUT, ESSENTIAL].join('\n')).digest('hex').slice(0, 12);
  const folder = cacheFolder('systems', `${release}-${process.arch}-${key}`);
  await cached(folder, (unfinished) => make(release, unfinished));
  return folder;
}

/** The .deb files of a package and of what it needs that the image has not; from the cache or fetched now. */
export async function archives(name: string): Promise<readonly string[]> {
  const base = await image();
  const folder = cacheFolder('archives', `${basename(base)}-${name}`);
  await cached(folder, async (unfinished) => {
    // Lists of its own: the machine's may name versions that the archive has no more.
    const lists = join(unfinished, 'lists');
    mkdirSync(join(lists, 'partial'), { recursive: true });
    const options = [
      `Dir::State::status=${base}/var/lib/dpkg/status`, `Dir::State::lists=${lists}`, `Dir::Cache=${unfinished}`, `Dir::Cache::archives=${unfinished}`,
      'Debug::NoLocking=true', 'APT::Sandbox::User=',
    ].flatMap((option) => ['-o', option]);
    const limits = { timeout: FETCH_LIMIT_MS, maxBuffer: OUTPUT_LIMIT_BYTES, env: { ...process.env, LC_ALL: 'C', PATH: searchPath() } };
    await run('apt-get', ['-q', ...options, 'update'], limits);
    await run('apt-get', ['-q', '-y', '--no-install-recommends', '--download-only', ...options, 'install', name], limits);
    rmSync(lists, { recursive: true });
  });
  return readdirSync(folder).filter((file) => file.endsWith('.deb')).map((file) => join(folder, file));
}
