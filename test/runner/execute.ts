/** Runs one test file in a process group of its own, with a time limit, and collects its results. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEvent, type TestResult } from './events.ts';

/** The project's root folder, absolute. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const REPORTER = join(dirname(fileURLToPath(import.meta.url)), 'reporter.ts');
const LOG_FOLDER = join(ROOT, 'build/log/test');
/** Between SIGTERM, on which a lab takes its namespaces down, and SIGKILL. */
const KILL_AFTER_MS = 5000;
const TAIL_LINES = 30;

export interface FileRun {
  readonly suite: string;
  /** Absolute path. */
  readonly file: string;
  readonly limitMs: number;
  /** Only tests whose name matches this regular expression; null for all. */
  readonly namePattern: string | null;
}

const running = new Set<ChildProcess>();

/** Signals a process group; one that has gone is no error. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error: unknown) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Ends every test process that still runs, for a runner that was interrupted. */
export function killRunning(signal: NodeJS.Signals): void {
  for (const child of running) signalGroup(child, signal);
}

function tail(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}

function readLines(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter((line) => line !== '');
  } catch {
    return [];
  }
}

interface Ended {
  readonly why: string | null;
}

/** Resolves when the process has ended; `why` says what was wrong with the way it did. */
function waitForEnd(child: ChildProcess, limitMs: number): Promise<Ended> {
  return new Promise((resolve) => {
    let hung = false;
    let killer: NodeJS.Timeout | undefined;
    const limiter = setTimeout(() => {
      hung = true;
      signalGroup(child, 'SIGTERM');
      killer = setTimeout(() => { signalGroup(child, 'SIGKILL'); }, KILL_AFTER_MS);
    }, limitMs);
    const finish = (why: string | null): void => {
      clearTimeout(limiter);
      clearTimeout(killer);
      running.delete(child);
      // What the file left behind in its group would disturb the files after it.
      signalGroup(child, 'SIGKILL');
      resolve({ why: hung ? `did not end within ${String(limitMs / 1000)} s` : why });
    };
    child.once('error', (error) => { finish(`could not be started: ${error.message}`); });
    child.once('exit', (status, signal) => {
      finish(status === 0 ? null : `ended with ${signal ?? `status ${String(status)}`}`);
    });
  });
}

/** Runs the file; everything that went wrong is a failed result, never a throw. */
export async function runFile(run: FileRun): Promise<readonly TestResult[]> {
  const name = relative(ROOT, run.file);
  const log = join(LOG_FOLDER, `${name}.log`);
  const report = join(LOG_FOLDER, `${name}.jsonl`);
  mkdirSync(dirname(log), { recursive: true });
  rmSync(report, { force: true });
  const startedMs = performance.now();
  const output = openSync(log, 'w');
  const pattern = run.namePattern === null ? [] : [`--test-name-pattern=${run.namePattern}`];
  const child = spawn(
    process.execPath,
    [`--test-reporter=${REPORTER}`, `--test-reporter-destination=${report}`, ...pattern, run.file],
    { cwd: ROOT, stdio: ['ignore', output, output], detached: true },
  );
  running.add(child);
  closeSync(output);
  const { why } = await waitForEnd(child, run.limitMs);
  const events = readLines(report).map(parseEvent).filter((event) => event !== null);
  const results: TestResult[] = events.map((event) => ({ ...event, suite: run.suite, file: name }));
  const wrong = fileFailure(why, results, run.namePattern);
  if (wrong !== null) {
    const detail = `${wrong}; the end of ${relative(ROOT, log)}:\n${tail(log)}`;
    const durationMs = performance.now() - startedMs;
    results.push({ name: `${name} runs to its end`, outcome: 'failed', detail, durationMs, suite: run.suite, file: name });
  }
  return results;
}

/** A failing test explains a bad exit status; a hang or a crash is a failure of its own. */
function fileFailure(why: string | null, results: readonly TestResult[], namePattern: string | null): string | null {
  const explained = why === 'ended with status 1' && results.some(({ outcome }) => outcome === 'failed');
  if (why !== null) return explained ? null : why;
  return results.length === 0 && namePattern === null ? 'holds no test' : null;
}
