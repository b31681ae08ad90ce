/** `npm run build`: the addon, the BPF object and the bundles, into build/. Incremental; needs what tools/setup.mjs installs. */
import { execFile } from 'node:child_process';
import { access, chmod, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { buildDesktop } from './build-desktop.ts';
import { buildNative } from './build-native.ts';

const run = promisify(execFile);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const nodeFolder = join(root, 'node_modules', `node-linux-${process.arch}`);

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Writes only what changed, so that file times tell the truth. */
async function writeIfChanged(path: string, content: string, mode: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const before = await readFile(path, 'utf8').catch(() => null);
  if (before !== content) await writeFile(path, content);
  await chmod(path, mode);
}

/** One ES module for each program; CommonJS dependencies find `require` through the banner. */
async function bundle(name: string, entry: string): Promise<void> {
  await build({
    entryPoints: [join(root, entry)],
    outfile: join(root, 'build', name, 'main.mjs'),
    bundle: true,
    platform: 'node',
    // Ways to a bus that dbus-next loads when they are asked for, which the product never does.
    external: ['x11', 'usocket', 'event-stream'],
    target: 'node24',
    format: 'esm',
    keepNames: true,
    legalComments: 'none',
    sourcemap: 'linked',
    logLevel: 'warning',
    banner: { js: "import { createRequire as bundleRequire } from 'node:module';\nconst require = bundleRequire(import.meta.url);" },
  });
}

/**
 * A start script that works from wherever the tree lies: the pinned runtime on one bundle. The bundle's path is absolute and
 * plain, because the helper compares it with the one that it trusts.
 */
async function launcher(name: string, bundlePath: string, nodeFlags: readonly string[]): Promise<void> {
  const script = [
    '#!/bin/sh',
    'here=$(readlink -f -- "$0")',
    'build=$(dirname -- "$(dirname -- "$here")")',
    `exec "$(dirname -- "$build")/node_modules/node-linux-${process.arch}/bin/node" ${[...nodeFlags, `"$build/${bundlePath}"`].join(' ')} "$@"`,
    '',
  ].join('\n');
  await writeIfChanged(join(root, 'build', 'bin', name), script, 0o755);
}

async function completions(): Promise<void> {
  const targets = { bash: 'bastionctl', zsh: '_bastionctl', fish: 'bastionctl.fish' };
  for (const [shell, file] of Object.entries(targets)) {
    const { stdout } = await run(join(root, 'build', 'bin', 'bastionctl'), ['completion', shell]);
    await writeIfChanged(join(root, 'build', 'completions', file), stdout, 0o644);
  }
}

/** What the helper reads beside its bundle; build/ has the layout of /usr/lib/bastion. */
async function helperData(): Promise<void> {
  const copies = { 'data/dbus': 'dbus', 'data/rules': 'rules.d', 'data/bastion.toml': 'bastion.toml' };
  for (const [from, to] of Object.entries(copies)) {
    await rm(join(root, 'build', to), { recursive: true, force: true });
    await cp(join(root, from), join(root, 'build', to), { recursive: true });
  }
}

async function step(name: string, work: () => Promise<void>): Promise<void> {
  const start = performance.now();
  await work();
  log(`  ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
}

/** The helper holds little, so a small young generation is enough. Source maps at run time would cost 28 MB. */
const HELPER_FLAGS = ['--max-semi-space-size=2'];

await access(join(nodeFolder, 'bin', 'node')).catch(() => {
  throw new Error('the pinned runtime is missing; run: npm run setup');
});
await step('addon and BPF objects', () => buildNative({ root, sanitize: false, log }));
await step('helper and bastionctl', async () => {
  await Promise.all([bundle('helper', 'helper/main.ts'), bundle('ctl', 'helper/ctl/main.ts')]);
  await launcher('bastion-helper', 'helper/main.mjs', HELPER_FLAGS);
  await launcher('bastionctl', 'ctl/main.mjs', []);
  await helperData();
  await completions();
});
await step('desktop', async () => {
  await buildDesktop({ root, log });
  await launcher('bastion-firewall-desktop', 'desktop/main.cjs', []);
});
