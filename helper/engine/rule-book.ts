/** Every rule that the engine knows: from files, from answers, from the netfilter exceptions. No port is used here. */
import type { Rule } from '../contract/vocabulary.ts';
import { isOver } from '../policy/facts.ts';
import { compareRules, lowerBound, rankRule } from '../policy/order.ts';
import type { RankedRule } from '../policy/order.ts';
import { RuleIndex } from '../policy/rule-index.ts';

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

export class RuleBook {
  #rules = new Map<string, Rule>();
  #index = new RuleIndex();
  #builtIn: readonly Rule[] = [];
  readonly #uses = new Map<string, Use>();
  /** In force but not in the file yet: a load must not lose them. */
  readonly #unwritten = new Set<string>();
  /** In the order in which rules win; made when it is first asked for, then kept in order by `put` and `delete`. */
  #order: RankedRule[] | null = null;
  #temporary = 0;
  #written = 0;

  get index(): RuleIndex {
    return this.#index;
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

  /** The rules of the files in place of the former ones; rules in memory and unwritten ones stay. */
  setLoaded(loaded: readonly Rule[]): void {
    const kept = [...this.#rules.values()].filter((rule) => isTemporary(rule) || this.#unwritten.has(rule.id));
    this.#rules = new Map();
    this.#temporary = 0;
    this.#written = 0;
    // A file rule goes before a kept one with its id: it is the written form of it, or somebody else has the name now.
    for (const rule of [...loaded, ...kept]) {
      if (this.#rules.has(rule.id)) continue;
      this.#rules.set(rule.id, rule);
      this.#count(rule, 1);
    }
    this.#index = new RuleIndex(this.#rules.values());
    for (const id of this.#uses.keys()) if (!this.has(id)) this.#uses.delete(id);
    this.#order = null;
  }

  /** Shown only: netfilter itself evaluates them. */
  setBuiltIn(rules: readonly Rule[]): void {
    this.#builtIn = rules;
  }

  /** Adds a rule or takes the place of the one with its id. */
  put(rule: Rule): void {
    const before = this.#rules.get(rule.id);
    if (before !== undefined) {
      this.#count(before, -1);
      this.#index.remove(rule.id);
      this.#reorder(before, 'out');
    }
    this.#rules.set(rule.id, rule);
    this.#count(rule, 1);
    this.#index.add(rule);
    this.#reorder(rule, 'in');
  }

  delete(id: string): void {
    const rule = this.#rules.get(id);
    if (rule === undefined) return;
    this.#rules.delete(id);
    this.#index.remove(id);
    this.#uses.delete(id);
    this.#unwritten.delete(id);
    this.#count(rule, -1);
    this.#reorder(rule, 'out');
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
    return [...this.#ordered().map((entry) => entry.rule), ...this.#builtIn];
  }

  /** Rules that are switched on, without the built-in ones, by id. */
  inForce(): readonly Rule[] {
    return [...this.#rules.values()].filter((rule) => rule.enabled).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #ordered(): RankedRule[] {
    this.#order ??= [...this.#rules.values()]
      .map((rule) => rankRule(rule))
      .filter((entry): entry is RankedRule => entry !== null)
      .sort(compareRules);
    return this.#order;
  }

  #reorder(rule: Rule, way: 'in' | 'out'): void {
    const entry = this.#order === null ? null : rankRule(rule);
    if (this.#order === null || entry === null) return;
    const at = lowerBound(this.#order, entry);
    if (way === 'in') this.#order.splice(at, 0, entry);
    else if (this.#order[at]?.rule.id === rule.id) this.#order.splice(at, 1);
  }

  #count(rule: Rule, by: 1 | -1): void {
    if (isTemporary(rule)) this.#temporary += by;
    else if (rule.tier === 'user') this.#written += by;
  }
}
