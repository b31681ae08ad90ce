/** The comment of a member of the contract, taken apart: what it does, what it costs, what it raises, and its arguments. */
import type { ContractMember } from './contract.ts';

/** Each text on one line, without a full stop at the end; '' where the comment does not say. */
export interface Wording {
  /** What is left: sentences, with their full stops. */
  readonly text: string;
  /** First version that has it. */
  readonly since: string;
  /** `view; view-all for ...`. */
  readonly action: string;
  readonly errors: string;
  /** By name of the argument. */
  readonly notes: ReadonlyMap<string, string>;
}

const SINCE = /\s*Since (\d+\.\d+)\.?/u;
const ERRORS = /\s*Raises\s+([\s\S]+?)\.(?=\s|$)/u;
const ACTION = /(?:^|\s+)(?:No action|Action ([\s\S]+?))\.(?=\s|$)/u;
/** A note ends with its sentence, or where the comment ends. */
const NOTE_END = /\.(?=\s|$)|$/u;

/** Takes the first match out; its first group and what is left. */
function cut(text: string, pattern: RegExp): { readonly found: string; readonly rest: string } {
  const match = pattern.exec(text);
  return match === null ? { found: '', rest: text } : { found: match[1] ?? '', rest: text.slice(0, match.index) + text.slice(match.index + match[0].length) };
}

function line(text: string): string {
  return text.replaceAll(/\s+/gu, ' ').trim();
}

interface Placed {
  readonly names: readonly string[];
  /** From the boundary before its names. */
  readonly from: number;
  readonly textFrom: number;
}

/** `name: what it is` or `one, other: what they are`, at the beginning of a line, a sentence or a part of one. */
function notesIn(text: string, names: readonly string[]): readonly Placed[] {
  if (names.length === 0) return [];
  const one = `(?:${names.join('|')})`;
  const pattern = new RegExp(`(?:^|\\n|[.;]\\s+)(${one}(?:, ${one})*): `, 'gu');
  return [...text.matchAll(pattern)].map((match) => (
    { names: (match[1] ?? '').split(', '), from: match.index, textFrom: match.index + match[0].length }
  ));
}

/** Reads what the contract's comment says of `member`. */
export function wordingOf(member: ContractMember): Wording {
  const since = cut(member.text, SINCE);
  const errors = cut(since.rest, ERRORS);
  const action = cut(errors.rest, ACTION);
  const notes = new Map<string, string>();
  let left = '';
  let at = 0;
  const placed = notesIn(action.rest, member.arguments.map(({ name }) => name));
  for (const [index, { names, from, textFrom }] of placed.entries()) {
    const sentence = action.rest.slice(textFrom, placed[index + 1]?.from ?? action.rest.length);
    const length = NOTE_END.exec(sentence)?.index ?? sentence.length;
    for (const name of names) notes.set(name, line(sentence.slice(0, length)));
    // What stood before it ends there: a note may follow a sentence or a part of one.
    const before = action.rest.slice(at, from);
    left += /\w$/u.test(before) ? `${before}. ` : `${before} `;
    at = textFrom + length + 1;
  }
  left += action.rest.slice(at);
  return { text: line(left), since: since.found, action: line(action.found), errors: line(errors.found), notes };
}
