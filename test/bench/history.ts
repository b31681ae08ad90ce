/** history.*: what storing every flow takes, and what it costs the decisions meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { openHistory } from '../../helper/adapters/history.ts';
import { HISTORY_FILE } from '../../helper/adapters/history/schema.ts';
import { createLogger } from '../../helper/adapters/logger.ts';
import type { FlowRecord } from '../../helper/engine-api.ts';
import type { History, HistorySettings } from '../../helper/ports.ts';
import { alone, compared, type Figure } from './figures.ts';
import type { HelperBed, HelperSetting } from './helper-figures.ts';
import { PORTS, SOAK_ADDRESS } from './programs.ts';
import type { Failed } from './rounds.ts';

const RATE = 'history.rate';
const P99 = 'history.first_seen.p99';
export const HISTORY_FIGURES: readonly string[] = [RATE, P99];

const FLOWS_PER_SECOND = 10_000;
/** Flows that come at once, as an engine's turn brings them. */
const AT_ONCE = 50;
const SETTINGS: HistorySettings = { enabled: true, names: true, keepDays: 30, maxMegabytes: 256, prometheusFile: null };
const THREAD = new URL('../../helper/adapters/history/worker.ts', import.meta.url);
const PROGRAMS = 200;
const DESTINATIONS = 5000;
const OFF = '[history]\nenabled = false\n';

export interface HistorySizes {
  readonly seconds: number;
  readonly rounds: number;
  readonly roundMs: number;
}

/** A flow as a desktop makes them: of some hundred programs, to some thousand destinations, one in ten refused. */
export function flow(number: number): FlowRecord {
  const path = `/usr/bin/program-${String(number % PROGRAMS)}`;
  const destination = (number * 7919) % DESTINATIONS;
  const name = `host-${String(destination)}.example.org`;
  return {
    id: `f${number.toString(36)}`,
    timeMs: Date.now(),
    tuple: {
      family: 4, protocol: 6, sourceAddress: '192.0.2.2', sourcePort: 32_768 + (number % 28_000),
      destinationAddress: `198.51.${String(destination >> 8)}.${String(destination & 255)}`, destinationPort: 443,
    },
    path, uid: 1000, pid: 1000 + (number % 5000), forwardedFrom: null, host: name, names: [{ name, source: 'program' }], interfaceName: 'eth0',
    lengthBytes: 60,
    decision: number % 10 === 0 ? { action: 'deny', reason: 'default-action', ruleId: null } : { action: 'allow', reason: 'rule', ruleId: `rule-${String(number % 50)}` },
    confidence: 'certain', evidence: 'kernel', nextRuleId: null,
    identity: { path, package: `package-${String(number % PROGRAMS)}`, integrity: 'valid', sha256: 'a'.repeat(64) },
    claimedPath: null,
    ancestors: [{ pid: 1, path: '/usr/bin/bash', command: 'bash' }, { pid: 2, path: '/usr/lib/systemd/systemd', command: 'systemd' }],
    lineage: 'kernel', command: `program-${String(number % PROGRAMS)}`.slice(0, 15), isLookup: false, answersPeer: false, origin: 'process',
  };
}

/** Hands over so many flows a second; resolves when the last are stored. */
async function feed(history: History, seconds: number): Promise<number> {
  const count = seconds * FLOWS_PER_SECOND;
  const startMs = performance.now();
  let given = 0;
  while (given < count) {
    const due = Math.min(count, Math.floor(((performance.now() - startMs) / 1000) * FLOWS_PER_SECOND));
    while (given + AT_ONCE <= due || (due === count && given < count)) {
      const from = given;
      given = Math.min(count, given + AT_ONCE);
      history.add(Array.from({ length: given - from }, (_, at) => flow(from + at)));
    }
    await new Promise((resolve) => { setTimeout(resolve, 2); });
  }
  await history.flow(0);
  return (performance.now() - startMs) / 1000;
}

async function rate(seconds: number): Promise<Figure> {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-bench-'));
  try {
    const history = await openHistory({ folder, settings: SETTINGS, thread: THREAD, logger: createLogger(), nowMs: () => Date.now() });
    const tookS = await feed(history, seconds);
    await history.close();
    const database = new DatabaseSync(join(folder, HISTORY_FILE), { readOnly: true });
    const stored = Number(database.prepare('SELECT count(*) AS n FROM flows').get()?.['n']);
    database.close();
    return { ...alone(RATE, '1/s', stored / tookS), baseline: FLOWS_PER_SECOND, ratio: stored / tookS / FLOWS_PER_SECOND };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** First-seen connections one after the other, each stored, against the same with the history switched off. */
async function p99(open: (setting: HelperSetting) => Promise<HelperBed>, { rounds, roundMs }: HistorySizes): Promise<Figure> {
  const off = await open({ otherRules: 0, agent: false, settings: OFF });
  try {
    const on = await open({ otherRules: 0, agent: false });
    try {
      const values: number[] = [];
      const baselines: number[] = [];
      const skips = new Map<HelperBed, number>([[on, 0], [off, 0]]);
      const sample = async (bed: HelperBed): Promise<number> => {
        const skip = skips.get(bed) ?? 0;
        const result = await bed.client(['soak', SOAK_ADDRESS, PORTS.first, PORTS.count, skip, roundMs]);
        if (result.failed > 0) throw new Error(`${String(result.failed)} connections failed`);
        skips.set(bed, skip + result.count);
        return result.p99Us;
      };
      for (let round = 0; round < rounds; round += 1) {
        baselines.push(await sample(off));
        values.push(await sample(on));
      }
      return compared(P99, 'us', values, baselines);
    } finally {
      await on.close();
    }
  } finally {
    await off.close();
  }
}

export async function measureHistory(
  wanted: readonly string[], sizes: HistorySizes, open: (setting: HelperSetting) => Promise<HelperBed>, tell: (line: string) => void, failed: Failed,
): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  const measures: Readonly<Record<string, () => Promise<Figure>>> = { [RATE]: () => rate(sizes.seconds), [P99]: () => p99(open, sizes) };
  for (const [name, measure] of Object.entries(measures)) {
    if (!wanted.includes(name)) continue;
    tell(name);
    try {
      figures.push(await measure());
    } catch (error: unknown) {
      failed([name], error);
    }
  }
  return figures;
}
