/** bulk.*: how much goes through, in bytes and in datagrams. */
import type { Figure } from './figures.ts';
import { SINK_PORT, UDP_PORT } from './programs.ts';
import { measureRounds, rate, type BedName, type Failed, type FigureSource, type OpenBed, type Sample, type Series } from './rounds.ts';

type Kind = 'tcp' | 'udp-connected' | 'udp-unconnected';
type Where = 'free' | 'tracked' | 'guarded';
type SeriesName = `${Where} ${Kind}`;

export interface BulkSizes {
  readonly rounds: number;
  /** Of one batch. */
  readonly ms: number;
}

const MEGABYTE = 1e6;
const megabytes = (sample: Sample): number => rate(sample) / MEGABYTE;

function seriesOf(ms: number): Readonly<Record<SeriesName, Series>> {
  const on = (bed: BedName, kind: Kind): Series => ({
    bed, program: 'bulk', args: ({ peer4 }) => [kind, peer4, kind === 'tcp' ? SINK_PORT : UDP_PORT, ms], line: () => '',
    // What the peer has not read yet must not meet the next batch.
    settle: async (where) => {
      if (await where.datagrams() === 0 && kind !== 'tcp') throw new Error('not one datagram arrived');
    },
  });
  return {
    'free tcp': on('none', 'tcp'),
    'tracked tcp': on('conntrack', 'tcp'),
    'guarded tcp': on('kernel', 'tcp'),
    'free udp-connected': on('none', 'udp-connected'),
    'tracked udp-connected': on('conntrack', 'udp-connected'),
    'guarded udp-connected': on('kernel', 'udp-connected'),
    'free udp-unconnected': on('none', 'udp-unconnected'),
    'tracked udp-unconnected': on('conntrack', 'udp-unconnected'),
    'guarded udp-unconnected': on('kernel', 'udp-unconnected'),
  };
}

function source(
  unit: FigureSource<SeriesName>['unit'], kind: Kind, read: (sample: Sample) => number, against: Where = 'free',
): FigureSource<SeriesName> {
  return { unit, series: `guarded ${kind}`, baseline: `${against} ${kind}`, read };
}

const FIGURES: Readonly<Record<string, FigureSource<SeriesName>>> = {
  'bulk.tcp': source('MB/s', 'tcp', megabytes),
  'bulk.tcp.conntrack': source('MB/s', 'tcp', megabytes, 'tracked'),
  'bulk.udp.connected': source('1/s', 'udp-connected', rate),
  'bulk.udp.connected.conntrack': source('1/s', 'udp-connected', rate, 'tracked'),
  'bulk.udp.unconnected': source('1/s', 'udp-unconnected', rate),
  'bulk.udp.unconnected.conntrack': source('1/s', 'udp-unconnected', rate, 'tracked'),
};

export const BULK_FIGURES: readonly string[] = Object.keys(FIGURES);

export async function measureBulk(
  wanted: readonly string[], { rounds, ms }: BulkSizes, open: OpenBed, tell: (line: string) => void, failed: Failed,
): Promise<readonly Figure[]> {
  return await measureRounds({ title: 'bulk', rounds, series: seriesOf(ms), figures: FIGURES }, wanted, open, tell, failed);
}
