/** The folder po/: sources, template, catalogues. Nothing here writes. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { mo, po } from 'gettext-parser';
import type { GetTextMessage, GetTextTranslations } from 'gettext-parser';
import type { Catalogues } from './merge.ts';
import { pluralForms } from './check.ts';
import { readerOf } from './texts.ts';
import type { SourceText } from './texts.ts';

export const DOMAIN = 'bastion-firewall';
/** Folders whose texts people see. */
const SOURCE_FOLDERS = ['desktop', 'data/desktop', 'data/polkit'];
const FOLD = 120;
const HEADERS = {
  'Project-Id-Version': DOMAIN, 'MIME-Version': '1.0', 'Content-Type': 'text/plain; charset=UTF-8', 'Content-Transfer-Encoding': '8bit',
};

interface Found extends SourceText {
  readonly files: Set<string>;
  readonly comments: Set<string>;
}

/** Every text of the sources, in the order of their files. */
export interface Sources {
  readonly texts: ReadonlyMap<string, Found>;
  /** Files with texts, sorted. */
  readonly files: readonly string[];
  /** `file:line: what is wrong`. */
  readonly problems: readonly string[];
}

export function readSources(root: string): Sources {
  const texts = new Map<string, Found>();
  const files: string[] = [];
  const problems: string[] = [];
  for (const file of SOURCE_FOLDERS.flatMap((folder) => filesBelow(root, folder)).sort()) {
    const read = readerOf(file)?.(readFileSync(join(root, file), 'utf8'));
    if (read === undefined) continue;
    if (read.texts.length > 0) files.push(file);
    for (const { line, message } of read.problems) problems.push(`${file}:${String(line)}: ${message}`);
    for (const text of read.texts) {
      const problem = add(texts, file, text);
      if (problem !== '') problems.push(`${file}: ${problem}`);
    }
  }
  return { texts, files, problems };
}

function filesBelow(root: string, folder: string): readonly string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

function add(texts: Map<string, Found>, file: string, text: SourceText): string {
  const key = `${text.context}\u{4}${text.text}`;
  const known = texts.get(key);
  if (known === undefined) {
    texts.set(key, { ...text, files: new Set([file]), comments: new Set(text.comment === '' ? [] : [text.comment]) });
    return '';
  }
  known.files.add(file);
  if (text.comment !== '') known.comments.add(text.comment);
  if (text.plural === known.plural) return '';
  if (known.plural !== '' && text.plural !== '') return `“${text.text}” has two plurals: “${known.plural}” and “${text.plural}”`;
  // One message serves both: the first form is the text alone.
  texts.set(key, { ...known, plural: known.plural || text.plural });
  return '';
}

/** The table of all texts with what `old` has of their translations. */
export function makeTable(sources: Sources, language: string | null, old: GetTextTranslations | null): GetTextTranslations {
  const forms = language === null ? 2 : pluralForms(language);
  const translations: Record<string, Record<string, GetTextMessage>> = {};
  for (const { context, text, plural, files, comments } of sources.texts.values()) {
    const kept = old?.translations[context]?.[text];
    const wanted = plural === '' ? 1 : forms;
    const msgstr = Array.from({ length: wanted }, (_unused, index) => kept?.msgstr[index] ?? '');
    const message: GetTextMessage = { msgid: text, msgstr, comments: { reference: [...files].sort().join('\n') } };
    if (comments.size > 0 && message.comments !== undefined) message.comments.extracted = [...comments].join('\n');
    if (kept?.comments?.translator !== undefined && message.comments !== undefined) message.comments.translator = kept.comments.translator;
    if (kept?.comments?.flag !== undefined && message.comments !== undefined) message.comments.flag = kept.comments.flag;
    if (plural !== '') message.msgid_plural = plural;
    if (context !== '') message.msgctxt = context;
    (translations[context] ??= {})[text] = message;
  }
  const plurals = language === null ? { 'Plural-Forms': 'nplurals=INTEGER; plural=EXPRESSION;' } : {};
  return { charset: 'utf-8', headers: { ...HEADERS, ...plurals, ...old?.headers }, translations };
}

export function compileTable(content: GetTextTranslations): string {
  return `${po.compile(content, { foldLength: FOLD }).toString('utf8').trimEnd()}\n`;
}

/** po/LINGUAS: the languages that are shipped, one a line. */
export function readLanguages(root: string): readonly string[] {
  const text = existsSync(join(root, 'po/LINGUAS')) ? readFileSync(join(root, 'po/LINGUAS'), 'utf8') : '';
  return text.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#')).sort();
}

/** Languages of po/*.po, sorted. */
export function languagesThere(root: string): readonly string[] {
  return readdirSync(join(root, 'po')).filter((name) => name.endsWith('.po')).map((name) => basename(name, '.po')).sort();
}

export function readCatalogue(root: string, language: string): GetTextTranslations {
  return po.parse(readFileSync(join(root, 'po', `${language}.po`)));
}

/** Every catalogue, for the files that carry their translations themselves. */
export function readCatalogues(root: string): Catalogues {
  return new Map(languagesThere(root).map((language) => [language, readCatalogue(root, language)] as const));
}

/** A compiled catalogue, without translations that are marked as doubtful. */
export function compileMo(catalogue: GetTextTranslations): Buffer {
  const translations = Object.fromEntries(Object.entries(catalogue.translations).map(([context, messages]) => [
    context, Object.fromEntries(Object.entries(messages).filter(([, { comments }]) => !/\bfuzzy\b/.test(comments?.flag ?? ''))),
  ]));
  return mo.compile({ ...catalogue, translations });
}
