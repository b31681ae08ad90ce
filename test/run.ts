/**
 * `npm test`: the linter and every suite that needs no whole system, or the suite that `--suite` names. The last line of
 * stdout is `N passed, N failed`, with `, N skipped` where there are any; the exit status is 0 only without failures.
 *
 * --suite NAME    lint, unit, contract, integration, desktop, security, system, leaks, fuzz; may be given several times
 * --only PATTERN  files whose path holds PATTERN; where there is none, tests whose name matches it
 */
import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { availableParallelism, constants } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { lint } from '../tools/lint.ts';
import type { TestResult } from './runner/events.ts';
import { ROOT, killRunning, runFile, type FileRun } from './runner/execute.ts';
import { secondTry } from './runner/second-try.ts';

const DEFAULT_SUITES = ['lint', 'unit', 'contract', 'integration', 'desktop', 'security'];
/** Its displays and buses are nobody else's: where it is asked for with suites that use namespaces, it goes beside them. */
const LANE_OF_ITS_OWN = 'desktop';
/** These use every processor. */
const ALONE: ReadonlySet<string> = new Set(['lint', 'unit']);
const OTHER_SUITES = ['system', 'leaks', 'fuzz'];
const FILE_LIMIT_MS = 420_000;
/** Full counts take longer than the small ones of a daily run. */
const FULL_SIZE_FACTOR = 6;
const ALLOWED_SKIPS = join(ROOT, 'test/allowed-skips.json');

interface AllowedSkip {
  /** Regular expressions over the test's name and over its reason. */
  readonly test: RegExp;
  readonly reason: RegExp;
}

interface Options {
  readonly suites: readonly string[];
  readonly only: string | null;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: { suite: { type: 'string', multiple: true }, only: { type: 'string' } },
  });
  const known = [...DEFAULT_SUITES, ...OTHER_SUITES];
  const unknown = (values.suite ?? []).find((suite) => !known.includes(suite));
  if (unknown !== undefined) throw new Error(`there is no suite ${unknown}; there are ${known.join(', ')}`);
  return { suites: values.suite ?? DEFAULT_SUITES, only: values.only ?? null };
}

function readAllowedSkips(): readonly AllowedSkip[] {
  const value: unknown = JSON.parse(readFileSync(ALLOWED_SKIPS, 'utf8'));
  if (!Array.isArray(value)) throw new Error('test/allowed-skips.json holds no list');
  return value.map((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null || !('test' in entry) || !('reason' in entry)
      || typeof entry.test !== 'string' || typeof entry.reason !== 'string') {
      throw new Error('an entry of test/allowed-skips.json is not { "test": pattern, "reason": pattern }');
    }
    return { test: new RegExp(entry.test), reason: new RegExp(entry.reason) };
  });
}

async function testFiles(suite: string): Promise<readonly string[]> {
  const files: string[] = [];
  for await (const file of glob(`test/${suite}/**/*.test.ts`, { cwd: ROOT })) files.push(join(ROOT, file));
  return files.sort();
}

async function runLint(): Promise<readonly TestResult[]> {
  const outcomes = { clean: 'passed', findings: 'failed', skipped: 'skipped' } as const;
  return (await lint()).map(({ name, outcome, output, durationMs }) => ({
    name, outcome: outcomes[outcome], detail: output, durationMs, suite: 'lint', file: '',
  }));
}

/** Runs `work` on every item, at most `width` at a time; results in the items' order. */
async function pool<Item, Result>(
  items: readonly Item[], width: number, work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results = new Map<number, Result>();
  const queue = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) results.set(index, await work(item));
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
  return [...results.entries()].sort(([a], [b]) => a - b).map(([, result]) => result);
}

function report(result: TestResult, word: string = result.outcome): void {
  if (result.outcome === 'passed') return;
  const where = result.file === '' ? '' : ` (${result.file})`;
  print(`  ${word}: ${result.name}${where}`);
  for (const line of result.detail.split('\n')) print(`    ${line}`);
}

