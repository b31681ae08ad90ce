/**
 * Learning: a small set of rules that covers what was let pass while everything was allowed. Nothing is proposed from a flow
 * whose program is not certain, and nothing that would undo a refusal.
 */
import type { Rule } from '../contract/vocabulary.ts';
import type { Facts } from '../policy/facts.ts';
import { rankRule } from '../policy/order.ts';
import { recordedFacts } from '../policy/recorded.ts';
import type { RecordedFlow, RecordedMoments } from '../policy/recorded.ts';
import { RuleIndex } from '../policy/rule-index.ts';
import { applicationOf } from './application.ts';
import type { LeftOut } from './application.ts';
import { candidatesOf } from './candidates.ts';
import type { Candidate, Group } from './candidates.ts';
import { addTally, count, newTally, Sightings } from './sightings.ts';
import type { Sighting, Tally } from './sightings.ts';

export interface LearnerOptions {
  /** Rules in force now. */
  readonly present: readonly Rule[];
  readonly moments: RecordedMoments;
  /** Also what a rule allows by now. */
  readonly includeDecided: boolean;
  /** Different refusals that are kept; for tests. */
  readonly refusalLimit?: number;
}

/** One rule that is proposed. */
export interface Proposal {
  readonly rule: Rule;
  /** Names for people. */
  readonly application: string;
  readonly uids: readonly number[];
  readonly destinations: readonly string[];
  readonly tally: Readonly<Tally>;
}

/** What nothing is proposed from. */
export interface Remainder {
  readonly reasons: ReadonlyMap<LeftOut, number>;
  readonly applications: readonly string[];
  readonly tally: Readonly<Tally>;
}

export interface Proposals {
  /** The most connections first. */
  readonly rules: readonly Proposal[];
  /** null when nothing was left out. */
  readonly remainder: Remainder | null;
  /** Connections that would have been asked about. */
  readonly connections: number;
}

interface Refusal {
  readonly facts: Facts;
  readonly timeMs: number;
}

/** Rows of one answer; what the others would cover is left out. */
const MOST_RULES = 400;
/** Applications of one user that rules are made for, those with the most connections. */
const MOST_GROUPS = 2_000;
/** Different refusals that no rule of today repeats and no proposal may undo. Above that nothing is proposed. */
const REFUSAL_LIMIT = 20_000;
const MOST_NAMES = 64;
const SHOWN_DESTINATIONS = 8;

function isRefused({ decision: { action, reason } }: RecordedFlow): boolean {
  return (action === 'deny' || action === 'drop') && (reason === 'rule' || reason === 'prompt-answer');
}

function isDenial({ action }: Rule): boolean {
  return action === 'deny' || action === 'drop';
}

function refusalKey({ path, uid, names, tuple, identity, containers }: RecordedFlow): string {
  const { protocol, destinationAddress, destinationPort } = tuple;
  return JSON.stringify([path, identity, containers, uid, names, protocol, destinationAddress, destinationPort]);
}

function groupsOf(sightings: readonly Sighting[]): readonly Group[] {
  const grouped = Map.groupBy(sightings, ({ application, uid }) => `${application.key} ${String(uid)}`);
  const weight = (own: readonly Sighting[]): number => own.reduce((sum, { tally }) => sum + tally.connections, 0);
  return [...grouped]
    .map(([key, own]) => ({ key, own, weight: weight(own) }))
    .sort((a, b) => b.weight - a.weight || (a.key < b.key ? -1 : 1))
    .slice(0, MOST_GROUPS)
    .flatMap(({ key, own }) => {
      const [first] = own;
      return first === undefined ? [] : [{ key, application: first.application, uid: first.uid, sightings: own }];
    });
}

export class Learner {
  readonly #options: LearnerOptions;
  readonly #refusalLimit: number;
  readonly #present: RuleIndex;
  readonly #sightings = new Sightings();
  readonly #refusals = new Map<string, Refusal>();
  readonly #reasons = new Map<LeftOut, number>();
  readonly #names = new Set<string>();
  readonly #leftOut = newTally();
  #connections = 0;

  constructor(options: LearnerOptions) {
    this.#options = options;
    this.#refusalLimit = options.refusalLimit ?? REFUSAL_LIMIT;
    this.#present = new RuleIndex(options.present);
  }

