/** What a list of 1.35 million domains costs: time to read it, memory, a lookup; against a Set of strings. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../lab/process.ts';
import { compared } from './figures.ts';
import type { Figure, Unit } from './figures.ts';

export const LIST_FIGURES: readonly string[] = ['lists.domains.load', 'lists.domains.memory', 'lists.domains.lookup'];

const DOMAINS = 1_350_000;
const ASKED_STEP = 135;
const SUFFIXES = ['com', 'net', 'org', 'de', 'co.uk', 'info', 'xyz', 'ru', 'top', 'io'];
const LIMIT_MS = 120_000;
const run = promisify(execFile);

export interface ListSizes {
  readonly rounds: number;
}

interface Measured {
  readonly seconds: number;
  readonly megabytes: number;
  readonly microseconds: number;
}

/** As long as names in such lists are: 22 letters. */
function domain(index: number): string {
  const letters = createHash('md5').update(String(index)).digest('hex');
  return `${letters.slice(0, 4 + index % 10)}.${letters.slice(14, 18 + index % 9)}.${SUFFIXES[index % SUFFIXES.length] ?? ''}`;
}

function writeList(file: string): void {
  const lines = Array.from({ length: DOMAINS }, (_, index) => `0.0.0.0 ${domain(index)}`);
  // Half of them are there; all lie two labels below.
  const asked = Array.from({ length: DOMAINS / ASKED_STEP }, (_, index) => `www.cdn.${domain(index * ASKED_STEP)}`);
  const others = asked.map((name) => `${name}.test`);
  writeFileSync(file, lines.join('\n'));
  writeFileSync(`${file}.asked`, asked.flatMap((name, index) => [name, others[index] ?? '']).join('\n'));
}

async function child(file: string, how: 'table' | 'set'): Promise<Measured> {
  const args = ['--expose-gc', '--max-old-space-size=2048', join(ROOT, 'test/bench/list-child.ts'), file, how];
  return JSON.parse((await run(process.execPath, args, { timeout: LIMIT_MS })).stdout) as Measured;
}

/** Measures the figures of `wanted`. */
export async function measureLists(wanted: readonly string[], sizes: ListSizes, tell: (line: string) => void): Promise<readonly Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-bench-lists-'));
  try {
    const file = join(folder, 'list');
    writeList(file);
    const rounds: { readonly table: Measured; readonly set: Measured }[] = [];
    for (let round = 0; round < sizes.rounds; round += 1) {
      tell(`lists: round ${String(round + 1)} of ${String(sizes.rounds)}`);
      rounds.push({ table: await child(file, 'table'), set: await child(file, 'set') });
    }
    const figures: readonly (readonly [string, Unit, keyof Measured])[] = [
      ['lists.domains.load', 's', 'seconds'], ['lists.domains.memory', 'MB', 'megabytes'], ['lists.domains.lookup', 'us', 'microseconds'],
    ];
    return figures.filter(([name]) => wanted.includes(name)).map(([name, unit, key]) =>
      compared(name, unit, rounds.map(({ table }) => table[key]), rounds.map(({ set }) => set[key])));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
