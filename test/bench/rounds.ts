/**
 * Rounds that visit every bed in turn, and the figures that come of them. The client of each series lives through all rounds
 * and makes one batch of some milliseconds in each: what is compared ran side by side, whatever else the machine did.
 */
import { cpuUs, type Bed } from './bed.ts';
import { compared, type Figure, type Unit } from './figures.ts';
import { parseClient, type ClientResult, type Service } from './programs.ts';

export type BedName = 'none' | 'conntrack' | 'c-loop' | 'kernel' | 'unrecorded' | 'thread' | 'sock_diag';

/** Opens a bed at its first use. */
export type OpenBed = (name: BedName) => Promise<Bed>;

/** Says that some figures could not be measured. */
export type Failed = (names: readonly string[], error: unknown) => void;

export interface Sample extends ClientResult {
  /** CPU of the bed's worker for one connection; 0 where nobody measures it. */
  readonly cpuUs: number;
}

/** One kind of sample on one bed. */
export interface Series {
  readonly bed: BedName;
  readonly program: 'connect' | 'bulk';
  readonly args: (bed: Bed) => readonly (string | number)[];
  /** What the client is told for a round. */
  readonly line: (round: number) => string;
  /** Is the CPU time of the bed's worker wanted? */
  readonly cpu?: boolean;
  /** What has to end before another batch begins. */
  readonly settle?: (bed: Bed) => Promise<unknown>;
}

export interface FigureSource<S extends string> {
  readonly unit: Unit;
  readonly series: S;
  readonly baseline: S;
  readonly read: (sample: Sample) => number;
}

export interface Plan<S extends string> {
  readonly title: string;
  readonly rounds: number;
  readonly series: Readonly<Record<S, Series>>;
  readonly figures: Readonly<Record<string, FigureSource<S>>>;
}

/** They are not counted: decisions become remembered and caches warm. */
export const WARM_UP_ROUNDS = 3;

export const p50 = ({ p50Us }: Sample): number => p50Us;
export const rate = ({ count, seconds }: Sample): number => count / seconds;

/** Another order each time, so that no bed always follows the same one; what is compared stays side by side. */
function orderOf<T>(all: readonly T[], round: number): readonly T[] {
  const shift = round % Math.max(all.length, 1);
  const turned = [...all.slice(shift), ...all.slice(0, shift)];
  return round % 2 === 0 ? turned : turned.reverse();
}

interface Runner {
  readonly bed: Bed;
  readonly client: Service;
  readonly series: Series;
  readonly samples: Sample[];
}

async function sampleOf({ bed, client, series }: Runner, round: number): Promise<Sample> {
  const worker = series.cpu === true ? bed.worker : null;
  const before = worker === null ? 0 : await cpuUs(worker);
  const answer = await client.ask(series.line(round));
  if (answer === '') throw new Error(`the client of ${series.bed} ended`);
  const result = parseClient(answer);
  const after = worker === null ? 0 : await cpuUs(worker);
  if (result.failed > 0) throw new Error(`${String(result.failed)} of ${String(result.count)} connections failed`);
  await series.settle?.(bed);
  return { ...result, cpuUs: (after - before) / result.count };
}

async function start<S extends string>(
  plan: Plan<S>, names: readonly S[], open: OpenBed, failed: Failed,
): Promise<ReadonlyMap<S, Runner>> {
  const runners = new Map<S, Runner>();
  for (const name of names) {
    const series = plan.series[name];
    try {
      const bed = await open(series.bed);
      const runner = { bed, series, client: await bed.repeat(series.program, series.args(bed)), samples: [] };
      for (let round = 0; round < WARM_UP_ROUNDS; round++) await sampleOf(runner, round);
      runners.set(name, runner);
    } catch (error: unknown) {
      failed([`${plan.title} (${name})`], error);
    }
  }
  return runners;
}

/** Takes the rounds that the wanted figures need. A series whose bed fails is left out, with its figures. */
export async function measureRounds<S extends string>(
  plan: Plan<S>, wanted: readonly string[], open: OpenBed, tell: (line: string) => void, failed: Failed,
): Promise<readonly Figure[]> {
  const sources = Object.entries(plan.figures).filter(([name]) => wanted.includes(name));
  const names = [...new Set(sources.flatMap(([, { series, baseline }]) => [series, baseline]))];
  const runners = await start(plan, names, open, failed);
  tell(`${plan.title}: ${String(plan.rounds)} rounds`);
  for (let round = WARM_UP_ROUNDS; round < plan.rounds + WARM_UP_ROUNDS; round++) {
    for (const runner of orderOf([...runners.values()], round)) runner.samples.push(await sampleOf(runner, round));
  }
  for (const { client } of runners.values()) await client.close();
  return sources.flatMap(([name, { unit, series, baseline, read }]) => {
    const [value, base] = [runners.get(series), runners.get(baseline)];
    return value === undefined || base === undefined ? [] : [compared(name, unit, value.samples.map(read), base.samples.map(read))];
  });
}
