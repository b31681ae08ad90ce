/**
 * Numbers, sizes, dates and lists in the form of the session's locale. Words that come with them (names of months, of units)
 * are in the language of the catalogue, so that no sentence is in two languages; digits and the order of a date follow
 * LC_NUMERIC and LC_TIME. Makers of text are kept, because each costs a millisecond and a long list asks for thousands.
 */
import { messageLanguage } from '../i18n.ts';

export interface FormatLocales {
  /** BCP 47 tag for words. */
  readonly words: string;
  readonly numbers: string;
  readonly times: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** `de_DE.UTF-8@euro` -> `de-DE`; '' for C, POSIX and what is no locale. Source: setlocale(3). */
function tagOf(locale: string): string {
  const name = /^([A-Za-z]{2,3})(?:_([A-Za-z]{2}|\d{3}))?(?:\.[^@]*)?(?:@.*)?$/.exec(locale);
  if (name === null) return '';
  const tag = name[2] === undefined ? (name[1] ?? '') : `${name[1] ?? ''}-${name[2]}`;
  try {
    return Intl.getCanonicalLocales(tag)[0] ?? '';
  } catch {
    return '';
  }
}

function languageOf(tag: string): string {
  return tag.split('-', 1)[0] ?? '';
}

/** `language`: of the catalogue in use, as in its file's name; `en` for the texts of the source. */
export function localesFor(environment: Environment, language: string): FormatLocales {
  const of = (category: string): string => tagOf(environment['LC_ALL'] || environment[category] || environment['LANG'] || '');
  const own = tagOf(language) || 'en';
  const alike = [of('LC_MESSAGES'), of('LC_TIME')].find((tag) => tag.includes('-') && languageOf(tag) === languageOf(own));
  const words = own.includes('-') ? own : (alike ?? (own === 'en' ? 'en-US' : own));
  const time = of('LC_TIME') || words;
  return {
    words, numbers: of('LC_NUMERIC') || words,
    times: languageOf(time) === languageOf(words) ? time : `${words}-u-hc-${hourCycle(time)}`,
  };
}

function hourCycle(tag: string): string {
  return new Intl.DateTimeFormat(tag, { hour: 'numeric' }).resolvedOptions().hourCycle ?? 'h23';
}

let kept: { readonly language: string; readonly locales: FormatLocales; readonly makers: Map<string, unknown> } | null = null;

function state(): NonNullable<typeof kept> {
  const language = messageLanguage();
  if (kept?.language !== language) kept = { language, locales: localesFor(process.env, language), makers: new Map() };
  return kept;
}

/** One maker of each kind for each catalogue. */
function maker<T>(key: string, make: (locales: FormatLocales) => T): T {
  const { makers, locales } = state();
  const known = makers.get(key) as T | undefined;
  if (known !== undefined) return known;
  const made = make(locales);
  makers.set(key, made);
  return made;
}

/** A whole number with the locale's separators. */
export function countText(count: number): string {
  return maker('count', ({ numbers }) => new Intl.NumberFormat(numbers, { maximumFractionDigits: 0 })).format(count);
}

/** `12 %`; `fraction` from 0 to 1. */
export function percentText(fraction: number): string {
  return maker('percent', ({ numbers }) => new Intl.NumberFormat(numbers, { style: 'percent', maximumFractionDigits: 0 })).format(fraction);
}

const SIZES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'] as const;

/** The unit whose number has at most three digits before the point: thousands, as the rest of the desktop counts. */
function scale(bytes: number): { readonly unit: (typeof SIZES)[number]; readonly value: number } {
  let index = 0;
  let value = Math.max(0, bytes);
  while (value >= 999.5 && index < SIZES.length - 1) {
    value /= 1000;
    index += 1;
  }
  return { unit: SIZES[index] ?? 'byte', value };
}

function sized(bytes: number, per: '' | '-per-second'): string {
  const { unit, value } = scale(bytes);
  const digits = unit === 'byte' || value >= 99.95 ? 0 : 1;
  const format = maker(`size ${unit}${per} ${String(digits)}`, ({ words, numbers }) => new Intl.NumberFormat(languageOf(numbers) === languageOf(words) ? numbers : words, {
    style: 'unit', unit: `${unit}${per}`, unitDisplay: unit === 'byte' && per === '' ? 'long' : 'short', maximumFractionDigits: digits,
  }));
  return format.format(value);
}

/** `312 bytes`, `4.7 MB`. */
export function sizeText(bytes: number): string {
  return sized(bytes, '');
}

/** `1.2 MB/s`. */
export function rateText(bytesPerSecond: number): string {
  return sized(bytesPerSecond, '-per-second');
}

/** `14:05` today, `12 March, 14:05` before, with the year where it is another one. Wall times in ms since 1970. */
export function clockText(ms: number, nowMs: number): string {
  const when = new Date(ms);
  const now = new Date(nowMs);
  if (now.toDateString() === when.toDateString()) return timeText(ms);
  return when.getFullYear() === now.getFullYear() ? dateTime('day', { day: 'numeric', month: 'long' }).format(when) : dateTimeText(ms);
}

/** `14:05`, in the locale's clock of 12 or 24 hours. Wall time in ms since 1970. */
export function timeText(ms: number): string {
  return dateTime('time', {}).format(ms);
}

/** `12 March 2026, 14:05`. Wall time in ms since 1970. */
export function dateTimeText(ms: number): string {
  return dateTime('year', { day: 'numeric', month: 'long', year: 'numeric' }).format(ms);
}

function dateTime(key: string, date: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return maker(`time ${key}`, ({ times }) => new Intl.DateTimeFormat(times, { hour: '2-digit', minute: '2-digit', ...date }));
}

/** `12 March 2026`. Wall time in ms since 1970. */
export function dateText(ms: number): string {
  return maker('date', ({ times }) => new Intl.DateTimeFormat(times, { day: 'numeric', month: 'long', year: 'numeric' })).format(ms);
}

/** `yesterday`, `3 hours ago`; `amount` below 0 is past. */
export function relativeText(amount: number, unit: 'minute' | 'hour' | 'day' | 'month' | 'year'): string {
  return maker('relative', ({ words }) => new Intl.RelativeTimeFormat(words, { numeric: 'auto' })).format(amount, unit);
}

/** `a, b and c`, or with `or`. */
export function listText(items: readonly string[], kind: 'and' | 'or' = 'and'): string {
  const type = kind === 'and' ? 'conjunction' : 'disjunction';
  return maker(`list ${kind}`, ({ words }) => new Intl.ListFormat(words, { style: 'long', type })).format(items);
}

/** Orders texts as a dictionary of the language does. For a long list `textOrder` is taken once. */
export function compareText(a: string, b: string): number {
  return textOrder()(a, b);
}

export function textOrder(): (a: string, b: string) => number {
  return maker('collator', ({ words }) => new Intl.Collator(words, { numeric: true })).compare;
}

/** `5 minutes`, or `5 min`. */
export function lengthText(amount: number, unit: 'second' | 'minute' | 'hour' | 'day', form: 'long' | 'short'): string {
  const digits = form === 'long' ? 0 : 1;
  return maker(`length ${unit} ${form}`, ({ words }) => new Intl.NumberFormat(words, { style: 'unit', unit, unitDisplay: form, maximumFractionDigits: digits })).format(amount);
}

/** `12 Mar`. Wall time in ms since 1970. */
export function shortDateText(ms: number): string {
  return maker('short date', ({ times }) => new Intl.DateTimeFormat(times, { day: 'numeric', month: 'short' })).format(ms);
}

/** A Monday, in UTC. */
const SOME_MONDAY_MS = Date.UTC(2024, 0, 1, 12);
const DAY_MS = 86_400_000;

/** `Monday`, or `Mon`; `day` from 0, Monday first. */
export function weekDayText(day: number, form: 'long' | 'short'): string {
  return maker(`day ${form}`, ({ words }) => new Intl.DateTimeFormat(words, { weekday: form, timeZone: 'UTC' })).format(SOME_MONDAY_MS + day * DAY_MS);
}

/** `Germany`; '' for what is no country. `code`: two capital letters. Throws RangeError for what is no code. */
export function regionText(code: string): string {
  return maker('region', ({ words }) => new Intl.DisplayNames(words, { type: 'region', fallback: 'none' })).of(code) ?? '';
}
