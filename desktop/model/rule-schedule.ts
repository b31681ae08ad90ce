/** When a rule holds: the text form of the contract, week days as a person picks them, and words. */
import { _, fill } from '../i18n.ts';
import { listText, weekDayText } from './format.ts';
import { visible } from './plain-text.ts';

/** Monday first, as the contract counts them. */
export const WEEK_DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const DAY_END = '24:00';
const TIME = /^(\d{1,2}):(\d{2})$/;

/** `days` empty: every day. `from` and `to` empty: the whole day; else like `09:00`. */
export interface ScheduleForm {
  readonly days: readonly number[];
  readonly from: string;
  readonly to: string;
}

export const ALWAYS: ScheduleForm = { days: [], from: '', to: '' };

function daysOf(text: string): readonly number[] | null {
  const days = new Set<number>();
  for (const part of text.split(',')) {
    const [first = '', last = first] = part.split('-');
    const [from, to] = [first, last].map((word) => WEEK_DAYS.findIndex((day) => day === word.trim().toLowerCase()));
    if (from === undefined || to === undefined || from < 0 || to < 0) return null;
    for (let day = from; ; day = (day + 1) % 7) {
      days.add(day);
      if (day === to) break;
    }
  }
  return days.size === 7 ? [] : [...days].sort((a, b) => a - b);
}

/** null for a text that is no schedule. */
export function parseScheduleText(text: string): ScheduleForm | null {
  const words = text.trim().split(/\s+/).filter((word) => word !== '');
  if (words.length === 0) return ALWAYS;
  const times = words.find((word) => word.includes(':'));
  const named = words.find((word) => word !== times);
  if (words.length > 2 || (words.length === 2 && times === undefined)) return null;
  const days = named === undefined ? [] : daysOf(named);
  if (days === null) return null;
  const [from = '', to = '', ...rest] = times?.split('-') ?? [];
  if (times !== undefined && (!TIME.test(from) || !TIME.test(to) || rest.length > 0)) return null;
  const whole = times === undefined || (from === '00:00' && to === DAY_END);
  return { days, from: whole ? '' : from, to: whole ? '' : to };
}

/** `mon,fri 09:00-17:30`; '' for always. */
export function scheduleText({ days, from, to }: ScheduleForm): string {
  const every = days.length === 0 || days.length === 7;
  const named = every ? '' : [...days].sort((a, b) => a - b).map((day) => WEEK_DAYS[day] ?? '').join(',');
  const times = from === '' && to === '' ? '' : `${padded(from) || '00:00'}-${padded(to) || DAY_END}`;
  return [named, times].filter((part) => part !== '').join(' ');
}

/** `9:00` as `09:00`. */
function padded(time: string): string {
  const trimmed = time.trim();
  return /^\d:\d{2}$/.test(trimmed) ? `0${trimmed}` : trimmed;
}

/** What is wrong with a time of day, '' if nothing. `24:00` is the end of a day only. */
export function timeError(text: string, isEnd: boolean): string {
  const found = TIME.exec(text.trim());
  const minutes = Number(found?.[1]) * 60 + Number(found?.[2]);
  const right = found !== null && Number(found[2]) < 60 && (minutes < 1440 || (isEnd && minutes === 1440));
  return right ? '' : _('A time of day like 09:00.');
}

/** `on Monday and Friday from 09:00 to 17:30`; what cannot be read is told as it stands. */
export function scheduleWords(text: string): string {
  const schedule = parseScheduleText(text);
  if (schedule === null) return fill(_('during {schedule}'), { schedule: visible(text, 64) });
  const { days, from, to } = schedule;
  const named = days.length === 0 ? '' : fill(_('on {days}'), { days: listText(days.map((day) => weekDayText(day, 'long'))) });
  const times = from === '' ? '' : fill(_('from {from} to {to}'), { from, to });
  return [named, times].filter((part) => part !== '').join(' ');
}
