/** The packages of this tree, for tests that install them: made once for each state of the tree. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makePackages } from '../../tools/package.ts';
import { ROOT } from '../lab/process.ts';

const MANIFEST = join(ROOT, 'build/manifest.json');
const FOLDER = join(ROOT, 'build/test');
const NAME = 'packages-';
/** What debhelper leaves in debian/. */
const MADE = /\.(?:log|substvars|debhelper)$|^(?:files|debhelper-build-stamp)$/u;

/** What was built, and what packages add to it. */
function key(): string {
  const hash = createHash('sha256').update(readFileSync(MANIFEST));
  const debian = readdirSync(join(ROOT, 'debian'), { withFileTypes: true }).filter((entry) => entry.isFile() && !MADE.test(entry.name));
  for (const name of debian.map((entry) => entry.name).sort()) hash.update(name).update(readFileSync(join(ROOT, 'debian', name)));
  return hash.update(readFileSync(join(ROOT, 'tools/stage.ts'))).digest('hex').slice(0, 16);
}

/** Paths of the packages, not compressed. Throws when they cannot be made. */
export function builtPackages(): readonly string[] {
  const place = (): string => join(FOLDER, `${NAME}${key()}`);
  if (!existsSync(place())) {
    for (const name of existsSync(FOLDER) ? readdirSync(FOLDER) : []) if (name.startsWith(NAME)) rmSync(join(FOLDER, name), { recursive: true });
    const unfinished = join(FOLDER, `${NAME}unfinished`);
    makePackages({ folder: unfinished, compression: 'none' });
    // It builds the tree first, so that the name may be another one now.
    renameSync(unfinished, place());
  }
  const folder = place();
  return readdirSync(folder).filter((name) => name.endsWith('.deb')).map((name) => join(folder, name));
}
