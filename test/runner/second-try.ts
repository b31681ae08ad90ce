/**
 * Which failures may be looked at once more. What the desktop shows passes through a display server, a bus of the toolkit and
 * their processes, none of which is ours: a file of such tests that failed is run again. Elsewhere only a wait that ran out is:
 * it says that the machine was busy or that something hangs, and what hangs does so again. An assertion has one try, because
 * one packet that leaked, one wrong answer, is one too many. A test that passes the second time is counted as passed and told
 * as unsteady, with how it failed at first; one that fails again has failed.
 */
import type { TestResult } from './events.ts';

/** With more files that fail something is broken, and all of it is told at once. */
const MOST_FILES = 3;
/** Tests whose waits are for other processes; those of units and the linter wait for nobody. */
const WAITING: ReadonlySet<string> = new Set(['contract', 'integration', 'security', 'system', 'leaks']);
const RAN_OUT = [
  /^RanOutError: /u, /^'test timed out after \d+ms'/u, /^'test did not finish before its parent and was cancelled'/u, /^did not end within \d+ s; /u,
];

export interface Tried {
  readonly results: readonly TestResult[];
  /** The first, failed results of tests that passed the second time. */
  readonly unsteady: readonly TestResult[];
}

function mayTryAgain(suite: string, { detail }: TestResult): boolean {
  return suite === 'desktop' || (WAITING.has(suite) && RAN_OUT.some((form) => form.test(detail)));
}

/** Runs the files again that failed, one after the other, and puts the new results in the place of the old ones. */
export async function secondTry(
  suite: string, first: readonly TestResult[], runAgain: (file: string) => Promise<readonly TestResult[]>,
): Promise<Tried> {
  const failures = first.filter(({ outcome }) => outcome === 'failed');
  const files = new Set(failures.map(({ file }) => file));
  if (files.size > MOST_FILES) return { results: first, unsteady: [] };
  for (const failure of failures) if (!mayTryAgain(suite, failure)) files.delete(failure.file);
  const results: TestResult[] = first.filter(({ file }) => !files.has(file));
  const unsteady: TestResult[] = [];
  for (const file of files) {
    const before = first.filter((one) => one.file === file);
    const again = await runAgain(file);
    results.push(...again.length === 0 ? before : again);
    // What was told of the file itself, such as a hang, has no test of its own name the second time.
    const failedAgain = new Set(again.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name));
    if (again.length > 0) unsteady.push(...before.filter(({ name, outcome }) => outcome === 'failed' && !failedAgain.has(name)));
  }
  return { results, unsteady };
}
