/** The texts of a source file that people read, as the translators get them. */
import ts from 'typescript';
import { unescapeXml } from './xml.ts';

/** One text of one place. */
export interface SourceText {
  readonly text: string;
  /** '' for a text without a plural. */
  readonly plural: string;
  /** '' for none. */
  readonly context: string;
  /** What the source says to translators, '' for nothing. */
  readonly comment: string;
}

/** What could not be read; named with its line. */
export interface SourceProblem {
  readonly line: number;
  readonly message: string;
}

export interface SourceTexts {
  readonly texts: readonly SourceText[];
  readonly problems: readonly SourceProblem[];
}

/** Functions that take texts, with the number of literal arguments that they need. */
const CALLS = { _: 1, ngettext: 2, pgettext: 2 } as const;
const COMMENT = /^(?:\/\/|\/\*+)\s*Translators:\s*([\s\S]*?)\s*(?:\*\/)?$/;
/** Keys of a desktop entry that have a text. Source: Desktop Entry Specification 1.5, "localestring". */
export const DESKTOP_KEYS = ['Name', 'GenericName', 'Comment', 'Keywords'] as const;
/** Elements that hold a text, by the ending of the file. */
export const XML_ELEMENTS = {
  '.policy': ['description', 'message'],
  '.metainfo.xml': ['name', 'summary', 'caption', 'p', 'li'],
  '.gschema.xml': ['summary', 'description'],
} as const;

/** The one kind of file that `file` is; null for one without texts. */
export function readerOf(file: string): ((source: string) => SourceTexts) | null {
  if (file.endsWith('.d.ts')) return null;
  if (file.endsWith('.ts')) return readTypeScript;
  if (file.endsWith('.ui')) return readBuilder;
  if (file.endsWith('.desktop')) return readDesktopEntry;
  const elements = elementsOf(file);
  return elements === null ? null : (source) => readXml(source, elements);
}

/** The elements with texts of an XML file; null for another kind of file. */
export function elementsOf(file: string): readonly string[] | null {
  return Object.entries(XML_ELEMENTS).find(([ending]) => file.endsWith(ending))?.[1] ?? null;
}

/** `_('...')`, `ngettext('...', '...', n)`, `pgettext('...', '...')`; anything else than a literal there is a problem. */
function readTypeScript(content: string): SourceTexts {
  const texts: SourceText[] = [];
  const problems: SourceProblem[] = [];
  const source = ts.createSourceFile('source.ts', content, ts.ScriptTarget.Latest, true);
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && Object.hasOwn(CALLS, node.expression.text)) {
      const call = node.expression.text as keyof typeof CALLS;
      const literals = node.arguments.slice(0, CALLS[call]).filter(ts.isStringLiteralLike).map((argument) => argument.text);
      const [first = '', second = ''] = literals;
      if (literals.length < CALLS[call] || first === '') {
        const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
        problems.push({ line, message: `${call}() needs its text written out, or nobody can translate it` });
      } else {
        const comment = commentBefore(content, node);
        texts.push(call === 'pgettext'
          ? { text: second, plural: '', context: first, comment }
          : { text: first, plural: call === 'ngettext' ? second : '', context: '', comment });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { texts, problems };
}

/** The comment before the statement or property that the call is in. */
function commentBefore(content: string, call: ts.Node): string {
  for (let node: ts.Node = call; !ts.isSourceFile(node) && !ts.isBlock(node); node = node.parent) {
    const ranges = ts.getLeadingCommentRanges(content, node.getFullStart()) ?? [];
    const last = ranges.at(-1);
    const found = last === undefined ? null : COMMENT.exec(content.slice(last.pos, last.end));
    if (found !== null) return (found[1] ?? '').replaceAll(/\s+/g, ' ');
    if (ts.isStatement(node)) break;
  }
  return '';
}

/** An element with the attribute translatable="yes", as load-ui.ts translates it. */
export const BUILDER_TEXT = /<(property|attribute|item)\b([^>]*) translatable="(?:yes|1|true)"([^>]*)>([^<]*)</g;

function readBuilder(content: string): SourceTexts {
  const texts: SourceText[] = [];
  for (const [, , before = '', after = '', text = ''] of content.matchAll(BUILDER_TEXT)) {
    const attribute = (name: string): string => unescapeXml(new RegExp(` ${name}="([^"]*)"`).exec(before + after)?.[1] ?? '');
    if (text !== '') texts.push({ text: unescapeXml(text), plural: '', context: attribute('context'), comment: attribute('comments') });
  }
  return { texts, problems: [] };
}

function readDesktopEntry(content: string): SourceTexts {
  const texts: SourceText[] = [];
  const keys = new RegExp(`^(${DESKTOP_KEYS.join('|')})=(.+)$`);
  let comment = '';
  for (const line of content.split('\n')) {
    const [, key = '', text = ''] = keys.exec(line) ?? [];
    if (text !== '') texts.push({ text, plural: '', context: '', comment: commentOfKey(key, comment) });
    comment = /^#\s*Translators:\s*(.*)$/.exec(line)?.[1] ?? '';
  }
  return { texts, problems: [] };
}

function commentOfKey(key: string, comment: string): string {
  if (comment !== '' || key !== 'Keywords') return comment;
  return 'Words that people search for, each followed by a semicolon, the last one too. Words of your own are welcome.';
}

/** An element of one of these names with text alone in it; what is marked translate="no" is left out. */
export function xmlText(elements: readonly string[]): RegExp {
  return new RegExp(`(?:<!--\\s*Translators:\\s*([^>]*?)\\s*-->\\s*)?<(${elements.join('|')})((?:\\s[^>]*)?)>([^<]+)</\\2>`, 'g');
}

function readXml(content: string, elements: readonly string[]): SourceTexts {
  const texts: SourceText[] = [];
  for (const [, comment = '', , attributes = '', text = ''] of content.matchAll(xmlText(elements))) {
    if (attributes.includes('translate="no"') || attributes.includes('xml:lang')) continue;
    texts.push({ text: oneLine(unescapeXml(text)), plural: '', context: '', comment: oneLine(comment) });
  }
  return { texts, problems: [] };
}

/** As readers of these files show it: line breaks and indentation are not part of the text. */
export function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
