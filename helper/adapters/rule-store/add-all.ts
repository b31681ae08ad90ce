/** Many rules in one change of 50-user.toml. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { BastionError } from '../../contract/errors.ts';
import type { AddedRule } from '../../ports.ts';
import { renderRule } from './render.ts';
import type { RuleContent, RuleTextParsers } from './rule-block.ts';
import { readRuleFile } from './rule-file.ts';
import type { RuleFile } from './rule-file.ts';
import { lineEnding } from './splice.ts';
import { NEW_USER_FILE, contentOf, isAsMeant, meaningOf, withOverride } from './user-edits.ts';
import type { Edit } from './user-edits.ts';

/** Rules made before other work gets its turn. */
const RULES_A_TURN = 50;

interface Additions {
  readonly rules: readonly AddedRule[];
  readonly overrides: readonly { readonly rule: string; readonly enabled: boolean }[];
}
interface Deps {
  readonly parsers: RuleTextParsers;
  readonly nowMs: number;
}

/**
 * Appends rules, then sets overrides. Throws BastionError InvalidArgument for a rule that could not be read back as it was
 * meant; the text is then not to be written.
 */
export async function withRules(text: string, file: RuleFile, { rules, overrides }: Additions, deps: Deps): Promise<Edit> {
  const created = Math.floor(deps.nowMs / 1000) * 1000;
  const eol = lineEnding(text);
  const meaning = meaningOf(file);
  const contents = new Map(meaning.rules);
  const parts = [text === '' ? NEW_USER_FILE : text];
  if (rules.length > 0 && !(parts[0] ?? '').endsWith('\n')) parts.push(eol);
  for (const [index, { rule, block }] of rules.entries()) {
    const content = await contentOf(rule, deps.parsers, created);
    const kept = block === undefined ? null : await contentOfBlock(block, content, deps.parsers);
    contents.set(rule.id, kept ?? content);
    parts.push(eol, block === undefined ? renderRule(rule, deps.parsers, created, eol) : block.replaceAll(/\r?\n/g, eol));
    if (index % RULES_A_TURN === RULES_A_TURN - 1) await nextTurn();
  }
  const added: Edit = { text: parts.join(''), meaning: { ...meaning, rules: contents } };
  return overrides.length === 0 ? added : withOverrides(added, overrides, deps.parsers);
}

/** What a block says, if it is that rule with a time of its own; a text that says anything else is not taken over. */
async function contentOfBlock(block: string, wanted: RuleContent, parsers: RuleTextParsers): Promise<RuleContent> {
  const file = await readRuleFile(block, { parsers, overrides: false });
  const [read] = file.rules;
  const isIt = read !== undefined && file.rules.length === 1 && file.problems.length === 0 && file.overrides.length === 0
    && isDeepStrictEqual({ ...read.content, created: wanted.created }, wanted);
  if (!isIt) throw new BastionError('InvalidArgument', file.problems[0]?.message ?? `The text of rule ${wanted.id} says something else than the rule.`);
  return read.content;
}

async function withOverrides(start: Edit, overrides: Additions['overrides'], parsers: RuleTextParsers): Promise<Edit> {
  let edit = start;
  for (const { rule, enabled } of overrides) {
    const file = await readRuleFile(edit.text, { parsers, overrides: true });
    if (!isAsMeant(file, edit.meaning)) throw new BastionError('Failed', 'The rules could not be written into 50-user.toml.');
    edit = withOverride(edit.text, file, { of: 'rule', name: rule }, enabled);
  }
  return edit;
}
