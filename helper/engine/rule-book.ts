/** Every rule that the engine knows: from files, from answers, from the netfilter exceptions. No port is used here. */
import type { Rule } from '../contract/vocabulary.ts';
import { isOver } from '../policy/facts.ts';
import { compareRules, lowerBound, rankRule } from '../policy/order.ts';
import type { RankedRule } from '../policy/order.ts';
import { RuleIndex } from '../policy/rule-index.ts';
import { RuleSum } from './fingerprint.ts';
import { placeOf, sortInSteps } from './sorting.ts';

export const RULE_LIMITS = {
  /** Rules of tier user that are written to the file. */
  user: 10_000,
  /** Rules in memory: process, session, boot. */
  memory: 1_000,
} as const;

export interface Use {
  readonly hits: number;
  readonly lastHitMs: number;
}

const UNUSED: Use = { hits: 0, lastHitMs: 0 };

/** Lives in memory and in the run state, not in a file? */
export function isTemporary(rule: Rule): boolean {
  const { lifetime } = rule;
  return lifetime === 'boot' || lifetime === 'session' || lifetime === 'process' || lifetime === 'once';
}

/** The rule as the switch of its group has it. */
function inGroup(rule: Rule, groupsOff: ReadonlySet<string>): Rule {
  const isOff = rule.group !== '' && groupsOff.has(rule.group);
  if (!isOff && rule.groupOff === undefined) return rule;
  const { groupOff, ...own } = rule;
  const enabled = rule.enabled || groupOff?.enabled === true;
  return isOff ? { ...own, enabled: false, groupOff: { enabled } } : { ...own, enabled };
}

/** What loaded rules become before they take the place of the former ones. */
export type PreparedRules = { readonly groupsOff: ReadonlySet<string> } & (
  | { readonly kind: 'few'; readonly put: readonly Rule[]; readonly gone: readonly string[] }
  | {
      readonly kind: 'all';
      readonly rules: Map<string, Rule>;
      readonly index: RuleIndex;
      readonly order: RankedRule[];
      readonly sum: RuleSum;
      readonly counted: readonly string[];
      /** For which it was made. */
      readonly profile: string | null;
    }
);

/** Up to this many rules that differ, the index in use is changed; beyond, a new one is made. */
const FEW_CHANGES = 200;
/** Rules between two places where preparing may be interrupted. */
const STEP = 256;

/** Switched on, its group too, and of the active profile. */
function isOn({ enabled, profile }: Rule, active: string | null): boolean {
  return enabled && (profile === undefined || profile === active);
}

