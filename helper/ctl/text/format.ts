/** Numbers, times and colours: for people in their locale on a terminal, the same everywhere for scripts. */

/** How values are written. Everything that comes back is safe to print. */
export interface Format {
  readonly count: (value: number) => string;
  /** `72 bytes`, `1.5 kB`. */
  readonly size: (bytes: number) => string;
  /** The two largest units: `1 hr 5 min`, `21 sec`. */
  readonly span: (ms: number) => string;
  /** Date and time; only the time when it is of the same day as `nowMs`. */
  readonly time: (ms: number, nowMs: number) => string;
  /** Time with milliseconds, for streams. */
  readonly clock: (ms: number) => string;
}

/** The BCP 47 tag of the environment's locale for this category (LC_NUMERIC, LC_TIME); `en` for C, POSIX and unknown ones. */
export function localeOf(env: Readonly<Record<string, string | undefined>>, category: string): string {
  const name = [env['LC_ALL'], env[category], env['LANG']].find((one) => one !== undefined && one !== '') ?? '';
  const tag = name.replace(/[.@].*$/, '').replaceAll('_', '-');
  try {
    return Intl.NumberFormat.supportedLocalesOf([tag])[0] ?? 'en';
  } catch {
    return 'en';
  }
}

const SPAN_UNITS = [['day', 86_400], ['hour', 3600], ['minute', 60], ['second', 1]] as const;

function spanParts(ms: number): readonly (readonly [string, number])[] {
  let left = Math.max(0, Math.ceil(ms / 1000));
  const parts: (readonly [string, number])[] = [];
  for (const [unit, seconds] of SPAN_UNITS) {
    const amount = Math.floor(left / seconds);
    left -= amount * seconds;
    if (amount > 0) parts.push([unit, amount]);
  }
  return parts.length === 0 ? [['second', 0]] : parts.slice(0, 2);
}

/** Integer below 1000, else one decimal of the next unit; decimal units, as tools for networks use. */
function scaled(bytes: number): readonly [string, number] {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
  let value = bytes;
  let index = 0;
  while (value >= 1000 && index < units.length - 1) {
    value /= 1000;
    index += 1;
  }
  return [units[index] ?? 'byte', value];
}

function numbers(locale: string, grouped: boolean): Pick<Format, 'count' | 'size' | 'span'> {
  const plain = new Intl.NumberFormat(locale, { maximumFractionDigits: 0, useGrouping: grouped });
  function united(unit: string, value: number, fractionDigits: number): string {
    return new Intl.NumberFormat(locale, {
      style: 'unit', unit, unitDisplay: unit === 'byte' ? 'long' : 'short', maximumFractionDigits: fractionDigits, useGrouping: grouped,
    }).format(value);
  }
  return {
    count: (value) => plain.format(value),
    size(bytes) {
      const [unit, value] = scaled(bytes);
      return united(unit, value, 1);
    },
    span: (ms) => spanParts(ms).map(([unit, amount]) => united(unit, amount, 0)).join(' '),
  };
}

/** For pipes and files: English, no grouping, ISO 8601 in UTC. */
export function scriptFormat(): Format {
  return {
    ...numbers('en', false),
    time: (ms) => new Date(ms).toISOString(),
    clock: (ms) => new Date(ms).toISOString(),
  };
}

/** For a terminal: the user's locale and time zone. */
export function terminalFormat(env: Readonly<Record<string, string | undefined>>): Format {
  const locale = localeOf(env, 'LC_TIME');
  const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  const withDate = new Intl.DateTimeFormat(locale, { dateStyle: 'short', timeStyle: 'short' });
  const precise = new Intl.DateTimeFormat(locale, {
    hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hour12: false,
  });
  return {
    ...numbers(localeOf(env, 'LC_NUMERIC'), true),
    time: (ms, nowMs) => (new Date(ms).toDateString() === new Date(nowMs).toDateString() ? clock : withDate).format(ms),
    clock: (ms) => precise.format(ms),
  };
}

export type Paint = (text: string) => string;

/** Colours of meaning; each returns its text unchanged when colours are off. */
export interface Style {
  readonly strong: Paint;
  readonly faint: Paint;
  readonly good: Paint;
  readonly bad: Paint;
  readonly warn: Paint;
}

const PLAIN: Paint = (text) => text;

function sgr(code: string): Paint {
  return (text) => (text === '' ? '' : `\x1b[${code}m${text}\x1b[0m`);
}

/** The sixteen colours that every theme defines, never a background, so that any terminal stays readable. */
export function makeStyle(colours: boolean): Style {
  if (!colours) return { strong: PLAIN, faint: PLAIN, good: PLAIN, bad: PLAIN, warn: PLAIN };
  return { strong: sgr('1'), faint: sgr('2'), good: sgr('32'), bad: sgr('31'), warn: sgr('33') };
}
