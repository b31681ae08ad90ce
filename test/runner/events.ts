/** What passes between the reporter inside a test process and the runner. */

/** One finished test; suites appear only when a hook of theirs failed. */
export interface TestEvent {
  /** Names of the enclosing tests and its own, joined by ` > `. */
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Why it was skipped, or how it failed; empty for a passed one. */
  readonly detail: string;
  readonly durationMs: number;
}

/** A finished test with where it belongs. */
export interface TestResult extends TestEvent {
  readonly suite: string;
  /** Path from the project's root; empty for the linter's checks. */
  readonly file: string;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** One line of the reporter's file, or null for one that was cut off when its process was killed. */
export function parseEvent(line: string): TestEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (!isRecord(value)) return null;
  const { name, outcome, detail, durationMs } = value;
  if (typeof name !== 'string' || typeof detail !== 'string' || typeof durationMs !== 'number') return null;
  if (outcome !== 'passed' && outcome !== 'failed' && outcome !== 'skipped') return null;
  return { name, outcome, detail, durationMs };
}
