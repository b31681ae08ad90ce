/** The known applications as JSON in the state folder: port `ApplicationStore`. */
import { rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ApplicationStore, Logger } from '../../ports.ts';
import { syncFolder, writeFileAtomic } from '../atomic-file.ts';
import { checkTrustedFolder, errorCodeOf, readTrustedFile } from '../trusted-file.ts';

/** 4,096 applications with 16 users each and paths of 1 MiB in all take less, whatever has to be escaped in them. */
const LIMIT_BYTES = 16 * 1024 * 1024;

/** Keeps `stateDir`/applications.json, readable by root alone: it tells who used what. */
export function createApplicationStore({ stateDir, logger }: { readonly stateDir: string; readonly logger: Logger }): ApplicationStore {
  const path = join(stateDir, 'applications.json');
  const unusable = (reason: string): null => {
    logger.log('warning', 'the known applications are not used', { file: path, reason });
    return null;
  };
  const setAside = async (): Promise<void> => {
    try {
      await rename(path, `${path}.broken`);
      await syncFolder(dirname(path));
    } catch (error: unknown) {
      logger.log('warning', 'a broken file could not be kept aside', { file: path, error: errorCodeOf(error) });
    }
  };
  return {
    async load() {
      const folder = await checkTrustedFolder(stateDir);
      const outcome = folder.ok ? await readTrustedFile(path, LIMIT_BYTES) : folder;
      if (!outcome.ok) return outcome.refusal.code === 'missing' ? null : unusable(outcome.refusal.message);
      try {
        const value: unknown = JSON.parse(outcome.value.toString('utf8'));
        return value;
      } catch {
        await setAside();
        return unusable('This is not JSON.');
      }
    },
    save: (json) => writeFileAtomic(path, Buffer.from(json), 0o600),
    setAside,
  };
}
