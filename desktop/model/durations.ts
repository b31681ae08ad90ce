/** Times and counts in the locale's form. */
import { _, fill, ngettext } from '../i18n.ts';

/** `21 s`, `4 min`, `2 h`, rounded up, so that it never says 0 while time is left. */
export function shortDuration(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds < 120) return fill(_('{number} s'), { number: String(seconds) });
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 120) return fill(_('{number} min'), { number: String(minutes) });
  return fill(_('{number} h'), { number: String(Math.ceil(minutes / 60)) });
}

/** `1 minute`, `25 minutes`, rounded up. */
export function minutesLeft(ms: number): string {
  const minutes = Math.max(1, Math.ceil(ms / 60_000));
  return fill(ngettext('{number} minute', '{number} minutes', minutes), { number: countText(minutes) });
}

/** A whole number with the locale's separators. */
export function countText(count: number): string {
  return new Intl.NumberFormat().format(count);
}

/** `14:05` today, `12 March, 14:05` before. Wall time in ms since 1970. */
export function clockText(ms: number, nowMs: number): string {
  const when = new Date(ms);
  const today = new Date(nowMs).toDateString() === when.toDateString();
  const time: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit' };
  return new Intl.DateTimeFormat(undefined, today ? time : { ...time, day: 'numeric', month: 'long' }).format(when);
}

/** `3 minutes ago`, `yesterday`. Wall times in ms since 1970. */
export function agoText(ms: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - ms) / 1000));
  const format = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });
  if (seconds < 60) return _('a moment ago');
  if (seconds < 3600) return format.format(-Math.floor(seconds / 60), 'minute');
  if (seconds < 86_400) return format.format(-Math.floor(seconds / 3600), 'hour');
  return format.format(-Math.floor(seconds / 86_400), 'day');
}
