/** Builds the desktop into build/: a CommonJS file for each of its two processes, and what they read beside it. */
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import type { Metafile } from 'esbuild';
import { DOMAIN, compileMo, readCatalogues } from './po/catalogues.ts';
import { pseudoCatalogues } from './po/pseudo.ts';

export interface BuildDesktopOptions {
  /** The repository. */
  readonly root: string;
  readonly log: (line: string) => void;
  /** Other entries and another folder, relative to the repository: for tests that drive the application without a helper. */
  readonly variant?: { readonly session: string; readonly window: string; readonly folder: string };
}

const SCHEMA = 'org.bastionfirewall.Desktop.gschema.xml';

/**
 * Writes build/desktop/ (main.cjs for the process of the session, window.cjs for the windows, ui/, icons/, locale/, schemas/,
 * style.css); tools/build.ts makes its starter. The folder is made aside and put in place at the end, so a running application
 * never reads half of it. Gives what the bundles are made of.
 */
export async function buildDesktop({ root, log, variant }: BuildDesktopOptions): Promise<readonly Metafile[]> {
  const target = join(root, variant?.folder ?? 'build/desktop');
  const aside = `${target}.new`;
  await rm(aside, { recursive: true, force: true });
  await mkdir(aside, { recursive: true });
  const session = await bundle(root, join(root, variant?.session ?? 'desktop/session/main.ts'), join(aside, 'main.cjs'));
  const window = await bundle(root, join(root, variant?.window ?? 'desktop/window/main.ts'), join(aside, 'window.cjs'));
  await copyAssets(root, aside);
  const languages = await compileCatalogues(root, join(aside, 'locale'), variant !== undefined);
  await rm(target, { recursive: true, force: true });
  await rename(aside, target);
  log(`desktop: ${target.slice(root.length + 1)}, languages: en${languages.map((language) => `, ${language}`).join('')}`);
  return [session, window];
}

/** CommonJS, because timers that wait when the toolkit's loop begins fire late in a module; names are GType names. */
async function bundle(root: string, entry: string, outfile: string): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: root,
    preserveSymlinks: true,
    metafile: true,
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    keepNames: true,
    legalComments: 'none',
    external: ['node-gtk'],
    define: { 'import.meta.dirname': '__dirname', BASTION_VERSION: JSON.stringify(await version(root)) },
    logLevel: 'warning',
  });
  return metafile;
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
  await compileSchema(root, join(target, 'schemas'));
}

/** Settings are found here where no package has installed their schema. */
async function compileSchema(root: string, target: string): Promise<void> {
  await mkdir(target);
  await cp(join(root, 'data/desktop', SCHEMA), join(target, SCHEMA));
  await promisify(execFile)('glib-compile-schemas', ['--strict', target]);
}

/** po/LANGUAGE.po -> locale/LANGUAGE/LC_MESSAGES/bastion-firewall.mo; returns the languages. */
async function compileCatalogues(root: string, target: string, pseudo: boolean): Promise<readonly string[]> {
  const compiled = new Map([...readCatalogues(root)].map(([language, catalogue]) => [language, compileMo(catalogue)] as const));
  if (pseudo) for (const [language, catalogue] of pseudoCatalogues(root)) compiled.set(language, compileMo(catalogue));
  for (const [language, bytes] of compiled) {
    const folder = join(target, language, 'LC_MESSAGES');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${DOMAIN}.mo`), bytes);
  }
  return [...compiled.keys()];
}

if (import.meta.main) {
  await buildDesktop({ root: join(import.meta.dirname, '..'), log: (line) => process.stdout.write(`${line}\n`) });
}
