/** State that survives the helper but not the boot, as JSON in the run folder: port `RunState`. */
import { chmod, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { BastionError } from '../contract/errors.ts';
import type { Logger, RunState } from '../ports.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { checkTrustedFolder, readTrustedFile } from './trusted-file.ts';

const LIMIT_BYTES = 4 * 1024 * 1024;
/** One is kept: the newest. */
const ASIDE = '.unread';

/**
 * Keeps state in `runDir`/state.json. `load` resolves to null where there is no file, or none that can be trusted or read
 * (which is logged): the caller validates the shape. `save` rejects with BastionError LimitReached above 4 MiB and Failed
 * where the file cannot be written.
 */
export function createRunState({ runDir, logger }: { readonly runDir: string; readonly logger: Logger }): RunState {
  const path = join(runDir, 'state.json');
  let turn: Promise<unknown> = Promise.resolve();
  return {
    load: () => loadState(runDir, path, logger),
    save(state) {
      const bytes = Buffer.from(JSON.stringify(state ?? null));
      if (bytes.length > LIMIT_BYTES) return Promise.reject(new BastionError('LimitReached', 'The state is too large to be kept.'));
      const saved = turn.then(() => saveState(runDir, path, bytes));
      turn = saved.catch(() => undefined);
      return saved;
    },
    async setAside() {
      const kept = `${path}${ASIDE}`;
      await rename(path, kept);
      return kept;
    },
  };
}

async function loadState(runDir: string, path: string, logger: Logger): Promise<unknown> {
  const folder = await checkTrustedFolder(runDir);
  const outcome = folder.ok ? await readTrustedFile(path, LIMIT_BYTES) : folder;
  if (!outcome.ok) {
    if (outcome.refusal.code === 'missing') return null;
    logger.log('warning', 'The state of the last run is not used.', { file: path, reason: outcome.refusal.message });
    return null;
  }
  try {
    const state: unknown = JSON.parse(outcome.value.toString('utf8'));
    return state;
  } catch {
    logger.log('warning', 'The state of the last run is not used.', { file: path, reason: 'This is not JSON.' });
    return null;
  }
}

async function saveState(runDir: string, path: string, bytes: Buffer): Promise<void> {
  try {
    const made = await mkdir(runDir, { recursive: true, mode: 0o755 });
    if (made !== undefined) await chmod(runDir, 0o755);
    const folder = await checkTrustedFolder(runDir);
    if (!folder.ok) throw new Error(folder.refusal.message);
    await writeFileAtomic(path, bytes, 0o600);
  } catch (error: unknown) {
    throw new BastionError('Failed', `${path} could not be written.`, { cause: error });
  }
}
