/** npm's packages, the pinned Node runtime, and node-gtk built against it. */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import path from 'node:path';
import { ROOT, SetupError, capture, logFile, readText, runLogged, writeAtomic } from './progress.mjs';
import { npmCommand } from './npm.mjs';
import { requireBuildPackages } from './packages.mjs';

const MODULES = path.join(ROOT, 'node_modules');
const NPM_STAMP = path.join(MODULES, '.bastion-stamp');
const RUNTIME_FOLDER = path.join(MODULES, `node-linux-${process.arch}`);
const MEND_OPTIONAL = 'npm ci --ignore-scripts --include=optional';
const GTK_FOLDER = path.join(MODULES, 'node-gtk');

/** The pinned runtime, absolute; it is there after `ensureModules`. */
export const PINNED_NODE = path.join(RUNTIME_FOLDER, 'bin/node');

function readJson(file) {
  const text = readText(file);
  return text === null ? null : JSON.parse(text);
}

/**
 * Does npm's own record of what it put into node_modules agree with the lock file? Optional packages may be absent: they
 * are for other machines; the runtime for this one is checked by itself.
 */
function installedAgrees() {
  const wanted = readJson(path.join(ROOT, 'package-lock.json')).packages;
  const found = readJson(path.join(MODULES, '.package-lock.json'))?.packages;
  if (found === undefined) return false;
  const entries = Object.entries(wanted).filter(([name]) => name !== '');
  return entries.every(([name, entry]) => {
    const other = found[name];
    if (other === undefined) return entry.optional === true;
    return other.version === entry.version && other.integrity === entry.integrity && existsSync(path.join(ROOT, name));
  }) && Object.keys(found).every((name) => wanted[name] !== undefined);
}

function lockHash() {
  const hash = createHash('sha256');
  for (const name of ['package-lock.json', 'package.json']) hash.update(readFileSync(path.join(ROOT, name)));
  return hash.digest('hex');
}

/** Makes node_modules what package-lock.json says, without running any package's scripts. */
export async function ensureModules(doing) {
  if (process.arch !== 'x64' && process.arch !== 'arm64') {
    throw new SetupError(`there is no pinned Node runtime for ${process.arch}; x64 and arm64 are supported`);
  }
  const hash = lockHash();
  if (readText(NPM_STAMP) === hash && existsSync(PINNED_NODE)) return null;
  if (installedAgrees() && existsSync(PINNED_NODE)) {
    writeAtomic(NPM_STAMP, hash);
    return 'as the lock file says';
  }
  doing('npm ci');
  const log = logFile('npm');
  const [command, ...first] = await npmCommand();
  const status = await runLogged(log, command, [...first, 'ci', '--ignore-scripts', '--no-audit', '--no-fund']);
  if (status !== 0) throw new SetupError('npm ci failed', { log, mend: 'npm ci --ignore-scripts' });
  if (!existsSync(PINNED_NODE)) {
    throw new SetupError(`npm left out the optional package node-linux-${process.arch}`, { log, mend: MEND_OPTIONAL });
  }
  writeAtomic(NPM_STAMP, hash);
  return 'installed';
}

/** esbuild's binary comes as a package for each platform; its install script is not needed and must not be. */
export async function checkTools() {
  const { status } = await capture(PINNED_NODE, ['--version']);
  if (status !== 0) {
    throw new SetupError('the pinned Node runtime does not start here', { mend: `${PINNED_NODE} --version` });
  }
  if (!existsSync(path.join(MODULES, `@esbuild/linux-${process.arch}/bin/esbuild`))) {
    throw new SetupError('npm left out the optional package of esbuild for this machine', { mend: MEND_OPTIONAL });
  }
}

/** Another word builds node-gtk anew everywhere. */
const BUILT_HOW = 'plain-paths';

/** Everything that the compiled file depends on, as a name for a folder. */
function gtkKey() {
  const version = (name) => readJson(path.join(MODULES, name, 'package.json')).version;
  const release = readText('/etc/os-release') ?? '';
  const field = (name) => new RegExp(`^${name}="?([^"\n]*)`, 'm').exec(release)?.[1] ?? '';
  const system = `${field('ID')}${field('VERSION_ID')}`.replace(/[^A-Za-z0-9.]/g, '');
  return `${version('node-gtk')}-node${version(path.basename(RUNTIME_FOLDER))}-${process.arch}-${system}-${BUILT_HOW}`;
}

