/** One `[[rule]]` block as checked content. A key that is not understood is a problem: it never widens a rule by being ignored. */
import { RULE_ACTIONS } from '../../contract/vocabulary.ts';
import type { Lifetime, PortRange, RuleAction, RuleMatch, Schedule } from '../../contract/vocabulary.ts';
import { FieldReader } from './field-reader.ts';
import type { TextResult } from './field-reader.ts';
import { LIMITS } from './limits.ts';
import { ancestorReader, applicationReader, destinationReader, readMatch } from './rule-match.ts';
import { didYouMean, shown } from './text.ts';
import type { Position, Problem, Section } from './toml.ts';

/** How the text forms of rules are read; the policy folder has them, main passes them in. Messages have no full stop. */
export interface RuleTextParsers {
  /** `443` or `80,443,8000-8080`. */
  readonly ports: (text: string) => TextResult<readonly PortRange[]>;
  /** `tcp,udp`. */
  readonly protocols: (text: string) => TextResult<readonly number[]>;
  /** Address or CIDR prefix, to its canonical text. */
  readonly address: (text: string) => TextResult<string>;
  /** `mon,fri 09:00-17:30`. */
  readonly schedule: (text: string) => TextResult<Schedule>;
  /** The parts of a match that are one word, to their canonical text. */
  readonly parts: Readonly<Record<TextPart, (text: string) => TextResult<string>>>;
  readonly profile: (text: string) => TextResult<string>;
  /** Why parts that are right do not go together; null where they do. */
  readonly conflict: (match: RuleMatch) => string | null;
}

/** Keys of `RuleMatch` that a file gives as one word. */
export type TextPart =
  | 'path' | 'package' | 'flatpak' | 'snap' | 'appImage' | 'script' | 'sha256' | 'container' | 'domain' | 'list' | 'zone' | 'interface';

/** What a block says, defaults filled in; `user` is still a name or a number, '' for any. */
export interface RuleContent {
  readonly id: string;
  readonly name: string;
  readonly action: RuleAction;
  readonly enabled: boolean;
  /** All but the user. */
  readonly match: RuleMatch;
  readonly user: string;
  readonly lifetime: Extract<Lifetime, 'always' | object>;
  readonly priority: number;
  readonly group: string;
  /** '' for every one. */
  readonly profile: string;
  /** Milliseconds since 1970, 0 where the file does not say. */
  readonly created: number;
}

export type BlockResult =
  | { readonly ok: true; readonly content: RuleContent; readonly notes: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** `[[override]]`: switches a rule of another file, or a group of whatever file. */
export interface OverrideContent {
  readonly of: 'rule' | 'group';
  /** Id of the rule, name of the group. */
  readonly name: string;
  readonly enabled: boolean;
}

const RULE_KEYS = [
  'id', 'name', 'action', 'enabled', 'application', 'ancestor', 'user', 'destination', 'lifetime', 'schedule', 'profile',
  'priority', 'group', 'created',
];
const SCHEDULE_KEYS = ['days', 'from', 'to'];
const LATER_LIFETIMES = ['once', 'process', 'session', 'boot'];
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

const RULE_ID = /^[a-z0-9][a-z0-9._-]{0,63}$/;
/** What may be a user's name; a colon would end a field of passwd, and a leading minus would be an option. */
const USER_NAME = /^[^\s:/,\p{C}-][^\s:/,\p{C}]{0,63}$/u;
const UID_LIMIT = 0xffff_fffe;

/** Reads a `[[rule]]`. */
export function readRule(section: Section, parsers: RuleTextParsers): BlockResult {
  const reader = new FieldReader(section.table, section.at);
  reader.keys(RULE_KEYS, [], '');
  const id = reader.text('id', LIMITS.idLength);
  if (id === null) reader.complain(section.at, 'This rule has no id. Add a line such as id = "my-rule".', 'id');
  else if (!RULE_ID.test(id)) {
    reader.complainAbout('id', `${shown(id)} is not a valid id: small letters, digits, ".", "_" and "-", at most 64.`);
  }
  const action = readAction(reader, section.at);
  const application = applicationReader(reader);
  const ancestor = ancestorReader(reader);
  const destination = destinationReader(reader);
  const match = readMatch({ rule: reader, application, ancestor, destination }, readSchedule(reader, parsers), parsers);
  const content = {
    id: id ?? '',
    name: reader.text('name', LIMITS.nameLength) ?? id ?? '',
    action: action ?? 'deny',
    enabled: reader.flag('enabled') ?? true,
    match,
    user: readUser(reader),
    lifetime: readLifetime(reader),
    priority: reader.number('priority', -1000, 1000) ?? 0,
    group: reader.text('group', LIMITS.groupLength, true) ?? '',
    profile: reader.parsed('profile', parsers.profile) ?? '',
    created: reader.time('created') ?? 0,
  } satisfies RuleContent;
  const parts = [reader, application, ancestor, destination];
  const problems = parts.flatMap((part) => part?.problems ?? []);
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, content, notes: parts.flatMap((part) => part?.notes ?? []) };
}

