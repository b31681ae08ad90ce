/** The packages of this tree, made once for each state of it and kept in build/test. */
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { makePackages } from '../../tools/package.ts';
import { stagedSources } from '../../tools/stage.ts';
import { ROOT, which } from '../lab/process.ts';

const KEPT = join(ROOT, 'build/test');
const NAME = 'packages-';
/** What debhelper leaves in debian/ is made from the rest. */
const MADE_BY_DEBHELPER = /^(?:\.debhelper|bastion-firewall|bastion-firewall-desktop|tmp|files|debhelper-build-stamp|.*\.(?:debhelper.*|substvars))$/u;

/** Why no packages can be made here, for a test's `skip`; false where they can. */
export function noPackages(): string | false {
  return which('dh') === null && 'not installed: debhelper';
}

function filesOf(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (folder === 'debian' && MADE_BY_DEBHELPER.test(entry.name)) return [];
    return entry.isDirectory() ? filesOf(join(folder, entry.name)) : [join(ROOT, folder, entry.name)];
  });
}

function stateOfTree(): string {
  const hash = createHash('sha256');
  for (const path of [...filesOf('debian'), join(ROOT, 'tools/stage.ts'), join(ROOT, 'tools/package.ts'), ...stagedSources()].sort()) {
    hash.update(`${relative(ROOT, path)} ${String(lstatSync(path).mode)}\n`).update(readFileSync(path));
  }
  return hash.digest('hex').slice(0, 16);
}

function packagesIn(folder: string): readonly string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.deb')).map((name) => join(folder, name));
}

/** Paths of the .deb files, not compressed; bastion-firewall.changes lies beside them. Nobody writes there. */
export function builtPackages(): readonly string[] {
  const folder = join(KEPT, `${NAME}${stateOfTree()}`);
  if (existsSync(folder)) return packagesIn(folder);
  mkdirSync(KEPT, { recursive: true });
  for (const name of readdirSync(KEPT).filter((one) => one.startsWith(NAME))) rmSync(join(KEPT, name), { recursive: true, force: true });
  const unfinished = join(KEPT, `unfinished-packages.${String(process.pid)}`);
  try {
    makePackages({ folder: unfinished, compression: 'none' });
    renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return packagesIn(folder);
}

/** The package of this name. Throws without one. */
export function builtPackage(name: string): string {
  const found = builtPackages().find((path) => relative(KEPT, path).includes(`/${name}_`));
  if (found === undefined) throw new Error(`the tree makes no package ${name}`);
  return found;
}
