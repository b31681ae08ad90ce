/**
 * What the desktop shows passes through a display server, a bus of the toolkit and their processes, none of which is ours: a
 * file of such tests that failed is run once more. A test that passes then is counted as passed and told as unsteady, with how
 * it failed at first; one that fails again has failed. Tests of the helper, the kernel and of leaks have one try: there a
 * single failure is one too many.
 */
import type { TestResult } from './events.ts';

const SUITES: ReadonlySet<string> = new Set(['desktop']);
/** With more files that fail something is broken, and all of it is told at once. */
const MOST_FILES = 3;

export interface Tried {
  readonly results: readonly TestResult[];
  /** The first, failed results of tests that passed the second time. */
  readonly unsteady: readonly TestResult[];
}

/** Runs the files again that failed, one after the other, and puts the new results in the place of the old ones. */
export async function secondTry(
  suite: string, first: readonly TestResult[], runAgain: (file: string) => Promise<readonly TestResult[]>,
): Promise<Tried> {
  const files = new Set(first.filter(({ outcome }) => outcome === 'failed').map(({ file }) => file));
  if (!SUITES.has(suite) || files.size === 0 || files.size > MOST_FILES) return { results: first, unsteady: [] };
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