/** Reads an `[[override]]`. */
export function readOverride(section: Section): { readonly content: OverrideContent } | { readonly problems: readonly Problem[] } {
  const reader = new FieldReader(section.table, section.at);
  reader.keys(['rule', 'group', 'enabled'], [], '');
  const rule = reader.text('rule', LIMITS.idLength);
  const group = reader.text('group', LIMITS.groupLength);
  const enabled = reader.flag('enabled');
  if (reader.item('rule') === null && reader.item('group') === null) {
    reader.complain(section.at, 'This override names nothing. Add a line such as rule = "the-id" or group = "The group".', 'rule');
  } else if (rule !== null && group !== null) {
    reader.complainAbout('group', 'An override switches a rule or a group. Write an [[override]] for each.');
  }
  if (enabled === null) reader.complain(section.at, 'This override says nothing. Add enabled = false or enabled = true.', 'enabled');
  const name = rule ?? group;
  if (name === null || enabled === null || reader.problems.length > 0) return { problems: reader.problems };
  return { content: { of: rule === null ? 'group' : 'rule', name, enabled } };
}

function readAction(reader: FieldReader, at: Position): RuleAction | null {
  const text = reader.text('action', 16);
  if (text === null) {
    reader.complain(at, 'This rule has no action. Add action = "allow", "deny", "drop" or "ask".', 'action');
    return null;
  }
  const action = RULE_ACTIONS.find((one) => one === text);
  if (action !== undefined) return action;
  const hint = didYouMean(text, RULE_ACTIONS);
  reader.complainAbout('action', `${shown(text)} is no action; the actions are "allow", "deny", "drop" and "ask".${hint}`);
  return null;
}

function readUser(reader: FieldReader): string {
  const user = reader.textOrNumber('user');
  if (user === null) return '';
  const isNumber = /^\d+$/.test(user);
  if (isNumber ? Number(user) > UID_LIMIT : !USER_NAME.test(user)) {
    reader.complainAbout('user', `${shown(user)} is not the name or number of a user.`);
  }
  return isNumber ? String(Number(user)) : user;
}

function readLifetime(reader: FieldReader): RuleContent['lifetime'] {
  const item = reader.item('lifetime');
  if (item === null) return 'always';
  const { value } = item;
  if (value.kind === 'string' && value.value === 'always') return 'always';
  if (value.kind === 'table') {
    const inner = new FieldReader(value.table, item.at);
    inner.keys(['until'], [], 'lifetime.');
    const until = inner.time('until');
    if (until === null) inner.complain(item.at, 'Write lifetime = { until = 2027-01-01T00:00:00Z }.', 'until');
    reader.problems.push(...inner.problems);
    return { until: until ?? 0 };
  }
  const word = value.kind === 'string' ? value.value : '';
  reader.complain(item.at, LATER_LIFETIMES.includes(word)
    ? `Lifetime ${shown(word)} is for answers to prompts, not for files. Write "always" or { until = 2027-01-01T00:00:00Z }.`
    : 'A lifetime is "always" or { until = 2027-01-01T00:00:00Z }.');
  return 'always';
}

function readSchedule(reader: FieldReader, parsers: RuleTextParsers): Schedule | null {
  const item = reader.item('schedule');
  if (item === null) return null;
  const form = 'Write schedule = { days = ["mon", "fri"], from = "09:00", to = "17:30" }.';
  if (item.value.kind !== 'table') {
    reader.complain(item.at, form);
    return null;
  }
  const inner = new FieldReader(item.value.table, item.at);
  inner.keys(SCHEDULE_KEYS, [], 'schedule.');
  const days = inner.words('days', DAYS);
  const from = inner.text('from', 5);
  const to = inner.text('to', 5);
  if (inner.problems.length === 0) {
    const times = from === null && to === null ? '' : `${from ?? ''}-${to ?? ''}`;
    const isClear = times === '' || /^\d\d:\d\d-\d\d:\d\d$/.test(times);
    const parsed = isClear ? parsers.schedule(`${(days ?? DAYS).join(',')} ${times}`) : { ok: false as const, message: form };
    if (parsed.ok && parsed.value !== undefined && item.value.table.size > 0) return parsed.value;
    inner.complain(item.at, parsed.ok || !isClear ? form : `"schedule": ${parsed.message}.`);
  }
  reader.problems.push(...inner.problems);
  return null;
}
