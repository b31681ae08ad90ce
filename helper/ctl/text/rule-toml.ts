/** Rules of a TOML file in the form of the rule files, as the wire wants them. */
import { getStaticTOMLValue, parseTOML } from 'toml-eslint-parser';
import type { RuleEdit } from '../../contract/types.ts';
import { RULE_ACTIONS } from '../../contract/vocabulary.ts';
import { UsageError } from '../errors.ts';

type Table = Readonly<Record<string, unknown>>;

/** Names of the file to names of the wire, where a rule says them as texts. */
const APPLICATION_KEYS = {
  path: 'path', package: 'package', flatpak: 'flatpak', snap: 'snap', appimage: 'appimage', script: 'script', sha256: 'sha256',
} as const;
const DESTINATION_KEYS = { address: 'address', domain: 'domain', list: 'list', zone: 'zone', interface: 'interface', protocol: 'protocol' } as const;
const PLAIN_KEYS = { id: 'id', name: 'name', group: 'group', user: 'user', profile: 'profile' } as const;

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function bad(where: string, wanted: string): never {
  throw new UsageError(`${where}: expected ${wanted}`);
}

function tableOf(value: unknown, where: string): Table {
  if (value === undefined) return {};
  return isTable(value) ? value : bad(where, 'a table');
}

function textOf(value: unknown, where: string): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  return typeof value === 'string' ? value : bad(where, 'a text');
}

/** The texts of a table; what is in neither list is told, so that no part of a rule is lost unseen. */
function texts(table: Table, keys: Readonly<Record<string, string>>, others: readonly string[], where: string): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(table)) {
    const name = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (name !== undefined) found[name] = textOf(value, `${where}.${key}`);
    else if (!others.includes(key)) bad(`${where}.${key}`, `one of ${[...Object.keys(keys), ...others].join(', ')}`);
  }
  return found;
}

function ancestorText(value: unknown, where: string): Record<string, unknown> {
  if (value === undefined) return {};
  const [entry, ...more] = Object.entries(texts(tableOf(value, where), APPLICATION_KEYS, [], where));
  if (entry === undefined || more.length > 0) bad(where, 'one part of a program, such as { path = "/usr/bin/make" }');
  return { ancestor: `${entry[0]}:${String(entry[1])}` };
}

function scheduleText(value: unknown, where: string): Record<string, unknown> {
  if (value === undefined) return {};
  const { days, from, to } = tableOf(value, where);
  const times = from === undefined && to === undefined ? [] : [`${textOf(from, `${where}.from`)}-${textOf(to, `${where}.to`)}`];
  const named = Array.isArray(days) ? [days.map((day) => textOf(day, `${where}.days`)).join(',')] : [];
  return { schedule: [...named, ...times].join(' ') };
}

function lifetimeOf(value: unknown, where: string): Record<string, unknown> {
  if (value === undefined || value === 'always') return {};
  const { until } = tableOf(value, where);
  return until instanceof Date ? { lifetime: 'until', until_ms: until.getTime() } : bad(where, '"always" or { until = a time }');
}

function switches(application: Table): Record<string, unknown> {
  return {
    ...(application['pin'] === undefined ? {} : { pin: true }),
    ...(application['include_children'] === true ? { include_children: true } : {}),
    ...(application['scripts'] === 'all' ? { all_scripts: true } : {}),
  };
}

function ruleOf(value: unknown, where: string): RuleEdit {
  const rule = tableOf(value, where);
  const others = [
    'action', 'enabled', 'application', 'destination', 'ancestor', 'lifetime', 'schedule', 'priority', 'created',
  ];
  const application = tableOf(rule['application'], `${where}.application`);
  const destination = tableOf(rule['destination'], `${where}.destination`);
  const action = RULE_ACTIONS.find((one) => one === rule['action']) ?? bad(`${where}.action`, RULE_ACTIONS.join(', '));
  const { enabled, priority } = rule;
  return {
    action,
    ...texts(rule, PLAIN_KEYS, others, where),
    ...texts(application, { ...APPLICATION_KEYS, container: 'container' }, ['pin', 'include_children', 'scripts'], `${where}.application`),
    ...texts(destination, { ...DESTINATION_KEYS, port: 'port' }, [], `${where}.destination`),
    ...switches(application),
    ...ancestorText(rule['ancestor'], `${where}.ancestor`),
    ...scheduleText(rule['schedule'], `${where}.schedule`),
    ...lifetimeOf(rule['lifetime'], `${where}.lifetime`),
    ...(typeof enabled === 'boolean' ? { enabled } : {}),
    ...(typeof priority === 'number' ? { priority } : {}),
  };
}

/** The `[[rule]]` tables of a text. Throws UsageError that says where something is wrong; the helper checks every value again. */
export function rulesOfToml(text: string, file: string): readonly RuleEdit[] {
  let parsed: unknown;
  try {
    parsed = getStaticTOMLValue(parseTOML(text, { tomlVersion: '1.0.0' }));
  } catch (error: unknown) {
    throw new UsageError(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { rule, ...others } = tableOf(parsed, file);
  const [other] = Object.keys(others);
  if (other !== undefined) bad(`${file}: ${other}`, 'nothing but [[rule]]');
  if (!Array.isArray(rule)) bad(file, 'at least one [[rule]]');
  return rule.map((one: unknown, index) => ruleOf(one, `${file}: rule ${String(index + 1)}`));
}
