/** Changes of many rules at once: which calls they are, and which calls take them back. */
import type { RuleEdit, RuleInfo } from '../../helper/contract/types.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { countText } from './durations.ts';
import { isRestorable, restoreOf } from './rule-form.ts';

/** One call to the helper. */
export type Step =
  | { readonly op: 'add'; readonly id: string; readonly edit: RuleEdit }
  | { readonly op: 'update'; readonly id: string; readonly edit: RuleEdit }
  | { readonly op: 'remove'; readonly id: string };

/** A call, and the one that takes it back; null where nothing does. */
export interface Change {
  readonly step: Step;
  readonly undo: Step | null;
}

export type BulkAction =
  | { readonly do: 'enable' } | { readonly do: 'disable' } | { readonly do: 'delete' } | { readonly do: 'group'; readonly group: string };

export interface Plan {
  readonly changes: readonly Change[];
  /** Rules that it cannot be done to: locked, or built in. */
  readonly locked: number;
}

/** Rules of others can be switched, those built in cannot. */
export function canSwitch(rule: RuleInfo): boolean {
  return rule.tier !== 'built-in';
}

/** The calls for `rules`, which stand in the order in which they were made; what is so already is left alone. */
export function planBulk(action: BulkAction, rules: readonly RuleInfo[], nowMs: number): Plan {
  const allowed = rules.filter((rule) => (action.do === 'enable' || action.do === 'disable' ? canSwitch(rule) : rule.editable));
  const oldestFirst = [...allowed].sort((a, b) => a.created_ms - b.created_ms || (a.id < b.id ? -1 : 1));
  return { changes: oldestFirst.flatMap((rule) => changeOf(action, rule, nowMs)), locked: rules.length - allowed.length };
}

function changeOf(action: BulkAction, rule: RuleInfo, nowMs: number): readonly Change[] {
  const { id } = rule;
  const update = (edit: RuleEdit, back: RuleEdit): readonly Change[] => [
    { step: { op: 'update', id, edit }, undo: { op: 'update', id, edit: back } },
  ];
  switch (action.do) {
    case 'enable': return rule.enabled ? [] : update({ enabled: true }, { enabled: false });
    case 'disable': return rule.enabled ? update({ enabled: false }, { enabled: true }) : [];
    case 'group': return rule.group === action.group ? [] : update({ group: action.group }, { group: rule.group });
    case 'delete': return [{ step: { op: 'remove', id }, undo: isRestorable(rule, nowMs) ? { op: 'add', id, edit: restoreOf(rule) } : null }];
    default: return [];
  }
}

/** What the toast says when it is done. */
export function bulkDoneText(action: BulkAction, count: number): string {
  const number = countText(count);
  switch (action.do) {
    case 'enable': return fill(ngettext('Rule switched on', '{number} rules switched on', count), { number });
    case 'disable': return fill(ngettext('Rule switched off', '{number} rules switched off', count), { number });
    case 'delete': return fill(ngettext('Rule deleted', '{number} rules deleted', count), { number });
    case 'group':
      return action.group === ''
        ? fill(ngettext('Rule taken out of its group', '{number} rules taken out of their groups', count), { number })
        : fill(ngettext('Rule moved', '{number} rules moved', count), { number });
    default: return '';
  }
}

/** How a run of calls ended. */
export interface RunResult {
  /** In the order in which they were done. */
  readonly done: readonly Change[];
  /** The first complaint, and how many there were. */
  readonly failed: { readonly count: number; readonly message: string };
  /** all: every call was made. stopped: the person stopped it. refused: no password was given; nothing more was tried. */
  readonly end: 'all' | 'stopped' | 'refused';
}

/** One sentence about a run that did not do everything; '' for one that did. */
export function runProblem({ failed, end, done }: RunResult): string {
  const number = countText(done.length);
  if (end === 'refused') return done.length === 0 ? _('Nothing was changed: the password was not given.') : fill(ngettext('Only {number} rule was changed: the password was not given.', 'Only {number} rules were changed: the password was not given.', done.length), { number });
  if (failed.count > 0) return fill(ngettext('{number} rule could not be changed: {why}', '{number} rules could not be changed: {why}', failed.count), { number: countText(failed.count), why: failed.message });
  return end === 'stopped' ? fill(ngettext('Stopped after {number} rule', 'Stopped after {number} rules', done.length), { number }) : '';
}
