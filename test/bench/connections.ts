/** connect.* and cpu.decided: how long a new TCP connection takes, in rounds that visit every bed in turn. */
import { cpuUs, type Bed } from './bed.ts';
import { compared, type Figure } from './figures.ts';
import { PORTS, type ClientResult } from './programs.ts';

/** Connections of one sample. */
export interface Sizes {
  readonly rounds: number;
  readonly sequential: number;
  readonly parallel: number;
  /** Each to a port that was not used before. */
  readonly firstSeen: number;
  /** sock_diag and /proc are slow. */
  readonly fallback: number;
}

export const FULL: Sizes = { rounds: 9, sequential: 2000, parallel: 12_000, firstSeen: 400, fallback: 300 };
export const QUICK: Sizes = { rounds: 3, sequential: 1000, parallel: 6000, firstSeen: 200, fallback: 100 };

const PARALLEL_WORKERS = 64;
/** Makes the decision remembered and the caches warm. */
const WARM_UP = 50;

type BedName = 'none' | 'c-loop' | 'kernel' | 'thread' | 'sock_diag';

/** Says that some figures could not be measured. */
export type Failed = (names: readonly string[], error: unknown) => void;

interface Series {
  readonly bed: BedName;
  readonly sample: (bed: Bed, round: number, sizes: Sizes) => Promise<Sample>;
}

interface Sample extends ClientResult {
  /** CPU of the bed's worker for one connection; 0 without a worker. */
  readonly cpuUs: number;
}

async function tcp(bed: Bed, firstPort: number, ports: number, count: number, workers: number): Promise<Sample> {
  const before = bed.worker === null ? 0 : await cpuUs(bed.worker);
  const result = await bed.client(['tcp', bed.peer4, firstPort, ports, count, workers]);
  const after = bed.worker === null ? 0 : await cpuUs(bed.worker);
  if (result.failed > 0) throw new Error(`${String(result.failed)} of ${String(count)} connections failed`);
  return { ...result, cpuUs: (after - before) / count };
}

const same = (bed: BedName): Series => ({
  bed,
  sample: (on, _round, sizes) => tcp(on, PORTS.first, 1, sizes.sequential, 1),
});
const parallel = (bed: BedName): Series => ({
  bed,
  sample: (on, _round, sizes) => tcp(on, PORTS.first, 1, sizes.parallel, PARALLEL_WORKERS),
});
const fresh = (bed: BedName): Series => ({
  bed,
  sample: (on, round, sizes) => tcp(on, PORTS.first + 1 + round * sizes.firstSeen, sizes.firstSeen, sizes.firstSeen, 1),
});

const SERIES = {
  freeSame: same('none'),
  freeParallel: parallel('none'),
  freeFresh: fresh('none'),
  loopSame: same('c-loop'),
  loopFresh: fresh('c-loop'),
  decided: same('kernel'),
  decidedParallel: parallel('kernel'),
  firstSeen: fresh('kernel'),
  native: same('thread'),
  fallback: { bed: 'sock_diag', sample: (on, _round, sizes) => tcp(on, PORTS.first, 1, sizes.fallback, 1) },
} as const satisfies Record<string, Series>;

type SeriesName = keyof typeof SERIES;

interface FigureSource {
  readonly unit: 'us' | '1/s';
  readonly series: SeriesName;
  readonly baseline: SeriesName;
  readonly read: (sample: Sample) => number;
}

const p50 = ({ p50Us }: Sample): number => p50Us;
const rate = ({ count, seconds }: Sample): number => count / seconds;

