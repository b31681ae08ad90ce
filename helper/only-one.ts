/** One helper at a time: a second one ends before it has touched a file, the bus or the kernel. */
import { setTimeout as wait } from 'node:timers/promises';
import { BUS_NAME } from './contract/names.ts';
import type { BusConnection } from './contract/transport.ts';

/** An earlier helper may be about to end. */
const TRIES = 20;
const BETWEEN_MS = 100;

/** Another helper runs. */
export class AnotherHelperError extends Error {
  override readonly name = 'AnotherHelperError';
}

/**
 * Locks the folders until this process ends. Throws AnotherHelperError when another process has one of them for longer than a
 * helper takes to leave.
 */
export async function lockFolders(folders: readonly string[], lock: (folder: string) => boolean): Promise<void> {
  for (const folder of new Set(folders)) {
    for (let left = TRIES; !lock(folder); left -= 1) {
      if (left === 0) throw new AnotherHelperError(`another bastion-helper is running: it uses ${folder}. This one ends and changes nothing.`);
      await wait(BETWEEN_MS);
    }
  }
}

/** Throws AnotherHelperError while somebody has the helper's name on the bus. */
export async function checkNameIsFree(bus: Pick<BusConnection, 'callBus'>): Promise<void> {
  for (let left = TRIES; ; left -= 1) {
    const [owned] = await bus.callBus('NameHasOwner', 's', [BUS_NAME]);
    if (owned !== true) return;
    if (left === 0) throw new AnotherHelperError(`another bastion-helper is running: it owns ${BUS_NAME} on the bus. This one ends and changes nothing.`);
    await wait(BETWEEN_MS);
  }
}
