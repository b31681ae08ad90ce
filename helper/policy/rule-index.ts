/** All rules in force, indexed so that the cost of a decision does not grow with their number. */
import type { Rule } from '../contract/vocabulary.ts';
import { addressWords } from './address.ts';
import { containerKey, containerKeys } from './containers.ts';
import { Destinations } from './destinations.ts';
import type { Going } from './destinations.ts';
import type { Facts, Moment } from './facts.ts';
import { isDynamic, isOver, matchesLasting, matchesNow } from './facts.ts';
import { compareRules, rankRule } from './order.ts';
import type { RankedRule } from './order.ts';
import { programKey, programKeys } from './program.ts';

/** What the rules say about one flow at one moment. */
export interface Evaluation {
  /** The rule that wins; null when none matches. */
  readonly rule: Rule | null;
  /** The rule that would win without it. */
  readonly next: Rule | null;
  /**
   * Rules at or before the winner's place that match this flow but for the time, the process or the session, or that stop
   * matching with them: while they are there the decision holds for now, not for ever (see remembering.ts). In the order in
   * which they win.
   */
  readonly dynamic: readonly Rule[];
  /**
   * Rules before the winner's place would match another flow of this executable to this destination: one that has another
   * name, script or parent. The decision is this socket's alone.
   */
  readonly depends: Dependence;
}

/** What else would be decided by, besides executable, user and destination. */
export interface Dependence {
  readonly names: boolean;
  /** Script, parents and container. */
  readonly process: boolean;
}

interface Best {
  first: RankedRule | null;
  second: RankedRule | null;
}

/** Above this many rules of one program, none of its decisions is remembered wider than for its destination. */
const LISTED_RULES = 128;
/** Programs whose list of rules is kept. */
const LISTED_PROGRAMS = 1024;
/** Rules for domains, scripts and children that are looked at each; more are taken to matter. */
const LOOKED_AT = 64;

const NO_RULES: readonly Rule[] = [];
const NO_DEPENDENCE: Dependence = { names: false, process: false };

function offer(best: Best, entry: RankedRule): void {
  // A rule can be found by its own program and by a parent.
  if (best.first?.rule.id === entry.rule.id || best.second?.rule.id === entry.rule.id) return;
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
    if (matches === 0 && isDynamic(rule, facts, moment) && !isOver(rule, moment.nowMs)) (met ??= []).push(entry);
    if (!matchesNow(rule, facts, moment)) continue;
    offer(best, entry);
    matches += 1;
    if (matches === 2) break;
  }
  return met;
}

function keysOf(facts: Facts): readonly string[] {
  const keys = programKeys(facts.identity ?? { path: facts.path }, facts.path ?? facts.claimedPath);
  return facts.containers === undefined ? keys : [...keys, ...containerKeys(facts.containers)];
}

function keyOf({ match }: Rule): string | null {
  return match.container === undefined ? programKey(match) : containerKey(match.container);
}

/** Rules by the most specific part of the program that they name. */
class ByProgram {
  readonly #keys = new Map<string, Destinations>();

  of(key: string): Destinations {
    const found = this.#keys.get(key);
    if (found !== undefined) return found;
    const made = new Destinations();
    this.#keys.set(key, made);
    return made;
  }

  get(key: string): Destinations | undefined {
    return this.#keys.get(key);
  }

  values(): Iterable<Destinations> {
    return this.#keys.values();
  }

  remove(key: string, entry: RankedRule): void {
    const destinations = this.#keys.get(key);
    destinations?.remove(entry);
    if (destinations?.size === 0) this.#keys.delete(key);
  }
}

