/** Changes of 50-user.toml as text to text. The result is read again and must be exactly what was meant. */
import { isDeepStrictEqual } from 'node:util';
import { BastionError } from '../../contract/errors.ts';
import type { NewRule } from '../../ports.ts';
import { renderRule, ruleKeys } from './render.ts';
import type { OverrideContent, RuleContent, RuleTextParsers } from './rule-block.ts';
import { readRuleFile } from './rule-file.ts';
import { PLACE_KEYS, PROGRAM_KEYS } from './rule-match.ts';
import type { FileOverride, FileRule, RuleFile } from './rule-file.ts';
import { findBlock, lineEnding, removeBlock, setKey } from './splice.ts';
import { tomlString } from './text.ts';

/** The text of a file that does not exist yet. */
export const NEW_USER_FILE = `# Rules made from answers and in the rules window. Bastion Firewall changes single rules in here;
# comments and everything else stay as they are. Other files of this folder are never written.
`;

/** What an edit makes of the file: rules by id, overrides by what they switch. */
interface Meaning {
  readonly rules: ReadonlyMap<string, RuleContent>;
  readonly overrides: ReadonlyMap<string, boolean>;
}

export interface Edit {
  readonly text: string;
  readonly meaning: Meaning;
}

function overrideKey({ of, name }: Pick<OverrideContent, 'of' | 'name'>): string {
  return `${of} ${name}`;
}

export function meaningOf(file: RuleFile): Meaning {
  return {
    rules: new Map(file.rules.map(({ content }) => [content.id, content])),
    overrides: new Map(file.overrides.map(({ content }) => [overrideKey(content), content.enabled])),
  };
}

/** Does the reading of an edited text say what the edit meant? */
export function isAsMeant(file: RuleFile, meaning: Meaning): boolean {
  const found = meaningOf(file);
  return file.problems.length === 0 && isDeepStrictEqual(found, meaning)
    && found.rules.size === file.rules.length && found.overrides.size === file.overrides.length;
}

/** Appends a rule. */
export async function withRule(
  text: string, file: RuleFile, rule: NewRule, deps: { readonly parsers: RuleTextParsers; readonly nowMs: number },
): Promise<Edit> {
  const created = Math.floor(deps.nowMs / 1000) * 1000;
  const content = await contentOf(rule, deps.parsers, created);
  const eol = lineEnding(text);
  const start = text === '' ? NEW_USER_FILE : text;
  const gap = start.endsWith('\n') ? eol : eol + eol;
  const meaning = meaningOf(file);
  return {
    text: start + gap + renderRule(rule, deps.parsers, created, eol),
    meaning: { ...meaning, rules: new Map([...meaning.rules, [rule.id, content]]) },
  };
}

/** Changes the keys of one rule that differ. */
export async function withChangedRule(
  text: string, file: RuleFile, rule: NewRule, parsers: RuleTextParsers,
): Promise<Edit> {
  const found = ruleIn(file, rule.id);
  const wanted = await contentOf(rule, parsers, found.content.created);
  const changed = ruleKeys(rule, parsers).filter(({ read }) => !isDeepStrictEqual(read(found.content), read(wanted)));
  const edited = editBlock(text, file, found, 'rule', 'id', rule.id, (block) => (
    changed.reduce((so, { path, value }) => setKey(so, path, value, 1), block)
  ));
  const meaning = meaningOf(file);
  return { text: edited, meaning: { ...meaning, rules: new Map([...meaning.rules, [rule.id, wanted]]) } };
}

export function withoutRule(text: string, file: RuleFile, id: string): Edit {
  const found = ruleIn(file, id);
  const meaning = meaningOf(file);
  const rules = new Map(meaning.rules);
  rules.delete(id);
  return { text: cutBlock(text, file, found, 'rule', 'id', id), meaning: { ...meaning, rules } };
}

/** Switches a rule of this file. */
export function withRuleEnabled(text: string, file: RuleFile, id: string, enabled: boolean): Edit {
  const found = ruleIn(file, id);
  const edited = editBlock(text, file, found, 'rule', 'id', id, (block) => setKey(block, ['enabled'], enabled ? null : 'false', 1));
  const meaning = meaningOf(file);
  return { text: edited, meaning: { ...meaning, rules: new Map([...meaning.rules, [id, { ...found.content, enabled }]]) } };
}

