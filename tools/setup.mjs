/**
 * From a fresh checkout to a built product, as often as one likes: system packages, npm's packages, the pinned Node runtime,
 * node-gtk, the build. Plain JavaScript for any Node from 18 up, because the pinned runtime is what it fetches.
 *
 * node tools/setup.mjs [--quiet] [--with GROUP] [--run FILE.ts [--] [ARGS...]]
 *
 * --with names a group of system packages that is not asked for otherwise.
 * With --run the pinned runtime then runs FILE.ts; stdin, stdout, the exit status and signals are passed through.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import path from 'node:path';
import { PACKAGES, ensurePackages } from './setup/packages.mjs';
import { ROOT, SetupError, say, step, tellFailure, withLock } from './setup/progress.mjs';
import { PINNED_NODE, checkTools, ensureBuild, ensureGtk, ensureModules } from './setup/runtime.mjs';

const OLDEST_NODE = 18;
const PASSED_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

function parse(argv) {
  const rest = [...argv];
  let quiet = false;
  const groups = [];
  while (rest.length > 0) {
    const word = rest.shift();
    if (word === '--quiet') quiet = true;
    else if (word === '--with' && rest[0] in PACKAGES) groups.push(rest.shift());
    else if (word === '--run' && rest.length > 0) {
      const file = rest.shift();
      if (rest[0] === '--') rest.shift();
      return { quiet, groups, run: { file, args: rest } };
    } else throw new SetupError('usage: node tools/setup.mjs [--quiet] [--with GROUP] [--run FILE.ts [--] [ARGS...]]');
  }
  return { quiet, groups, run: null };
}

async function setUp(quiet, groups, builds) {
  await step('system packages', quiet, (doing) => ensurePackages(doing, groups));
  await step('npm packages', quiet, ensureModules);
  await checkTools();
  await step('node-gtk', quiet, ensureGtk);
  if (builds) await step('build', quiet, ensureBuild);
}

/** Runs the script in the pinned runtime and ends as it ends. */
function become({ file, args }) {
  const child = spawn(PINNED_NODE, [path.resolve(ROOT, file), ...args], { stdio: 'inherit' });
  for (const signal of PASSED_SIGNALS) process.on(signal, () => { child.kill(signal); });
  child.once('error', (error) => {
    say(`set-up: cannot start ${file}: ${error.message}`);
    process.exit(1);
  });
  child.once('exit', (status, signal) => {
    if (signal === null) process.exit(status);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    // Reached only by a signal that does not end this process.
    process.exit(128 + constants.signals[signal]);
  });
}

async function main() {
  if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
    throw new SetupError(`Node ${process.versions.node} is too old: the set-up needs ${String(OLDEST_NODE)} or later`, {
      mend: 'sudo apt-get install --no-install-recommends nodejs npm',
    });
  }
  const { quiet, groups, run } = parse(process.argv.slice(2));
  const buildsItself = run?.file === 'tools/build.ts';
  await withLock(async () => { await setUp(quiet, groups, !buildsItself); });
  if (run !== null) become(run);
}

main().catch((error) => {
  if (error instanceof SetupError) tellFailure(error);
  else say(`set-up failed: ${error.stack ?? String(error)}`);
  process.exitCode = 1;
});
