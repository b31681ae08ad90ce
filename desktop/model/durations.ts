/** Lengths of time, and how long ago something was. */
import { _, fill, ngettext } from '../i18n.ts';
import { countText, relativeText } from './format.ts';

export { clockText, countText } from './format.ts';

/** `21 s`, `4 min`, `2 h`, rounded up, so that it never says 0 while time is left. */
export function shortDuration(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds < 120) return fill(_('{number} s'), { number: countText(seconds) });
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 120) return fill(_('{number} min'), { number: countText(minutes) });
  return fill(_('{number} h'), { number: countText(Math.ceil(minutes / 60)) });
}

/** `1 minute`, `25 minutes`, rounded up. */
export function minutesLeft(ms: number): string {
  const minutes = Math.max(1, Math.ceil(ms / 60_000));
  return fill(ngettext('{number} minute', '{number} minutes', minutes), { number: countText(minutes) });
}

/** `3 minutes ago`, `yesterday`, `5 months ago`. Wall times in ms since 1970. */
export function agoText(ms: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - ms) / 1000));
  if (seconds < 60) return _('a moment ago');
  if (seconds < 3600) return relativeText(-Math.floor(seconds / 60), 'minute');
  if (seconds < 86_400) return relativeText(-Math.floor(seconds / 3600), 'hour');
  const days = Math.floor(seconds / 86_400);
  if (days < 60) return relativeText(-days, 'day');
  return days < 730 ? relativeText(-Math.floor(days / 30.44), 'month') : relativeText(-Math.floor(days / 365.25), 'year');
}
