/** What the process that hands out mutants and those that try them say to each other. */

/** What a worker is started with, as JSON in its first argument. */
export interface Setting {
  /** Absolute paths. */
  readonly testFiles: readonly string[];
  /** Path of a source -> that of its woven text. */
  readonly woven: Readonly<Record<string, string>>;
}

export interface TestRun {
  readonly file: string;
  readonly name: string;
  readonly tookMs: number;
  /** Mutants whose switches it passed. */
  readonly passed: readonly number[];
  /** How often it passed one. */
  readonly steps: number;
}

/** A run of all tests without a mutant. */
export interface Survey {
  readonly runs: readonly TestRun[];
  /** Mutants whose switches are passed while a source is loaded. */
  readonly onLoad: readonly number[];
  /** Tests that fail, with what they say. */
  readonly failures: readonly string[];
}

/** A mutant with what may kill it: by places in `Survey.runs`, or where it acts on loading by all tests of these files. */
export interface Trial {
  readonly mutant: number;
  readonly runs: readonly number[];
  readonly files: readonly string[] | null;
}

export type Order = { readonly do: 'survey' } | { readonly do: 'learn'; readonly survey: Survey } | { readonly do: 'try'; readonly trial: Trial };

/** `stained`: the test that failed does so without the mutant too, because of one before; the worker has to be another one. */
export type Outcome = 'killed' | 'endless' | 'survived' | 'stained';

export type Answer = { readonly survey: Survey } | { readonly mutant: number; readonly outcome: Outcome; readonly by: string };
