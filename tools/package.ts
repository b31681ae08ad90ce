/**
 * `npm run package`: Debian packages and the Flatpak bundle of this tree, in build/packages. Needs debhelper; nothing is downloaded but what
 * tools/setup.mjs has got. The same tree makes the same packages: times come from debian/changelog.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageFlatpak } from './flatpak.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const TARGET = join(ROOT, 'build/packages');
const BYTES_PER_MB = 1e6;

/** Throws with what to install where the tools are not there. */
function checkTools(): void {
  if (spawnSync('dh_listpackages', [], { cwd: ROOT, stdio: 'ignore' }).status !== 0) {
    throw new Error('debhelper is missing. Install it: sudo apt-get install --no-install-recommends debhelper dpkg-dev');
  }
}

export interface PackageOptions {
  /** Absolute; made anew. */
  readonly folder?: string;
  /** none: for a test that installs them at once. */
  readonly compression?: 'xz' | 'none';
}

/** Paths of the packages that were made. Throws when they could not be. */
export function makePackages({ folder = TARGET, compression = 'xz' }: PackageOptions = {}): readonly string[] {
  checkTools();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { status } = spawnSync('dpkg-buildpackage', [
    '--build=binary', '--no-sign', '--no-check-builddeps', `--buildinfo-option=-u${folder}`, `--changes-option=-u${folder}`,
    `--buildinfo-file=${join(folder, 'bastion-firewall.buildinfo')}`, `--changes-file=${join(folder, 'bastion-firewall.changes')}`,
  ], { cwd: ROOT, stdio: ['ignore', compression === 'none' ? 'ignore' : 'inherit', 'inherit'], env: { ...process.env, PACKAGES: folder, COMPRESSION: compression } });
  if (status !== 0) throw new Error('The packages could not be built; what went wrong is above.');
  return readdirSync(folder).filter((name) => name.endsWith('.deb')).map((name) => join(folder, name));
}

if (import.meta.main) {
  try {
    for (const path of makePackages()) process.stdout.write(`${path} (${(statSync(path).size / BYTES_PER_MB).toFixed(1)} MB)\n`);
    process.stdout.write(`${await packageFlatpak(TARGET)}\n`);
  } catch (error: unknown) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