async function runSuite(suite: string, options: Options, files: readonly string[]): Promise<readonly TestResult[]> {
  const startedMs = performance.now();
  const { only } = options;
  const named = files.filter((file) => only !== null && relative(ROOT, file).includes(only));
  const limitMs = FILE_LIMIT_MS * (process.env['BASTION_TEST_SIZE'] === 'full' ? FULL_SIZE_FACTOR : 1);
  const runs: FileRun[] = named.length > 0
    ? named.map((file) => ({ suite, file, limitMs, namePattern: null }))
    : files.map((file) => ({ suite, file, limitMs, namePattern: only }));
  // Files of the other suites own namespaces, buses and displays; beside their like they would measure each other.
  const width = suite === 'unit' ? availableParallelism() : 1;
  const first = suite === 'lint' ? await runLint() : (await pool(runs, width, runFile)).flat();
  const { results, unsteady } = await secondTry(suite, first, async (name) => {
    const run = runs.find(({ file }) => relative(ROOT, file) === name);
    return run === undefined ? [] : runFile(run);
  });
  for (const result of unsteady) report(result, 'unsteady, passed the second time');
  for (const result of results) report(result);
  const failed = results.filter(({ outcome }) => outcome === 'failed').length;
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  print(`${suite}: ${String(results.length)} tests, ${String(failed)} failed (${seconds} s)`);
  return results;
}

/** In CI a skip that nobody agreed to hides a failure. */
function forbiddenSkips(results: readonly TestResult[]): readonly TestResult[] {
  if (process.env['CI'] !== 'true') return [];
  const allowed = readAllowedSkips();
  return results.filter(({ outcome, name, detail }) =>
    outcome === 'skipped' && !allowed.some(({ test, reason }) => test.test(name) && reason.test(detail)));
}

/** The one line that callers parse. */
function summary(passed: number, failed: number, skipped: number): string {
  const counts = `${String(passed)} passed, ${String(failed)} failed`;
  return skipped === 0 ? counts : `${counts}, ${String(skipped)} skipped`;
}

/** Only the folders of suites to come may be empty, and then the run says so. */
function emptyRun(options: Options): number {
  const planned = options.only === null && options.suites.every((suite) => OTHER_SUITES.includes(suite));
  print(planned ? `There are no tests of ${options.suites.join(', ')} yet.` : 'No test was found.');
  print(summary(0, planned ? 0 : 1, 0));
  return planned ? 0 : 1;
}

async function main(): Promise<number> {
  const options = readOptions();
  const results: TestResult[] = [];
  const wanted = options.only === null ? options.suites : await suitesWith(options.only, options.suites);
  const inTurn = async (suites: readonly string[]): Promise<void> => {
    for (const suite of suites) {
      const files = await testFiles(suite);
      if (files.length > 0 || suite === 'lint') results.push(...await runSuite(suite, options, files));
    }
  };
  await inTurn(wanted.filter((suite) => ALONE.has(suite)));
  await Promise.all([
    inTurn(wanted.filter((suite) => suite === LANE_OF_ITS_OWN)),
    inTurn(wanted.filter((suite) => suite !== LANE_OF_ITS_OWN && !ALONE.has(suite))),
  ]);
  if (results.length === 0) return emptyRun(options);
  const forbidden = forbiddenSkips(results);
  for (const { name, detail } of forbidden) {
    print(`failed: ${name}: was skipped (${detail}), which test/allowed-skips.json does not allow`);
  }
  const count = (counted: TestResult['outcome']): number => results.filter(({ outcome }) => outcome === counted).length;
  const failed = count('failed') + forbidden.length;
  print(summary(count('passed'), failed, count('skipped') - forbidden.length));
  return failed === 0 ? 0 : 1;
}

/** With --only, the suites that hold such files; where there are none, all of them, for tests of that name. */
async function suitesWith(only: string, suites: readonly string[]): Promise<readonly string[]> {
  const holding: string[] = [];
  for (const suite of suites) {
    const files = await testFiles(suite);
    if (suite !== 'lint' && files.some((file) => relative(ROOT, file).includes(only))) holding.push(suite);
  }
  return holding.length > 0 ? holding : suites.filter((suite) => suite !== 'lint' || only === 'lint');
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    killRunning('SIGTERM');
    process.exit(128 + constants.signals[signal]);
  });
}

try {
  process.exitCode = await main();
} catch (error: unknown) {
  print(`the test run could not go on: ${error instanceof Error ? error.message : String(error)}`);
  print(summary(0, 1, 0));
  process.exitCode = 1;
}
