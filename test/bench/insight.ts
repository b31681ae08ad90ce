/** simulate.1m, propose.100k, review.10k: questions about a large history, and what they cost the helper's own thread meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import { HISTORY_FILE, prepareTables } from '../../helper/adapters/history/schema.ts';
import { Writer } from '../../helper/adapters/history/writer.ts';
import type { Rule } from '../../helper/contract/vocabulary.ts';
import type { FlowRecord, InsightScope } from '../../helper/engine-api.ts';
import { InsightDesk } from '../../helper/insight.ts';
import { alone, type Figure } from './figures.ts';

export const INSIGHT_FIGURES: readonly string[] = ['simulate.1m', 'simulate.1m.stall', 'propose.100k', 'review.10k'];

const FLOWS = 1_000_000;
/** Written by the writer itself; the rest is copies of them with other numbers and times. */
const DIFFERENT = 5_000;
const START_MS = 1_800_000_000_000;
const PROGRAMS = 200;
const RULES = 10_000;
const NS_PER_MS = 1_000_000;

function flow(number: number): FlowRecord {
  const path = `/usr/bin/program-${String(number % PROGRAMS)}`;
  const name = `host-${String((number * 7919) % DIFFERENT)}.example${String(number % 97)}.org`;
  return {
    id: `f${number.toString(36)}`, timeMs: START_MS + number, path, uid: 1000, pid: 100 + number, forwardedFrom: null, host: name,
    names: [{ name, source: 'program' }], interfaceName: 'eth0', lengthBytes: 60,
    tuple: {
      family: 4, protocol: 6, sourceAddress: '192.0.2.2', sourcePort: 40_000, destinationPort: number % 3 === 0 ? 80 : 443,
      destinationAddress: `198.51.${String(number % 200)}.${String((number >> 3) % 250)}`,
    },
    decision: { action: 'allow', reason: 'mode-learning', ruleId: null }, confidence: 'certain', evidence: 'kernel', nextRuleId: null,
    identity: { path, package: `package-${String(number % PROGRAMS)}`, integrity: 'valid' }, claimedPath: null, ancestors: [], command: 'x',
    isLookup: false, answersPeer: false, origin: 'process',
  };
}

/** A history of `count` flows in `folder`; returns its path. */
function fill(folder: string, count: number): string {
  const file = join(folder, HISTORY_FILE);
  const database = new DatabaseSync(file);
  prepareTables(database);
  database.exec('PRAGMA synchronous = OFF; BEGIN');
  new Writer(database).add(Array.from({ length: DIFFERENT }, (_, number) => flow(number)), { names: true });
  const columns = database.prepare('PRAGMA table_info(flows)').all().map(({ name }) => String(name)).slice(2).join(', ');
  const copy = database.prepare(
    `INSERT INTO flows SELECT number + ?, time_ms + ?, ${columns} FROM flows WHERE number < ${String(DIFFERENT)}`,
  );
  for (let at = DIFFERENT; at < count; at += DIFFERENT) copy.run(at, at);
  database.exec('COMMIT');
  database.close();
  return file;
}

function rule(id: string, match: Rule['match'], action: Rule['action'] = 'allow'): Rule {
  return {
    id, name: id, action, enabled: true, match, lifetime: 'always', priority: 0, tier: 'user', group: '', created: 1, source: null,
  };
}

const RULE_SET: readonly Rule[] = Array.from({ length: RULES }, (_, number) => rule(`r${String(number)}`, {
  path: `/usr/bin/other-${String(number % 500)}`, address: `10.${String(number >> 8)}.${String(number & 255)}.0/24`,
}));

function deskOn(historyFile: string): InsightDesk {
  // A rule that matches a third of the history, and another one that would take its place.
  const before = rule('web', { protocols: [6], ports: [{ first: 80, last: 80 }] });
  return new InsightDesk({
    engine: {
      snapshot: () => ({
        rules: [before, ...RULE_SET], inForce: new Set(['web', ...RULE_SET.map(({ id }) => id)]), lastUsedMs: new Map(),
        settings: { defaultAction: 'ask', untracked: 'drop', forwarded: 'pass', requireKernelIdentity: false },
      }),
      previewRules: () => ({ before: [before], after: [{ ...before, action: 'deny' }] }),
      recentFlows: () => [],
      userName: String,
    },
    workerFile: new URL('../../helper/insight-worker.ts', import.meta.url),
    historyFile, clock: { wallMs: () => START_MS + 2 * FLOWS }, logger: { log: () => undefined, setLevel: () => undefined },
  });
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** Every figure at once: they share the history. */
export async function measureInsight(): Promise<readonly Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-bench-insight-'));
  const scope: InsightScope = { uid: null, asker: 0, signal: new AbortController().signal };
  try {
    const desk = deskOn(fill(folder, FLOWS));
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const simulated = await seconds(() => desk.simulate([], 0, scope));
    delay.disable();
    const proposed = await seconds(() => desk.propose({ sinceMs: START_MS + FLOWS - 100_000, includeDecided: false }, scope));
    const reviewed = await seconds(() => desk.review(scope));
    return [
      alone('simulate.1m', 's', simulated), alone('simulate.1m.stall', 'ms', delay.max / NS_PER_MS), alone('propose.100k', 's', proposed),
      alone('review.10k', 's', reviewed),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
