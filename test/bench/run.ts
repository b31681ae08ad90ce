/**
 * `npm run bench`: what the firewall costs, against no firewall and against the smallest C loop that accepts everything, in
 * the same run. Asserts nothing; prints a table.
 *
 * --json FILE     writes {"figures": [{name, value, unit, baseline, ratio}]}
 * --only NAME...  figures, or the beginnings of their names
 * --quick         three rounds instead of nine
 */
import { writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import { makeBaseline, startCrowd, type Bed } from './bed.ts';
import { CONNECTION_FIGURES, FALLBACK_FIGURES, FULL, QUICK, measureConnections } from './connections.ts';
import { table, type Figure } from './figures.ts';
import { HELPER_FIGURES, measureHelper } from './helper-figures.ts';
import { openHelper } from './helper-bed.ts';
import { LOSS_FIGURES, measureLosses } from './losses.ts';
import { PORTS, compilePrograms } from './programs.ts';

const NAMES: readonly string[] = [...CONNECTION_FIGURES, ...FALLBACK_FIGURES, ...LOSS_FIGURES, ...HELPER_FIGURES];

interface Options {
  readonly json: string | null;
  readonly wanted: readonly string[];
  readonly quick: boolean;
}

function tell(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

function readOptions(): Options {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'string' }, only: { type: 'string', multiple: true }, quick: { type: 'boolean' } },
    allowPositionals: true,
  });
  const prefixes = [...(values.only ?? []), ...positionals];
  const wanted = NAMES.filter((name) => prefixes.length === 0 || prefixes.some((prefix) => name.startsWith(prefix)));
  if (wanted.length === 0) throw new Error(`no such figure; there are ${NAMES.join(', ')}`);
  return { json: values.json ?? null, wanted, quick: values.quick === true };
}

const beds = new Map<string, Promise<Bed>>();

/** Makes a bed at its first use; all are taken down at the end. */
function keep(name: string, make: () => Promise<Bed>): Promise<Bed> {
  const bed = beds.get(name) ?? make();
  beds.set(name, bed);
  return bed;
}

async function closeBeds(): Promise<void> {
  for (const [name, bed] of beds) {
    beds.delete(name);
    await bed.then((made) => made.close()).catch((error: unknown) => { tell(`${name}: ${String(error)}`); });
  }
}

/** A figure that cannot be measured here must not take the others with it. */
function failed(names: readonly string[], error: unknown): void {
  tell(`${names.join(', ')}: not measured: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

async function measure({ wanted, quick }: Options): Promise<readonly Figure[]> {
  const programs = await compilePrograms();
  const sizes = quick ? QUICK : FULL;
  const bed = (name: 'none' | 'c-loop' | 'kernel' | 'thread' | 'sock_diag', ports: number = PORTS.count): Promise<Bed> =>
    keep(name, () => name === 'none' || name === 'c-loop'
      ? makeBaseline(name, programs, ports)
      : openHelper(programs, { decide: name, otherRules: 0, agent: false, ports }));
  const figures: Figure[] = [];
  const group = async (names: readonly string[], work: () => Promise<readonly Figure[]>): Promise<void> => {
    const here = names.filter((name) => wanted.includes(name));
    if (here.length === 0) return;
    try {
      figures.push(...await work());
    } catch (error: unknown) {
      failed(here, error);
    }
    await closeBeds();
  };
  const of = (names: readonly string[]): readonly string[] => wanted.filter((name) => names.includes(name));
  await group(CONNECTION_FIGURES, () => measureConnections(of(CONNECTION_FIGURES), sizes, bed, tell, failed));
  await group(FALLBACK_FIGURES, async () => {
    const crowd = await startCrowd(programs);
    try {
      return await measureConnections(of(FALLBACK_FIGURES), sizes, (name) => bed(name, 1), tell, failed);
    } finally {
      await crowd.close();
    }
  });
  await group(LOSS_FIGURES, async () => await measureLosses(
    wanted, quick ? 1 : 3, quick ? 100 : 250, await bed('none'),
    () => openHelper(programs, { decide: 'kernel', otherRules: 0, agent: false }), tell,
  ));
  await group(HELPER_FIGURES, () => measureHelper(
    wanted, { rounds: sizes.rounds, firstSeen: sizes.firstSeen, prompts: quick ? 20 : 100 },
    (setting) => openHelper(programs, { decide: 'kernel', ...setting }), tell, failed,
  ));
  return figures;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    // What beds leave behind goes with their exit handlers.
    process.exit(128 + constants.signals[signal]);
  });
}

try {
  const options = readOptions();
  const figures = await measure(options);
  process.stdout.write(`${table(figures)}\n`);
  if (options.json !== null) await writeFile(options.json, `${JSON.stringify({ figures }, null, 2)}\n`);
} catch (error: unknown) {
  tell(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
} finally {
  await closeBeds();
}
