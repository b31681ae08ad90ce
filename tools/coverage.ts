/**
 * `npm run coverage`: runs the suites unit and contract, and tells how much of each folder that decides they have run. A line
 * counts where a statement begins, a branch is one way of a condition: if and else (also one that is not written), both sides
 * of `? :`, the right side of `&&`, `||` and `??`, and each case. The exit status is 0 only where tests passed and goals are met.
 *
 * --details  also each line and branch that no test has run
 * --again    tells of the last run, without another one
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { readCounts } from './coverage/counts.ts';
import { pointsOf } from './coverage/points.ts';
import type { Branch, Points } from './coverage/points.ts';

const ROOT = dirname(import.meta.dirname);
const KEPT = join(ROOT, 'build/coverage');
const FOLDERS = ['policy', 'flow', 'prompt', 'safeguard', 'service', 'contract'].map((name) => join('helper', name));
const SUITES = ['unit', 'contract'];
const GOAL = { lines: 95, branches: 90 };

/** What was run of what there is. */
interface Share {
  readonly run: number;
  readonly all: number;
}

interface Coverage {
  readonly lines: Share;
  readonly branches: Share;
  /** What no test has run, one text for each line or branch. */
  readonly missing: readonly string[];
}

function shareOf(all: number, missing: number): Share {
  return { run: all - missing, all };
}

function percent({ run, all }: Share): number {
  return all === 0 ? 100 : (100 * run) / all;
}

function wasTaken({ at, butNot }: Branch, runs: (at: number) => number): boolean {
  return runs(at) > (butNot === null ? 0 : runs(butNot));
}

function coverageOf(name: string, { lines, branches }: Points, runs: (at: number) => number): Coverage {
  const missingLines = [...lines].filter(([, starts]) => !starts.some((at) => runs(at) > 0)).map(([line]) => line);
  const missingBranches = branches.filter((branch) => !wasTaken(branch, runs));
  return {
    lines: shareOf(lines.size, missingLines.length),
    branches: shareOf(branches.length, missingBranches.length),
    missing: [
      ...missingLines.map((line) => `${name}:${String(line)} line`),
      ...missingBranches.map(({ line, what }) => `${name}:${String(line)} branch ${what}`),
    ],
  };
}

function sum(parts: readonly Coverage[]): Coverage {
  const add = (one: Share, other: Share): Share => ({ run: one.run + other.run, all: one.all + other.all });
  return parts.reduce(
    (all, part) => ({
      lines: add(all.lines, part.lines), branches: add(all.branches, part.branches), missing: [...all.missing, ...part.missing],
    }),
    { lines: { run: 0, all: 0 }, branches: { run: 0, all: 0 }, missing: [] },
  );
}

function coverageByFolder(): ReadonlyMap<string, Coverage> {
  const wanted = new Set(FOLDERS.flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: ROOT })).filter((file) => !file.endsWith('.d.ts')));
  const counts = readCounts(KEPT, (file) => wanted.has(relative(ROOT, file)));
  return new Map(FOLDERS.map((folder) => {
    const files = [...wanted].filter((file) => file.startsWith(`${folder}/`)).sort();
    return [folder, sum(files.map((file) => {
      const of = counts.get(join(ROOT, file));
      return coverageOf(file, pointsOf(file, readFileSync(join(ROOT, file), 'utf8')), (at) => of?.[at] ?? 0);
    }))];
  }));
}

function cell(share: Share, goal: number): string {
  const figure = `${percent(share).toFixed(1)} % (${String(share.run)} of ${String(share.all)})`;
  return percent(share) < goal ? `${figure}, below ${String(goal)} %` : figure;
}

/** Runs the suites; every process that they start leaves its counts. */
function runTests(): boolean {
  rmSync(KEPT, { recursive: true, force: true });
  mkdirSync(KEPT, { recursive: true });
  const suites = SUITES.flatMap((suite) => ['--suite', suite]);
  const { status } = spawnSync(process.execPath, [join(ROOT, 'test/run.ts'), ...suites], {
    cwd: ROOT, stdio: 'inherit', env: { ...process.env, NODE_V8_COVERAGE: KEPT },
  });
  return status === 0;
}

function main(): void {
  const { values } = parseArgs({ options: { details: { type: 'boolean' }, again: { type: 'boolean' } } });
  if (values.again === true && !existsSync(KEPT)) throw new Error('there was no run yet: leave --again out');
  const passed = values.again === true || runTests();
  let met = true;
  for (const [folder, { lines, branches, missing }] of coverageByFolder()) {
    process.stdout.write(`${folder}: lines ${cell(lines, GOAL.lines)}, branches ${cell(branches, GOAL.branches)}\n`);
    if (values.details === true) for (const place of missing) process.stdout.write(`  ${place}\n`);
    if (percent(lines) < GOAL.lines || percent(branches) < GOAL.branches) met = false;
  }
  process.exitCode = passed && met ? 0 : 1;
}

main();
