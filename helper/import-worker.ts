/** Reads foreign files on a thread of its own: what they cost in time and memory is this thread's alone. */
import { lstatSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { BastionError } from './contract/errors.ts';
import { formatOf, importText } from './import/formats.ts';
import { CONTROL_SOCKET } from './import/network-manager.ts';
import type { ReadingRequest, ReadingResult } from './import-reader.ts';

const { format, text, nowMs } = workerData as ReadingRequest;

/** Only the place that everybody knows is looked at: a file must not tell what else there is on the machine. */
function isTaken(path: string): boolean {
  return path === CONTROL_SOCKET && lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function read(): ReadingResult {
  try {
    const guess = formatOf(format, text);
    return { ok: true, guess, imported: importText(text, guess.format, nowMs, isTaken) };
  } catch (error: unknown) {
    if (error instanceof BastionError) return { ok: false, code: error.code, message: error.message };
    throw error;
  }
}

parentPort?.postMessage(read());
