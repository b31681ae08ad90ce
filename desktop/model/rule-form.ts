/** The rule editor's fields: what they hold, and the edit that they make. What is wrong with them: rule-check.ts. */
import type { RuleEdit, RuleInfo } from '../../helper/contract/types.ts';
import type { RuleAction } from '../../helper/contract/vocabulary.ts';
import { ALWAYS, parseScheduleText, scheduleText } from './rule-schedule.ts';
import type { ScheduleForm } from './rule-schedule.ts';

/** By what a rule can name a program; all that are given have to be so. The order is that of the choices. */
export const PROGRAM_KEYS = ['path', 'package', 'flatpak', 'snap', 'appimage', 'script', 'sha256'] as const;
export type ProgramKey = (typeof PROGRAM_KEYS)[number];
/** Whose connections a rule is for: a program, or in its place a container. */
export type SubjectKey = ProgramKey | 'container';
/** The choices in their order. */
export const SUBJECT_KEYS: readonly SubjectKey[] = [...PROGRAM_KEYS, 'container'];
/** Where a rule can lead to; they exclude each other. */
export const PLACE_KEYS = ['address', 'domain', 'list'] as const;
export type PlaceKey = (typeof PLACE_KEYS)[number];

/** `hour` becomes `until` one hour from saving; `keep` leaves alone what cannot be chosen, such as one login session. */
export const FORM_LIFETIMES = ['always', 'boot', 'hour', 'until', 'keep'] as const;
export type FormLifetime = (typeof FORM_LIFETIMES)[number];

/** Everything as the person typed it; '' for any. */
export interface RuleForm extends Readonly<Record<SubjectKey | PlaceKey, string>> {
  readonly name: string;
  readonly action: RuleAction;
  readonly pin: boolean;
  readonly includeChildren: boolean;
  readonly allScripts: boolean;
  /** What the program that started it is named by. */
  readonly ancestorKey: ProgramKey;
  readonly ancestor: string;
  readonly zone: string;
  readonly interface: string;
  readonly port: string;
  readonly protocol: string;
  readonly user: string;
  readonly lifetime: FormLifetime;
  /** With lifetime `until`, local: `2027-03-01`. */
  readonly untilDate: string;
  /** `18:00`. */
  readonly untilTime: string;
  readonly schedule: ScheduleForm;
  readonly profile: string;
  readonly priority: string;
  readonly group: string;
}

const HOUR_MS = 3_600_000;
const EDITABLE_LIFETIMES: ReadonlySet<string> = new Set(['always', 'boot', 'until']);
const TEXT_KEYS = [...PROGRAM_KEYS.slice(1), 'container', 'domain', 'list', 'zone', 'interface', 'profile'] as const;
const FLAG_KEYS = ['pin', 'include_children', 'all_scripts'] as const;

export function emptyForm(): RuleForm {
  return formFrom({});
}

/** A new rule's fields, filled with what is known of it. */
export function draftForm(draft: RuleEdit): RuleForm {
  return formFrom(draft);
}

export function formOf(rule: RuleInfo): RuleForm {
  const { lifetime, ...same } = rule;
  const form = formFrom({ ...same, name: rule.name === rule.id ? '' : rule.name, ...(editable(lifetime) ? { lifetime } : {}) });
  return editable(lifetime) ? form : { ...form, lifetime: 'keep' };
}

function editable(lifetime: string): lifetime is 'always' | 'boot' | 'until' {
  return EDITABLE_LIFETIMES.has(lifetime);
}

/** The parts of a rule, of a draft that has not all of them. */
type Parts = RuleEdit & Partial<Pick<RuleInfo, 'port' | 'protocol'>>;