function compareIds(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export class RuleBook {
  #rules = new Map<string, Rule>();
  #index = new RuleIndex();
  #builtIn: readonly Rule[] = [];
  readonly #uses = new Map<string, Use>();
  /** In force but not in the file yet: a load must not lose them. */
  readonly #unwritten = new Set<string>();
  /** In the order in which rules win; the entries of rules in force are the index's own. */
  #order: RankedRule[] = [];
  /** Of the rules in force. */
  #sum = new RuleSum();
  /** Ids of the rules in force, in their own order. */
  #counted: readonly string[] = [];
  #groupsOff: ReadonlySet<string> = new Set();
  /** Rules of other profiles are not in force. */
  #profile: string | null = null;
  #temporary = 0;
  #written = 0;

  get index(): RuleIndex {
    return this.#index;
  }

  /** Of the rules that are switched on, without the built-in ones. */
  get sum(): RuleSum {
    return this.#sum;
  }

  /** Rules of every tier, without the built-in ones. */
  get size(): number {
    return this.#rules.size;
  }

  get temporaryCount(): number {
    return this.#temporary;
  }

  /** Rules of tier user that are or will be in the file. */
  get writtenCount(): number {
    return this.#written;
  }

  get(id: string): Rule | null {
    return this.#rules.get(id) ?? this.#builtIn.find((rule) => rule.id === id) ?? null;
  }

  has(id: string): boolean {
    return this.get(id) !== null;
  }

  /**
   * The rules of the files in place of the former ones; rules in memory and unwritten ones stay. The rules of `groupsOff` are
   * switched off among `loaded` already.
   */
  setLoaded(loaded: readonly Rule[], groupsOff: readonly string[] = []): void {
    const preparing = this.prepare(loaded, groupsOff);
    for (let step = preparing.next(); ; step = preparing.next()) {
      if (step.done !== true) continue;
      this.replace(step.value);
      return;
    }
  }

  /**
   * Makes of the rules what `replace` puts in place. It pauses often, and nothing changes before `replace`: decisions may go
   * on meanwhile.
   */
  * prepare(loaded: readonly Rule[], groupsOff: readonly string[]): Generator<void, PreparedRules> {
    const off = new Set(groupsOff);
    const rules = new Map<string, Rule>();
    const put: Rule[] = [];
    for (const rule of loaded) {
      if (rules.size % STEP === 0) yield;
      if (rules.has(rule.id)) continue;
      rules.set(rule.id, rule);
      if (this.#rules.get(rule.id) !== rule) put.push(rule);
    }
    const gone = [...this.#rules.values()].filter((rule) => !rules.has(rule.id) && !this.#stays(rule)).map(({ id }) => id);
    if (put.length + gone.length <= FEW_CHANGES) return { kind: 'few', put, gone, groupsOff: off };
    const profile = this.#profile;
    return { kind: 'all', rules, profile, groupsOff: off, ...yield* this.#indexed(rules, profile) };
  }

  * #indexed(
    rules: ReadonlyMap<string, Rule>, profile: string | null,
  ): Generator<void, Pick<Extract<PreparedRules, { kind: 'all' }>, 'index' | 'order' | 'sum' | 'counted'>> {
    const ranked: RankedRule[] = [];
    const ids: string[] = [];
    const sum = new RuleSum();
    for (const rule of rules.values()) {
      if (ranked.length % STEP === 0) yield;
      if (isOn(rule, profile)) {
        sum.add(rule);
        ids.push(rule.id);
      }
      const entry = rankRule(rule);
      if (entry !== null) ranked.push(entry);
    }
    const order = yield* sortInSteps(ranked, compareRules);
    const index = new RuleIndex();
    for (const [at, entry] of order.entries()) {
      if (at % STEP === 0) yield;
      if (isOn(entry.rule, profile)) index.add(entry.rule, entry);
    }
    return { index, order, sum, counted: yield* sortInSteps(ids, compareIds) };
  }

  /** Puts prepared rules in place; rules in memory and unwritten ones stay. */
  replace(prepared: PreparedRules): void {
    this.#groupsOff = prepared.groupsOff;
    const kept = [...this.#rules.values()].filter((rule) => this.#stays(rule));
    if (prepared.kind === 'few') {
      for (const id of prepared.gone) this.delete(id);
      for (const rule of prepared.put) this.#enter(rule);
      for (const rule of kept) if (this.#rules.get(rule.id) === rule) this.put(rule);
      return;
    }
    const { rules } = prepared;
    const profile = this.#profile;
    this.#profile = prepared.profile;
    this.#rules = rules;
    this.#index = prepared.index;
    this.#order = prepared.order;
    this.#sum = prepared.sum;
    this.#counted = prepared.counted;
    this.#temporary = 0;
    this.#written = 0;
    for (const rule of rules.values()) this.#count(rule, 1);
    // A file rule goes before a kept one with its id: it is the written form of it, or somebody else has the name now.
    for (const rule of kept) if (!rules.has(rule.id)) this.put(rule);
    // Another one may have become active while the rules were prepared.
    this.setProfile(profile);
    for (const id of this.#uses.keys()) if (!this.has(id)) this.#uses.delete(id);
  }

  /** Makes rules of this profile count, and those of every other not; true when that is another one than before. */
  setProfile(profile: string | null): boolean {
    const before = this.#profile;
    if (profile === before) return false;
    this.#profile = profile;
    const counted = new Set(this.#counted);
    for (const rule of this.#rules.values()) {
      if (rule.profile === undefined || !rule.enabled) continue;
      if (rule.profile === before) {
        this.#index.remove(rule.id);
        this.#sum.remove(rule);
        counted.delete(rule.id);
      } else if (rule.profile === profile) {
        this.#putInForce(rule, rankRule(rule));
        counted.add(rule.id);
      }
    }
    this.#counted = [...counted].sort(compareIds);
    return true;
  }

  #putInForce(rule: Rule, entry: RankedRule | null): void {
    this.#sum.add(rule);
    this.#index.add(rule, entry);
  }

  /** Shown only: netfilter itself evaluates them. */
  setBuiltIn(rules: readonly Rule[]): void {
    this.#builtIn = rules;
  }

  hasGroup(group: string): boolean {
    return this.#groupsOff.has(group) || [...this.#rules.values()].some((rule) => rule.group === group);
  }

  /** The rules with a group switched, as `replace` takes them. */
  prepareGroup(group: string, enabled: boolean): Generator<void, PreparedRules> {
    const off = new Set(this.#groupsOff);
    if (enabled) off.delete(group);
    else off.add(group);
    const written = [...this.#rules.values()].filter((rule) => !this.#stays(rule));
    return this.prepare(written.map((rule) => (rule.group === group ? inGroup(rule, off) : rule)), [...off]);
  }

  /** Adds a rule or takes the place of the one with its id. */
  put(rule: Rule): void {
    this.#enter(inGroup(rule, this.#groupsOff));
  }

  #enter(rule: Rule): void {
    const before = this.#rules.get(rule.id);
    if (before !== undefined) this.#take(before);
    this.#rules.set(rule.id, rule);
    this.#count(rule, 1);
    const entry = rankRule(rule);
    const on = isOn(rule, this.#profile);
    if (on) this.#putInForce(rule, entry);
    if (entry !== null) this.#order.splice(lowerBound(this.#order, entry), 0, entry);
    this.#setCounted(rule.id, on);
  }

  delete(id: string): void {
    const rule = this.#rules.get(id);
    if (rule === undefined) return;
    this.#take(rule);
    this.#rules.delete(id);
    this.#uses.delete(id);
    this.#unwritten.delete(id);
    this.#setCounted(id, false);
  }

  /** Marks a rule as in force before (true) or after (false) it is in the file. */
  setUnwritten(id: string, unwritten: boolean): void {
    if (unwritten) this.#unwritten.add(id);
    else this.#unwritten.delete(id);
  }

  temporary(): readonly Rule[] {
    return this.#temporary === 0 ? [] : [...this.#rules.values()].filter(isTemporary);
  }

  /** Temporary rules that can never match again: their process or session has gone. Returns their ids. */
  sweep(gone: (rule: Rule) => boolean): readonly string[] {
    const ids = this.temporary().filter(gone).map((rule) => rule.id);
    for (const id of ids) this.delete(id);
    return ids;
  }

  /** Takes an expired rule out of the way of evaluation; it stays in lists until its owner removes it. */
  retireOver(nowMs: number): void {
    for (const rule of this.#rules.values()) if (isOver(rule, nowMs)) this.#index.remove(rule.id);
  }

  hit(id: string, nowMs: number, count = 1): void {
    this.#uses.set(id, { hits: this.use(id).hits + count, lastHitMs: nowMs });
  }

  use(id: string): Use {
    return this.#uses.get(id) ?? UNUSED;
  }

  /** Every rule in the order in which rules win, built-in ones last. */
  sorted(): readonly Rule[] {
    return [...this.#order.map((entry) => entry.rule), ...this.#builtIn];
  }

  /** Every rule, in no order. */
  all(): Iterable<Rule> {
    return this.#rules.values();
  }

  /** Would it count now, if it were one of these? */
  isInForce(rule: Rule): boolean {
    return isOn(rule, this.#profile);
  }

  /** Ids of the rules that are switched on, without the built-in ones, in their own order; the same list until it changes. */
  countedIds(): readonly string[] {
    return this.#counted;
  }

  /** In memory, or on its way to the file. */
  #stays(rule: Rule): boolean {
    return isTemporary(rule) || this.#unwritten.has(rule.id);
  }

  #setCounted(id: string, counted: boolean): void {
    const at = placeOf(this.#counted, id, compareIds);
    if ((this.#counted[at] === id) === counted) return;
    this.#counted = this.#counted.toSpliced(at, counted ? 0 : 1, ...(counted ? [id] : []));
  }

  /** Takes a rule out of everything that is made of the rules, not out of the rules. */
  #take(rule: Rule): void {
    const entry = this.#index.entryOf(rule.id) ?? rankRule(rule);
    this.#index.remove(rule.id);
    this.#count(rule, -1);
    if (isOn(rule, this.#profile)) this.#sum.remove(rule);
    if (entry === null) return;
    const at = lowerBound(this.#order, entry);
    if (this.#order[at]?.rule.id === rule.id) this.#order.splice(at, 1);
  }

  #count(rule: Rule, by: 1 | -1): void {
    if (isTemporary(rule)) this.#temporary += by;
    else if (rule.tier === 'user') this.#written += by;
  }
}
