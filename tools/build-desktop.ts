/** Builds the desktop application into build/: one CommonJS file, and what it reads beside it. */
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { mo, po } from 'gettext-parser';

export interface BuildDesktopOptions {
  /** The repository. */
  readonly root: string;
  readonly log: (line: string) => void;
  /** Another entry and folder, relative to the repository: for tests that drive the application without a helper. */
  readonly variant?: { readonly entry: string; readonly folder: string };
}

const DOMAIN = 'bastion-firewall';

/**
 * Writes build/desktop/ (main.cjs, ui/, icons/, locale/, style.css); tools/build.ts makes its starter. The folder is made
 * aside and put in place at the end, so a running application never reads half of it.
 */
export async function buildDesktop({ root, log, variant }: BuildDesktopOptions): Promise<void> {
  const target = join(root, variant?.folder ?? 'build/desktop');
  const aside = `${target}.new`;
  await rm(aside, { recursive: true, force: true });
  await mkdir(aside, { recursive: true });
  await bundle(root, join(root, variant?.entry ?? 'desktop/main.ts'), join(aside, 'main.cjs'));
  await copyAssets(root, aside);
  const languages = await compileCatalogues(join(root, 'po'), join(aside, 'locale'));
  await rm(target, { recursive: true, force: true });
  await rename(aside, target);
  log(`desktop: ${target.slice(root.length + 1)}, languages: en${languages.map((language) => `, ${language}`).join('')}`);
}

/** CommonJS, because timers that wait when the toolkit's loop begins fire late in a module; names are GType names. */
async function bundle(root: string, entry: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    keepNames: true,
    legalComments: 'none',
    external: ['node-gtk', 'x11', 'usocket', 'event-stream'],
    define: { 'import.meta.dirname': '__dirname', BASTION_VERSION: JSON.stringify(await version(root)) },
    logLevel: 'warning',
  });
}

async function version(root: string): Promise<string> {
  const found: unknown = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  if (typeof found !== 'object' || found === null || !('version' in found) || typeof found.version !== 'string') {
    throw new TypeError('package.json has no version');
  }
  return found.version;
}

async function copyAssets(root: string, target: string): Promise<void> {
  await mkdir(join(target, 'ui'), { recursive: true });
  for (const file of await readdir(join(root, 'desktop/ui'))) {
    if (file.endsWith('.ui')) await cp(join(root, 'desktop/ui', file), join(target, 'ui', file));
  }
  await cp(join(root, 'desktop/style.css'), join(target, 'style.css'));
  await cp(join(root, 'data/icons'), join(target, 'icons'), { recursive: true });
}

/** po/LANGUAGE.po -> locale/LANGUAGE/LC_MESSAGES/bastion-firewall.mo; returns the languages. */
async function compileCatalogues(source: string, target: string): Promise<readonly string[]> {
  const languages: string[] = [];
  for (const file of (await readdir(source)).filter((name) => name.endsWith('.po')).sort()) {
    const language = basename(file, '.po');
    const folder = join(target, language, 'LC_MESSAGES');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${DOMAIN}.mo`), mo.compile(po.parse(await readFile(join(source, file)))));
    languages.push(language);
  }
  return languages;
}

if (import.meta.main) {
  await buildDesktop({ root: join(import.meta.dirname, '..'), log: (line) => process.stdout.write(`${line}\n`) });
}
