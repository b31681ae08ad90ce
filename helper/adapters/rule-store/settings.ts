/** bastion.toml as checked settings. */
import { isDeepStrictEqual } from 'node:util';
import { FORWARDED, MODES, RULE_ACTIONS } from '../../contract/vocabulary.ts';
import type { Settings } from '../../ports.ts';
import { readContainers } from './containers.ts';
import { readControl } from './control.ts';
import { FieldReader } from './field-reader.ts';
import { DEFAULT_HISTORY, readHistory } from './history-settings.ts';
import { readInterfaces } from './interfaces.ts';
import { readLists } from './lists.ts';
import { readProfiles } from './profiles.ts';
import { didYouMean, shown } from './text.ts';
import { parseToml } from './toml.ts';
import type { Item, Problem, Section, Table } from './toml.ts';
import { readZones } from './zones.ts';

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
  history: DEFAULT_HISTORY,
};

const SETTING_KEYS = [
  'mode', 'default_action', 'on_failure', 'untracked', 'forwarded', 'require_kernel_identity', 'prompt_timeout_s', 'queue_num',
  'log_level', 'default_profile', 'default_zone',
];
/** Every table, as it is written. */
export const SETTING_TABLES = {
  history: '[history]', safeguard: '[safeguard]', interface: '[[interface]]', profile: '[[profile]]', zone: '[[zone]]', list: '[[list]]',
  containers: '[containers]', container: '[[container]]', control: '[control]',
};
const LOG_LEVELS = ['error', 'warning', 'info', 'debug'] as const;
const FLOW_LIMIT = 1_000_000;
const DAY_S = 86_400;

export type SettingsResult =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads bastion.toml. */
export function readSettings(text: string): SettingsResult {
  const parsed = parseToml(text, 0);
  if (!parsed.ok) return { ok: false, problems: [parsed.problem] };
  const { top, sections } = parsed.value;
  const tables: Table = new Map(top);
  tables.delete('safeguard');
  const reader = new FieldReader(tables, { line: 1, column: 1 });
  reader.keys(SETTING_KEYS, [], '');
  const interfaces = readInterfaces(sections, reader);
  const { zones, problems: wrongZones } = readZones(sections);
  const profiles = readProfiles(sections, reader, zonesOfInterfaces(interfaces.settings));
  const lists = readLists(sections.filter(({ name, array }) => name === 'list' && array));
  const historyAt = sections.find(({ name, array }) => name === 'history' && !array);
  const historyReader = new FieldReader(historyAt?.table ?? new Map<string, Item>(), historyAt?.at ?? { line: 1, column: 1 });
  const control = readControl(sections);
  const safeguard = top.get('safeguard');
  const guarded = readSafeguard(sections, safeguard);
  const containers = readContainers(sections);
  const settings = {
    ...settingsOf(reader), ...interfaces.settings, ...(zones.length === 0 ? {} : { zones }), ...profiles.settings, history: readHistory(historyReader),
    ...guarded.settings, ...containers.settings,
  };
  const problems = [
    ...reader.problems,
    ...interfaces.problems,
    ...wrongZones,
    ...profiles.problems,
    ...historyReader.problems,
    ...guarded.problems,
    ...containers.problems,
    ...sections.flatMap(sectionProblems),
    ...lists.problems,
    ...control.problems,
  ];
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, settings: { ...settings, ...(lists.lists.length === 0 ? {} : { lists: lists.lists }), ...control.settings } };
}

/** Are these the same settings? In which lines they stand does not count: an edit above moves them. */
export function areSameSettings(one: Settings, other: Settings): boolean {
  return isDeepStrictEqual(withoutLines(one), withoutLines(other));
}

function withoutLines({ zones, control, ...rest }: Settings): unknown {
  return { ...rest, zones: zones?.map((zone) => ({ ...zone, line: 0 })), control: control?.socket };
}

function zonesOfInterfaces({ interfaces = [], defaultZone }: Pick<Settings, 'interfaces' | 'defaultZone'>): ReadonlySet<string> {
  return new Set([...interfaces.map(({ zone }) => zone), ...(defaultZone === undefined ? [] : [defaultZone])]);
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
  const right = Object.entries(SETTING_TABLES).find(([name]) => name === section.name)?.[1];
  if (right === undefined) {
    return [{ ...section.at, message: `There is no table ${shown(section.name)} in bastion.toml.${didYouMean(section.name, Object.keys(SETTING_TABLES))}` }];
  }
  return right.startsWith('[[') === section.array ? [] : [{ ...section.at, message: `Write ${right}.` }];
}

/** `[safeguard]`, or `safeguard = { … }`; what it does not say is left to the engine. */
function readSafeguard(sections: readonly Section[], inline: Item | undefined): { readonly settings: Pick<Settings, 'safeguard'>; readonly problems: readonly Problem[] } {
  const section = sections.find(({ name, array }) => name === 'safeguard' && !array);
  if (section === undefined && inline === undefined) return { settings: {}, problems: [] };
  const table = section?.table ?? (inline?.value.kind === 'table' ? inline.value.table : null);
  const at = section?.at ?? inline?.at ?? { line: 1, column: 1 };
  if (table === null) return { settings: {}, problems: [{ ...at, message: '"safeguard" is a table. Write [safeguard] on a line of its own.' }] };
  const reader = new FieldReader(table, at);
  reader.keys(['rate', 'per_app', 'per_uid', 'quiet_s', 'action'], [], 'safeguard.');
  const all = reader.number('rate', 1, FLOW_LIMIT);
  const perApp = reader.number('per_app', 1, FLOW_LIMIT);
  const perUid = reader.number('per_uid', 1, FLOW_LIMIT);
  const quietS = reader.number('quiet_s', 1, DAY_S);
  const action = oneOf(reader, 'action', ['drop', 'deny'] as const);
  return {
    settings: {
      safeguard: {
        ...(all === null ? {} : { all }), ...(perApp === null ? {} : { perApp }), ...(perUid === null ? {} : { perUid }),
        ...(quietS === null ? {} : { quietMs: quietS * 1000 }), ...(action === null ? {} : { action }),
      },
    },
    problems: reader.problems,
  };
}
