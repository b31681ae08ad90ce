/**
 * A rule file as a whole. It is read in segments, one for each `[[rule]]`: a typo in one block leaves the others readable,
 * an edit re-reads only the block that changed, and a large file does not hold up the event loop.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { readOverride, readRule } from './rule-block.ts';
import type { OverrideContent, RuleContent, RuleTextParsers } from './rule-block.ts';
import { didYouMean, shown } from './text.ts';
import { parseToml } from './toml.ts';
import type { Problem, Section } from './toml.ts';

/** Segments read before other work gets its turn. */
const SEGMENTS_A_TURN = 200;

const RULE_HEADER = /(?<=^|\n)[ \t]*\[\[[ \t]*(?:rule|"rule"|'rule')[ \t]*\]\]/g;

/** Where a block may begin in a part that is not TOML: a line that was meant as a header, but for the tables of a rule. */
const LOOSE_HEADER = /\n(?=[ \t]*\[(?![ \t]*rule[ \t]*\.))/;

/** A part of a file that begins with a `[[rule]]` (the first: with the file). */
export interface Segment {
  readonly text: string;
  readonly offset: number;
  readonly linesBefore: number;
}

export interface FileRule {
  readonly content: RuleContent;
  /** Line of `[[rule]]`, from 1. */
  readonly line: number;
  readonly column: number;
  /** Index of its segment. */
  readonly segment: number;
}

export interface FileOverride {
  readonly content: OverrideContent;
  readonly line: number;
  readonly column: number;
  readonly segment: number;
}

export interface RuleFile {
  readonly segments: readonly Segment[];
  /** The blocks that are right; all blocks of the file only when there are no problems. */
  readonly rules: readonly FileRule[];
  readonly overrides: readonly FileOverride[];
  readonly problems: readonly Problem[];
  /** What people should know about blocks that are right. */
  readonly notes: readonly Problem[];
}

interface Part {
  readonly rules: readonly Omit<FileRule, 'segment'>[];
  readonly overrides: readonly Omit<FileOverride, 'segment'>[];
  readonly problems: readonly Problem[];
  readonly notes: readonly Problem[];
}

/** What was read of each segment of one file, by its text. */
export type SegmentCache = Map<string, Part>;

/**
 * Reads `text`. Overrides are accepted in the user's file only. `cache` holds the segments of the last reading of the same
 * file and is replaced by those of this one, so it never outgrows the file.
 */
export async function readRuleFile(
  text: string, options: { readonly parsers: RuleTextParsers; readonly overrides: boolean; readonly cache?: SegmentCache },
): Promise<RuleFile> {
  const file = await readSegments(segmentsOf(text), options);
  if (file.problems.length === 0 || !text.includes("'''") && !text.includes('"""')) return file;
  // A text of several lines may hold a line that looks like a header: only the file as a whole can tell.
  const whole = await readSegments([{ text, offset: 0, linesBefore: 0 }], options);
  return whole.problems.length === 0 ? whole : file;
}

async function readSegments(
  segments: readonly Segment[], options: Parameters<typeof readRuleFile>[1],
): Promise<RuleFile> {
  const rules: FileRule[] = [];
  const overrides: FileOverride[] = [];
  const problems: Problem[] = [];
  const notes: Problem[] = [];
  const used: SegmentCache = new Map();
  let turn = 0;
  for (const [index, segment] of segments.entries()) {
    let part = options.cache?.get(segment.text);
    if (part === undefined) {
      part = readPart(segment.text, options.parsers, options.overrides);
      if ((turn += 1) % SEGMENTS_A_TURN === 0) await nextTurn();
    }
    if (options.cache !== undefined) used.set(segment.text, part);
    for (const one of part.rules) rules.push({ ...one, line: one.line + segment.linesBefore, segment: index });
    for (const one of part.overrides) overrides.push({ ...one, line: one.line + segment.linesBefore, segment: index });
    for (const one of part.problems) problems.push({ ...one, line: one.line + segment.linesBefore });
    for (const one of part.notes) notes.push({ ...one, line: one.line + segment.linesBefore });
  }
  refill(options.cache, used);
  const { kept, repeated } = withoutRepeated(rules);
  return { segments, rules: kept, overrides, problems: [...problems, ...repeated], notes };
}

function refill(cache: SegmentCache | undefined, used: SegmentCache): void {
  if (cache === undefined) return;
  cache.clear();
  for (const [text, part] of used) cache.set(text, part);
}

/** Splits at `[[rule]]` lines; the parts put together are `text`. */
export function segmentsOf(text: string): readonly Segment[] {
  const starts = [0, ...[...text.matchAll(RULE_HEADER)].map((match) => match.index)].filter((at, index) => index === 0 || at > 0);
  const segments: Segment[] = [];
  let linesBefore = 0;
  for (const [index, offset] of starts.entries()) {
    const part = text.slice(offset, starts[index + 1] ?? text.length);
    segments.push({ text: part, offset, linesBefore });
    linesBefore += countLines(part);
  }
  return segments;
}

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines += 1;
  return lines;
}

