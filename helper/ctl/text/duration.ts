/** Spans of time and lifetimes as people type them. */
import { UsageError } from '../errors.ts';

const SECOND_MS = 1000;
const HOUR_MS = 3600 * SECOND_MS;
const UNITS_MS: Readonly<Record<string, number>> = {
  s: SECOND_MS, sec: SECOND_MS,
  m: 60 * SECOND_MS, min: 60 * SECOND_MS,
  h: HOUR_MS,
  d: 86_400 * SECOND_MS,
  w: 604_800 * SECOND_MS,
};
/** Ten years: longer is a slip of the finger, and stays far from where dates end. */
const LONGEST_MS = 10 * 366 * 86_400 * SECOND_MS;

/**
 * Milliseconds of `90s`, `5m`, `1h30m`, `2d`, `1w`, or of a bare number of seconds; null if it is none of them, is zero or
 * is longer than ten years.
 */
export function durationMs(text: string): number | null {
  const compact = text.trim().toLowerCase();
  if (compact.length > 32) return null;
  if (/^\d+$/.test(compact)) return inRange(Number(compact) * SECOND_MS);
  if (!/^(?:\d+(?:\.\d+)?\s*[a-z]+\s*)+$/.test(compact)) return null;
  let total = 0;
  for (const [, amount, unit] of compact.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)/g)) {
    const unitMs = Object.hasOwn(UNITS_MS, unit ?? '') ? UNITS_MS[unit ?? ''] : undefined;
    if (unitMs === undefined) return null;
    total += Number(amount) * unitMs;
  }
  return inRange(Math.round(total));
}

function inRange(ms: number): number | null {
  return ms > 0 && ms <= LONGEST_MS ? ms : null;
}

/** Throws UsageError naming the option when it is no span of time between the two limits. */
export function requireDurationMs(what: string, text: string, lowMs: number, highMs: number): number {
  const ms = durationMs(text);
  if (ms === null) throw new UsageError(`${what}: '${text}' is not a time like 30s, 5m, 1h or 1h30m`);
  if (ms < lowMs || ms > highMs) {
    throw new UsageError(`${what}: '${text}' is not between ${short(lowMs)} and ${short(highMs)}`);
  }
  return ms;
}

function short(ms: number): string {
  return ms % HOUR_MS === 0 ? `${String(ms / HOUR_MS)}h` : `${String(ms / SECOND_MS)}s`;
}

export const LIFETIME_WORDS = ['once', 'process', 'session', 'boot', 'always'] as const;
export type LifetimeWord = (typeof LIFETIME_WORDS)[number];

/** A lifetime as the wire wants it: a word, or `until` with wall time in ms since 1970. */
export type ParsedLifetime =
  | { readonly lifetime: LifetimeWord }
  | { readonly lifetime: 'until'; readonly until_ms: number };

/**
 * `once`, `process`, `session`, `boot`, `always`, a span from now (`1h`), or a date (`2027-01-01`, `2027-01-01T12:00`, local
 * time unless it says otherwise). Throws UsageError.
 */
export function parseLifetime(text: string, nowMs: number): ParsedLifetime {
  const word = LIFETIME_WORDS.find((one) => one === text);
  if (word !== undefined) return { lifetime: word };
  // A bare number would be seconds to `pause`; as a lifetime nobody can tell what it means.
  const spanMs = /^\d+$/.test(text) ? null : durationMs(text);
  if (spanMs !== null) return { lifetime: 'until', until_ms: nowMs + spanMs };
  const untilMs = dateMs(text);
  if (untilMs === null) {
    throw new UsageError(`--lifetime: '${text}' is not one of ${LIFETIME_WORDS.join(', ')}, a time like 1h, or a date like 2027-01-31`);
  }
  if (untilMs <= nowMs) throw new UsageError(`--lifetime: '${text}' has passed already`);
  return { lifetime: 'until', until_ms: untilMs };
}

function dateMs(text: string): number | null {
  const match = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(Z|[+-]\d{2}:\d{2})?)?$/.exec(text);
  if (match === null) return null;
  const ms = Date.parse(`${match[1] ?? ''}T${match[2] ?? '00:00'}${match[3] ?? ''}`);
  return Number.isNaN(ms) ? null : ms;
}

/** ms since 1970 of a span that ends now (`2h`: two hours ago) or of a date, as in `parseLifetime`. Throws UsageError. */
export function timeAt(what: string, text: string, nowMs: number): number {
  const spanMs = /^\d+$/.test(text) ? null : durationMs(text);
  const ms = spanMs === null ? dateMs(text) : nowMs - spanMs;
  if (ms === null || ms < 0) throw new UsageError(`${what}: '${text}' is neither a time like 30m, 2h or 1d ago, nor a date like 2027-01-31T12:00`);
  return ms;
}
