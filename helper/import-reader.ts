/** Starts the thread that reads a foreign file, and ends it when it takes too long or too much. */
import { Worker } from 'node:worker_threads';
import { BastionError } from './contract/errors.ts';
import type { ErrorCode } from './contract/errors.ts';
import type { Guess } from './import/formats.ts';
import type { Imported } from './import/types.ts';

export interface ReadingRequest {
  /** As Import takes it. */
  readonly format: string;
  readonly text: string;
  /** Wall time, ms since 1970. */
  readonly nowMs: number;
}

export type ReadingResult =
  | { readonly ok: true; readonly guess: Guess; readonly imported: Imported }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

/** What one file may cost. */
export const READING_LIMITS = { timeMs: 20_000, memoryMb: 256, youngMb: 16 } as const;

/**
 * Reads one file with the worker at `script`. Rejects with the BastionError of the reader, and with LimitReached for a file that
 * costs more than `limits`.
 */
export function readForeign(
  script: string, request: ReadingRequest, limits: { readonly [K in keyof typeof READING_LIMITS]: number } = READING_LIMITS,
): Promise<Extract<ReadingResult, { ok: true }>> {
  const worker = new Worker(script, {
    workerData: request, env: {}, stdin: false,
    resourceLimits: { maxOldGenerationSizeMb: limits.memoryMb, maxYoungGenerationSizeMb: limits.youngMb },
  });
  const { promise, resolve, reject } = Promise.withResolvers<Extract<ReadingResult, { ok: true }>>();
  const timer = setTimeout(() => {
    reject(new BastionError('LimitReached', 'The file takes too long to read; import it in parts.'));
  }, limits.timeMs);
  worker.once('message', (result: ReadingResult) => {
    if (result.ok) resolve(result);
    else reject(new BastionError(result.code, result.message));
  });
  worker.once('error', (error: Error & { readonly code?: unknown }) => {
    reject(error.code === 'ERR_WORKER_OUT_OF_MEMORY'
      ? new BastionError('LimitReached', 'The file takes too much memory to read; import it in parts.', { cause: error })
      : error);
  });
  worker.once('exit', () => {
    reject(new BastionError('Failed'));
  });
  return promise.finally(() => {
    clearTimeout(timer);
    void worker.terminate();
  });
}