function readPart(text: string, parsers: RuleTextParsers, overridesAllowed: boolean): Part {
  const parsed = parseToml(text, 0);
  if (!parsed.ok) return { rules: readWholeBlocks(text, parsers), overrides: [], problems: [parsed.problem], notes: [] };
  const rules: Omit<FileRule, 'segment'>[] = [];
  const overrides: Omit<FileOverride, 'segment'>[] = [];
  const problems: Problem[] = [];
  const notes: Problem[] = [];
  for (const [name, item] of parsed.value.top) {
    problems.push({ ...item.at, message: `The key ${shown(name)} stands outside a rule. Put it below a [[rule]] line.` });
  }
  for (const section of parsed.value.sections) {
    if (section.array && section.name === 'rule') {
      const result = readRule(section, parsers);
      if (!result.ok) {
        problems.push(...result.problems);
        continue;
      }
      rules.push({ content: result.content, ...section.at });
      notes.push(...result.notes);
    } else if (section.array && section.name === 'override' && overridesAllowed) {
      const result = readOverride(section);
      if ('content' in result) overrides.push({ content: result.content, ...section.at });
      else problems.push(...result.problems);
    } else {
      problems.push(strangeSection(section));
    }
  }
  return { rules, overrides, problems, notes };
}

/** The rules beside a block whose header or text is broken: each is read from its own lines alone, or not at all. */
function readWholeBlocks(text: string, parsers: RuleTextParsers): Part['rules'] {
  const blocks = text.split(LOOSE_HEADER);
  if (blocks.length < 2) return [];
  let linesBefore = 0;
  return blocks.flatMap((block) => {
    const { rules, problems } = readPart(block, parsers, false);
    const moved = rules.map((rule) => ({ ...rule, line: rule.line + linesBefore }));
    linesBefore += countLines(block) + 1;
    return problems.length === 0 ? moved : [];
  });
}

function strangeSection(section: Section): Problem {
  const { at, name } = section;
  if (name === 'rule') return { ...at, message: 'Write [[rule]] with two brackets: a file holds a list of rules.' };
  if (name === 'override') {
    return { ...at, message: section.array
      ? 'Overrides belong in 50-user.toml. In this file, change the rule itself.'
      : 'Write [[override]] with two brackets: a file holds a list of overrides.' };
  }
  return { ...at, message: `There is no table ${shown(name)} in a rule file.${didYouMean(name, ['rule', 'override'])}` };
}

function withoutRepeated(rules: readonly FileRule[]): { readonly kept: FileRule[]; readonly repeated: Problem[] } {
  const lines = new Map<string, number>();
  const kept: FileRule[] = [];
  const repeated: Problem[] = [];
  for (const rule of rules) {
    const first = lines.get(rule.content.id);
    if (first === undefined) {
      lines.set(rule.content.id, rule.line);
      kept.push(rule);
      continue;
    }
    const message = `The id ${shown(rule.content.id)} is used in line ${String(first)} already. Give this rule another one.`;
    repeated.push({ line: rule.line, column: rule.column, message });
  }
  return { kept, repeated };
}
