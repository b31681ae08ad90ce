/** `npm run build`: the addon, the BPF object and the bundles, into build/. Incremental; needs what tools/setup.mjs installs. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, chmod, cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import type { Metafile } from 'esbuild';
import { closedIptables, closedNft, networkRootIptables, networkRootNft } from '../helper/adapters/netfilter/boot-rules.ts';
import { buildDesktop } from './build-desktop.ts';
import { buildNative } from './build-native.ts';
import { buildSessionFiles } from './session-files.ts';
import { writeThirdParty } from './third-party.ts';

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

/** Of a line: a stack trace still tells where something happened. */
const LINE_LIMIT = 160;

/**
 * One ES module for each program and thread; CommonJS dependencies find `require` through the banner. Without comments and
 * spaces: V8 keeps the text, twice as long where a comment has a letter beyond Latin-1, and reads all of it at each start.
 */
async function bundle(name: string, entry: string, file = 'main.mjs'): Promise<Metafile> {
  const { metafile } = await build({
    // Comments in the bundle name files from the repository on, wherever it lies and whatever node_modules is a link to.
    absWorkingDir: root,
    preserveSymlinks: true,
    metafile: true,
    entryPoints: [join(root, entry)],
    outfile: join(root, 'build', name, file),
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: LINE_LIMIT,
    legalComments: 'none',
    sourcemap: 'linked',
    logLevel: 'warning',
    banner: { js: "import { createRequire as bundleRequire } from 'node:module';\nconst require = bundleRequire(import.meta.url);" },
  });
  return metafile;
}

/**
 * A start script that works from wherever the tree lies: the pinned runtime, beside it once installed, on one bundle. The
 * bundle's path is absolute and plain, because the helper compares it with the one that it trusts.
 */
async function launcher(name: string, bundlePath: string, nodeFlags: readonly string[]): Promise<void> {
  const script = [
    '#!/bin/sh',
    'here=$(readlink -f -- "$0")',
    'build=$(dirname -- "$(dirname -- "$here")")',
    'node=$build/bin/node',
    `[ -x "$node" ] || node=$(dirname -- "$build")/node_modules/node-linux-${process.arch}/bin/node`,
    `exec "$node" ${[...nodeFlags, `"$build/${bundlePath}"`].join(' ')} "$@"`,
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

/** What closes the machine before the helper has started, and what frees it without the helper. */
async function bootFiles(): Promise<void> {
  const rules = {
    'closed.nft': closedNft(), 'network-root.nft': networkRootNft(),
    'closed.v4': closedIptables(4), 'closed.v6': closedIptables(6), 'network-root.iptables': networkRootIptables(),
  };
  for (const [name, text] of Object.entries(rules)) await writeIfChanged(join(root, 'build', 'boot', name), text, 0o644);
  for (const [from, to] of Object.entries({ 'bastion-boot': 'bastion-boot', 'bastion-rescue': 'bin/bastion-rescue' })) {
    await writeIfChanged(join(root, 'build', to), await readFile(join(root, 'data/boot', from), 'utf8'), 0o755);
  }
}

/** What the helper verifies at its start: every file that is run or read, but for maps for debuggers. */
const MANIFEST_FILES = ['bastion-boot', 'bin', 'boot', 'ctl', 'dbus', 'helper', 'rules.d', 'bastion.toml', 'desktop/main.cjs', 'desktop/window.cjs', 'native/bastion.bpf.o', 'native/bastion.node', 'native/bastion-probe'];

async function filesBelow(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch(() => null);
  if (entries === null) return [path];
  return entries.filter((entry) => entry.isFile() && !entry.name.endsWith('.map')).map((entry) => join(entry.parentPath, entry.name));
}

async function manifest(): Promise<void> {
  const folder = join(root, 'build');
  const paths = (await Promise.all(MANIFEST_FILES.map((name) => filesBelow(join(folder, name))))).flat().sort();
  const files = await Promise.all(paths.map(async (path) => {
    return [relative(folder, path), createHash('sha256').update(await readFile(path)).digest('hex')] as const;
  }));
  await writeIfChanged(join(folder, 'manifest.json'), `${JSON.stringify({ version: 1, files: Object.fromEntries(files) }, null, 1)}\n`, 0o644);
}

async function step(name: string, work: () => Promise<void>): Promise<void> {
  const start = performance.now();
  await work();
  log(`  ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
}

/**
 * The helper holds little, so a small young generation is enough, and an old one that grows slowly: what a storm took is collected
 * instead of kept. It begins with room for a start, which would take longer without. Source maps at run time would cost 28 MB.
 */
const HELPER_FLAGS = ['--max-semi-space-size=2', '--optimize-for-size', '--initial-heap-size=32'];

await access(join(nodeFolder, 'bin', 'node')).catch(() => {
  throw new Error('the pinned runtime is missing; run: npm run setup');
});
await step('addon and BPF objects', () => buildNative({ root, sanitize: false, log }));
const bundles: Metafile[] = [];
await step('helper and bastionctl', async () => {
  bundles.push(...await Promise.all([
    bundle('helper', 'helper/main.ts'),
    bundle('helper', 'helper/lists/build-list.ts', 'build-list.mjs'),
    bundle('helper', 'helper/lists/fetch.ts', 'fetch.mjs'),
    bundle('helper', 'helper/insight-worker.ts', 'insight.mjs'),
    bundle('helper', 'helper/adapters/history/worker.ts', 'history.mjs'),
    bundle('helper', 'helper/adapters/identities/worker.ts', 'identity-worker.mjs'),
    bundle('helper', 'helper/adapters/containers/worker.ts', 'containers.mjs'),
    bundle('import', 'helper/import-worker.ts'),
    bundle('ctl', 'helper/ctl/main.ts'),
  ]));
  await launcher('bastion-helper', 'helper/main.mjs', HELPER_FLAGS);
  await launcher('bastionctl', 'ctl/main.mjs', []);
  await helperData();
  await bootFiles();
  await completions();
});
await step('desktop', async () => {
  bundles.push(...await buildDesktop({ root, log }));
  await launcher('bastion-firewall-desktop', 'desktop/main.cjs', []);
});
await step('files of the session', async () => {
  await buildSessionFiles({ root, folder: 'build/install', homepage: '' });
});
await step('what is from others', () => {
  writeThirdParty(root, bundles);
  return Promise.resolve();
});
await step('manifest', manifest);
