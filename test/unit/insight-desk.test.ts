import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, afterEach, describe, test } from 'node:test';
import { HISTORY_FILE, prepareTables } from '../../helper/adapters/history/schema.ts';
import { Writer } from '../../helper/adapters/history/writer.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { Rule } from '../../helper/contract/vocabulary.ts';
import type { FlowRecord, InsightScope, RulePreview } from '../../helper/engine-api.ts';
import { InsightDesk } from '../../helper/insight.ts';
import { learned, START_MS } from './insight-support.ts';
import type { FlowChange } from './insight-support.ts';
import { ports, rule } from './policy-support.ts';

const WORKER = new URL('../../helper/insight-worker.ts', import.meta.url);
const NOW_MS = START_MS + 100 * 86_400_000;
const folders: string[] = [];
const desks: InsightDesk[] = [];
after(() => { for (const folder of folders) rmSync(folder, { recursive: true, force: true }); });
afterEach(() => { for (const desk of desks.splice(0)) desk.close(); });

function flow(number: number, change: FlowChange = {}): FlowRecord {
  return {
    ...learned({ id: `f${number.toString(36)}`, timeMs: START_MS + number, ...change }), pid: 7, host: null, lengthBytes: 60, nextRuleId: null,
  };
}

/** A history file with these flows; returns its path. */
function stored(flows: readonly FlowRecord[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-insight-'));
  folders.push(folder);
  const file = join(folder, HISTORY_FILE);
  const database = new DatabaseSync(file);
  prepareTables(database);
  database.exec('BEGIN');
  new Writer(database).add(flows, { names: true });
  database.exec('COMMIT');
  database.close();
  return file;
}

interface DeskChange {
  readonly rules?: readonly Rule[];
  readonly preview?: RulePreview;
  readonly recent?: readonly FlowRecord[];
  readonly historyFile?: string;
  readonly longestMs?: number;
}

function desk({ rules = [], preview = { before: [], after: [] }, recent = [], historyFile = '/nowhere/history.sqlite', longestMs }: DeskChange): InsightDesk {
  const made = new InsightDesk({
    engine: {
      snapshot: () => ({
        rules, inForce: new Set(rules.map(({ id }) => id)), lastUsedMs: new Map(),
        settings: { defaultAction: 'ask', untracked: 'drop', forwarded: 'pass', requireKernelIdentity: false, interfaces: [{ name: 'wg*', zone: 'vpn' }] },
      }),
      previewRules: () => preview,
      recentFlows: () => recent,
      userName: (uid) => (uid === 1000 ? 'alice' : String(uid)),
    },
    workerFile: WORKER, historyFile, clock: { wallMs: () => NOW_MS },
    logger: { log: () => undefined, setLevel: () => undefined },
    ...(longestMs === undefined ? {} : { longestMs }),
  });
  desks.push(made);
  return made;
}

function scope(change: Partial<InsightScope> = {}): InsightScope {
  return { uid: null, asker: 0, signal: new AbortController().signal, ...change };
}

const EVERYTHING = { sinceMs: 0, includeDecided: false };

describe('questions about the history', () => {
  test('look at what is stored and at what is in memory only, each flow once', async () => {
    const all = Array.from({ length: 6 }, (_, number) => flow(number, { name: 'example.org' }));
    const [row, ...more] = await desk({ historyFile: stored(all.slice(0, 4)), recent: all.slice(2) }).propose(EVERYTHING, scope());
    assert.deepEqual([row?.text, more.length], ['curl: port 443, example.org, for alice; 6 connections', 0]);
  });

  test('look at one user’s flows, and at those since a time, as they are asked to', async () => {
    const all = [flow(1), flow(2, { uid: 1001, port: 80 }), flow(500, { port: 22 })];
    const asked = desk({ historyFile: stored(all.slice(0, 2)), recent: all });
    const texts = async (sinceMs: number, uid: number | null): Promise<readonly string[]> =>
      (await asked.propose({ sinceMs, includeDecided: false }, scope({ uid }))).map(({ text }) => text).sort();
    assert.deepEqual(await texts(0, 1001), ['curl: port 80, 203.0.113.7, for 1001; 1 connection']);
    assert.deepEqual(await texts(START_MS + 400, null), ['curl: port 22, 203.0.113.7, for alice; 1 connection']);
  });

  test('simulate with zones, and say that lists were not looked at', async () => {
    const preview: RulePreview = { before: [], after: [rule('vpn', 'deny', { zone: 'vpn' }), rule('ads', 'deny', { list: 'ads' })] };
    const recent = [flow(1, { interfaceName: 'wg0' }), flow(2)];
    const { summary, rows } = await desk({ preview, recent }).simulate([], 0, scope());
    assert.equal(summary.text, 'Would have refused 1 application, 1 connection.');
    assert.deepEqual([summary.lists_ignored, summary.flows, rows[0]?.rule_after, rows[0]?.user], [1, 2, 'vpn', 'alice']);
  });

  test('simulate what the default action and forwarded say where no rule decides', async () => {
    const preview: RulePreview = { before: [], after: [rule('no', 'deny', ports(443))] };
    const recent = [flow(1, { answersPeer: true }), flow(2, { forwardedFrom: 'Container 1' })];
    const { rows } = await desk({ preview, recent }).simulate([], 0, scope());
    assert.deepEqual(rows.map(({ from, to, application }) => [from, to, application]), [['allow', 'deny', 'curl'], ['allow', 'deny', 'Container 1']]);
  });

  test('review rules by their use in the stored history and the files on disk', async () => {
    const used = rule('used', 'allow', { path: process.execPath, ...ports(443) });
    const unused = rule('unused', 'allow', { path: process.execPath, ...ports(80) });
    const gone = rule('gone', 'allow', { path: '/nowhere/at/all' });
    const historyFile = stored([flow(1), flow(2, { timeMs: NOW_MS - 5, decision: { action: 'allow', reason: 'rule', ruleId: 'used' } })]);
    const found = await desk({ rules: [used, unused, gone], historyFile }).review(scope());
    assert.deepEqual(found.map(({ kind, rule_id: id }) => [kind, id]), [['missing', 'gone'], ['unused', 'unused']]);
    assert.deepEqual((await desk({ rules: [unused] }).review(scope())).length, 0, 'without a history nothing is called unused');
  });

  test('a damaged history is read as far as it goes, and the answer says so', async () => {
    const historyFile = stored(Array.from({ length: 3000 }, (_, number) => flow(number, { address: `203.0.${String(number >> 8)}.${String(number & 255)}` })));
    truncateSync(historyFile, 60_000);
    appendFileSync(historyFile, Buffer.alloc(40_000, 7));
    const { summary } = await desk({ historyFile, preview: { before: [], after: [rule('no', 'deny')] } }).simulate([], 0, scope());
    assert.equal(summary.incomplete, true);
  });

  test('one question of a user at a time, two in all; a third user is told that it is busy', async () => {
    const asked = desk({ recent: [flow(1)] });
    const busy = (error: unknown): boolean => error instanceof BastionError && error.code === 'Busy';
    const first = asked.propose(EVERYTHING, scope({ asker: 1 }));
    await assert.rejects(asked.review(scope({ asker: 1 })), busy);
    const second = asked.propose(EVERYTHING, scope({ asker: 2 }));
    await assert.rejects(asked.propose(EVERYTHING, scope({ asker: 3 })), busy);
    await Promise.all([first, second]);
    assert.equal((await asked.propose(EVERYTHING, scope({ asker: 1 }))).length, 1);
  });

  test('nobody waits any more, or it takes too long: the thread ends, and the next question is answered', async () => {
    const controller = new AbortController();
    const asked = desk({ recent: [flow(1)] });
    const waiting = asked.propose(EVERYTHING, scope({ signal: controller.signal }));
    controller.abort();
    await assert.rejects(waiting, { code: 'Failed' });
    assert.equal((await asked.propose(EVERYTHING, scope())).length, 1);
    await assert.rejects(desk({ recent: [flow(1)], longestMs: 1 }).propose(EVERYTHING, scope()), { code: 'Failed' });
  });
});
