/** The list of applications: its rows, what of them is shown, and in which order. */
import type { ApplicationInfo } from '../../helper/contract/types.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { applicationIcon, applicationName, placeText, stateWords } from './application-text.ts';
import type { StateWords } from './application-text.ts';
import { compareText, countText } from './format.ts';
import type { FindProgram } from './program-name.ts';

export interface ApplicationRow {
  readonly info: ApplicationInfo;
  readonly name: string;
  /** Icon name or absolute path. */
  readonly icon: string;
  readonly place: string;
  readonly state: StateWords;
  /** What the search looks through, lower case. */
  readonly haystack: string;
}

/** Only what has all of them. */
export const APPLICATION_CHIPS = ['changed', 'rules', 'today'] as const;
export type ApplicationChip = (typeof APPLICATION_CHIPS)[number];

export const APPLICATION_ORDERS = ['seen', 'name', 'traffic'] as const;
export type ApplicationOrder = (typeof APPLICATION_ORDERS)[number];

export interface ApplicationView {
  readonly query: string;
  readonly chips: ReadonlySet<ApplicationChip>;
  readonly order: ApplicationOrder;
}

export function applicationRow(info: ApplicationInfo, find: FindProgram): ApplicationRow {
  const name = applicationName(info, find);
  const state = stateWords(info);
  const parts = [name, info.name, info.path, info.interpreter, info.package, info.flatpak, info.snap, state.word];
  return {
    info, name, icon: applicationIcon(info, find), place: placeText(info), state, haystack: parts.join('\n').toLowerCase(),
  };
}

/** Midnight before `nowMs`, local time; ms since 1970. */
export function dayStart(nowMs: number): number {
  return new Date(nowMs).setHours(0, 0, 0, 0);
}

function passes({ info }: ApplicationRow, chips: ReadonlySet<ApplicationChip>, todayMs: number): boolean {
  return (!chips.has('changed') || info.state === 'changed')
    && (!chips.has('rules') || info.rules > 0)
    && (!chips.has('today') || info.last_seen_ms >= todayMs);
}

function comparison(order: ApplicationOrder): (a: ApplicationRow, b: ApplicationRow) => number {
  const byName = (a: ApplicationRow, b: ApplicationRow): number =>
    compareText(a.name, b.name) || (a.info.id < b.info.id ? -1 : 1);
  const bytes = ({ info }: ApplicationRow): number => info.sent_bytes + info.received_bytes;
  if (order === 'name') return byName;
  if (order === 'traffic') return (a, b) => bytes(b) - bytes(a) || byName(a, b);
  return (a, b) => b.info.last_seen_ms - a.info.last_seen_ms || byName(a, b);
}

/** Rows that hold every word and have every chip. Changed files go first, whatever the order: they wait for somebody. */
export function shownApplications(rows: readonly ApplicationRow[], view: ApplicationView, nowMs: number): readonly ApplicationRow[] {
  const words = view.query.toLowerCase().split(/\s+/u).filter((word) => word !== '');
  const todayMs = dayStart(nowMs);
  const compare = comparison(view.order);
  const isChanged = ({ info }: ApplicationRow): number => (info.state === 'changed' ? 0 : 1);
  return rows
    .filter((row) => passes(row, view.chips, todayMs) && words.every((word) => row.haystack.includes(word)))
    .sort((a, b) => isChanged(a) - isChanged(b) || compare(a, b));
}

/** `128 applications, 2 changed`; of those that are shown where not all are. */
export function countWords(shown: readonly ApplicationRow[], all: readonly ApplicationRow[]): string {
  const changed = shown.filter(({ info }) => info.state === 'changed').length;
  const applications = shown.length === all.length
    ? fill(ngettext('{number} application', '{number} applications', all.length), { number: countText(all.length) })
    : fill(ngettext('{number} of {all} application', '{number} of {all} applications', all.length), {
        number: countText(shown.length), all: countText(all.length),
      });
  if (changed === 0) return applications;
  const words = fill(ngettext('{number} changed', '{number} changed', changed), { number: countText(changed) });
  return fill(_('{applications}, {changed}'), { applications, changed: words });
}
