/**
 * Fuzzes the target of test/fuzz/targets that the first argument names, for as many seconds as the second says, and prints what
 * came of it as one line of JSON. A process of its own: whoever started it ends it where an input never does, and finds that
 * input in the file of the third argument, behind its length.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Coverage } from './coverage.ts';
import { Fuzzer } from './engine.ts';
import type { Target } from './engine.ts';
import { CORPUS, FINDINGS, NEW_CORPUS, SEED } from './options.ts';

export interface FuzzReport {
  readonly runs: number;
  readonly functions: number;
  readonly found: number;
  /** Path of the input that broke the target, and what it said; null for none. */
  readonly finding: { readonly path: string; readonly message: string } | null;
}

/** Of this process: hundreds of times what inputs of this length take, so that a slow machine does not come near it. */
const SLOW_MS = 5000;

function inputsIn(folder: string): readonly Buffer[] {
  mkdirSync(folder, { recursive: true });
  return readdirSync(folder).sort().map((name) => readFileSync(join(folder, name)));
}

function save(folder: string, prefix: string, input: Buffer): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${prefix}${createHash('sha256').update(input).digest('hex').slice(0, 16)}`);
  writeFileSync(path, input);
  return path;
}

/** Code of the product and of what it is built from. */
function counts(url: string): boolean {
  return url.startsWith('file:') && !url.includes('/test/fuzz/');
}

const [name = '', seconds = '', currentPath = ''] = process.argv.slice(2);
const coverage = new Coverage(counts);
const { target } = await import(`./targets/${name}.ts`) as { readonly target: Target };
const current = openSync(currentPath, 'w');
const lengthBytes = Buffer.alloc(4);
const fuzzer = new Fuzzer(target, {
  seed: SEED, timeMs: Number(seconds) * 1000, slowMs: SLOW_MS, coverage, corpus: [...inputsIn(join(CORPUS, name)), ...inputsIn(join(NEW_CORPUS, name))],
  before: (input) => {
    lengthBytes.writeUInt32LE(input.length);
    writeSync(current, Buffer.concat([lengthBytes, input]), 0, input.length + 4, 0);
  },
});
const { runs, functions, found, finding } = await fuzzer.run();
for (const input of found) save(join(NEW_CORPUS, name), '', input);
const report: FuzzReport = {
  runs, functions, found: found.length,
  finding: finding === null ? null : { path: save(FINDINGS, `${name}-`, finding.input), message: finding.message },
};
process.stdout.write(`${JSON.stringify(report)}\n`, () => { process.exit(0); });
