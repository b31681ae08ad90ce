/** connect.* and cpu.decided: how long a new TCP connection takes. */
import type { Figure } from './figures.ts';
import { PORTS } from './programs.ts';
import { measureRounds, p50, rate, type BedName, type Failed, type FigureSource, type OpenBed, type Series } from './rounds.ts';

/** Connections of one batch. */
export interface Sizes {
  readonly rounds: number;
  readonly sequential: number;
  readonly parallel: number;
  /** Each to a port that was not used before: all rounds must find room in PORTS. */
  readonly firstSeen: number;
  /** sock_diag and /proc are slow. */
  readonly fallback: number;
}

export const FULL: Sizes = { rounds: 151, sequential: 200, parallel: 2000, firstSeen: 50, fallback: 10 };
export const QUICK: Sizes = { rounds: 31, sequential: 200, parallel: 2000, firstSeen: 50, fallback: 10 };

const PARALLEL_WORKERS = 64;

type SeriesName =
  | 'freeSame' | 'freeParallel' | 'freeFresh' | 'conntrackSame' | 'loopSame' | 'loopFresh' | 'decided' | 'decidedParallel'
  | 'unrecorded' | 'firstSeen' | 'native' | 'fallback';

function seriesOf({ sequential, parallel, firstSeen, fallback }: Sizes): Readonly<Record<SeriesName, Series>> {
  const tcp = (bed: BedName, ports: number, count: number, workers: number, line: (round: number) => string): Series => ({
    bed, program: 'connect', args: (on) => ['tcp', on.peer4, PORTS.first, ports, count, workers], line,
  });
  const again = (): string => '0';
  const same = (bed: BedName): Series => ({ ...tcp(bed, 1, sequential, 1, again), cpu: true });
  const many = (bed: BedName): Series => tcp(bed, 1, parallel, PARALLEL_WORKERS, again);
  const fresh = (bed: BedName): Series => tcp(bed, PORTS.count, firstSeen, 1, (round) => String(1 + round * firstSeen));
  return {
    freeSame: same('none'),
    freeParallel: many('none'),
    freeFresh: fresh('none'),
    conntrackSame: same('conntrack'),
    loopSame: same('c-loop'),
    loopFresh: fresh('c-loop'),
    decided: same('kernel'),
    decidedParallel: many('kernel'),
    unrecorded: same('unrecorded'),
    firstSeen: fresh('kernel'),
    native: same('thread'),
    fallback: tcp('sock_diag', 1, fallback, 1, again),
  };
}

const FIGURES: Readonly<Record<string, FigureSource<SeriesName>>> = {
  'connect.decided.p50': { unit: 'us', series: 'decided', baseline: 'freeSame', read: p50 },
  'connect.decided.p50.conntrack': { unit: 'us', series: 'decided', baseline: 'conntrackSame', read: p50 },
  'connect.decided.p50.unrecorded': { unit: 'us', series: 'decided', baseline: 'unrecorded', read: p50 },
  'connect.decided.p99': { unit: 'us', series: 'decided', baseline: 'freeSame', read: ({ p99Us }) => p99Us },
  'connect.decided.rate1': { unit: '1/s', series: 'decided', baseline: 'freeSame', read: rate },
  'connect.decided.rate64': { unit: '1/s', series: 'decidedParallel', baseline: 'freeParallel', read: rate },
  'connect.native.p50': { unit: 'us', series: 'native', baseline: 'freeSame', read: p50 },
  'connect.native.p50.c_loop': { unit: 'us', series: 'native', baseline: 'loopSame', read: p50 },
  'connect.first_seen.p50': { unit: 'us', series: 'firstSeen', baseline: 'freeFresh', read: p50 },
  'connect.first_seen.p50.c_loop': { unit: 'us', series: 'firstSeen', baseline: 'loopFresh', read: p50 },
  'connect.fallback.p50': { unit: 'us', series: 'fallback', baseline: 'freeSame', read: p50 },
  'cpu.decided': { unit: 'us', series: 'decided', baseline: 'loopSame', read: ({ cpuUs: us }) => us },
};

const FALLBACK = 'connect.fallback.p50';
/** On beds with one port each and among the processes of a desktop: its cost is that of everybody's descriptors. */
export const FALLBACK_FIGURES: readonly string[] = [FALLBACK];
export const CONNECTION_FIGURES: readonly string[] = Object.keys(FIGURES).filter((name) => name !== FALLBACK);

export async function measureConnections(
  wanted: readonly string[], sizes: Sizes, open: OpenBed, tell: (line: string) => void, failed: Failed,
): Promise<readonly Figure[]> {
  const plan = { title: 'connections', rounds: sizes.rounds, series: seriesOf(sizes), figures: FIGURES };
  return await measureRounds(plan, wanted, open, tell, failed);
}