  /** One flow of the history, in any order. */
  take(record: RecordedFlow): void {
    if (isRefused(record)) {
      this.#keepRefusal(record);
      return;
    }
    // What a server answers is not asked about in any mode.
    if (record.decision.reason !== 'mode-learning' || record.answersPeer === true) return;
    const facts = recordedFacts(record);
    const action = this.#present.evaluate(facts, this.#options.moments.at(record.timeMs)).rule?.action;
    if (action === 'deny' || action === 'drop' || (action === 'allow' && !this.#options.includeDecided)) return;
    this.#connections += 1;
    const application = action === 'ask' ? 'asked' : applicationOf(record);
    if (typeof application === 'string') this.#leave(application, record);
    else if (!this.#sightings.take(application, record.uid ?? 0, record, facts)) this.#leave('crowded', record);
  }

  result(): Proposals {
    const groups = groupsOf(this.#sightings.all);
    const candidates = this.#harmless(groups);
    const index = new RuleIndex(candidates.map(({ rule }) => rule));
    const covered = new Map<string, Sighting[]>();
    const rest: Sighting[] = [];
    for (const sighting of this.#sightings.all) {
      const rule = index.evaluate(sighting.facts, this.#options.moments.at(sighting.tally.firstMs)).rule;
      const own = rule === null ? rest : covered.get(rule.id) ?? [];
      own.push(sighting);
      if (rule !== null) covered.set(rule.id, own);
    }
    const all = candidates.flatMap((candidate) => this.#proposal(candidate, covered.get(candidate.rule.id) ?? [])).sort(byWeight);
    const rules = all.slice(0, MOST_RULES);
    return { rules, remainder: this.#remainder(rest, all.slice(MOST_RULES)), connections: this.#connections };
  }

  /** What a rule of the administrator or the user still refuses needs no keeping: no proposal goes before these. */
  #keepRefusal(record: RecordedFlow): void {
    if (this.#refusals.size > this.#refusalLimit) return;
    const facts = recordedFacts(record);
    const now = this.#present.evaluate(facts, this.#options.moments.at(record.timeMs)).rule;
    if (now !== null && isDenial(now) && (now.tier === 'administrator' || now.tier === 'user')) return;
    this.#refusals.set(refusalKey(record), { facts, timeMs: record.timeMs });
  }

  #leave(reason: LeftOut, record: RecordedFlow): void {
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    if (this.#names.size < MOST_NAMES) this.#names.add(nameOf(record));
    count(this.#leftOut, record);
  }

  #proposal({ rule, application, uids }: Candidate, sightings: readonly Sighting[]): readonly Proposal[] {
    if (sightings.length === 0) return [];
    const tally = newTally();
    for (const sighting of sightings) addTally(tally, sighting.tally);
    const destinations = [...new Set(sightings.map(({ name, address }) => name ?? address))].sort().slice(0, SHOWN_DESTINATIONS);
    return [{ rule, application: application.name, uids, destinations, tally }];
  }

  #remainder(rest: readonly Sighting[], others: readonly Proposal[]): Remainder | null {
    const reasons = new Map(this.#reasons);
    const names = new Set(this.#names);
    const tally = { ...this.#leftOut, examples: [...this.#leftOut.examples] };
    const add = (reason: LeftOut, name: string, part: Readonly<Tally>): void => {
      reasons.set(reason, (reasons.get(reason) ?? 0) + part.connections);
      if (names.size < MOST_NAMES) names.add(name);
      addTally(tally, part);
    };
    // Without a refusal only their number can have kept flows from being covered.
    const why = this.#refusals.size === 0 ? 'crowded' : 'refused';
    for (const sighting of rest) add(why, sighting.application.name, sighting.tally);
    for (const other of others) add('crowded', other.application, other.tally);
    return tally.connections === 0 ? null : { reasons, applications: [...names].sort(), tally };
  }

  /** The widest candidates that undo no refusal: a group whose wide rules would is taken exactly, a rule that still would goes. */
  #harmless(groups: readonly Group[]): readonly Candidate[] {
    if (this.#refusals.size > this.#refusalLimit) return [];
    const exact = new Set<string>();
    const banned = new Set<string>();
    const denials = this.#options.present.filter((rule) => rule.tier === 'user' && isDenial(rule))
      .map(rankRule).filter((entry) => entry !== null).sort((a, b) => a.rule.priority - b.rule.priority);
    for (;;) {
      const candidates = candidatesOf(groups, exact, denials).filter(({ key }) => !banned.has(key));
      const harmful = this.#harmful(candidates);
      if (harmful.length === 0) return candidates;
      for (const { key, groups: own } of harmful) {
        const wide = own.filter((group) => !exact.has(group));
        if (wide.length === 0) banned.add(key);
        else for (const group of wide) exact.add(group);
      }
    }
  }

  /** Candidates that would allow a flow which was refused. */
  #harmful(candidates: readonly Candidate[]): readonly Candidate[] {
    const index = new RuleIndex(candidates.map(({ rule }) => rule));
    const ids = new Set<string>();
    for (const { facts, timeMs } of this.#refusals.values()) {
      const moment = this.#options.moments.at(timeMs);
      const { rule, next } = index.evaluate(facts, moment);
      for (const candidate of [rule, next]) if (candidate !== null) ids.add(candidate.id);
    }
    return candidates.filter(({ rule }) => ids.has(rule.id));
  }
}

function nameOf(record: RecordedFlow): string {
  const path = record.identity?.script ?? record.path ?? record.claimedPath ?? null;
  return record.forwardedFrom ?? (path === null ? 'An unknown program' : path.slice(path.lastIndexOf('/') + 1) || path);
}

function byWeight(a: Proposal, b: Proposal): number {
  return b.tally.connections - a.tally.connections || (a.rule.id < b.rule.id ? -1 : 1);
}
