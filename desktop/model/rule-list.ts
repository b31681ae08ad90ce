/** Order and search of the rules page. */
import type { RuleInfo } from '../../helper/contract/types.ts';
import { TIERS } from '../../helper/contract/vocabulary.ts';

/** One row: the rule, its sentence, and what the search looks through. */
export interface RuleRow {
  readonly rule: RuleInfo;
  readonly sentence: string;
  /** Lower case. */
  readonly haystack: string;
}

export function ruleRow(rule: RuleInfo, sentence: string): RuleRow {
  const parts = [sentence, rule.id, rule.name, rule.path, rule.address, rule.port, rule.protocol, rule.user, rule.group];
  return { rule, sentence, haystack: parts.join('\n').toLowerCase() };
}

/** One's own rules first, then by sentence; the order of two equal ones is that of their ids. */
export function sortRows(rows: readonly RuleRow[]): readonly RuleRow[] {
  const rank = (row: RuleRow): number => (row.rule.tier === 'user' ? -1 : TIERS.indexOf(row.rule.tier));
  const collator = new Intl.Collator();
  return [...rows].sort(
    (a, b) => rank(a) - rank(b) || collator.compare(a.sentence, b.sentence) || (a.rule.id < b.rule.id ? -1 : 1),
  );
}

/** Rows that hold every word of `query`. */
export function searchRows(rows: readonly RuleRow[], query: string): readonly RuleRow[] {
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== '');
  return words.length === 0 ? rows : rows.filter((row) => words.every((word) => row.haystack.includes(word)));
}
