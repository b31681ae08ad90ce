/** How long and from where: BASTION_TEST_SIZE=full takes an hour of processor time for all; BASTION_FUZZ_SECONDS and BASTION_FUZZ_SEED say it exactly. */
import { join } from 'node:path';
import { ROOT } from '../lab/process.ts';

const SMALL_S = 5;
const FULL_S = 180;

function numberFrom(name: string, otherwise: number): number {
  const text = process.env[name];
  if (text === undefined || text === '') return otherwise;
  if (!/^[1-9]\d{0,8}$/u.test(text)) throw new Error(`${name} is not a number above 0: ${text}`);
  return Number(text);
}

/** Seconds for one target. */
export const SECONDS = numberFrom('BASTION_FUZZ_SECONDS', process.env['BASTION_TEST_SIZE'] === 'full' ? FULL_S : SMALL_S);
export const SEED = numberFrom('BASTION_FUZZ_SEED', 1);
/** In the repository: what each run begins with. */
export const CORPUS = join(ROOT, 'test/fuzz/corpus');
/** What runs on this machine have found to reach something new; each goes on from there. */
export const NEW_CORPUS = join(ROOT, 'build/fuzz/corpus');
export const FINDINGS = join(ROOT, 'build/fuzz/findings');