/** Sets the override of a rule of another file, or of a group; null takes it away. */
export function withOverride(
  text: string, file: RuleFile, target: Pick<OverrideContent, 'of' | 'name'>, enabled: boolean | null,
): Edit {
  const { of, name } = target;
  const meaning = meaningOf(file);
  const overrides = new Map(meaning.overrides);
  const found = file.overrides.find(({ content }) => content.of === of && content.name === name);
  if (enabled === null) {
    overrides.delete(overrideKey(target));
    return { text: found === undefined ? text : cutBlock(text, file, found, 'override', of, name), meaning: { ...meaning, overrides } };
  }
  overrides.set(overrideKey(target), enabled);
  if (found !== undefined) {
    const edited = editBlock(text, file, found, 'override', of, name, (block) => setKey(block, ['enabled'], String(enabled), 1));
    return { text: edited, meaning: { ...meaning, overrides } };
  }
  const eol = lineEnding(text);
  const start = text === '' ? NEW_USER_FILE : text;
  const block = ['[[override]]', `${of} = ${tomlString(name)}`, `enabled = ${String(enabled)}`].map((line) => line + eol).join('');
  return { text: start + (start.endsWith('\n') ? eol : eol + eol) + block, meaning: { ...meaning, overrides } };
}

/**
 * What the rule will say once it is in a file. Throws BastionError InvalidArgument with the reader's own sentence, so a rule
 * that could not be read back is never written.
 */
export async function contentOf(rule: NewRule, parsers: RuleTextParsers, createdMs: number): Promise<RuleContent> {
  if (rule.lifetime !== 'always' && !(rule.lifetime.until >= 0 && rule.lifetime.until <= LAST_TIME_MS)) {
    throw new BastionError('InvalidArgument', 'The end of the lifetime is not a time that a file can hold.');
  }
  const schedule = parsers.schedule(rule.schedule);
  if (!schedule.ok) throw new BastionError('InvalidArgument', `"schedule": ${schedule.message}.`);
  const file = await readRuleFile(renderRule(rule, parsers, createdMs, '\n'), { parsers, overrides: false });
  const [read] = file.rules;
  if (read === undefined || file.problems.length > 0) {
    throw new BastionError('InvalidArgument', file.problems[0]?.message ?? 'This rule cannot be written.');
  }
  const { content } = read;
  const isFaithful = content.id === rule.id && content.action === rule.action && content.enabled === rule.enabled
    && content.name === (rule.name === '' ? rule.id : rule.name) && (content.match.path ?? '') === rule.path
    && content.priority === rule.priority && content.group === rule.group
    && (content.match.schedule === undefined) === (schedule.value === undefined) && saysEachPart(content, rule);
  if (!isFaithful) throw new BastionError('InvalidArgument', 'A text of this rule cannot be written into a file as it is.');
  return content;
}

/** Every part that the rule names, and no other. */
function saysEachPart({ match, user, profile }: RuleContent, rule: NewRule): boolean {
  const pairs: readonly (readonly [unknown, unknown])[] = [
    [user, rule.user], [profile, rule.profile], [match.address, rule.address], [match.ports, rule.port],
    [match.protocols, rule.protocol], [match.pin, rule.pin], [match.includeChildren, rule.includeChildren],
    [match.allScripts, rule.allScripts], [match.container, rule.container], [match.ancestor, rule.ancestor],
    ...PROGRAM_KEYS.map(([key, part]) => [match[part], rule[key]] as const),
    ...PLACE_KEYS.map((key) => [match[key], rule[key]] as const),
  ];
  const says = (value: unknown): boolean => value !== undefined && value !== '' && value !== false;
  return pairs.every(([read, meant]) => says(read) === says(meant));
}

/** 9999-12-31T23:59:59Z: the last year that RFC 3339 can write. */
const LAST_TIME_MS = 253_402_300_799_000;

function ruleIn(file: RuleFile, id: string): FileRule {
  const found = file.rules.find(({ content }) => content.id === id);
  if (found === undefined) throw new BastionError('NotFound', `There is no rule ${id} in 50-user.toml.`);
  return found;
}

function editBlock(
  text: string, file: RuleFile, at: FileRule | FileOverride, table: string, key: string, value: string, change: (block: string) => string,
): string {
  const { offset, range, segment } = locate(file, at, table, key, value);
  const changed = change(segment.slice(range.start, range.end));
  return text.slice(0, offset + range.start) + changed + text.slice(offset + range.end);
}

function cutBlock(text: string, file: RuleFile, at: FileRule | FileOverride, table: string, key: string, value: string): string {
  const { offset, range } = locate(file, at, table, key, value);
  return removeBlock(text, { start: offset + range.start, end: offset + range.end });
}

function locate(file: RuleFile, at: FileRule | FileOverride, table: string, key: string, value: string): {
  readonly offset: number; readonly segment: string; readonly range: { readonly start: number; readonly end: number };
} {
  const segment = file.segments[at.segment];
  const range = segment === undefined ? null : findBlock(segment.text, table, key, value);
  if (segment === undefined || range === null) throw new BastionError('Failed', 'The text of this rule was not found in 50-user.toml.');
  return { offset: segment.offset, segment: segment.text, range };
}
