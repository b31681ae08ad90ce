/**
 * Lays the built product out as packages install it, below a root folder: `node tools/stage.ts ROOT [PACKAGE...]`. The table
 * is the one list of what is installed where, with which mode.
 */
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PLACES } from './session-files.ts';

const REPOSITORY = dirname(dirname(fileURLToPath(import.meta.url)));
const PRODUCT = 'usr/lib/bastion';
const UNITS = 'usr/lib/systemd/system';
const RUNTIME = `node_modules/node-linux-${process.arch}`;
const MANIFEST = `${PRODUCT}/manifest.json`;

const FILE = 0o644;
const PROGRAM = 0o755;
/** Settings and rules may name what a user does; the helper refuses them when others can write them. */
const PRIVATE = 0o640;

export type PackageName = 'bastion-firewall' | 'bastion-firewall-desktop';

/** One file, or every file below a folder; of a folder also the mode is that of its files. */
export interface Staged {
  readonly package: PackageName;
  /** Below the repository. */
  readonly source: string;
  /** Below the root. */
  readonly target: string;
  readonly mode: number;
}

/** A symbolic link: what it says, and where it is. */
export interface StagedLink {
  readonly package: PackageName;
  readonly text: string;
  readonly target: string;
}

function of(name: PackageName, rows: readonly (readonly [source: string, target: string, mode?: number])[]): Staged[] {
  return rows.map(([source, target, mode = FILE]) => ({ package: name, source, target, mode }));
}

const DBUS_NAME = 'org.bastionfirewall.Helper1';
const POLICY = PLACES['polkit/org.bastionfirewall.helper1.policy'] ?? '';

/** What the helper, bastionctl, boot and rescue are made of. */
const HELPER: readonly Staged[] = of('bastion-firewall', [
  ['build/bin/bastion-helper', `${PRODUCT}/bin/bastion-helper`, PROGRAM],
  ['build/bin/bastionctl', `${PRODUCT}/bin/bastionctl`, PROGRAM],
  [`${RUNTIME}/bin/node`, `${PRODUCT}/bin/node`, PROGRAM],
  [`${RUNTIME}/LICENSE`, 'usr/share/doc/bastion-firewall/node-LICENSE'],
  ['build/doc', 'usr/share/doc/bastion-firewall'],
  ['build/helper', `${PRODUCT}/helper`],
  ['build/import', `${PRODUCT}/import`],
  ['build/ctl', `${PRODUCT}/ctl`],
  ['build/dbus', `${PRODUCT}/dbus`],
  ['build/rules.d', `${PRODUCT}/rules.d`],
  ['build/boot', `${PRODUCT}/boot`],
  ['build/bastion.toml', `${PRODUCT}/bastion.toml`],
  ['build/native/bastion.bpf.o', `${PRODUCT}/native/bastion.bpf.o`],
  ['build/native/bastion.node', `${PRODUCT}/native/bastion.node`],
  ['build/native/bastion-probe', `${PRODUCT}/native/bastion-probe`, PROGRAM],
  ['data/boot/bastion-boot', `${PRODUCT}/bastion-boot`, PROGRAM],
  ['data/boot/bastion-rescue', 'usr/sbin/bastion-rescue', PROGRAM],
  ['data/bastion.toml', 'etc/bastion/bastion.toml', PRIVATE],
  ['data/systemd', UNITS],
  [`data/dbus/${DBUS_NAME}.conf`, `usr/share/dbus-1/system.d/${DBUS_NAME}.conf`],
  [`data/dbus/${DBUS_NAME}.xml`, `usr/share/dbus-1/interfaces/${DBUS_NAME}.xml`],
  [`build/install/${POLICY}`, POLICY],
  ['data/netfilter-persistent/bastion-firewall', 'usr/share/netfilter-persistent/plugins.d/05-bastion-firewall', PROGRAM],
  ['data/netfilter-persistent/bastion-firewall', 'usr/share/netfilter-persistent/plugins.d/90-bastion-firewall', PROGRAM],
  ['build/install/usr/share/man/man5', 'usr/share/man/man5'],
  ['build/install/usr/share/man/man8', 'usr/share/man/man8'],
  ['build/install/usr/share/man/man1/bastionctl.1', 'usr/share/man/man1/bastionctl.1'],
  ['build/completions/bastionctl', 'usr/share/bash-completion/completions/bastionctl'],
  ['build/completions/_bastionctl', 'usr/share/zsh/vendor-completions/_bastionctl'],
  ['build/completions/bastionctl.fish', 'usr/share/fish/vendor_completions.d/bastionctl.fish'],
]);

/** What node-gtk needs when it runs; the rest of what it names is for building it. */
const GTK_MODULES = ['lodash.camelcase', 'lodash.snakecase'];
const GTK_PLACE = `${PRODUCT}/desktop/node_modules`;

/** What the session is made of. */
const DESKTOP: readonly Staged[] = of('bastion-firewall-desktop', [
  ['build/bin/bastion-firewall-desktop', `${PRODUCT}/bin/bastion-firewall-desktop`, PROGRAM],
  ['build/desktop', `${PRODUCT}/desktop`],
  ...Object.values(PLACES).filter((place) => place !== POLICY).map((place) => [`build/install/${place}`, place] as const),
  ['node_modules/node-gtk/lib', `${GTK_PLACE}/node-gtk/lib`],
  ['node_modules/node-gtk/package.json', `${GTK_PLACE}/node-gtk/package.json`],
  ...GTK_MODULES.flatMap((name) => ['index.js', 'package.json'].map((file) => [`node_modules/${name}/${file}`, `${GTK_PLACE}/${name}/${file}`] as const)),
  ['build/install/usr/share/icons', 'usr/share/icons'],
  ['build/install/usr/share/locale', 'usr/share/locale'],
  ['build/install/usr/share/man/man1/bastion-firewall-desktop.1', 'usr/share/man/man1/bastion-firewall-desktop.1'],
]);

