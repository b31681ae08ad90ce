/**
 * How soon the set of a zone has an address that an interface has got: from before `ip` is told to add it until the kernel has
 * committed the transaction. diff10k: the same with 10,000 addresses of which one comes or goes, without an interface. The baseline
 * is an nft process that does nothing.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { enterNamespace } from '../lab/network.ts';
import { ROOT, tool } from '../lab/process.ts';
import { compared, quantile } from './figures.ts';
import type { Figure } from './figures.ts';

export const ZONE_FIGURES: readonly string[] = ['zones.event.p95', 'zones.diff10k'];

const LIMIT_MS = 300_000;
const P95 = 0.95;
const run = promisify(execFile);

export interface ZoneSizes {
  readonly rounds: number;
}

interface Measured {
  readonly values: readonly number[];
  readonly baselines: readonly number[];
  readonly transactions: number;
}

async function measured(what: 'event' | 'diff10k', { rounds }: ZoneSizes): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-bench-zones-'));
  const namespace = `bastion-bench-zones-${String(process.pid)}`;
  tool('ip', ['netns', 'add', namespace]);
  try {
    const [command, ...args] = [...enterNamespace(namespace), process.execPath, join(ROOT, 'test/bench/zones-child.ts'), folder, String(rounds), what];
    return JSON.parse((await run(command, args, { timeout: LIMIT_MS })).stdout) as Measured;
  } finally {
    tool('ip', ['netns', 'del', namespace]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Measures the figures of `wanted`. */
export async function measureZones(wanted: readonly string[], sizes: ZoneSizes, tell: (line: string) => void): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  if (wanted.includes('zones.event.p95')) {
    const { values, baselines, transactions } = await measured('event', sizes);
    tell(`zones: ${String(sizes.rounds)} changes of an address, ${String(transactions)} transactions with the first ones`);
    const figure = compared('zones.event.p95', 'ms', values, baselines);
    figures.push({ ...figure, value: quantile(values, P95), baseline: quantile(baselines, P95) });
  }
  if (wanted.includes('zones.diff10k')) {
    const { values, baselines, transactions } = await measured('diff10k', sizes);
    tell(`zones: ${String(sizes.rounds)} changes among 10,000 addresses, ${String(transactions)} transactions with the first ones`);
    figures.push(compared('zones.diff10k', 'ms', values, baselines));
  }
  return figures;
}
