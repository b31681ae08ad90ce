/** A changed set of rules against the recorded history: what would have been decided otherwise. */
import type { RuleAction, Rule } from '../contract/vocabulary.ts';
import { recordedFacts } from '../policy/recorded.ts';
import type { RecordedFlow, RecordedMoments } from '../policy/recorded.ts';
import type { Facts, Moment } from '../policy/facts.ts';
import { isOver } from '../policy/facts.ts';
import { RuleIndex } from '../policy/rule-index.ts';
import { count, newTally } from './sightings.ts';
import type { Tally } from './sightings.ts';

/** Rules that would be other ones. */
export interface RuleChanges {
  /** As they are, of those that would go or change. */
  readonly before: readonly Rule[];
  /** As they would be, of those that would come or change. */
  readonly after: readonly Rule[];
}

/** What becomes of a flow by the rules: `rule` is the one that wins. */
export type Decide = (record: RecordedFlow, facts: Facts, rule: Rule | null) => RuleAction;

export interface SimulationOptions {
  /** Rules in force now. */
  readonly present: readonly Rule[];
  readonly changes: RuleChanges;
  readonly moments: RecordedMoments;
  readonly decide: Decide;
  /** Wall time, ms since 1970: what is over by now is in force in neither set. */
  readonly nowMs: number;
}

/** What would be different. */
export const DIFFERENCES = ['refused', 'asked', 'allowed'] as const;
export type Difference = (typeof DIFFERENCES)[number];

/** Connections of one application to one destination that would have been decided otherwise. */
export interface SimulatedRow {
  readonly difference: Difference;
  readonly from: RuleAction;
  readonly to: RuleAction;
  readonly path: string | null;
  readonly forwardedFrom: string | null;
  readonly uid: number | null;
  /** The name that is the likeliest, else ''. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: number;
  /** The rule that decides now, and the one that would: null for none. */
  readonly ruleBefore: string | null;
  readonly ruleAfter: string | null;
  readonly tally: Tally;
}

export interface DifferenceSum {
  readonly applications: number;
  readonly tally: Readonly<Tally>;
}

export interface Simulated {
  /** Flows looked at. */
  readonly flows: number;
  /** Time of the oldest; null without any. */
  readonly oldestMs: number | null;
  readonly sums: Readonly<Record<Difference, DifferenceSum>>;
  /** What would be refused first, then the most connections first. */
  readonly rows: readonly SimulatedRow[];
  /** Connections that are in the sums, but in no row: there were too many different ones. */
  readonly unlisted: number;
}

/** Different applications and destinations that are told apart. */
const ROW_LIMIT = 5_000;
const APPLICATION_LIMIT = 10_000;

function differenceOf(action: RuleAction): Difference {
  if (action === 'allow') return 'allowed';
  return action === 'ask' ? 'asked' : 'refused';
}

function inForce(rules: readonly Rule[], nowMs: number): readonly Rule[] {
  return rules.filter((rule) => rule.enabled && !isOver(rule, nowMs));
}

/** Sums that grow. */
class Sum {
  readonly #applications = new Set<string>();
  readonly tally = newTally();

  get applications(): number {
    return this.#applications.size;
  }

  add(application: string, record: RecordedFlow): void {
    if (this.#applications.size < APPLICATION_LIMIT) this.#applications.add(application);
    count(this.tally, record);
  }
}

export class Simulation {
  readonly #options: SimulationOptions;
  readonly #present: RuleIndex;
  readonly #changed: RuleIndex;
  /** A flow that neither of these matches is decided as before. */
  readonly #before: RuleIndex;
  readonly #after: RuleIndex;
  readonly #rowLimit: number;
  readonly #rows = new Map<string, SimulatedRow>();
  readonly #sums: Readonly<Record<Difference, Sum>> = { refused: new Sum(), asked: new Sum(), allowed: new Sum() };
  #flows = 0;
  #oldestMs: number | null = null;
  #unlisted = 0;

  constructor(options: SimulationOptions, rowLimit: number = ROW_LIMIT) {
    const { changes, nowMs } = options;
    this.#options = options;
    this.#rowLimit = rowLimit;
    const present = inForce(options.present, nowMs);
    const gone = new Set(changes.before.map(({ id }) => id));
    const after = inForce(changes.after, nowMs);
    this.#present = new RuleIndex(present);
    this.#changed = new RuleIndex([...present.filter(({ id }) => !gone.has(id)), ...after]);
    this.#before = new RuleIndex(present.filter(({ id }) => gone.has(id)));
    this.#after = new RuleIndex(after);
  }

  take(record: RecordedFlow): void {
    this.#flows += 1;
    this.#oldestMs = Math.min(this.#oldestMs ?? record.timeMs, record.timeMs);
    const facts = recordedFacts(record);
    const moment = this.#options.moments.at(record.timeMs);
    if (!this.#isTouched(facts, moment)) return;
    const before = this.#present.evaluate(facts, moment).rule;
    const after = this.#changed.evaluate(facts, moment).rule;
    const { decide } = this.#options;
    const [from, to] = [decide(record, facts, before), decide(record, facts, after)];
    if (differenceOf(from) !== differenceOf(to)) this.#add(record, { from, to, before, after });
  }

  result(): Simulated {
    const { refused, asked, allowed } = this.#sums;
    const sum = ({ applications, tally }: Sum): DifferenceSum => ({ applications, tally });
    return {
      flows: this.#flows,
      oldestMs: this.#oldestMs,
      sums: { refused: sum(refused), asked: sum(asked), allowed: sum(allowed) },
      rows: [...this.#rows.values()].sort(byWeight),
      unlisted: this.#unlisted,
    };
  }

  #isTouched(facts: Facts, moment: Moment): boolean {
    return this.#before.evaluate(facts, moment).rule !== null || this.#after.evaluate(facts, moment).rule !== null;
  }

  #add(record: RecordedFlow, what: { readonly from: RuleAction; readonly to: RuleAction; readonly before: Rule | null; readonly after: Rule | null }): void {
    const { path, forwardedFrom, uid, names, tuple: { destinationAddress: address, destinationPort: port, protocol } } = record;
    const difference = differenceOf(what.to);
    const application = JSON.stringify([record.identity?.script ?? path ?? record.claimedPath, forwardedFrom]);
    this.#sums[difference].add(application, record);
    const host = names[0]?.name ?? '';
    const key = JSON.stringify([what.from, what.to, application, uid, host === '' ? address : host, port, protocol]);
    const known = this.#rows.get(key);
    if (known !== undefined) {
      count(known.tally, record);
      return;
    }
    if (this.#rows.size >= this.#rowLimit) {
      this.#unlisted += 1;
      return;
    }
    const row: SimulatedRow = {
      difference, from: what.from, to: what.to, path: record.identity?.script ?? path ?? record.claimedPath ?? null, forwardedFrom, uid,
      host, address, port, protocol, ruleBefore: what.before?.id ?? null, ruleAfter: what.after?.id ?? null, tally: newTally(),
    };
    count(row.tally, record);
    this.#rows.set(key, row);
  }
}

function byWeight(a: SimulatedRow, b: SimulatedRow): number {
  return DIFFERENCES.indexOf(a.difference) - DIFFERENCES.indexOf(b.difference)
    || b.tally.connections - a.tally.connections
    || a.tally.firstMs - b.tally.firstMs;
}
