/** Which npm installs the packages: the machine's own where it can, always with the machine's settings. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { ROOT, SetupError, capture, runLogged } from './progress.mjs';

/**
 * npm 9, which Debian 12, Debian 13 and Ubuntu 24.04 carry, cannot read an override that replaces a package by another one
 * (`npm:` in package.json): it says that there is no lock file. This version can, and runs on Node 18.
 */
const OLDEST_MAJOR = 10;
const NEWER = {
  version: '10.9.4',
  sha512: 'OnUG836FwboQIbqtefDNlyR0gTHzIfwRfE3DuiNewBvnMnWEpB0VEXwBlFVgqpNzIgYo/MHh3d2Hel/pszapAA==',
};

/** The npm that runs us, else the one on PATH. */
function machineNpm() {
  const script = process.env.npm_execpath;
  return script !== undefined && /npm-cli\.c?js$/.test(script) && existsSync(script) ? [process.execPath, script] : ['npm'];
}

/** Fetches the newer npm with the machine's one, from where that takes its packages, and unpacks it if its hash is right. */
async function fetchNewer([command, ...first], folder, log) {
  rmSync(folder, { recursive: true, force: true });
  const unfinished = `${folder}.${String(process.pid)}`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  const mend = `npm pack npm@${NEWER.version}`;
  if ((await runLogged(log, command, [...first, 'pack', `npm@${NEWER.version}`], { cwd: unfinished })) !== 0) {
    throw new SetupError('this npm is too old for the lock file, and a newer one could not be fetched', { log, mend });
  }
  const archive = path.join(unfinished, `npm-${NEWER.version}.tgz`);
  if (createHash('sha512').update(readFileSync(archive)).digest('base64') !== NEWER.sha512) {
    throw new SetupError(`npm ${NEWER.version} as it was fetched has another hash than expected; it is not used`, { log, mend });
  }
  if ((await runLogged(log, 'tar', ['-xzf', archive, '-C', unfinished])) !== 0) {
    throw new SetupError('the newer npm could not be unpacked', { log, mend });
  }
  renameSync(unfinished, folder);
}

/** The words that start an npm which can read the lock file. Throws SetupError without any npm. */
export async function npmCommand(log) {
  const machine = machineNpm();
  const [command, ...first] = machine;
  const { status, stdout } = await capture(command, [...first, '--version']);
  if (status !== 0) throw new SetupError('npm is missing', { mend: 'sudo apt-get install --no-install-recommends npm' });
  if (Number(stdout.trim().split('.')[0]) >= OLDEST_MAJOR) return machine;
  const folder = path.join(ROOT, 'build/cache', `npm-${NEWER.version}`);
  const script = path.join(folder, 'package/bin/npm-cli.js');
  if (!existsSync(script)) await fetchNewer(machine, folder, log);
  return [process.execPath, script];
}
