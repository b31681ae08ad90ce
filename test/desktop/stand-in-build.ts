/** Builds the application with a helper that a test plays. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildDesktop } from '../../tools/build-desktop.ts';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = 'build/test-desktop';
const SOURCES = ['desktop', 'helper', 'test/desktop', 'po', 'data', 'tools'];

/** Below the tree. */
export const standInBundle = join(FOLDER, 'main.cjs');

let built: Promise<void> | null = null;
/** The application with a helper that the test plays, in `standInBundle`. */
export function buildStandIn(): Promise<void> {
  built ??= buildWhereChanged();
  return built;
}

/** Each file of tests is a process of its own: the first builds, the others find what they would have built. */
async function buildWhereChanged(): Promise<void> {
  const stamp = join(ROOT, FOLDER, 'built-from');
  const sources = await sourcesOf();
  if (await readFile(stamp, 'utf8').catch(() => '') === sources) return;
  await buildDesktop({ root: ROOT, log: () => undefined, variant: { session: 'test/desktop/stand-in-main.ts', window: 'test/desktop/stand-in-window.ts', folder: FOLDER } });
  await writeFile(stamp, sources);
}

/** Name, size and time of every file that the application may be built from, as one short text. */
async function sourcesOf(): Promise<string> {
  const files = await Promise.all(SOURCES.map(async (folder) => {
    const found = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true });
    return found.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
  }));
  const hash = createHash('sha256');
  for (const file of [...files.flat().sort(), join(ROOT, 'package.json')]) {
    const { size, mtimeMs } = await stat(file);
    hash.update(`${file} ${String(size)} ${String(mtimeMs)}\n`);
  }
  return hash.digest('hex');
}