/** Where node-gtk looks for its compiled file; the folder's name holds V8's module version. */
async function gtkTarget() {
  const headers = readFileSync(path.join(RUNTIME_FOLDER, 'include/node/node_version.h'), 'utf8');
  const abi = /^#define NODE_MODULE_VERSION (\d+)/m.exec(headers)?.[1];
  const fallback = async () => (await capture(PINNED_NODE, ['-p', 'process.versions.modules'])).stdout.trim();
  return path.join(GTK_FOLDER, 'lib/binding', `node-v${abi ?? await fallback()}-linux-${process.arch}`, 'node_gtk.node');
}

async function loads(file) {
  return (await capture(PINNED_NODE, ['-e', 'process.dlopen({ exports: {} }, process.argv[1])', file])).status === 0;
}

function copyAtomic(from, to) {
  mkdirSync(path.dirname(to), { recursive: true });
  const temporary = `${to}.${String(process.pid)}`;
  copyFileSync(from, temporary);
  renameSync(temporary, to);
}

/** Compiles node-gtk against the pinned runtime, or puts back the copy that an earlier `npm ci` took away. */
export async function ensureGtk(doing) {
  const target = await gtkTarget();
  const key = gtkKey();
  const stamp = `${target}.stamp`;
  const kept = path.join(ROOT, 'build/cache/node-gtk', key, 'node_gtk.node');
  if (readText(stamp) === key && existsSync(target)) {
    if (!existsSync(kept)) copyAtomic(target, kept);
    return null;
  }
  if (existsSync(kept) && await loads(kept)) {
    copyAtomic(kept, target);
    writeAtomic(stamp, key);
    return 'put back from build/cache';
  }
  if (readText(stamp) === null && existsSync(target) && await loads(target)) {
    copyAtomic(target, kept);
    writeAtomic(stamp, key);
    return 'built before';
  }
  await buildGtk(doing, target);
  copyAtomic(target, kept);
  writeAtomic(stamp, key);
  return 'built';
}

async function buildGtk(doing, target) {
  await requireBuildPackages('building node-gtk');
  doing('building node-gtk from source, about two minutes');
  const log = logFile('node-gtk');
  rmSync(target, { force: true });
  const parallel = String((availableParallelism ?? (() => cpus().length))());
  const args = [
    path.join(MODULES, '@mapbox/node-pre-gyp/bin/node-pre-gyp'), 'rebuild', '--build-from-source',
    `--nodedir=${RUNTIME_FOLDER}`, '-j', parallel,
  ];
  // npm exports its settings as npm_config_*; a machine's own `nodedir` or `target` there would win over the arguments.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(config|package|lifecycle)_/i.test(name)),
  );
  env.PATH = `${path.dirname(PINNED_NODE)}:${process.env.PATH ?? '/usr/bin:/bin'}`;
  env.npm_config_nodedir = RUNTIME_FOLDER;
  // Debugging information names no folder of this machine: the same sources give the same bytes everywhere.
  env.CXXFLAGS = `${process.env.CXXFLAGS ?? ''} -ffile-prefix-map=${realpathSync(MODULES)}=node_modules -ffile-prefix-map=${MODULES}=node_modules`;
  const status = await runLogged(log, PINNED_NODE, args, { cwd: GTK_FOLDER, env });
  if (status !== 0 || !existsSync(target)) {
    throw new SetupError('node-gtk did not build', { log, mend: 'rm -rf build/cache/node-gtk && npm run setup' });
  }
  if (!(await loads(target))) throw new SetupError('node-gtk was built but does not load', { log, mend: 'npm run setup' });
}

/** Builds the product's own parts; the build is incremental and decides by itself what to do. */
export async function ensureBuild() {
  const script = path.join(ROOT, 'tools/build.ts');
  if (!existsSync(script)) return null;
  const log = logFile('build');
  const status = await runLogged(log, PINNED_NODE, [script]);
  if (status === 0) return null;
  await requireBuildPackages('the build');
  throw new SetupError('the build failed', { log, mend: 'npm run build' });
}
