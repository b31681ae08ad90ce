/**
 * What stands in for org.gnome.Platform and its SDK where no Flatpak remote can be reached: one tree of Debian 13 for both, which
 * has the GTK and libadwaita of GNOME 48, as an installation of Flatpak in the cache folder. `node test/system/flatpak/runtime.ts`
 * makes it beforehand.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FLATPAK_MANIFEST } from '../../../tools/flatpak.ts';
import { searchPath, tool, which } from '../../lab/process.ts';
import { insideUserNamespace } from '../../lab/user-namespace.ts';
import { aptOptions } from '../nspawn/image.ts';
import { cacheFolder, cached, mirror, noArchive } from '../rig/cache.ts';

const execute = promisify(execFile);
const LIMIT_MS = 900_000;
const OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024;
const RELEASE = 'trixie';
/** What compiles node-gtk, and what it and the desktop load. */
const PACKAGES = [
  'g++', 'make', 'python3', 'pkg-config', 'libgirepository1.0-dev', 'libcairo2-dev', 'gir1.2-gtk-4.0', 'gir1.2-adw-1', 'gir1.2-notify-0.7',
  'librsvg2-common', 'adwaita-icon-theme', 'fonts-cantarell', 'libglib2.0-bin',
];
const LEFT_OUT = ['/usr/share/man/*', '/usr/share/doc/*', '/usr/share/locale/*'];
/** A runtime has no users, passwords or host of its own. */
const NOT_ITS_OWN = ['resolv.conf', 'passwd', 'passwd-', 'group', 'group-', 'shadow', 'shadow-', 'gshadow', 'gshadow-', 'machine-id', 'hostname', '.pwd.lock'];
/** Program and the Debian package that has it. */
const NEEDED = [['flatpak', 'flatpak'], ['flatpak-builder', 'flatpak-builder'], ['xdg-dbus-proxy', 'xdg-dbus-proxy'], ['mmdebstrap', 'mmdebstrap']] as const;

/** Why no Flatpak can be built and run here, for a test's `skip`; false where one can. */
export function noFlatpak(): string | false {
  const wanted = process.env['BASTION_TEST_SYSTEM'] === 'flatpak' || process.env['BASTION_TEST_SIZE'] === 'full';
  if (!wanted) return 'a Flatpak runtime takes minutes: set BASTION_TEST_SYSTEM=flatpak';
  if (insideUserNamespace() || process.getuid?.() !== 0) return 'a Flatpak runtime takes root';
  const missing = NEEDED.filter(([program]) => which(program) === null).map(([, name]) => name);
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`;
  return noArchive('a runtime') ?? false;
}

async function run(command: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<void> {
  await execute(command, [...args], {
    timeout: LIMIT_MS, maxBuffer: OUTPUT_LIMIT_BYTES, env: { ...process.env, ...environment, LC_ALL: 'C', PATH: searchPath() },
  });
}

async function makeTree(folder: string): Promise<void> {
  // mmdebstrap wants an empty folder of its own making.
  rmSync(folder, { recursive: true });
  await run('mmdebstrap', [
    '--quiet', '--mode=root', '--variant=minbase', `--include=${PACKAGES.join(',')}`,
    ...aptOptions().map((option) => `--aptopt=${option}`), ...LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`),
    RELEASE, folder, mirror() ?? '',
  ]);
  for (const name of NOT_ITS_OWN) rmSync(join(folder, 'etc', name), { force: true });
  renameSync(join(folder, 'etc'), join(folder, 'usr/etc'));
  for (const name of ['var', 'root', 'home', 'dev', 'proc', 'sys', 'run', 'tmp']) rmSync(join(folder, name), { recursive: true, force: true });
  for (const name of ['files', 'var']) mkdirSync(join(folder, name));
}

function manifestValue(key: string): string {
  return new RegExp(`^${key}: '?([^'\\n]+)'?$`, 'mu').exec(readFileSync(FLATPAK_MANIFEST, 'utf8'))?.[1] ?? '';
}

async function makeInstallation(tree: string, folder: string): Promise<void> {
  const [platform, sdk, version] = [manifestValue('runtime'), manifestValue('sdk'), manifestValue('runtime-version')];
  const machine = tool('flatpak', ['--default-arch']).trim();
  const repository = join(folder, 'repo-of-runtimes');
  const environment = { FLATPAK_SYSTEM_DIR: join(folder, 'installation'), FLATPAK_USER_DIR: join(folder, 'nobody-s') };
  for (const name of [platform, sdk]) {
    writeFileSync(join(tree, 'metadata'), `[Runtime]\nname=${name}\nruntime=${platform}/${machine}/${version}\nsdk=${sdk}/${machine}/${version}\n`);
    await run('flatpak', ['build-export', '--runtime', '--disable-sandbox', '--no-update-summary', '--disable-fsync', repository, tree, version], environment);
  }
  await run('flatpak', ['build-update-repo', repository], environment);
  await run('flatpak', ['remote-add', '--system', '--no-gpg-verify', 'local', `file://${repository}`], environment);
  await run('flatpak', ['install', '--system', '--noninteractive', 'local', ...[platform, sdk].map((name) => `${name}//${version}`)], environment);
  await run('flatpak', ['remote-delete', '--system', '--force', 'local'], environment);
  rmSync(repository, { recursive: true });
}

/** Folder of an installation that has the runtime and the SDK of the manifest, from the cache or made now. Nobody writes to it. */
export async function runtimes(): Promise<string> {
  const parts = [...PACKAGES, ...LEFT_OUT].join('\n');
  const key = createHash('sha256').update(parts).digest('hex').slice(0, 12);
  const names = ['runtime', 'sdk', 'runtime-version'].map(manifestValue).join('-');
  const tree = cacheFolder('flatpak', `${RELEASE}-${process.arch}-${key}`);
  const folder = cacheFolder('flatpak', `${names}-${process.arch}-${key}`);
  await cached(folder, async (unfinished) => {
    await cached(tree, makeTree);
    await makeInstallation(tree, unfinished);
  });
  rmSync(tree, { recursive: true, force: true });
  return join(folder, 'installation');
}

if (import.meta.main) process.stdout.write(`${await runtimes()}\n`);
