/** Rules that do nothing, why, and what can be done: the helper's review in the words of the desktop. */
import type { RuleFinding } from '../../helper/contract/types.ts';
import { _, fill } from '../i18n.ts';
import { clockText, dateText } from './format.ts';
import { visible } from './plain-text.ts';

/** In the order of the page. */
export const FINDING_KINDS = ['expired', 'duplicate', 'shadowed', 'missing', 'unused'] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];
export type Finding = RuleFinding & { readonly kind: FindingKind };

export interface Reviewed {
  /** By the rule's id. */
  readonly findings: ReadonlyMap<string, Finding>;
  /** What the helper could not look at, in its words; '' when it has looked at everything. */
  readonly note: string;
}

export const NOT_REVIEWED: Reviewed = { findings: new Map(), note: '' };

export function reviewOf(rows: readonly RuleFinding[]): Reviewed {
  const findings = new Map<string, Finding>();
  let note = '';
  for (const row of rows) {
    if (row.kind === 'incomplete') note = visible(row.text, 300);
    else if (!findings.has(row.rule_id)) findings.set(row.rule_id, { ...row, kind: row.kind });
  }
  return { findings, note };
}

/** The heading above such rules. */
export function findingTitle(kind: FindingKind): string {
  const titles: Readonly<Record<FindingKind, string>> = {
    expired: _('Expired'), duplicate: _('Duplicates'), shadowed: _('Never reached'), missing: _('Their program is gone'), unused: _('Not used for a month'),
  };
  return titles[kind];
}

/** A word or two beside the rule. */
export function findingMark(kind: FindingKind): string {
  const marks: Readonly<Record<FindingKind, string>> = {
    expired: _('expired'), duplicate: _('duplicate'), shadowed: _('never reached'), missing: _('program gone'), unused: _('unused'),
  };
  return marks[kind];
}

/** Why the rule does nothing. `sentence` gives that of a rule by its id, '' for one that is not known. */
export function findingReason(finding: Finding, sentence: (id: string) => string, nowMs: number): string {
  const other = sentence(finding.other_id) || visible(finding.other_id, 64);
  switch (finding.kind) {
    case 'expired':
      return finding.since_ms === undefined ? _('It has expired.') : fill(_('It expired: {time}.'), { time: clockText(finding.since_ms, nowMs) });
    case 'duplicate': return fill(_('Another rule says the same: {rule}'), { rule: other });
    case 'shadowed': return fill(_('Another rule goes first and decides everything: {rule}'), { rule: other });
    case 'missing': return fill(_('{path} no longer exists.'), { path: visible(finding.path ?? '', 256) });
    case 'unused':
      return finding.since_ms === undefined ? _('It has not decided anything for a month.') : fill(_('It has not decided anything since {day}.'), { day: dateText(finding.since_ms) });
    default: return '';
  }
}
