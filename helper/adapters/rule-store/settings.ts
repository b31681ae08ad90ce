/** bastion.toml as checked settings. */
import { FORWARDED, MODES, RULE_ACTIONS } from '../../contract/vocabulary.ts';
import type { Settings } from '../../ports.ts';
import { FieldReader } from './field-reader.ts';
import { didYouMean, shown } from './text.ts';
import { parseToml } from './toml.ts';
import type { Problem, Section, Table } from './toml.ts';

/** What holds where bastion.toml says nothing, is missing, or has never been readable: the careful choice of each. */
export const DEFAULT_SETTINGS: Settings = {
  mode: 'enforcing',
  defaultAction: 'ask',
  onFailure: 'closed',
  untracked: 'drop',
  // Not the careful choice: a machine with containers keeps working when the firewall is installed.
  forwarded: 'pass',
  requireKernelIdentity: false,
  promptTimeoutMs: 30_000,
  queueNumber: 1,
  logLevel: 'info',
};

const SETTING_KEYS = [
  'mode', 'default_action', 'on_failure', 'untracked', 'forwarded', 'require_kernel_identity', 'prompt_timeout_s', 'queue_num',
  'log_level',
];
const LOG_LEVELS = ['error', 'warning', 'info', 'debug'] as const;
const FLOW_LIMIT = 1_000_000;
const DAY_S = 86_400;
/** IFNAMSIZ without its NUL; a trailing `*` stands for any ending. Source: linux/if.h. */
const INTERFACE_NAME = /^[^\s/:*\p{C}]{1,15}$|^[^\s/:*\p{C}]{1,14}\*$/u;
const ZONE_NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;
/** Source: nft(8), identifiers. */
const SET_NAME = /^[A-Za-z][A-Za-z0-9/\\_.]{0,127}$/;
const TABLE_FAMILIES = ['inet', 'ip', 'ip6'];

export type SettingsResult =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads bastion.toml. Tables for other parts of the product ([safeguard], [[interface]], [[zone]]) are checked and left. */
export function readSettings(text: string): SettingsResult {
  const parsed = parseToml(text, 0);
  if (!parsed.ok) return { ok: false, problems: [parsed.problem] };
  const { top, sections } = parsed.value;
  const tables: Table = new Map(top);
  tables.delete('safeguard');
  const reader = new FieldReader(tables, { line: 1, column: 1 });
  reader.keys(SETTING_KEYS, [], '');
  const settings = settingsOf(reader);
  const safeguard = top.get('safeguard');
  const problems = [
    ...reader.problems,
    ...(safeguard?.value.kind === 'table' ? safeguardProblems(new FieldReader(safeguard.value.table, safeguard.at)) : []),
    ...(safeguard !== undefined && safeguard.value.kind !== 'table'
      ? [{ ...safeguard.at, message: '"safeguard" is a table. Write [safeguard] on a line of its own.' }] : []),
    ...sections.flatMap(sectionProblems),
  ];
  return problems.length === 0 ? { ok: true, settings } : { ok: false, problems };
}

function settingsOf(reader: FieldReader): Settings {
  const promptTimeoutS = reader.number('prompt_timeout_s', 5, 300);
  return {
    mode: oneOf(reader, 'mode', MODES) ?? DEFAULT_SETTINGS.mode,
    defaultAction: oneOf(reader, 'default_action', RULE_ACTIONS) ?? DEFAULT_SETTINGS.defaultAction,
    onFailure: oneOf(reader, 'on_failure', ['closed', 'open'] as const) ?? DEFAULT_SETTINGS.onFailure,
    untracked: oneOf(reader, 'untracked', ['drop', 'pass'] as const) ?? DEFAULT_SETTINGS.untracked,
    forwarded: oneOf(reader, 'forwarded', FORWARDED) ?? DEFAULT_SETTINGS.forwarded,
    requireKernelIdentity: reader.flag('require_kernel_identity') ?? DEFAULT_SETTINGS.requireKernelIdentity,
    promptTimeoutMs: promptTimeoutS === null ? DEFAULT_SETTINGS.promptTimeoutMs : promptTimeoutS * 1000,
    queueNumber: reader.number('queue_num', 0, 65_535) ?? DEFAULT_SETTINGS.queueNumber,
    logLevel: oneOf(reader, 'log_level', LOG_LEVELS) ?? DEFAULT_SETTINGS.logLevel,
  };
}

function oneOf<const V extends readonly string[]>(reader: FieldReader, name: string, values: V): V[number] | null {
  const text = reader.text(name, 64);
  if (text === null) return null;
  const value: V[number] | undefined = values.find((one) => one === text);
  if (value !== undefined) return value;
  const choices = values.map((one) => `"${one}"`).join(', ');
  return reader.complainAbout(name, `${shown(text)} is no value for "${name}"; the values are ${choices}.${didYouMean(text, values)}`);
}

function sectionProblems(section: Section): readonly Problem[] {
  const reader = new FieldReader(section.table, section.at);
  if (section.name === 'safeguard' && !section.array) return safeguardProblems(reader);
  if (section.name === 'interface' && section.array) return interfaceProblems(reader, section);
  if (section.name === 'zone' && section.array) return zoneProblems(reader, section);
  const right = { safeguard: '[safeguard]', interface: '[[interface]]', zone: '[[zone]]' };
  const known = Object.entries(right).find(([name]) => name === section.name);
  const message = known === undefined
    ? `There is no table ${shown(section.name)} in bastion.toml.${didYouMean(section.name, Object.keys(right))}`
    : `Write ${known[1]}.`;
  return [{ ...section.at, message }];
}

function safeguardProblems(reader: FieldReader): readonly Problem[] {
  reader.keys(['rate', 'per_app', 'per_uid', 'quiet_s', 'action'], [], 'safeguard.');
  for (const name of ['rate', 'per_app', 'per_uid']) reader.number(name, 1, FLOW_LIMIT);
  reader.number('quiet_s', 1, DAY_S);
  oneOf(reader, 'action', ['drop', 'deny']);
  return reader.problems;
}

function interfaceProblems(reader: FieldReader, section: Section): readonly Problem[] {
  reader.keys(['name', 'zone'], [], 'interface.');
  mustMatch(reader, section, 'name', INTERFACE_NAME, 'an interface such as "eth0", or the beginning of several such as "wg*"');
  mustMatch(reader, section, 'zone', ZONE_NAME, 'the name of a [[zone]]');
  return reader.problems;
}

function zoneProblems(reader: FieldReader, section: Section): readonly Problem[] {
  reader.keys(['name', 'family', 'table', 'set4', 'set6'], [], 'zone.');
  mustMatch(reader, section, 'name', ZONE_NAME, 'small letters, digits, "_" and "-", at most 32');
  oneOf(reader, 'family', TABLE_FAMILIES);
  for (const name of ['table', 'set4', 'set6']) {
    const text = reader.text(name, 128);
    if (text !== null && !SET_NAME.test(text)) reader.complainAbout(name, `${shown(text)} is no name of an nftables table or set.`);
  }
  return reader.problems;
}

function mustMatch(reader: FieldReader, section: Section, name: string, pattern: RegExp, wanted: string): void {
  const text = reader.text(name, 64);
  if (text === null) reader.complain(section.at, `"${name}" is missing here.`, name);
  else if (!pattern.test(text)) reader.complainAbout(name, `${shown(text)} is no "${name}": it must be ${wanted}.`);
}
