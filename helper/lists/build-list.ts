/** Reads one list in a worker thread, so that a million names do not keep the engine from deciding. */
import { createHash, randomBytes } from 'node:crypto';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { LIST_FORMATS } from '../contract/vocabulary.ts';
import type { ListFormat } from '../contract/vocabulary.ts';
import { LoadedList } from './loaded-list.ts';
import { ClusteredError } from './name-table.ts';
import { ListTooLargeError, readList } from './read-list.ts';
import type { ListContent, ListLimits } from './read-list.ts';

/** What the thread is given. */
export interface BuildJob {
  readonly bytes: Uint8Array;
  readonly format: ListFormat;
  readonly limits: ListLimits;
}

type BuildResult =
  | { readonly ok: true; readonly content: ListContent; readonly sha256: string }
  | { readonly ok: false; readonly reason: 'too-large' | 'clustered' };

/** A text that makes no list; the message is for people. */
export class ListRefusedError extends Error {
  override readonly name = 'ListRefusedError';
}

/** Another key is drawn this often; chance needs none. */
const KEYS = 4;
/** A thread that takes longer is ended: 64 MiB take some five seconds. */
const LONGEST_MS = 60_000;
const THREAD_HEAP_MB = 256;
/** Names come and go as short strings: with the helper's own small young generation, collecting them took half of the time. */
const THREAD_YOUNG_MB = 48;

function build({ bytes, format, limits }: BuildJob): BuildResult {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  for (let attempt = 0; attempt < KEYS; attempt += 1) {
    const random = randomBytes(8);
    try {
      const content = readList(bytes, format, { start: random.readInt32LE(0), factor: random.readInt32LE(4) }, limits);
      return { ok: true, content, sha256 };
    } catch (error: unknown) {
      if (error instanceof ListTooLargeError) return { ok: false, reason: 'too-large' };
      if (!(error instanceof ClusteredError)) throw error;
    }
  }
  return { ok: false, reason: 'clustered' };
}

function isJob(value: unknown): value is BuildJob {
  return typeof value === 'object' && value !== null
    && 'bytes' in value && value.bytes instanceof Uint8Array
    && 'format' in value && LIST_FORMATS.some((format) => format === value.format)
    && 'limits' in value;
}

/**
 * Reads `job.bytes` (copied, the caller keeps them) in a thread that runs `script`, this very module or its bundle. Rejects
 * with ListRefusedError where the text is no list within the limits, with another Error where the thread failed.
 */
export async function buildInThread(script: string, job: BuildJob): Promise<LoadedList> {
  const worker = new Worker(script, {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: THREAD_HEAP_MB, maxYoungGenerationSizeMb: THREAD_YOUNG_MB },
    env: {},
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    const result = await new Promise<BuildResult>((resolve, reject) => {
      timer = setTimeout(() => { reject(new Error('reading the list took too long')); }, LONGEST_MS);
      worker.once('message', (message: BuildResult) => { resolve(message); });
      worker.once('error', (error) => { reject(error instanceof Error ? error : new Error(String(error))); });
      worker.once('exit', () => { reject(new Error('the thread that read the list ended')); });
    });
    if (result.ok) return new LoadedList(result.content, result.sha256);
    throw new ListRefusedError(result.reason === 'too-large'
      ? `It has more than ${String(job.limits.domains)} names or ${String(job.limits.prefixes)} addresses, or too many names that are no ASCII.`
      : 'Its names were chosen so that looking them up would be slow.');
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

const job: unknown = workerData;
if (!isMainThread && parentPort !== null && isJob(job)) {
  const result = build(job);
  const moved = result.ok
    ? [result.content.table.slots.buffer, result.content.table.arena.buffer, result.content.ranges.v4.buffer, result.content.ranges.v6.buffer]
    : [];
  parentPort.postMessage(result, moved);
}
