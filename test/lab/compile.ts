/** The lab's small C programs, compiled when they are first needed. */
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ROOT, tool } from './process.ts';

const CACHE = join(ROOT, 'build/lab');

function cacheIsWritable(): boolean {
  try {
    mkdirSync(CACHE, { recursive: true });
    accessSync(CACHE, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Path of the program compiled from a file of test/lab: once for each content, also when several labs do it at one time.
 * Where the tree cannot be written it goes to `folder`. A file is compiled with the same flags everywhere.
 */
export function compile(source: string, folder: string, flags: readonly string[] = []): string {
  const path = join(ROOT, 'test/lab', source);
  const hash = createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 12);
  const name = `${basename(source, '.c')}-${hash}`;
  const cached = join(CACHE, name);
  if (existsSync(cached)) return cached;
  const program = cacheIsWritable() ? cached : join(folder, name);
  const unfinished = `${program}.${String(process.pid)}`;
  tool('gcc', ['-O2', '-Wall', '-Wextra', '-Werror', ...flags, '-o', unfinished, path]);
  renameSync(unfinished, program);
  return program;
}