const FIGURES: Readonly<Record<string, FigureSource>> = {
  'connect.decided.p50': { unit: 'us', series: 'decided', baseline: 'freeSame', read: p50 },
  'connect.decided.p99': { unit: 'us', series: 'decided', baseline: 'freeSame', read: ({ p99Us }) => p99Us },
  'connect.decided.rate1': { unit: '1/s', series: 'decided', baseline: 'freeSame', read: rate },
  'connect.decided.rate64': { unit: '1/s', series: 'decidedParallel', baseline: 'freeParallel', read: rate },
  'connect.native.p50': { unit: 'us', series: 'native', baseline: 'freeSame', read: p50 },
  'connect.native.p50.c_loop': { unit: 'us', series: 'native', baseline: 'loopSame', read: p50 },
  'connect.first_seen.p50': { unit: 'us', series: 'firstSeen', baseline: 'freeFresh', read: p50 },
  'connect.first_seen.p50.c_loop': { unit: 'us', series: 'firstSeen', baseline: 'loopFresh', read: p50 },
  // The longest that a program waited for a connection of a kind that nothing below the engine could decide.
  'connect.first_seen.stall': { unit: 'us', series: 'firstSeen', baseline: 'freeFresh', read: ({ maxUs }) => maxUs },
  'connect.fallback.p50': { unit: 'us', series: 'fallback', baseline: 'freeSame', read: p50 },
  'cpu.decided': { unit: 'us', series: 'decided', baseline: 'loopSame', read: ({ cpuUs: us }) => us },
};

const FALLBACK = 'connect.fallback.p50';
/** On beds with one port each and among the processes of a desktop: its cost is that of everybody's descriptors. */
export const FALLBACK_FIGURES: readonly string[] = [FALLBACK];
export const CONNECTION_FIGURES: readonly string[] = Object.keys(FIGURES).filter((name) => name !== FALLBACK);

type Samples = ReadonlyMap<SeriesName, readonly Sample[]>;

/** Opens the beds of the series and makes their decisions remembered; series whose bed fails are left out. */
async function warmUp(
  names: readonly SeriesName[], bed: (name: BedName) => Promise<Bed>, failed: Failed,
): Promise<readonly SeriesName[]> {
  const good: SeriesName[] = [];
  for (const name of names) {
    try {
      await tcp(await bed(SERIES[name].bed), PORTS.first, 1, WARM_UP, 1);
      good.push(name);
    } catch (error: unknown) {
      failed([`connections (${name})`], error);
    }
  }
  return good;
}

async function takeRounds(
  names: readonly SeriesName[], sizes: Sizes, bed: (name: BedName) => Promise<Bed>, tell: (line: string) => void,
): Promise<Samples> {
  const samples = new Map<SeriesName, Sample[]>(names.map((name) => [name, []]));
  for (let round = 0; round < sizes.rounds; round++) {
    tell(`connections, round ${String(round + 1)} of ${String(sizes.rounds)}`);
    // Another order each time, so that no bed always follows the same one.
    const shift = round % Math.max(names.length, 1);
    for (const name of [...names.slice(shift), ...names.slice(0, shift)]) {
      const series: Series = SERIES[name];
      samples.get(name)?.push(await series.sample(await bed(series.bed), round, sizes));
    }
  }
  return samples;
}

/** Takes the rounds that the wanted figures need. `bed` makes each bed once. */
export async function measureConnections(
  wanted: readonly string[], sizes: Sizes, bed: (name: BedName) => Promise<Bed>, tell: (line: string) => void,
  failed: Failed,
): Promise<readonly Figure[]> {
  const sources = Object.entries(FIGURES).filter(([name]) => wanted.includes(name));
  const names = [...new Set(sources.flatMap(([, { series, baseline }]) => [series, baseline]))];
  const good = await warmUp(names, bed, failed);
  const samples = await takeRounds(good, sizes, bed, tell);
  const values = (name: SeriesName, read: (sample: Sample) => number): readonly number[] =>
    (samples.get(name) ?? []).map(read);
  return sources
    .filter(([, { series, baseline }]) => good.includes(series) && good.includes(baseline))
    .map(([name, { unit, series, baseline, read }]) => compared(name, unit, values(series, read), values(baseline, read)));
}
