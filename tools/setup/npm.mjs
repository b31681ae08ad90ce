/** Which npm installs the packages: the machine's own, with the machine's settings. */
import { existsSync } from 'node:fs';
import { SetupError, capture } from './progress.mjs';

/** The npm that runs us, else the one on PATH, as words of a command line. Throws SetupError without any npm. */
export async function npmCommand() {
  const script = process.env.npm_execpath;
  if (script !== undefined && /npm-cli\.c?js$/.test(script) && existsSync(script)) return [process.execPath, script];
  const { status } = await capture('npm', ['--version']);
  if (status !== 0) throw new SetupError('npm is missing', { mend: 'sudo apt-get install --no-install-recommends npm' });
  return ['npm'];
}
