/**
 * `node --expose-gc list-child.ts FILE HOW`: loads a list of domains and asks it, as the helper does (`table`) or with a
 * Set of strings (`set`); prints {seconds, megabytes, microseconds}. A process of its own, so that its memory is the list's.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildInThread } from '../../helper/lists/build-list.ts';
import { ROOT } from '../lab/process.ts';

const ASKED = 20_000;
const ROUNDS = 25;
const KB_PER_MB = 1024;

/** Proportional set size: pages that are shared count in part. Source: proc(5), smaps_rollup. */
function pssMb(): number {
  globalThis.gc?.();
  const kb = /^Pss:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1];
  return Number(kb) / KB_PER_MB;
}

function inSet(names: ReadonlySet<string>, name: string): boolean {
  for (let from = 0; ; from += 1) {
    if (names.has(name.slice(from))) return true;
    from = name.indexOf('.', from);
    if (from < 0) return false;
  }
}

async function load(file: string, how: string): Promise<(name: string) => boolean> {
  if (how === 'table') {
    const list = await buildInThread(join(ROOT, 'build/helper/build-list.mjs'), {
      bytes: readFileSync(file), format: 'hosts', limits: { domains: 2_000_000, prefixes: 0 },
    });
    return (name) => list.hasName(name);
  }
  const names = new Set<string>();
  for (const line of readFileSync(file, 'utf8').split('\n')) names.add(line.slice('0.0.0.0 '.length));
  return (name) => inSet(names, name);
}

const [file = '', how = ''] = process.argv.slice(2);
const asked = readFileSync(`${file}.asked`, 'utf8').split('\n').slice(0, ASKED);
const before = pssMb();
const start = performance.now();
const has = await load(file, how);
const seconds = (performance.now() - start) / 1000;
const megabytes = pssMb() - before;
const times = Array.from({ length: ROUNDS }, () => {
  const from = performance.now();
  let found = 0;
  for (const name of asked) if (has(name)) found += 1;
  if (found !== asked.length / 2) throw new Error(`${String(found)} of ${String(asked.length)} names were found`);
  return (performance.now() - from) * 1000 / asked.length;
});
process.stdout.write(JSON.stringify({ seconds, megabytes, microseconds: times.sort((a, b) => a - b)[ROUNDS >> 1] }));