function formFrom(parts: Parts): RuleForm {
  const text = (value: string | undefined): string => value ?? '';
  const colon = text(parts.ancestor).indexOf(':');
  const ancestorKey = PROGRAM_KEYS.find((key) => key === text(parts.ancestor).slice(0, Math.max(0, colon)));
  const [untilDate, untilTime] = parts.until_ms === undefined ? ['', ''] : localTexts(parts.until_ms);
  return {
    name: text(parts.name), action: parts.action ?? 'allow', path: text(parts.path), package: text(parts.package),
    flatpak: text(parts.flatpak), snap: text(parts.snap), appimage: text(parts.appimage), script: text(parts.script),
    sha256: text(parts.sha256), container: text(parts.container), pin: parts.pin === true, includeChildren: parts.include_children === true,
    allScripts: parts.all_scripts === true, ancestorKey: ancestorKey ?? 'path', ancestor: text(parts.ancestor).slice(colon + 1),
    address: text(parts.address), domain: text(parts.domain), list: text(parts.list), zone: text(parts.zone),
    interface: text(parts.interface), port: text(parts.port), protocol: parts.protocol ?? 'tcp', user: text(parts.user),
    lifetime: parts.lifetime ?? 'always', untilDate, untilTime, schedule: parseScheduleText(text(parts.schedule)) ?? ALWAYS,
    profile: text(parts.profile), priority: String(parts.priority ?? 0), group: text(parts.group),
  };
}

/** Date and time of day on this machine: `2027-03-01` and `18:00`. */
export function localTexts(ms: number): readonly [string, string] {
  const when = new Date(ms);
  const two = (number: number): string => String(number).padStart(2, '0');
  return [
    `${String(when.getFullYear()).padStart(4, '0')}-${two(when.getMonth() + 1)}-${two(when.getDate())}`, `${two(when.getHours())}:${two(when.getMinutes())}`,
  ];
}

/** The moment of a local date and time, ms since 1970; null for what is none. */
export function localMs(date: string, time: string): number | null {
  const day = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(date.trim());
  const clock = /^(\d{1,2}):(\d{2})$/.exec(time.trim());
  if (day === null || clock === null) return null;
  const [year = 0, month = 0, dayOfMonth = 0, hour = 0, minute = 0] = [...day.slice(1), ...clock.slice(1)].map(Number);
  const when = new Date(year, month - 1, dayOfMonth, hour, minute);
  const isReal = when.getMonth() === month - 1 && when.getDate() === dayOfMonth && hour < 24 && minute < 60;
  return isReal ? when.getTime() : null;
}

/** `path:/usr/bin/make`; '' for none. */
export function ancestorText({ ancestor, ancestorKey }: RuleForm): string {
  return ancestor.trim() === '' ? '' : `${ancestorKey}:${ancestor.trim()}`;
}

/** What Add and Update take. `nowMs`: wall time, ms since 1970. `old` is the rule that is edited, null for a new one. */
export function editOf(form: RuleForm, old: RuleInfo | null, nowMs: number): RuleEdit {
  const core: RuleEdit = {
    action: form.action, path: form.path.trim(), address: form.address.trim(), port: form.port.replaceAll(' ', ''),
    protocol: form.protocol.replaceAll(' ', '').toLowerCase(), user: form.user.trim(), schedule: scheduleText(form.schedule),
    priority: Number(form.priority), group: form.group.trim(),
  };
  const name = form.name.trim();
  const named = name === '' && old === null ? core : { ...core, name: name || (old?.id ?? '') };
  return { ...named, ...extrasOf(form, old), ...lifetimeOf(form, old, nowMs) };
}

/** Absent where neither the form nor the old rule says anything; '' and false take away what the old rule said. */
function extrasOf(form: RuleForm, old: RuleInfo | null): RuleEdit {
  const extras: { -readonly [K in keyof RuleEdit]: RuleEdit[K] } = {};
  for (const key of TEXT_KEYS) {
    const value = form[key].trim();
    if (value !== '' || given(old?.[key])) extras[key] = value;
  }
  const ancestor = ancestorText(form);
  if (ancestor !== '' || given(old?.ancestor)) extras.ancestor = ancestor;
  const flags = { pin: form.pin, include_children: form.includeChildren, all_scripts: form.allScripts };
  for (const key of FLAG_KEYS) if (flags[key] || old?.[key] === true) extras[key] = flags[key];
  return extras;
}

function given(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}