export const STAGED: readonly Staged[] = [...HELPER, ...DESKTOP];

export const STAGED_LINKS: readonly StagedLink[] = [
  { package: 'bastion-firewall', text: '../lib/bastion/bin/bastionctl', target: 'usr/bin/bastionctl' },
  { package: 'bastion-firewall', text: '../lib/bastion/bin/bastion-helper', target: 'usr/sbin/bastion-helper' },
  { package: 'bastion-firewall-desktop', text: '../lib/bastion/bin/bastion-firewall-desktop', target: 'usr/bin/bastion-firewall-desktop' },
];

/** Folders that the helper would otherwise make itself, with the modes that it wants. */
const FOLDERS: readonly (readonly [string, number])[] = [
  ['etc/bastion', 0o755], ['etc/bastion/rules.d', 0o755], ['var/lib/bastion', 0o700],
];

export interface StageOptions {
  readonly packages?: readonly PackageName[];
}

/** Every folder on the way is made for everybody to read, whatever the umask says. */
function makeFolder(root: string, path: string, mode = 0o755): void {
  const folder = join(root, path);
  if (existsSync(folder)) return;
  if (path !== dirname(path)) makeFolder(root, dirname(path));
  mkdirSync(folder);
  chmodSync(folder, mode);
}

/** Maps are for debuggers of a checkout, types for its compiler, stamps for its build. */
const LEFT_OUT = /\.(?:map|stamp|d\.ts)$/u;

function filesBelow(source: string): readonly string[] {
  if (!lstatSync(source).isDirectory()) return [''];
  return readdirSync(source, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !LEFT_OUT.test(entry.name))
    .map((entry) => relative(source, join(entry.parentPath, entry.name)))
    .sort();
}

function copy(root: string, { source, target, mode }: Staged): readonly string[] {
  const from = join(REPOSITORY, source);
  return filesBelow(from).map((name) => {
    const path = join(target, name);
    makeFolder(root, dirname(path));
    const to = join(root, path);
    // What an administrator may have changed stays as it is.
    if (path.startsWith('etc/') && existsSync(to)) return path;
    // Not written over: a program that runs keeps the file that it was started from.
    rmSync(to, { force: true });
    copyFileSync(join(from, name), to);
    chmodSync(to, mode);
    return path;
  });
}

/** Absolute paths of everything that the packages are made of. */
export function stagedSources(): readonly string[] {
  return STAGED.flatMap(({ source }) => filesBelow(join(REPOSITORY, source)).map((name) => join(REPOSITORY, source, name)));
}

/** Files of the product that are run or read; the runtime's own file is too large to be read at each start. */
const VERIFIED = /^usr\/lib\/bastion\/(?:(?:bin\/bastion.*|(?:helper|import|ctl|dbus|rules\.d|boot|native)\/.*|desktop\/[^/]+\.cjs)|bastion\.toml|bastion-boot)$/u;

/** The helper verifies what it is made of by this; the build's own list also names what another package has. */
function writeManifest(root: string, files: readonly string[]): void {
  const digests = files.filter((path) => VERIFIED.test(path)).sort().map((path) => {
    return [relative(PRODUCT, path), createHash('sha256').update(readFileSync(join(root, path))).digest('hex')] as const;
  });
  rmSync(join(root, MANIFEST), { force: true });
  writeFileSync(join(root, MANIFEST), `${JSON.stringify({ version: 1, files: Object.fromEntries(digests) }, null, 1)}\n`);
  chmodSync(join(root, MANIFEST), FILE);
}

/**
 * Stages the packages (all by default) below `root`, over what is there. Returns the paths below it. Throws when the product
 * is not built.
 */
export function stage(root: string, { packages = ['bastion-firewall', 'bastion-firewall-desktop'] }: StageOptions = {}): readonly string[] {
  makeFolder(root, '.');
  if (packages.includes('bastion-firewall')) for (const [folder, mode] of FOLDERS) makeFolder(root, folder, mode);
  const files = STAGED.filter((row) => packages.includes(row.package)).flatMap((row) => copy(root, row));
  for (const link of STAGED_LINKS.filter((row) => packages.includes(row.package))) {
    makeFolder(root, dirname(link.target));
    rmSync(join(root, link.target), { force: true });
    symlinkSync(link.text, join(root, link.target));
  }
  if (!packages.includes('bastion-firewall')) return files;
  writeManifest(root, files);
  return [...files, MANIFEST];
}

function main(args: readonly string[]): number {
  const [root, ...packages] = args;
  const known = packages.filter((name) => name === 'bastion-firewall' || name === 'bastion-firewall-desktop');
  if (root === undefined || known.length < packages.length) {
    process.stderr.write('usage: node tools/stage.ts ROOT [bastion-firewall] [bastion-firewall-desktop]\n');
    return 2;
  }
  const files = stage(root, known.length > 0 ? { packages: known } : {});
  process.stdout.write(`${String(files.length)} files below ${root}\n`);
  return 0;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
