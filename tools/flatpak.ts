/**
 * The front end as a Flatpak bundle, by flatpak/org.bastionfirewall.Desktop.yaml: `node tools/flatpak.ts`, and a part of
 * `npm run package`. Its sources are made here of what is built and of what npm has installed; nothing is downloaded.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSessionFiles } from './session-files.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const WORK = join(ROOT, 'build/flatpak');
const ID = 'org.bastionfirewall.Desktop';
export const FLATPAK_MANIFEST = join(ROOT, `flatpak/${ID}.yaml`);
const BRANCH = 'stable';
const BYTES_PER_MB = 1e6;
/** Of the hicolor theme's folders; the shapes of the state have names of their own, which no Flatpak may give to the system. */
const STATE_ICONS = 'share/icons/hicolor/symbolic/apps';

export interface FlatpakOptions {
  /** Where the bundle is put; made where it is missing. */
  readonly folder: string;
  /** Variables besides this process's own: another installation of Flatpak, for a test. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What flatpak-builder keeps of earlier builds; default: below build/. */
  readonly state?: string;
  /** What the builder prints is shown only when it fails. */
  readonly quiet?: boolean;
}

function succeeds(command: string, args: readonly string[], environment: Readonly<Record<string, string>>): boolean {
  return spawnSync(command, args, { stdio: 'ignore', env: { ...process.env, ...environment } }).status === 0;
}

/** A value of the manifest that stands on a line of its own. */
function manifestValue(key: string): string {
  return new RegExp(`^${key}: '?([^'\\n]+)'?$`, 'mu').exec(readFileSync(FLATPAK_MANIFEST, 'utf8'))?.[1] ?? '';
}

/** What is missing to make the bundle, and how to get it; '' for nothing. */
export function missingForFlatpak(environment: Readonly<Record<string, string>> = {}): string {
  for (const tool of ['flatpak', 'flatpak-builder']) {
    if (!succeeds(tool, ['--version'], environment)) return `${tool} is missing. Install it: sudo apt-get install --no-install-recommends flatpak flatpak-builder`;
  }
  const needed = ['sdk', 'runtime'].map((key) => `${manifestValue(key)}//${manifestValue('runtime-version')}`);
  const missing = needed.filter((name) => !succeeds('flatpak', ['info', name], environment));
  return missing.length === 0 ? '' : `a runtime is missing. Install it: flatpak install flathub ${missing.join(' ')}`;
}

interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Folders of these packages and of all that they need, as Node finds them from each. */
function withDependencies(names: readonly string[]): readonly string[] {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { readonly packages: Readonly<Record<string, LockedPackage>> };
  const found = new Set<string>();
  const add = (folder: string): void => {
    if (found.has(folder)) return;
    found.add(folder);
    for (const name of Object.keys(packages[folder]?.dependencies ?? {})) add(resolve(folder, name));
  };
  const resolve = (from: string, name: string): string => {
    for (let base = from; ; base = base.slice(0, Math.max(base.lastIndexOf('/node_modules/'), 0))) {
      const folder = `${base === '' ? '' : `${base}/`}node_modules/${name}`;
      if (packages[folder] !== undefined) return folder;
      if (base === '') throw new Error(`package-lock.json does not name ${name}, which ${from} needs`);
    }
  };
  for (const name of names) add(resolve('', name));
  return [...found];
}

