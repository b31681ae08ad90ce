/**
 * A rule file as a whole. It is read in segments, one for each `[[rule]]`: a typo in one block leaves the others readable,
 * an edit re-reads only the block that changed, and a large file does not hold up the event loop.
 */
import type { Rule } from '../../contract/vocabulary.ts';
import { Breath } from './breath.ts';
import { rememberingParsers } from './memo.ts';
import { readPlain } from './plain-rule.ts';
import type { Words } from './plain-rule.ts';
import { readOverride, readRule } from './rule-block.ts';
import type { OverrideContent, RuleContent, RuleTextParsers } from './rule-block.ts';
import { didYouMean, shown } from './text.ts';
import { parseToml } from './toml.ts';
import type { Problem, Section } from './toml.ts';

const RULE_HEADER = /\[\[[ \t]*(?:rule|"rule"|'rule')[ \t]*\]\]/y;

/** Where a block may begin in a part that is not TOML: a line that was meant as a header, but for the tables of a rule. */
const LOOSE_HEADER = /\n(?=[ \t]*\[(?![ \t]*rule[ \t]*\.))/;

/** A part of a file that begins with a `[[rule]]` (the first: with the file). */
export interface Segment {
  readonly text: string;
  readonly offset: number;
  readonly linesBefore: number;
}

/** Where a block stands. */
export interface BlockPlace {
  /** Line of `[[rule]]`, from 1. */
  readonly line: number;
  readonly column: number;
  /** Index of its segment. */
  readonly segment: number;
}

/**
 * A rule as its block says it. Of a hundred thousand rules that say in their files exactly what is in force, only what is in
 * force is kept.
 */
export class FileRule implements BlockPlace {
  readonly line: number;
  readonly column: number;
  readonly segment: number;
  private said: RuleContent | null;
  private made: Rule | null = null;

  constructor(content: RuleContent, { line, column, segment }: BlockPlace) {
    this.said = content;
    this.line = line;
    this.column = column;
    this.segment = segment;
  }

  get content(): RuleContent {
    return this.said ?? contentOf(this.made);
  }

  /** The rule that was made of it last: what did not change is the same object after the next load. */
  get built(): Rule | null {
    return this.made;
  }

  set built(rule: Rule | null) {
    const content = this.content;
    this.made = rule;
    const isSame = rule?.id === content.id && content.user === '' && rule.enabled === content.enabled && rule.groupOff === undefined;
    this.said = isSame ? null : content;
  }
}

function contentOf(rule: Rule | null): RuleContent {
  if (rule === null || rule.lifetime !== 'always' && typeof rule.lifetime !== 'object') throw new Error('a rule of a file says nothing');
  const { id, name, action, enabled, match, lifetime, priority, group, profile, created } = rule;
  return { id, name, action, enabled, match, user: '', lifetime, priority, group, profile: profile ?? '', created };
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

/** Lines are those of the part. */
interface PartRule {
  readonly content: RuleContent;
  readonly line: number;
  readonly column: number;
}

interface Part {
  readonly rules: readonly PartRule[];
  readonly overrides: readonly Omit<FileOverride, 'segment'>[];
  readonly problems: readonly Problem[];
  readonly notes: readonly Problem[];
}

/** What was read of each segment of one file, by its text. */
export type SegmentCache = Map<string, Part>;

export interface ReadOptions {
  readonly parsers: RuleTextParsers;
  readonly overrides: boolean;
  readonly cache?: SegmentCache;
  /** False: `segments` of the result is empty. */
  readonly keepSegments?: boolean;
}

/**
 * Reads `text`. Overrides are accepted in the user's file only. `cache` holds the segments of the last reading of the same
 * file and is replaced by those of this one, so it never outgrows the file.
 */
export async function readRuleFile(
  text: string, options: ReadOptions,
): Promise<RuleFile> {
  const file = await readSegments(eachSegment(text), options);
  if (file.problems.length === 0 || !text.includes("'''") && !text.includes('"""')) return file;
  // A text of several lines may hold a line that looks like a header: only the file as a whole can tell.
  const whole = await readSegments([{ text, offset: 0, linesBefore: 0 }], options);
  return whole.problems.length === 0 ? whole : file;
}

async function readSegments(
  found: Iterable<Segment>, options: ReadOptions,
): Promise<RuleFile> {
  const segments: Segment[] = [];
  const rules: FileRule[] = [];
  const overrides: FileOverride[] = [];
  const problems: Problem[] = [];
  const notes: Problem[] = [];
  const used: SegmentCache = new Map();
  const words: Words = new Map();
  const partOptions = { parsers: rememberingParsers(options.parsers), overrides: options.overrides };
  const breath = new Breath();
  let index = -1;
  for (const segment of found) {
    index += 1;
    if (breath.isDue) await breath.take();
    if (options.keepSegments !== false) segments.push(segment);
    const part = options.cache?.get(segment.text) ?? readPart(segment.text, partOptions, words);
    if (options.cache !== undefined) used.set(segment.text, part);
    for (const { content, line, column } of part.rules) {
      rules.push(new FileRule(content, { line: line + segment.linesBefore, column, segment: index }));
    }
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
  return [...eachSegment(text)];
}

function* eachSegment(text: string): Generator<Segment> {
  let linesBefore = 0;
  for (let offset = 0; ;) {
    const next = nextHeader(text, offset);
    const part = text.slice(offset, next);
    yield { text: part, offset, linesBefore };
    if (next >= text.length) return;
    linesBefore += countLines(part);
    offset = next;
  }
}

/** Start of the next line after `from` that is a header of a rule; the length of the text if there is none. */
function nextHeader(text: string, from: number): number {
  for (let at = text.indexOf('[[', from); at !== -1; at = text.indexOf('[[', at + 1)) {
    let start = at;
    while (start > from && (text[start - 1] === ' ' || text[start - 1] === '\t')) start -= 1;
    if (start === from || text[start - 1] !== '\n') continue;
    RULE_HEADER.lastIndex = at;
    if (RULE_HEADER.test(text)) return start;
  }
  return text.length;
}

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines += 1;
  return lines;
}

interface PartOptions {
  readonly parsers: RuleTextParsers;
  readonly overrides: boolean;
}

function readPart(text: string, options: PartOptions, words: Words): Part {
  const { parsers, overrides: overridesAllowed } = options;
  const plain = readPlain(text, words);
  const parsed = plain === null ? parseToml(text, 0) : { ok: true as const, value: plain };
  if (!parsed.ok) return { rules: readWholeBlocks(text, parsers, words), overrides: [], problems: [parsed.problem], notes: [] };
  const rules: PartRule[] = [];
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
function readWholeBlocks(text: string, parsers: RuleTextParsers, words: Words): Part['rules'] {
  const blocks = text.split(LOOSE_HEADER);
  if (blocks.length < 2) return [];
  let linesBefore = 0;
  return blocks.flatMap((block) => {
    const { rules, problems } = readPart(block, { parsers, overrides: false }, words);
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
