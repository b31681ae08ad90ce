/**
 * How often each character of a source file was run, out of what V8 leaves in NODE_V8_COVERAGE: the sum over all processes.
 * Types are stripped to spaces, so offsets in what V8 ran are offsets in the file.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const RANGE = z.object({ startOffset: z.number(), endOffset: z.number(), count: z.number() });
const DUMP = z.object({
  result: z.array(z.object({ url: z.string(), functions: z.array(z.object({ ranges: z.array(RANGE) })) })),
});

type Range = z.infer<typeof RANGE>;

/** One process's runs of one file. An inner range follows the one that it lies in, and its count is the one that holds. */
function countsOf(ranges: readonly Range[], length: number): Float64Array {
  const counts = new Float64Array(length);
  for (const { startOffset, endOffset, count } of ranges) counts.fill(count, startOffset, endOffset);
  return counts;
}

/** Runs per character of each wanted file that some process has loaded, by path. */
export function readCounts(folder: string, isWanted: (file: string) => boolean): ReadonlyMap<string, Float64Array> {
  const sums = new Map<string, Float64Array>();
  for (const name of readdirSync(folder)) {
    const { result } = DUMP.parse(JSON.parse(readFileSync(join(folder, name), 'utf8')));
    for (const { url, functions } of result) {
      const file = url.startsWith('file:') ? fileURLToPath(url) : '';
      if (!isWanted(file)) continue;
      const sum = sums.get(file) ?? new Float64Array(readFileSync(file, 'utf8').length);
      const counts = countsOf(functions.flatMap(({ ranges }) => ranges), sum.length);
      for (const [at, count] of counts.entries()) sum[at] = (sum[at] ?? 0) + count;
      sums.set(file, sum);
    }
  }
  return sums;
}
