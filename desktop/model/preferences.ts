/** Rows of the preferences page that come from the helper. */
import type { Check, ListInfo } from '../../helper/contract/types.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { agoText } from './durations.ts';
import { countText } from './format.ts';
import { visible } from './plain-text.ts';

/** A row with an icon, whose meaning the words repeat. */
export interface StateRow {
  readonly title: string;
  readonly text: string;
  readonly icon: string;
}

/** More rows of one kind are counted, not listed. */
export const PREFERENCE_ROWS = 64;

/** What the self-test found, what failed first. */
export function checkRows(checks: readonly Check[]): readonly StateRow[] {
  const failed = checks.filter((check) => !check.ok);
  const passed = checks.filter((check) => check.ok);
  return [...failed, ...passed].slice(0, PREFERENCE_ROWS).map((check) => ({
    title: fill(check.ok ? _('{check}: passed') : _('{check}: failed'), { check: visible(check.name, 128) }),
    text: visible(check.detail, 400), icon: check.ok ? 'emblem-ok-symbolic' : 'dialog-warning-symbolic',
  }));
}

/** `All 9 checks are in order.`, `2 of 9 checks failed.` */
export function checkSummary(checks: readonly Check[]): string {
  const failed = checks.filter((check) => !check.ok).length;
  const all = countText(checks.length);
  if (checks.length === 0) return _('The service checked nothing.');
  if (failed === 0) return fill(ngettext('{number} check passed.', 'All {number} checks passed.', checks.length), { number: all });
  return fill(ngettext('{number} of {all} checks failed.', '{number} of {all} checks failed.', failed), { number: countText(failed), all });
}

/** One row for each list: how much it holds, how old it is, or why it is not as it should be. */
export function listRow(list: ListInfo, nowMs: number): StateRow {
  const entries = fill(ngettext('{number} entry', '{number} entries', list.entries), { number: countText(list.entries) });
  const age = list.updated_ms === 0 ? _('nothing loaded yet') : fill(_('changed {when}'), { when: agoText(list.updated_ms, nowMs) });
  const users = list.used_by.length === 0 ? _('no rule uses it') : fill(ngettext('{number} rule uses it', '{number} rules use it', list.used_by.length), { number: countText(list.used_by.length) });
  const state = list.updating ? _('being read now') : list.error === '' ? '' : fill(_('not up to date: {reason}'), { reason: visible(list.error, 300) });
  return {
    title: visible(list.name || list.id, 128), text: [state, entries, age, users].filter((part) => part !== '').join('  ·  '),
    icon: list.error === '' ? 'view-list-symbolic' : 'dialog-warning-symbolic',
  };
}
