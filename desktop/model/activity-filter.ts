/** What the activity page is narrowed to, as chips show it and as the helper is asked. */
import type { FlowFilter } from '../../helper/contract/types.ts';
import { assertNever } from '../../helper/contract/errors.ts';
import { _, fill } from '../i18n.ts';
import { clockText } from './format.ts';
import { visible } from './plain-text.ts';
import { asker } from './program-name.ts';
import type { Asker, FindProgram } from './program-name.ts';

export const VERDICTS = ['all', 'allowed', 'refused'] as const;
export const RANGES = ['hour', 'today', 'week', 'month', 'all', 'own'] as const;
export const PROTOCOLS = ['', 'tcp', 'udp', 'icmp'] as const;
export type Range = (typeof RANGES)[number];

export interface ActivityFilter {
  readonly verdict: (typeof VERDICTS)[number];
  readonly range: Range;
  /** With the range `own`: from, and before; wall times in ms since 1970. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly protocol: (typeof PROTOCOLS)[number];
  /** As `programKey` of the contract names it; '' for any. */
  readonly program: string;
  /** Likeliest name, else address; '' for any. */
  readonly destination: string;
  readonly everybody: boolean;
  readonly search: string;
}

export const NO_FILTER: ActivityFilter = {
  verdict: 'all', range: 'today', fromMs: 0, toMs: 0, protocol: '', program: '', destination: '', everybody: false, search: '',
};

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** What the helper takes. */
const SEARCH_LIMITS = { words: 8, characters: 256 } as const;
const DESTINATION_LIMIT = 255;

/** Does anything but the time narrow the list? */
export function isNarrowed({ verdict, protocol, program, destination, search }: ActivityFilter): boolean {
  return verdict !== 'all' || protocol !== '' || program !== '' || destination !== '' || search.trim() !== '';
}

function rangeOf({ range, fromMs, toMs }: ActivityFilter, nowMs: number): FlowFilter {
  switch (range) {
    case 'hour': return { since_ms: nowMs - HOUR_MS };
    case 'today': return { since_ms: new Date(nowMs).setHours(0, 0, 0, 0) };
    case 'week': return { since_ms: nowMs - 7 * DAY_MS };
    case 'month': return { since_ms: nowMs - 30 * DAY_MS };
    case 'all': return {};
    case 'own': return { since_ms: fromMs, until_ms: toMs };
    default: return assertNever(range);
  }
}

/** Words beyond what the helper takes are left out: they could only narrow further what hardly anything matches. */
function searchWords(search: string): string {
  return search.slice(0, SEARCH_LIMITS.characters).split(/\s+/).filter((word) => word !== '').slice(0, SEARCH_LIMITS.words).join(' ');
}

/** The filter as the helper is asked. `uid`: the person's own. `nowMs`: wall time. */
export function wireFilter(filter: ActivityFilter, uid: number, nowMs: number): FlowFilter {
  const { verdict, protocol, program, destination, everybody } = filter;
  const search = searchWords(filter.search);
  return {
    ...rangeOf(filter, nowMs),
    ...(everybody ? { everybody: true } : { uid }),
    ...(verdict === 'all' ? {} : { verdict }),
    ...(protocol === '' ? {} : { protocol }),
    ...(program === '' ? {} : { program }),
    ...(destination === '' ? {} : { destination: destination.slice(0, DESTINATION_LIMIT) }),
    ...(search === '' ? {} : { search }),
  };
}

export function verdictLabels(): readonly string[] {
  return [_('All'), _('Allowed'), _('Refused')];
}

export function rangeLabels(): readonly string[] {
  return [_('Last hour'), _('Today'), _('7 days'), _('30 days'), _('Any time'), _('Custom Range…')];
}

export function protocolLabels(): readonly string[] {
  return [_('Any protocol'), 'TCP', 'UDP', _('ICMP (ping)')];
}

/** `12 March, 14:05 – 15:05`, for the chip of an own time. */
export function ownRangeText({ fromMs, toMs }: ActivityFilter, nowMs: number): string {
  return fill(_('{from} – {to}'), { from: clockText(fromMs, nowMs), to: clockText(toMs, nowMs) });
}

/** Who a key of `programKey` stands for. */
export function programOfKey(key: string): Asker {
  const [kind, name] = [key.slice(0, key.indexOf(':')), key.slice(key.indexOf(':') + 1)];
  switch (kind) {
    case 'from': return { path: '', forwarded_from: name };
    case 'flatpak': return { path: '', flatpak: name };
    case 'snap': return { path: '', snap: name };
    default: return { path: name };
  }
}

/** The name of who a key of `programKey` stands for. */
export function programOfKeyName(key: string, find: FindProgram): string {
  return visible(asker(programOfKey(key), find), 128);
}

/**
 * `2026-03-12 14:05`, `2026-03-12` (its beginning) or `14:05` (today), in local time. null for anything else. `nowMs`: wall
 * time; the result too, ms since 1970.
 */
export function parseTime(text: string, nowMs: number): number | null {
  const found = /^(?:(\d{4})-(\d{1,2})-(\d{1,2}))?(?:[ T]*(\d{1,2}):(\d{2}))?$/.exec(text.trim());
  if (found === null || text.trim() === '') return null;
  const [, year, month, day, hour = '0', minute = '0'] = found;
  const at = new Date(nowMs);
  if (year !== undefined) at.setFullYear(Number(year), Number(month) - 1, Number(day));
  at.setHours(Number(hour), Number(minute), 0, 0);
  const isSame = year === undefined || (at.getMonth() === Number(month) - 1 && at.getDate() === Number(day));
  return isSame && Number(hour) < 24 && Number(minute) < 60 ? at.getTime() : null;
}

/** The same time as `parseTime` reads it. */
export function timeField(ms: number): string {
  const at = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${String(at.getFullYear())}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}
