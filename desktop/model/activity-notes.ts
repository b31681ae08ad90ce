/** What the activity page says of its list as a whole: how much it is, and why it is empty. */
import type { HistoryState } from '../../helper/contract/types.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { isNarrowed } from './activity-filter.ts';
import type { ActivityFilter } from './activity-filter.ts';
import { clockText, countText } from './format.ts';
import { visible } from './plain-text.ts';

/** null: not known. */
type Kept = HistoryState | null;

/** `1,204 connections`, with what is missing. */
export function listNote(length: number, isCut: boolean, kept: Kept): string {
  const number = countText(length);
  const count = isCut
    ? fill(_('The newest {number} connections. Choose a shorter time or search to see older ones.'), { number })
    : fill(ngettext('{number} connection', '{number} connections', length), { number });
  if (kept !== null && kept.failure !== '') return fill(_('{text}. The history is not working: {problem}.'), { text: count, problem: visible(kept.failure, 200) });
  return kept?.enabled === false ? fill(_('{text}. The history is switched off: only the latest connections are shown.'), { text: count }) : count;
}

/** `sinceMs`: nothing older was added up, 0 for none. Wall times in ms since 1970. */
export function groupNote(length: number, sinceMs: number, nowMs: number): string {
  const text = fill(ngettext('{number} group', '{number} groups', length), { number: countText(length) });
  return sinceMs === 0 ? text : fill(_('{text}. Only what came after {time} was counted: everything would take too long.'), { text, time: clockText(sinceMs, nowMs) });
}

export interface EmptyWords {
  readonly icon: string;
  readonly title: string;
  readonly text: string;
  /** What the button does; null for no button. */
  readonly remedy: { readonly label: string; readonly do: 'show-all' | 'preferences' | 'any-time' } | null;
}

const CONNECTIONS_ICON = 'network-transmit-receive-symbolic';

/** Why nothing is shown, and the way on. */
export function emptyWords(filter: ActivityFilter, kept: Kept): EmptyWords {
  if (isNarrowed(filter)) {
    return {
      icon: 'system-search-symbolic', title: _('Nothing Found'), text: _('No connection in this time matches.'),
      remedy: { label: _('Show _All'), do: 'show-all' },
    };
  }
  if (kept?.enabled === false) {
    return {
      icon: CONNECTIONS_ICON, title: _('The history is switched off'),
      text: _('Only connections from now on appear here. The settings say whether they are kept.'),
      remedy: { label: _('Open _Preferences'), do: 'preferences' },
    };
  }
  const isAll = filter.range === 'all';
  return {
    icon: CONNECTIONS_ICON, title: isAll ? _('Nothing has been recorded yet') : _('Nothing was recorded in this time'),
    text: _('Connections appear here as programs make them.'), remedy: isAll ? null : { label: _('_Any Time'), do: 'any-time' },
  };
}
