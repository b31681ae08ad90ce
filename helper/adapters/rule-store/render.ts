/** A rule as the text of a `[[rule]]` block. */
import type { NewRule } from '../../ports.ts';
import type { RuleContent, RuleTextParsers } from './rule-block.ts';
import { PLACE_KEYS, PROGRAM_KEYS } from './rule-match.ts';
import { tomlString } from './text.ts';

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

/** One key of a block: its path inside the block, and its value as TOML text; null where the rule does not need the key. */
export interface KeyText {
  readonly path: readonly [string] | readonly [string, string];
  readonly value: string | null;
  /** What a block that was read says for this key. */
  readonly read: (content: RuleContent) => unknown;
}

/** A date and time as TOML writes it, to the second. */
export function tomlTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** Every key that a rule can set, in the order in which a new block shows them; `created` is left out. */
export function ruleKeys(rule: NewRule, parsers: RuleTextParsers): readonly KeyText[] {
  const lifetime = rule.lifetime === 'always' ? '"always"' : `{ until = ${tomlTime(rule.lifetime.until)} }`;
  return [
    { path: ['id'], value: tomlString(rule.id), read: (content) => content.id },
    { path: ['name'], value: rule.name === '' || rule.name === rule.id ? null : tomlString(rule.name), read: (content) => content.name },
    { path: ['action'], value: tomlString(rule.action), read: (content) => content.action },
    { path: ['enabled'], value: rule.enabled ? null : 'false', read: (content) => content.enabled },
    ...programKeys(rule),
    ...ancestorKeys(rule.ancestor ?? ''),
    { path: ['user'], value: textOrNull(rule.user), read: (content) => content.user },
    ...destinationKeys(rule),
    { path: ['lifetime'], value: lifetime, read: (content) => content.lifetime },
    { path: ['schedule'], value: scheduleText(rule.schedule, parsers), read: ({ match }) => match.schedule },
    { path: ['profile'], value: textOrNull(rule.profile), read: (content) => content.profile },
    { path: ['priority'], value: rule.priority === 0 ? null : String(rule.priority), read: (content) => content.priority },
    { path: ['group'], value: textOrNull(rule.group), read: (content) => content.group },
  ];
}

function programKeys(rule: NewRule): readonly KeyText[] {
  const parts = PROGRAM_KEYS.map(([key, part]): KeyText => (
    { path: ['application', key], value: textOrNull(rule[key]), read: ({ match }) => match[part] }
  ));
  return [
    ...parts,
    { path: ['application', 'container'], value: textOrNull(rule.container), read: ({ match }) => match.container },
    { path: ['application', 'pin'], value: rule.pin === true ? '"sha256"' : null, read: ({ match }) => match.pin },
    {
      path: ['application', 'include_children'], value: rule.includeChildren === true ? 'true' : null,
      read: ({ match }) => match.includeChildren,
    },
    { path: ['application', 'scripts'], value: rule.allScripts === true ? '"all"' : null, read: ({ match }) => match.allScripts },
  ];
}

function ancestorKeys(ancestor: string): readonly KeyText[] {
  return PROGRAM_KEYS.map(([key, part]) => ({
    path: ['ancestor', key],
    value: ancestor.startsWith(`${key}:`) ? tomlString(ancestor.slice(key.length + 1)) : null,
    read: ({ match }) => match.ancestor?.[part],
  }));
}

function destinationKeys(rule: NewRule): readonly KeyText[] {
  const places = PLACE_KEYS.map((key): KeyText => (
    { path: ['destination', key], value: textOrNull(rule[key]), read: ({ match }) => match[key] }
  ));
  return [
    { path: ['destination', 'address'], value: textOrNull(rule.address), read: ({ match }) => match.address },
    ...places,
    { path: ['destination', 'port'], value: textOrNull(rule.port), read: ({ match }) => match.ports },
    { path: ['destination', 'protocol'], value: textOrNull(rule.protocol), read: ({ match }) => match.protocols },
  ];
}

/** The whole block, ending in `eol`. */
export function renderRule(rule: NewRule, parsers: RuleTextParsers, createdMs: number, eol: string): string {
  const lines = ['[[rule]]'];
  const tables = new Set<string>();
  const keys = ruleKeys(rule, parsers);
  for (const { path, value } of keys) {
    const [name, inner] = path;
    if (inner === undefined) {
      if (value !== null) lines.push(`${name} = ${value}`);
      continue;
    }
    if (tables.has(name)) continue;
    tables.add(name);
    const members = keys.filter((one) => one.path[0] === name && one.value !== null);
    const body = members.map((one) => `${one.path[1] ?? ''} = ${one.value ?? ''}`).join(', ');
    if (body !== '') lines.push(`${name} = { ${body} }`);
  }
  lines.push(`created = ${tomlTime(createdMs)}`);
  return lines.map((line) => line + eol).join('');
}

function textOrNull(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : tomlString(text);
}

function scheduleText(text: string, parsers: RuleTextParsers): string | null {
  const parsed = parsers.schedule(text);
  if (!parsed.ok || parsed.value === undefined) return null;
  const { days, fromMinute, toMinute } = parsed.value;
  const names = days.map((day) => tomlString(DAYS[day] ?? '')).join(', ');
  return `{ days = [${names}], from = "${clock(fromMinute)}", to = "${clock(toMinute)}" }`;
}

function clock(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
}
