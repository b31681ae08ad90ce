/**
 * `npm run bench`: what the firewall costs, against no firewall and against the smallest C loop that accepts everything, in
 * the same run. Asserts nothing; prints a table. See HELP.
 */
import { writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import { makeBaseline, startCrowd, type Bed } from './bed.ts';
import { FLOW_LIST_FIGURES, measureFlowList } from './desktop-flows.ts';
import { INSIGHT_FIGURES, measureInsight } from './insight.ts';
import { BULK_FIGURES, measureBulk, type BulkSizes } from './bulk.ts';
import { BYTES_FIGURES, measureBytes } from './bytes.ts';
import { CONNECTION_FIGURES, FALLBACK_FIGURES, FULL, QUICK, measureConnections, type Sizes } from './connections.ts';
import { DESKTOP_FIGURES, measureDesktop, type DesktopSizes } from './desktop.ts';
import { table, type Figure } from './figures.ts';
import { HASH_FIGURES, measureHashing, type HashSizes } from './hashing.ts';
import { openHelper } from './helper-bed.ts';
import { HISTORY_FIGURES, measureHistory, type HistorySizes } from './history.ts';
import { HELPER_FIGURES, measureHelper, type HelperBed, type HelperSetting, type HelperSizes } from './helper-figures.ts';
import { LIST_FIGURES, measureLists, type ListSizes } from './lists.ts';
import { LOSS_FIGURES, measureLosses, type LossSizes } from './losses.ts';
import { PORTS, compilePrograms, type Programs } from './programs.ts';
import type { BedName } from './rounds.ts';
import { SOAK_FIGURES, measureSoak, type SoakSizes } from './soak.ts';
import { ZONE_FIGURES, measureZones, type ZoneSizes } from './zones.ts';

const NAMES: readonly string[] = [
  ...CONNECTION_FIGURES, ...FALLBACK_FIGURES, ...BULK_FIGURES, ...SOAK_FIGURES, ...LOSS_FIGURES, ...BYTES_FIGURES,
  ...HELPER_FIGURES, ...LIST_FIGURES, ...HASH_FIGURES, ...HISTORY_FIGURES, ...INSIGHT_FIGURES, ...FLOW_LIST_FIGURES,
  ...ZONE_FIGURES, ...DESKTOP_FIGURES,
];

const HELP = `usage: npm run bench -- [--quick] [--json FILE] [--only NAME]... [NAME]...

What the firewall costs, against no firewall and against the smallest C loop that accepts everything, in the same run.

  --json FILE   write {"figures": [{name, value, unit, baseline, ratio}]}
  --only NAME   figures of this name, or whose names begin so; the same as NAME alone
  --quick       fewer rounds

Figures: ${NAMES.join(', ')}
`;

interface Options {
  readonly json: string | null;
  readonly wanted: readonly string[];
  readonly quick: boolean;
}

function tell(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

/** null: only the help is wanted. */
function readOptions(): Options | null {
  const { values, positionals } = parseArgs({
    options: {
      help: { type: 'boolean', short: 'h' }, json: { type: 'string' }, only: { type: 'string', multiple: true }, quick: { type: 'boolean' },
    },
    allowPositionals: true,
  });
  if (values.help === true) return null;
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

interface Scale {
  readonly connections: Sizes;
  readonly bulk: BulkSizes;
  readonly soak: SoakSizes;
  readonly losses: LossSizes;
  readonly helper: HelperSizes;
  readonly history: HistorySizes;
  readonly lists: ListSizes;
  readonly hashing: HashSizes;
  readonly desktop: DesktopSizes;
  readonly zones: ZoneSizes;
}

const FULL_SCALE: Scale = {
  connections: FULL, bulk: { rounds: 101, ms: 40 }, soak: { slices: 12, sliceMs: 5000 },
  losses: { rounds: 3, oneshots: 250 }, helper: { rounds: 9, firstSeen: 400, prompts: 100 }, lists: { rounds: 5 },
  hashing: { rounds: 9 },
  history: { seconds: 20, rounds: 9, roundMs: 1500 },
  desktop: { starts: 9, prompts: 60, idleMs: 30_000 },
  zones: { rounds: 201 },
};
const QUICK_SCALE: Scale = {
  connections: QUICK, bulk: { rounds: 21, ms: 40 }, soak: { slices: 3, sliceMs: 2000 },
  losses: { rounds: 1, oneshots: 100 }, helper: { rounds: 3, firstSeen: 200, prompts: 20 }, lists: { rounds: 1 },
  hashing: { rounds: 3 },
  history: { seconds: 5, rounds: 3, roundMs: 500 },
  desktop: { starts: 3, prompts: 20, idleMs: 10_000 },
  zones: { rounds: 41 },
};

/** Figures that share their beds, which are taken down after them. */
interface Group {
  readonly names: readonly string[];
  readonly measure: (wanted: readonly string[]) => Promise<readonly Figure[]>;
}

function groupsOf(programs: Programs, scale: Scale): readonly Group[] {
  const bed = (name: BedName, ports: number = PORTS.count): Promise<Bed> =>
    keep(name, () => name === 'none' || name === 'conntrack' || name === 'c-loop'
      ? makeBaseline(name, programs, ports)
      : openHelper(programs, { decide: name, otherRules: 0, agent: false, ports }));
  const one = (name: BedName): Promise<Bed> => bed(name, 1);
  const open = (setting: HelperSetting): Promise<HelperBed> => openHelper(programs, { decide: 'kernel', ...setting });
  const fresh = (): Promise<HelperBed> => open({ otherRules: 0, agent: false });
  const crowded = async (wanted: readonly string[]): Promise<readonly Figure[]> => {
    const crowd = await startCrowd(programs);
    try {
      return await measureConnections(wanted, scale.connections, one, tell, failed);
    } finally {
      await crowd.close();
    }
  };
  return [
    { names: CONNECTION_FIGURES, measure: (wanted) => measureConnections(wanted, scale.connections, bed, tell, failed) },
    { names: FALLBACK_FIGURES, measure: crowded },
    { names: BULK_FIGURES, measure: (wanted) => measureBulk(wanted, scale.bulk, one, tell, failed) },
    { names: SOAK_FIGURES, measure: async (wanted) => await measureSoak(wanted, scale.soak, await bed('none'), fresh, tell) },
    { names: LOSS_FIGURES, measure: async (wanted) => await measureLosses(wanted, scale.losses, await one('none'), fresh, tell) },
    { names: BYTES_FIGURES, measure: (wanted) => measureBytes(wanted, fresh, tell, failed) },
    { names: HISTORY_FIGURES, measure: (wanted) => measureHistory(wanted, scale.history, open, tell, failed) },
    { names: FLOW_LIST_FIGURES, measure: () => measureFlowList(tell) },
    { names: INSIGHT_FIGURES, measure: () => measureInsight() },
    { names: HELPER_FIGURES, measure: (wanted) => measureHelper(wanted, scale.helper, open, tell, failed) },
    { names: LIST_FIGURES, measure: (wanted) => measureLists(wanted, scale.lists, tell) },
    { names: DESKTOP_FIGURES, measure: (wanted) => measureDesktop(wanted, scale.desktop, programs, tell, failed) },
    { names: ZONE_FIGURES, measure: (wanted) => measureZones(wanted, scale.zones, tell) },
    { names: HASH_FIGURES, measure: (wanted) => measureHashing(wanted, scale.hashing, tell) },
  ];
}

async function measure({ wanted, quick }: Options): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const group of groupsOf(await compilePrograms(), quick ? QUICK_SCALE : FULL_SCALE)) {
    const here = group.names.filter((name) => wanted.includes(name));
    if (here.length === 0) continue;
    try {
      figures.push(...await group.measure(here));
    } catch (error: unknown) {
      failed(here, error);
    }
    await closeBeds();
  }
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
  if (options === null) {
    process.stdout.write(HELP);
  } else {
    const figures = await measure(options);
    process.stdout.write(`${table(figures)}\n`);
    if (options.json !== null) await writeFile(options.json, `${JSON.stringify({ figures }, null, 2)}\n`);
  }
} catch (error: unknown) {
  tell(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
} finally {
  await closeBeds();
}