/** The runtime, node-gtk's sources, and what compiles them. The same sources make the same archive, so that the build is kept. */
function archiveGtk(): void {
  const folder = join(WORK, 'node-gtk');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const copy = (from: string, to: string): void => { cpSync(join(ROOT, from), join(folder, to), { recursive: true, dereference: true }); };
  for (const part of ['bin', 'include', 'LICENSE']) copy(`node_modules/node-linux-${process.arch}/${part}`, `runtime/${part}`);
  for (const part of ['binding.gyp', 'src', 'lib', 'package.json', 'LICENSE']) copy(`node_modules/node-gtk/${part}`, `node_modules/node-gtk/${part}`);
  rmSync(join(folder, 'node_modules/node-gtk/lib/binding'), { recursive: true, force: true });
  // A package's own node_modules come with it.
  for (const part of withDependencies(['node-gyp', 'nan', 'lodash.camelcase', 'lodash.snakecase'])) copy(part, part);
  run('tar', ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=go=u-w', '-cf', join(WORK, 'node-gtk.tar'), '-C', WORK, 'node-gtk'], {}, true);
  rmSync(folder, { recursive: true });
}

/** What the desktop package has in /usr, as it lies in /app. */
async function layOut(): Promise<void> {
  const app = join(WORK, 'app');
  rmSync(app, { recursive: true, force: true });
  mkdirSync(join(app, 'bin'), { recursive: true });
  cpSync(join(ROOT, 'build/desktop'), join(app, 'lib/bastion/desktop'), { recursive: true });
  cpSync(join(ROOT, 'build/bin/bastion-firewall-desktop'), join(app, 'lib/bastion/bin/bastion-firewall-desktop'));
  chmodSync(join(app, 'lib/bastion/bin/bastion-firewall-desktop'), 0o755);
  symlinkSync('../lib/bastion/bin/bastion-firewall-desktop', join(app, 'bin/bastion-firewall-desktop'));
  await buildSessionFiles({ root: ROOT, folder: 'build/flatpak/session', homepage: '', program: '/app/bin/bastion-firewall-desktop' });
  for (const part of ['applications', 'metainfo', 'dbus-1', 'gnome-shell', 'icons']) {
    cpSync(join(WORK, 'session/usr/share', part), join(app, 'share', part), { recursive: true });
  }
  for (const name of readdirSync(join(app, STATE_ICONS)).filter((one) => one.startsWith('bastion-firewall-'))) {
    cpSync(join(app, STATE_ICONS, name), join(app, STATE_ICONS, name.replace('bastion-firewall', ID)));
  }
}

function run(command: string, args: readonly string[], environment: Readonly<Record<string, string>>, quiet: boolean): void {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: ROOT, env: { ...process.env, ...environment }, stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
    encoding: 'utf8', maxBuffer: 64 * 1024 * 1024,
  });
  if (status === 0) return;
  const said = quiet ? `${stdout}${stderr}`.slice(-4000) : 'what went wrong is above';
  throw new Error(`${command} ${args[0] ?? ''} failed: ${error?.message ?? said}`);
}

/** Path of the bundle. Throws with what is missing, or with what failed. */
export async function makeFlatpak({ folder, environment = {}, state = join(WORK, 'state'), quiet = false }: FlatpakOptions): Promise<string> {
  const missing = missingForFlatpak(environment);
  if (missing !== '') throw new Error(missing);
  if (!existsSync(join(ROOT, 'build/desktop/main.cjs'))) throw new Error('the desktop is not built; run: npm run build');
  mkdirSync(WORK, { recursive: true });
  mkdirSync(folder, { recursive: true });
  archiveGtk();
  await layOut();
  const repository = join(WORK, 'repo');
  rmSync(repository, { recursive: true, force: true });
  run('flatpak-builder', [
    '--force-clean', '--disable-download', '--disable-rofiles-fuse', `--state-dir=${state}`, `--default-branch=${BRANCH}`,
    `--repo=${repository}`, join(WORK, 'build'), FLATPAK_MANIFEST,
  ], environment, quiet);
  const bundle = join(folder, `${ID}.flatpak`);
  run('flatpak', ['build-bundle', repository, bundle, ID, BRANCH], environment, quiet);
  return bundle;
}

/** A line for whoever makes packages: where the bundle is, or what it would take to make it. Throws when it could not be built. */
export async function packageFlatpak(folder: string): Promise<string> {
  const missing = missingForFlatpak();
  if (missing !== '') return `No Flatpak was made: ${missing}`;
  const bundle = await makeFlatpak({ folder });
  return `${bundle} (${(statSync(bundle).size / BYTES_PER_MB).toFixed(1)} MB)`;
}

if (import.meta.main) {
  try {
    process.stdout.write(`${await makeFlatpak({ folder: join(ROOT, 'build/packages') })}\n`);
  } catch (error: unknown) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
