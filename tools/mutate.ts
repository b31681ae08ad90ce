/**
 * `npm run mutate`: are the tests of policy and prompt good enough to notice a mistake? Makes one small mistake after another
 * in the sources, and runs the unit tests that pass it. Prints what no test noticed, and the share of what one did.
 */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { Crew } from './mutate/crew.ts';
import type { Outcome, Setting, Survey, Trial } from './mutate/protocol.ts';
import { weave } from './mutate/weave.ts';
import type { Mutant } from './mutate/weave.ts';

const ROOT = dirname(import.meta.dirname);
const FOLDERS = ['helper/policy', 'helper/prompt'] as const;
/** Those that are about policy and prompt, and need nothing but code. */
const TESTS = /^(?:policy|prompt|container-rules|explain-more|flow\.|forwarded|inbound|integrity|rule-book)/;
const HELP = `Usage: npm run mutate -- [--only FILE] [--sample N] [--jobs N]

Tries small mistakes in helper/policy and helper/prompt and says which ones no unit test notices.

  --only FILE   only sources whose path has this in it
  --sample N    only N of the mistakes, the same ones every time
  --jobs N      processes at once (one for each processor)
`;
const LONGEST_SHOWN = 100;
const WANTED_SHARE = 0.85;
/** A prime number above that of all mistakes. */
const SCATTER = 7919;
const TOLD_EACH = 50;

type Verdict = Exclude<Outcome, 'stained'> | 'not passed';

interface Options {
  readonly only: string;
  readonly sample: number;
  readonly jobs: number;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function number(text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!(value >= 1)) throw new Error(`${text ?? ''} is no number of one or more`);
  return value;
}

function read(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: { only: { type: 'string' }, sample: { type: 'string' }, jobs: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) return null;
  return { only: values.only ?? '', sample: number(values.sample, Infinity), jobs: number(values.jobs, availableParallelism()) };
}

/** Writes the woven sources into `folder`. */
function weaveAll(only: string, folder: string): { readonly mutants: readonly Mutant[]; readonly woven: Setting['woven'] } {
  const mutants: Mutant[] = [];
  const woven: Record<string, string> = {};
  const files = FOLDERS.flatMap((one) => readdirSync(join(ROOT, one)).sort().map((name) => join(one, name)));
  for (const file of files.filter((one) => one.includes(only))) {
    const made = weave(file, readFileSync(join(ROOT, file), 'utf8'), mutants.length);
    const path = join(folder, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, made.text);
    woven[join(ROOT, file)] = path;
    mutants.push(...made.mutants);
  }
  return { mutants, woven };
}

/** The first `count` of them in an order that goes through all sources at once, and is the same every time. */
function sampled(mutants: readonly Mutant[], count: number): readonly Mutant[] {
  const place = ({ id }: Mutant): number => (id * SCATTER) % mutants.length;
  return mutants.toSorted((a, b) => place(a) - place(b)).slice(0, count);
}

/** The tests that can notice a mutant, the quickest first; null where no test passes it. */
function trialOf({ id, file }: Mutant, { runs, onLoad }: Survey, idsOfFile: ReadonlyMap<string, ReadonlySet<number>>): Trial | null {
  if (onLoad.includes(id)) {
    const ids = idsOfFile.get(file);
    const files = new Set(runs.filter(({ passed }) => passed.some((one) => ids?.has(one))).map((run) => run.file));
    const tookMs = (one: string): number => runs.reduce((sum, run) => sum + (run.file === one ? run.tookMs : 0), 0);
    const quickest = [...files].sort((a, b) => tookMs(a) - tookMs(b));
    return quickest.length === 0 ? null : { mutant: id, runs: [], files: quickest };
  }
  const passing = runs.map((run, at) => ({ run, at })).filter(({ run }) => run.passed.includes(id));
  const places = passing.sort((a, b) => a.run.tookMs - b.run.tookMs).map(({ at }) => at);
  return places.length === 0 ? null : { mutant: id, runs: places, files: null };
}

function shown(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > LONGEST_SHOWN ? `${line.slice(0, LONGEST_SHOWN)}…` : line;
}

function tell({ file, line, kind, before, after }: Mutant, verdict: Verdict): void {
  say(`${verdict}: ${file}:${String(line)} ${kind}: ${shown(before)}  ->  ${shown(after)}`);
}

function noticedShare(verdicts: ReadonlyMap<Mutant, Verdict>): number {
  const noticed = [...verdicts.values()].filter((verdict) => verdict === 'killed' || verdict === 'endless').length;
  return noticed / verdicts.size;
}

/** Tells how many of the mutants a test noticed, by file, by folder and in all; returns the share. */
function summary(verdicts: ReadonlyMap<Mutant, Verdict>): number {
  const share = (name: string, isMeant: (file: string) => boolean): number => {
    const chosen = new Map([...verdicts].filter(([{ file }]) => isMeant(file)));
    if (chosen.size === 0) return 1;
    const count = (wanted: Verdict): string => String([...chosen.values()].filter((verdict) => verdict === wanted).length);
    const noticed = noticedShare(chosen);
    say(`${name}: ${(noticed * 100).toFixed(1)} % of ${String(chosen.size)} noticed (${count('endless')} of them because a test did not end), `
      + `${count('survived')} survived, ${count('not passed')} passed by no test`);
    return noticed;
  };
  for (const file of [...new Set([...verdicts.keys()].map((mutant) => mutant.file))].sort()) share(`  ${file}`, (one) => one === file);
  for (const folder of FOLDERS) share(folder, (file) => dirname(file) === folder);
  return share('in all', () => true);
}

async function judge({ only, sample, jobs }: Options, folder: string): Promise<number> {
  const { mutants, woven } = weaveAll(only, folder);
  const unit = join(ROOT, 'test/unit');
  const testFiles = readdirSync(unit).filter((name) => name.endsWith('.test.ts') && TESTS.test(name)).sort().map((name) => join(unit, name));
  const crew = new Crew({ testFiles, woven });
  try {
    const survey = await crew.survey();
    if (survey.failures.length > 0) throw new Error(`tests fail without a mistake:\n${survey.failures.join('\n')}`);
    const chosen = sampled(mutants, sample);
    say(`${String(survey.runs.length)} tests of ${String(testFiles.length)} files, ${String(chosen.length)} of ${String(mutants.length)} mistakes`);
    const idsOfFile = new Map(Object.keys(woven).map((path) => [
      relative(ROOT, path), new Set(mutants.filter(({ file }) => join(ROOT, file) === path).map(({ id }) => id)),
    ]));
    const verdicts = new Map<Mutant, Verdict>();
    const queue = [...chosen];
    const work = async (): Promise<void> => {
      for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
        const trial = trialOf(mutant, survey, idsOfFile);
        const verdict = trial === null ? 'not passed' : await crew.tried(trial);
        verdicts.set(mutant, verdict);
        if (verdict === 'survived' || verdict === 'not passed') tell(mutant, verdict);
        if (verdicts.size % TOLD_EACH === 0) process.stderr.write(`${String(verdicts.size)} tried, ${(noticedShare(verdicts) * 100).toFixed(1)} % noticed\n`);
      }
    };
    await Promise.all(Array.from({ length: jobs }, work));
    return summary(verdicts);
  } finally {
    crew.end();
  }
}

async function main(): Promise<void> {
  const options = read(process.argv.slice(2));
  if (options === null) {
    process.stdout.write(HELP);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'bastion-mutate-'));
  try {
    const noticed = await judge(options, folder);
    if (noticed < WANTED_SHARE) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
