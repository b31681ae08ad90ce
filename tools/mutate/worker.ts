/** Tries mutants: loads the tests once, with the woven sources, and runs those that pass a mutant's switch until one fails. */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { takeCollected } from './node-test.ts';
import type { Collected } from './node-test.ts';
import type { Answer, Order, Outcome, Setting, Survey, TestRun, Trial } from './protocol.ts';

const ROOT = join(import.meta.dirname, '../..');
/** A test that takes this many times its usual steps, and these many more, does not end. */
const ENDLESS_FACTOR = 20;
const ENDLESS_STEPS = 200_000;

interface Loaded extends Collected {
  readonly file: string;
}

declare global {
  var mutantIsOn: (id: number) => boolean;
}

let active = -1;
let steps = 0;
let mostSteps = Infinity;
let passed: Set<number> | null = null;
/** Project files are loaded anew in each; 0 for those that stay. */
let generation = 0;

globalThis.mutantIsOn = (id) => {
  steps += 1;
  if (steps > mostSteps) throw new Error('the mutant does not end');
  passed?.add(id);
  return id === active;
};

function standsIn(name: string): string {
  return pathToFileURL(join(import.meta.dirname, name)).href;
}

function hook({ woven }: Setting): void {
  const standIns: Readonly<Record<string, string>> = { 'node:test': standsIn('node-test.ts'), 'fast-check': standsIn('fast-check.ts') };
  registerHooks({
    resolve(specifier, context, next) {
      const standIn = standIns[specifier];
      const isOwn = context.parentURL?.startsWith(pathToFileURL(import.meta.dirname + sep).href) ?? false;
      if (standIn !== undefined && !isOwn) return { url: standIn, shortCircuit: true };
      const resolved = next(specifier, context);
      const isProject = /\/(?:helper|test)\/[^?]*\.ts$/.test(resolved.url) && resolved.url.startsWith(pathToFileURL(ROOT).href);
      return isProject && generation > 0 ? { ...resolved, url: `${resolved.url}?generation=${String(generation)}` } : resolved;
    },
    load(url, context, next) {
      const text = url.startsWith('file:') ? woven[fileURLToPath(url)] : undefined;
      if (text === undefined) return next(url, context);
      return { format: 'module-typescript', source: readFileSync(text, 'utf8'), shortCircuit: true };
    },
  });
}

async function load(files: readonly string[]): Promise<readonly Loaded[]> {
  const loaded: Loaded[] = [];
  for (const file of files) {
    await import(`${pathToFileURL(file).href}${generation > 0 ? `?generation=${String(generation)}` : ''}`);
    loaded.push(...takeCollected().map((test) => ({ ...test, file })));
  }
  return loaded;
}

/** What the test says against the code; null if it is content. */
async function complaint({ name, body }: Collected): Promise<string | null> {
  const cleaning: (() => unknown)[] = [];
  try {
    await body({ name, after: (work) => cleaning.push(work), diagnostic: () => undefined });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    for (const work of cleaning) await work();
  }
}

async function survey(tests: readonly Loaded[], onLoad: ReadonlySet<number>): Promise<Survey> {
  const runs: TestRun[] = [];
  const failures: string[] = [];
  for (const test of tests) {
    const seen = new Set<number>();
    passed = seen;
    steps = 0;
    const startedMs = performance.now();
    const said = await complaint(test);
    if (said !== null) failures.push(`${test.name}: ${said}`);
    runs.push({ file: test.file, name: test.name, tookMs: performance.now() - startedMs, passed: [...seen], steps });
  }
  passed = null;
  return { runs, onLoad: [...onLoad], failures };
}

/** Runs one test with the mutant; what it came to, null if the test is content. */
async function tried(test: Collected, mutant: number, usualSteps: number): Promise<Exclude<Outcome, 'survived' | 'stained'> | null> {
  active = mutant;
  steps = 0;
  mostSteps = usualSteps * ENDLESS_FACTOR + ENDLESS_STEPS;
  const said = await complaint(test);
  const endless = steps > mostSteps;
  active = -1;
  mostSteps = Infinity;
  if (said === null) return null;
  return endless ? 'endless' : 'killed';
}

class Worker {
  readonly #tests: readonly Loaded[];
  readonly #onLoad: ReadonlySet<number>;
  #survey: Survey = { runs: [], onLoad: [], failures: [] };
  #generations = 0;

  constructor(tests: readonly Loaded[], onLoad: ReadonlySet<number>) {
    this.#tests = tests;
    this.#onLoad = onLoad;
  }

  async obey(order: Order): Promise<Answer | null> {
    if (order.do === 'survey') return { survey: await survey(this.#tests, this.#onLoad) };
    if (order.do === 'try') return { mutant: order.trial.mutant, ...await this.#try(order.trial) };
    this.#survey = order.survey;
    return null;
  }

  async #try({ mutant, runs, files }: Trial): Promise<{ readonly outcome: Outcome; readonly by: string }> {
    if (files !== null) return await this.#tryFromLoad(mutant, files);
    for (const at of runs) {
      const test = this.#tests[at];
      if (test === undefined) throw new Error('a worker has other tests than the survey');
      const outcome = await tried(test, mutant, this.#survey.runs[at]?.steps ?? 0);
      if (outcome === null) continue;
      const stained = outcome === 'killed' && await complaint(test) !== null;
      return { outcome: stained ? 'stained' : outcome, by: test.name };
    }
    return { outcome: 'survived', by: '' };
  }

  /** What is computed when a source is loaded has to be computed again, with the mutant. */
  async #tryFromLoad(mutant: number, files: readonly string[]): Promise<{ readonly outcome: Outcome; readonly by: string }> {
    const usual = new Map(this.#survey.runs.map(({ file, name, steps: most }) => [`${file} ${name}`, most]));
    this.#generations += 1;
    generation = this.#generations;
    try {
      for (const file of files) {
        active = mutant;
        steps = 0;
        mostSteps = ENDLESS_STEPS;
        for (const test of await load([file])) {
          const outcome = await tried(test, mutant, usual.get(`${file} ${test.name}`) ?? 0);
          if (outcome !== null) return { outcome, by: test.name };
        }
      }
      return { outcome: 'survived', by: '' };
    } catch {
      takeCollected();
      return { outcome: 'killed', by: 'loading it' };
    } finally {
      generation = 0;
      active = -1;
      mostSteps = Infinity;
    }
  }
}

const setting = JSON.parse(process.argv[2] ?? '') as Setting;
hook(setting);
const onLoad = new Set<number>();
passed = onLoad;
const worker = new Worker(await load(setting.testFiles), onLoad);
passed = null;
process.once('disconnect', () => { process.exit(); });
process.on('message', (order: Order) => {
  void worker.obey(order).then((answer) => { if (answer !== null) process.send?.(answer); });
});