export class RuleIndex {
  readonly #anyProgram = new Destinations();
  readonly #byProgram = new ByProgram();
  /** Rules with `includeChildren`, once more, by the program that they name. */
  readonly #byParent = new ByProgram();
  /** Rules that name a script or a hash, which of an interpreter is its script's, and those with `includeChildren`. */
  readonly #scripts = new Map<string, RankedRule>();
  readonly #children = new Map<string, RankedRule>();
  /** Rules that name containers. */
  readonly #containers = new Map<string, RankedRule>();
  /** Ids of rules that ask for a hash. */
  readonly #hashes = new Set<string>();
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
      for (const destinations of this.#destinations(entry)) {
        const group = groups.get(destinations);
        if (group === undefined) groups.set(destinations, [entry]);
        else group.push(entry);
      }
    }
    for (const [destinations, group] of groups) destinations.fill(group.sort(compareRules));
  }

  /** Rules in force. */
  get size(): number {
    return this.#entries.size;
  }

  /** Does any rule ask for a hash? Then the files of programs are hashed before they are decided. */
  get wantsHash(): boolean {
    return this.#hashes.size > 0;
  }

  /** A rule in force with its place in the order; null for one that was left out. */
  entryOf(id: string): RankedRule | null {
    return this.#entries.get(id) ?? null;
  }

  /** False when the rule was left out (see the constructor). `ranked`: what `rankRule` says of it, where that is known. */
  add(rule: Rule, ranked: RankedRule | null = rankRule(rule)): boolean {
    const entry = this.#enter(rule, ranked);
    if (entry !== null) for (const destinations of this.#destinations(entry)) destinations.add(entry);
    this.#lists.clear();
    return entry !== null;
  }

  remove(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#entries.delete(id);
    this.#scripts.delete(id);
    this.#hashes.delete(id);
    this.#lists.clear();
    this.#containers.delete(id);
    const key = keyOf(entry.rule);
    if (key === null) this.#anyProgram.remove(entry);
    else this.#byProgram.remove(key, entry);
    if (this.#children.delete(id) && key !== null) this.#byParent.remove(key, entry);
    return true;
  }

  /** The rule that decides this flow now, the next one, and what makes that temporary. */
  evaluate(facts: Facts, moment: Moment): Evaluation {
    const best: Best = { first: null, second: null };
    let dynamic: RankedRule[] | null = null;
    const keys = keysOf(facts);
    for (const list of this.#candidates(facts, keys)) dynamic = walk(list, facts, moment, best, dynamic);
    const { first, second } = best;
    return {
      rule: first?.rule ?? null,
      next: second?.rule ?? null,
      dynamic:
        dynamic === null
          ? NO_RULES
          : dynamic.filter((entry) => first === null || compareRules(entry, first) <= 0).sort(compareRules).map((entry) => entry.rule),
      depends: this.#depends(facts, keys, first, moment),
    };
  }

  /**
   * Every rule that can match some flow of this executable, in the order in which they win; null when they are too many to
   * look at each.
   */
  rulesFor(facts: Facts): readonly RankedRule[] | null {
    const keys = keysOf(facts);
    const scripts = facts.identity?.interpreter === true ? this.#scripts.size : 0;
    const own = keys.map((key) => this.#byProgram.get(key)).filter((one) => one !== undefined);
    const size = own.reduce((sum, one) => sum + one.size, this.#anyProgram.size + this.#children.size + this.#containers.size + scripts);
    if (size > LISTED_RULES) return null;
    const id = `${scripts > 0 ? 'scripts ' : ''}${keys.join(' ')}`;
    const known = this.#lists.get(id);
    if (known !== undefined) return known;
    const entries = new Set([...own, this.#anyProgram].flatMap((one) => one.entries()));
    for (const entry of [...this.#children.values(), ...this.#containers.values()]) entries.add(entry);
    if (scripts > 0) for (const entry of this.#scripts.values()) entries.add(entry);
    const list = [...entries].sort(compareRules);
    if (this.#lists.size >= LISTED_PROGRAMS) this.#lists.clear();
    this.#lists.set(id, list);
    return list;
  }

  #candidates(facts: Facts, keys: readonly string[]): readonly (readonly RankedRule[])[] {
    const going: Going = { facts, words: addressWords(facts.tuple.destinationAddress) };
    const lists: (readonly RankedRule[])[] = [];
    for (const key of keys) this.#byProgram.get(key)?.collect(lists, going);
    this.#anyProgram.collect(lists, going);
    if (this.#children.size > 0) this.#collectByParent(lists, going);
    return lists;
  }

  /** Rules of those who started the program; where nobody knows who did, all that speak of children. */
  #collectByParent(lists: (readonly RankedRule[])[], going: Going): void {
    const { facts: { ancestors } } = going;
    if (ancestors === undefined) {
      for (const one of this.#byParent.values()) one.collect(lists, going);
      return;
    }
    const keys = new Set(ancestors.flatMap(({ identity, path }) => programKeys(identity ?? { path }, path)));
    for (const key of keys) this.#byParent.get(key)?.collect(lists, going);
  }

  /** Could a rule before `winner` match a flow with the same executable, user and destination? */
  #depends(facts: Facts, keys: readonly string[], winner: RankedRule | null, { sharesNetwork }: Moment): Dependence {
    const matters = (entry: RankedRule): boolean => this.#matters(entry, facts, winner);
    const some = (entries: ReadonlyMap<string, RankedRule>): boolean =>
      entries.size > LOOKED_AT || [...entries.values()].some(matters);
    const scripts = facts.identity?.interpreter === true && this.#scripts.size > 0 && some(this.#scripts);
    const inside = this.#containers.size > 0 && sharesNetwork !== undefined && [...this.#containers.values()]
      .some((entry) => sharesNetwork(entry.rule.match.container ?? '') && matters(entry));
    const process = scripts || inside || (this.#children.size > 0 && some(this.#children));
    let names = false;
    for (const key of keys) names ||= this.#namesMatter(this.#byProgram.get(key), matters);
    names ||= this.#namesMatter(this.#anyProgram, matters);
    return names || process ? { names, process } : NO_DEPENDENCE;
  }

  #namesMatter(destinations: Destinations | undefined, matters: (entry: RankedRule) => boolean): boolean {
    if (destinations?.hasDomains !== true) return false;
    return destinations.domainEntries(LOOKED_AT)?.some(matters) ?? true;
  }

  #matters(entry: RankedRule, { uid }: Facts, winner: RankedRule | null): boolean {
    const { rule } = entry;
    if (rule.match.uid !== undefined && rule.match.uid !== uid) return false;
    if (winner === null) return true;
    return rule.action !== winner.rule.action && compareRules(entry, winner) < 0;
  }

  #enter(rule: Rule, entry = rankRule(rule)): RankedRule | null {
    if (!rule.enabled || this.#entries.has(rule.id)) return null;
    if (entry === null) return null;
    this.#entries.set(rule.id, entry);
    const { script, includeChildren, sha256, pin, ancestor } = rule.match;
    if (script !== undefined || sha256 !== undefined) this.#scripts.set(rule.id, entry);
    if (includeChildren === true) this.#children.set(rule.id, entry);
    if (rule.match.container !== undefined) this.#containers.set(rule.id, entry);
    if (sha256 !== undefined || ancestor?.sha256 !== undefined || pin === true) this.#hashes.add(rule.id);
    return entry;
  }

  #destinations({ rule }: RankedRule): readonly Destinations[] {
    const { match } = rule;
    const key = keyOf(rule);
    if (key === null) return [this.#anyProgram];
    const own = this.#byProgram.of(key);
    return match.includeChildren === true ? [own, this.#byParent.of(key)] : [own];
  }
}
