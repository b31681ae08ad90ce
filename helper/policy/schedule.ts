/** Schedules as text, and whether one holds. The caller says which local weekday and minute it is: no clock here. */
import type { Schedule } from '../contract/vocabulary.ts';
import { failed, parsed, quoted } from './parsed.ts';
import type { Parsed } from './parsed.ts';

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const EVERY_DAY: readonly number[] = DAYS.map((_, day) => day);
const DAY_MINUTES = 1440;

/** Local time as a schedule sees it. */
export interface LocalTime {
  /** Monday = 0. */
  readonly weekday: number;
  /** Minutes since midnight, 0 to 1439. */
  readonly minute: number;
}

function parseDay(word: string): number | null {
  const index = DAYS.findIndex((day) => day === word);
  return index < 0 ? null : index;
}

function parseDays(text: string): Parsed<readonly number[]> {
  const days = new Set<number>();
  for (const part of text.split(',')) {
    const [from = '', to = from, ...rest] = part.trim().toLowerCase().split('-');
    const first = parseDay(from);
    const last = parseDay(to);
    if (first === null || last === null || rest.length > 0) {
      return failed(`${quoted(part)} is no day; write mon, tue, wed, thu, fri, sat, sun or a range such as mon-fri`);
    }
    for (let day = first; ; day = (day + 1) % 7) {
      days.add(day);
      if (day === last) break;
    }
  }
  return parsed([...days].sort((a, b) => a - b));
}

function parseTime(text: string): number | null {
  const match = /^([0-9]{1,2}):([0-9]{2})$/.exec(text);
  if (match === null) return null;
  const hour = Number(match[1]);
  const minute = Number(match[2]);
  const total = hour * 60 + minute;
  return minute < 60 && total <= DAY_MINUTES ? total : null;
}

function parseTimes(text: string): Parsed<readonly [number, number]> {
  const [fromText = '', toText = '', ...rest] = text.split('-');
  const from = parseTime(fromText);
  const to = parseTime(toText);
  if (from === null || to === null || from === DAY_MINUTES || rest.length > 0) {
    return failed(`${quoted(text)} is no time of day; write it as 09:00-17:30`);
  }
  if (from === to) return failed(`${quoted(text)} begins when it ends; for the whole day leave the times out`);
  return parsed([from, to]);
}

/**
 * `mon,fri 09:00-17:30`, `mon-fri`, `22:00-06:00`; '' is always (undefined). Times that end before they begin run over
 * midnight and belong to the day on which they begin; 24:00 is the end of the day.
 */
export function parseSchedule(text: string): Parsed<Schedule | undefined> {
  const words = text.trim().split(/\s+/).filter((word) => word !== '');
  if (words.length === 0) return parsed(undefined);
  if (words.length > 2) return failed(`${quoted(text)} is no schedule; write it as 'mon,fri 09:00-17:30'`);
  const timeWord = words.find((word) => word.includes(':'));
  const dayWord = words.find((word) => word !== timeWord);
  if (words.length === 2 && (timeWord === undefined || words[1] !== timeWord)) {
    return failed(`${quoted(text)} is no schedule; write it as 'mon,fri 09:00-17:30'`);
  }
  const days = dayWord === undefined ? parsed(EVERY_DAY) : parseDays(dayWord);
  if (!days.ok) return days;
  const times = timeWord === undefined ? parsed([0, DAY_MINUTES] as const) : parseTimes(timeWord);
  if (!times.ok) return times;
  return parsed({ days: days.value, fromMinute: times.value[0], toMinute: times.value[1] });
}

function formatTime(minute: number): string {
  return `${String(Math.trunc(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
}

export function formatSchedule(schedule: Schedule | undefined): string {
  if (schedule === undefined) return '';
  const days = schedule.days.map((day) => DAYS[day] ?? '').join(',');
  return `${days} ${formatTime(schedule.fromMinute)}-${formatTime(schedule.toMinute)}`;
}

/** Does the schedule hold at this local time? */
export function scheduleHolds(schedule: Schedule, { weekday, minute }: LocalTime): boolean {
  const { days, fromMinute, toMinute } = schedule;
  if (fromMinute < toMinute) return days.includes(weekday) && minute >= fromMinute && minute < toMinute;
  return (days.includes(weekday) && minute >= fromMinute) || (days.includes((weekday + 6) % 7) && minute < toMinute);
}
