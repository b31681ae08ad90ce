/** What the documents hold: code blocks, inline commands, headings and links. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../lab/process.ts';

/** What people read; paths below the repository. */
export const GUIDES = ['README.md', 'SECURITY.md', ...globSync('docs/*.md', { cwd: ROOT }).sort()];

/** A fenced code block. */
export interface Block {
  readonly file: string;
  /** Of its first line of text, from 1. */
  readonly line: number;
  /** The word behind the fence; '' for none. */
  readonly language: string;
  readonly text: string;
}

export function textOf(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

const FENCE = /^```(?<language>[a-z]*)\n(?<text>[\s\S]*?)^```$/gmu;

export function blocksOf(file: string): readonly Block[] {
  const whole = textOf(file);
  return [...whole.matchAll(FENCE)].map(({ index, groups = {} }) => ({
    file, line: whole.slice(0, index).split('\n').length + 1, language: groups['language'] ?? '', text: groups['text'] ?? '',
  }));
}

/** The text between the code blocks. */
export function proseOf(file: string): string {
  return textOf(file).replaceAll(FENCE, '');
}

/** `code` of the prose, wrapped lines joined. */
export function inlineOf(file: string): readonly string[] {
  return [...proseOf(file).matchAll(/`(?<code>[^`]+)`/gu)].map(({ groups }) => (groups?.['code'] ?? '').replaceAll(/\s+/gu, ' '));
}

/** Targets of links and pictures that lead into the repository. */
export function linksOf(file: string): readonly string[] {
  const prose = proseOf(file).replaceAll(/`[^`]*`/gu, '');
  return [...prose.matchAll(/\]\((?<target>[^)\s]+)\)/gu)].map(({ groups }) => groups?.['target'] ?? '').filter((target) => !/^[a-z]+:/u.test(target));
}

/** The anchors that a page of GitHub has for its headings. */
export function anchorsOf(file: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const [, heading = ''] of proseOf(file).matchAll(/^#+ (.*)$/gmu)) {
    const slug = heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');
    let number = 0;
    while (found.has(number === 0 ? slug : `${slug}-${String(number)}`)) number += 1;
    found.add(number === 0 ? slug : `${slug}-${String(number)}`);
  }
  return found;
}

export function isThere(path: string): boolean {
  return existsSync(join(ROOT, path));
}

/** One simple command: its words, and the file that its output goes to, '' for none. */
export interface SimpleCommand {
  readonly words: readonly string[];
  readonly output: string;
}

const TOKEN = /\s*(?:(?<comment>#.*)|(?<operator>\|\||&&|[|;&\n]|[<>]+)|(?<word>(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\|;&<>])+))|\s+/gyu;

function unquoted(word: string): string {
  return word.replaceAll(/'(?<single>[^']*)'|"(?<double>(?:[^"\\]|\\.)*)"|\\(?<escaped>.)/gu, (_all, single?: string, double?: string, escaped?: string) =>
    single ?? double?.replaceAll(/\\(.)/gu, '$1') ?? escaped ?? '');
}

/** The simple commands of a shell text: quotes, pipes and redirections, and what `sh -c` is given; nothing is expanded. */
export function commandsOf(text: string): readonly SimpleCommand[] {
  return text.replaceAll('\\\n', ' ').split('\n').flatMap((line) => commandsOfLine(line));
}

function commandsOfLine(line: string): readonly SimpleCommand[] {
  const found: { words: string[]; output: string }[] = [{ words: [], output: '' }];
  let redirection = '';
  for (const { groups = {} } of line.matchAll(TOKEN)) {
    const { operator, word } = groups;
    const last = found.at(-1);
    if (last === undefined || groups['comment'] !== undefined) break;
    if (operator !== undefined && /[<>]/u.test(operator)) redirection = operator;
    else if (operator !== undefined) found.push({ words: [], output: '' });
    else if (word !== undefined && redirection !== '') {
      if (redirection.startsWith('>')) last.output = unquoted(word);
      redirection = '';
    } else if (word !== undefined) last.words.push(unquoted(word));
  }
  return found.flatMap(({ words, output }) => {
    const shell = words.indexOf('-c');
    return [{ words, output }, ...(shell > 0 && words[shell - 1] === 'sh' ? commandsOf(words[shell + 1] ?? '') : [])];
  });
}

/** What stands behind `bastionctl`; null for another command. */
export function bastionctlArguments({ words }: SimpleCommand): readonly string[] | null {
  const [first = '', ...rest] = words[0] === 'sudo' ? words.slice(1) : words;
  return first === 'bastionctl' || first === '$BASTION_CTL' ? rest : null;
}
