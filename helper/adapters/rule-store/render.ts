/** A rule as the text of a `[[rule]]` block. */
import type { NewRule } from '../../ports.ts';
import type { RuleTextParsers } from './rule-block.ts';
import { tomlString } from './text.ts';

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

/** One key of a block: its path inside the block, and its value as TOML text; null where the rule does not need the key. */
export interface KeyText {
  readonly path: readonly [string] | readonly [string, string];
  readonly value: string | null;
}

/** A date and time as TOML writes it, to the second. */
export function tomlTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** Every key that a rule can set, in the order in which a new block shows them; `created` is left out. */
export function ruleKeys(rule: NewRule, parsers: RuleTextParsers): readonly KeyText[] {
  return [
    { path: ['id'], value: tomlString(rule.id) },
    { path: ['name'], value: rule.name === '' || rule.name === rule.id ? null : tomlString(rule.name) },
    { path: ['action'], value: tomlString(rule.action) },
    { path: ['enabled'], value: rule.enabled ? null : 'false' },
    { path: ['application', 'path'], value: textOrNull(rule.path) },
    { path: ['user'], value: textOrNull(rule.user) },
    { path: ['destination', 'address'], value: textOrNull(rule.address) },
    { path: ['destination', 'port'], value: textOrNull(rule.port) },
    { path: ['destination', 'protocol'], value: textOrNull(rule.protocol) },
    { path: ['lifetime'], value: rule.lifetime === 'always' ? '"always"' : `{ until = ${tomlTime(rule.lifetime.until)} }` },
    { path: ['schedule'], value: scheduleText(rule.schedule, parsers) },
    { path: ['priority'], value: rule.priority === 0 ? null : String(rule.priority) },
    { path: ['group'], value: textOrNull(rule.group) },
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

function textOrNull(text: string): string | null {
  return text === '' ? null : tomlString(text);
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
