/** A thread that answers one question about the recorded flows, and ends. */
import { lstatSync } from 'node:fs';
import { setPriority } from 'node:os';
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { readRuleUses } from './adapters/history/rule-uses.ts';
import { readRuleFlows } from './adapters/history/rule-flows.ts';
import type { FlowRecord } from './engine-api.ts';
import { decide } from './engine/decide.ts';
import type { Posture } from './engine/decide.ts';
import { flowNumber } from './flow/tuple.ts';
import type { InsightData, InsightJob, InsightResult, ToInsight } from './insight-job.ts';
import { Learner } from './insight/propose.ts';
import { reviewRules } from './insight/review.ts';
import { Simulation } from './insight/simulate.ts';
import type { Decide } from './insight/simulate.ts';
import type { Rule } from './contract/vocabulary.ts';
import { isOver } from './policy/facts.ts';
import type { Places } from './policy/places.ts';
import { isForwarded, RecordedMoments } from './policy/recorded.ts';
import type { RecordedFlow } from './policy/recorded.ts';
import { zoneOf } from './zones/interfaces.ts';

const port = parentPort;
if (port === null) throw new Error('this is the thread of another program');
const { job, historyFile, inForce, settings, nowMs } = workerData as InsightData;

/** Steps back for the helper's other threads: nobody waits at his network for this. */
const NICE = 10;

const rules: Rule[] = [];
const recent: FlowRecord[] = [];

/** The contents of lists are the helper's own: a rule for one is taken to match nothing, and the answer says so. */
const places: Places = {
  listHasName: () => false,
  listHasAddress: () => false,
  zoneOf: (name) => {
    const zone = zoneOf({ name, mac: '' }, settings);
    return zone === '' ? null : zone;
  },
};
const moments = new RecordedMoments({ requireKernelIdentity: settings.requireKernelIdentity, places });

function openHistory(): DatabaseSync | null {
  if (historyFile === null) return null;
  try {
    return new DatabaseSync(historyFile, { readOnly: true });
  } catch {
    // It has not been made yet, or cannot be read: what is in memory is all there is.
    return null;
  }
}

/** Calls `take` with every flow since then, the oldest first. False when a part of what is stored could not be read. */
function eachFlow(sinceMs: number, uid: number | null, take: (flow: RecordedFlow) => void): boolean {
  const wanted = (flow: RecordedFlow): boolean => flow.timeMs >= sinceMs && (uid === null || flow.uid === uid);
  const database = openHistory();
  let last = -1;
  let isWhole = true;
  try {
    if (database !== null) {
      for (const flow of readRuleFlows(database, sinceMs)) {
        last = flowNumber(flow.id) ?? last;
        if (wanted(flow)) take(flow);
      }
    }
  } catch {
    isWhole = false;
  } finally {
    database?.close();
  }
  for (const flow of recent) if ((flowNumber(flow.id) ?? 0) > last && wanted(flow)) take(flow);
  return isWhole;
}

function present(): readonly Rule[] {
  return rules.filter((rule) => inForce.has(rule.id) && !isOver(rule, nowMs));
}

const posture: Posture = {
  mode: 'enforcing', paused: false, defaultAction: settings.defaultAction, untracked: settings.untracked, forwarded: settings.forwarded,
};

const decideRecorded: Decide = (record, facts, rule) => decide(
  { ask: { answersPeer: record.answersPeer === true, origin: isForwarded(record) ? 'forwarded' : record.origin ?? 'process' }, facts },
  { rule }, posture,
).action;

function propose({ sinceMs, includeDecided, uid }: Extract<InsightJob, { kind: 'propose' }>): InsightResult {
  const learner = new Learner({ present: present(), moments, includeDecided });
  const isWhole = eachFlow(sinceMs, uid, (flow) => { learner.take(flow); });
  return { kind: 'propose', value: learner.result(), isIncomplete: !isWhole };
}

function simulate({ sinceMs, changes, uid }: Extract<InsightJob, { kind: 'simulate' }>): InsightResult {
  const simulation = new Simulation({ present: present(), changes, moments, decide: decideRecorded, nowMs });
  const isWhole = eachFlow(sinceMs, uid, (flow) => { simulation.take(flow); });
  const forLists = [...present(), ...changes.after].filter(({ match }) => match.list !== undefined);
  return {
    kind: 'simulate', value: simulation.result(), isIncomplete: !isWhole, listsIgnored: new Set(forLists.map(({ id }) => id)).size,
  };
}

/** Only what the file system says is not there: a folder that cannot be read is no proof. */
function isGone(path: string): boolean {
  try {
    lstatSync(path);
    return false;
  } catch (error: unknown) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    return code === 'ENOENT' || code === 'ENOTDIR';
  }
}

function review({ lastUsedMs }: Extract<InsightJob, { kind: 'review' }>): InsightResult {
  const database = openHistory();
  let uses: ReturnType<typeof readRuleUses> = { lastMs: new Map(), oldestMs: null };
  try {
    if (database !== null) uses = readRuleUses(database);
  } catch {
    // Nothing is known of uses then, and no rule is called unused.
  } finally {
    database?.close();
  }
  const lastUsed = new Map(lastUsedMs);
  for (const [id, ms] of uses.lastMs) lastUsed.set(id, Math.max(ms, lastUsed.get(id) ?? 0));
  const known = new Map<string, boolean>();
  return {
    kind: 'review',
    value: reviewRules({
      rules, inForce, lastUsedMs: lastUsed, usesKnownSinceMs: uses.oldestMs, nowMs,
      isGone: (path) => {
        const gone = known.get(path) ?? isGone(path);
        known.set(path, gone);
        return gone;
      },
    }),
  };
}

function answer(): InsightResult {
  switch (job.kind) {
    case 'propose': return propose(job);
    case 'simulate': return simulate(job);
    case 'review': return review(job);
  }
}

try {
  setPriority(NICE);
} catch {
  // Not allowed to step back: then as fast as the others.
}

port.on('message', (message: ToInsight) => {
  switch (message.kind) {
    case 'rules':
      rules.push(...message.rules);
      return;
    case 'flows':
      recent.push(...message.flows);
      return;
    case 'go':
      port.postMessage(answer());
      port.close();
  }
});
