/** All rules in force, indexed so that the cost of a decision does not grow with their number. */
import type { Rule } from '../contract/vocabulary.ts';
import { addressWords } from './address.ts';
import { Destinations } from './destinations.ts';
import type { Facts, Moment } from './facts.ts';
import { isDynamic, isOver, matchesLasting, matchesNow } from './facts.ts';
import { compareRules, rankRule } from './order.ts';
import type { RankedRule } from './order.ts';

/** What the rules say about one flow at one moment. */
export interface Evaluation {
  /** The rule that wins; null when none matches. */
  readonly rule: Rule | null;
  /** The rule that would win without it. */
  readonly next: Rule | null;
  /**
   * Rules at or before the winner's place that match this flow but for the time, the process or the session, or that stop
   * matching with them: while they are there the decision holds for now, not for ever (see remembering.ts).
   */
  readonly dynamic: readonly Rule[];
}

interface Best {
  first: RankedRule | null;
  second: RankedRule | null;
}

/** Above this many rules of one program, none of its decisions is remembered wider than for its destination. */
const LISTED_RULES = 128;
/** Programs whose list of rules is kept. */
const LISTED_PROGRAMS = 1024;

const NO_RULES: readonly Rule[] = [];

function offer(best: Best, entry: RankedRule): void {
  if (best.first === null || compareRules(entry, best.first) < 0) {
    best.second = best.first;
    best.first = entry;
  } else if (best.second === null || compareRules(entry, best.second) < 0) {
    best.second = entry;
  }
}

/** Puts the first two matches of one sorted list into `best`; returns the dynamic rules met before the first. */
function walk(
  list: readonly RankedRule[], facts: Facts, moment: Moment, best: Best, dynamic: RankedRule[] | null,
): RankedRule[] | null {
  let matches = 0;
  let met = dynamic;
  for (const entry of list) {
    if (best.second !== null && compareRules(entry, best.second) > 0) break;
    const { rule } = entry;
    if (!matchesLasting(rule, facts, moment)) continue;
    if (matches === 0 && isDynamic(rule) && !isOver(rule, moment.nowMs)) (met ??= []).push(entry);
    if (!matchesNow(rule, facts, moment)) continue;
    offer(best, entry);
    matches += 1;
    if (matches === 2) break;
  }
  return met;
}

export class RuleIndex {
  readonly #anyProgram = new Destinations();
  readonly #byPath = new Map<string, Destinations>();
  readonly #entries = new Map<string, RankedRule>();
  readonly #lists = new Map<string, readonly RankedRule[]>();

  /**
   * `rules` need not be sorted. A switched-off rule, a second rule with the same id and a rule whose address is none are left
   * out.
   */
  constructor(rules: Iterable<Rule> = []) {
    const groups = new Map<Destinations, RankedRule[]>();
    for (const rule of rules) {
      const entry = this.#enter(rule);
      if (entry === null) continue;
      const destinations = this.#destinations(rule.match.path);
      const group = groups.get(destinations);
      if (group === undefined) groups.set(destinations, [entry]);
      else group.push(entry);
    }
    for (const [destinations, group] of groups) destinations.fill(group.sort(compareRules));
  }

  /** Rules in force. */
  get size(): number {
    return this.#entries.size;
  }

  /** False when the rule was left out (see the constructor). */
  add(rule: Rule): boolean {
    const entry = this.#enter(rule);
    if (entry !== null) this.#destinations(rule.match.path).add(entry);
    this.#lists.clear();
    return entry !== null;
  }

  remove(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#entries.delete(id);
    this.#lists.clear();
    const { path } = entry.rule.match;
    const destinations = this.#destinations(path);
    destinations.remove(entry);
    if (path !== undefined && destinations.size === 0) this.#byPath.delete(path);
    return true;
  }

  /** The rule that decides this flow now, the next one, and what makes that temporary. */
  evaluate(facts: Facts, moment: Moment): Evaluation {
    const best: Best = { first: null, second: null };
    let dynamic: RankedRule[] | null = null;
    for (const list of this.#candidates(facts)) dynamic = walk(list, facts, moment, best, dynamic);
    const { first, second } = best;
    return {
      rule: first?.rule ?? null,
      next: second?.rule ?? null,
      dynamic:
        dynamic === null
          ? NO_RULES
          : dynamic.filter((entry) => first === null || compareRules(entry, first) <= 0).map((entry) => entry.rule),
    };
  }

  /** Every rule that names this program or none, in the order in which they win; null when they are too many to look at each. */
  rulesFor(path: string): readonly RankedRule[] | null {
    const own = this.#byPath.get(path);
    if ((own?.size ?? 0) + this.#anyProgram.size > LISTED_RULES) return null;
    const known = this.#lists.get(path);
    if (known !== undefined) return known;
    const list = [...own?.entries() ?? [], ...this.#anyProgram.entries()].sort(compareRules);
    if (this.#lists.size >= LISTED_PROGRAMS) this.#lists.clear();
    this.#lists.set(path, list);
    return list;
  }

  #candidates(facts: Facts): readonly (readonly RankedRule[])[] {
    const { family, destinationAddress, destinationPort } = facts.tuple;
    const words = addressWords(destinationAddress);
    const lists: (readonly RankedRule[])[] = [];
    const path = facts.path ?? facts.claimedPath;
    if (path !== null) this.#byPath.get(path)?.collect(lists, family, words, destinationPort, facts.uid);
    this.#anyProgram.collect(lists, family, words, destinationPort, facts.uid);
    return lists;
  }

  #enter(rule: Rule): RankedRule | null {
    if (!rule.enabled || this.#entries.has(rule.id)) return null;
    const entry = rankRule(rule);
    if (entry !== null) this.#entries.set(rule.id, entry);
    return entry;
  }

  #destinations(path: string | undefined): Destinations {
    if (path === undefined) return this.#anyProgram;
    const found = this.#byPath.get(path);
    if (found !== undefined) return found;
    const made = new Destinations();
    this.#byPath.set(path, made);
    return made;
  }
}