function lifetimeOf(form: RuleForm, old: RuleInfo | null, nowMs: number): RuleEdit {
  switch (form.lifetime) {
    case 'keep': return {};
    case 'hour': return { lifetime: 'until', until_ms: nowMs + HOUR_MS };
    case 'until': return { lifetime: 'until', until_ms: untilOf(form, old) };
    case 'boot': return { lifetime: 'boot' };
    case 'always': return { lifetime: 'always' };
    default: return {};
  }
}

/** A time that nobody touched keeps its seconds. */
function untilOf({ untilDate, untilTime }: RuleForm, old: RuleInfo | null): number {
  const before = old?.until_ms;
  if (before !== undefined) {
    const [date, time] = localTexts(before);
    if (date === untilDate && time === untilTime) return before;
  }
  return localMs(untilDate, untilTime) ?? 0;
}

/** The part of `edit` that the rule does not say already; empty where nothing would change. */
export function changedPart(edit: RuleEdit, rule: RuleInfo): RuleEdit {
  const before = new Map<string, unknown>(Object.entries(rule));
  const isNew = ([key, value]: readonly [string, unknown]): boolean => {
    const old = before.get(key) ?? (typeof value === 'boolean' ? false : '');
    return old !== value && !(key === 'schedule' && sameSchedule(rule.schedule, edit.schedule ?? ''));
  };
  const changed = Object.fromEntries(Object.entries(edit).filter(isNew)) as RuleEdit;
  // The two go together.
  return changed.until_ms === undefined ? changed : { ...changed, lifetime: 'until' };
}

function sameSchedule(one: string, other: string): boolean {
  const [a, b] = [parseScheduleText(one), parseScheduleText(other)];
  return a !== null && b !== null && scheduleText(a) === scheduleText(b);
}

/** Can the rule be made again as it was? One process or session cannot be asked for, and no time that has passed. */
export function isRestorable(rule: RuleInfo, nowMs: number): boolean {
  return editable(rule.lifetime) && (rule.lifetime !== 'until' || (rule.until_ms ?? 0) > nowMs);
}

/** Puts back what was removed, by Add. The id is asked for again; hits begin at 0. Only for what `isRestorable`. */
export function restoreOf(rule: RuleInfo): RuleEdit {
  const { id, name, action, enabled, path, address, port, protocol, user, schedule, priority, group } = rule;
  const core = { id, name, action, enabled, path, address, port, protocol, user, schedule, priority, group };
  const extras: { -readonly [K in keyof RuleEdit]: RuleEdit[K] } = {};
  for (const key of [...TEXT_KEYS, 'ancestor'] as const) {
    const value = rule[key] ?? '';
    if (value !== '') extras[key] = value;
  }
  for (const key of FLAG_KEYS) if (rule[key] === true) extras[key] = true;
  const until = rule.lifetime === 'until' && rule.until_ms !== undefined ? { until_ms: rule.until_ms } : {};
  return { ...core, ...extras, ...(editable(rule.lifetime) ? { lifetime: rule.lifetime } : {}), ...until };
}

/** Takes `edit` back by Update: what the rule said before, '' and false where it said nothing; null where that is not possible. */
export function revertOf(before: RuleInfo, edit: RuleEdit, nowMs: number): RuleEdit | null {
  const { lifetime } = edit;
  const others = Object.entries(edit).filter(([key]) => !['lifetime', 'until_ms', 'id'].includes(key));
  if (lifetime !== undefined && !isRestorable(before, nowMs)) return null;
  const old = new Map<string, unknown>(Object.entries(before));
  const back = others.map(([key, value]) => [key, old.get(key) ?? (typeof value === 'boolean' ? false : '')]);
  const until = before.lifetime === 'until' && before.until_ms !== undefined ? { until_ms: before.until_ms } : {};
  const kept = lifetime === undefined || !editable(before.lifetime) ? {} : { lifetime: before.lifetime, ...until };
  return { ...(Object.fromEntries(back) as RuleEdit), ...kept };
}

/** Do two rules say the same? Use, place and age are no content. */
export function sameContent(one: RuleInfo, other: RuleInfo): boolean {
  const content = (rule: RuleInfo): string => JSON.stringify([restoreOf(rule), rule.lifetime, rule.tier, rule.editable]);
  return content(one) === content(other);
}
