/**
 * Reads every text of the desktop and writes po/bastion-firewall.pot; brings every po/LANGUAGE.po up to date with it: new texts
 * are empty, texts that are gone leave. With --check nothing is written and the exit status is 1 if a file would change.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { po } from 'gettext-parser';
import type { GetTextMessage, GetTextTranslations } from 'gettext-parser';
import ts from 'typescript';

const ROOT = join(import.meta.dirname, '..');
const TEMPLATE = join(ROOT, 'po/bastion-firewall.pot');
const POTFILES = join(ROOT, 'po/POTFILES');
const TRANSLATABLE = /<(?:property|attribute) [^>]*translatable="yes"[^>]*>([^<]*)</g;
const FOLD = 120;

interface Found {
  readonly context: string;
  readonly text: string;
  readonly plural: string;
  readonly files: Set<string>;
}

type Texts = Map<string, Found>;

function add(texts: Texts, file: string, text: string, plural = '', context = ''): void {
  const key = `${context}\u{4}${text}`;
  const known = texts.get(key);
  if (known === undefined) texts.set(key, { context, text, plural, files: new Set([file]) });
  else known.files.add(file);
}

/** `_('...')`, `ngettext('...', '...', n)`, `pgettext('...', '...')` with literal texts. */
function readTypeScript(texts: Texts, file: string): void {
  const source = ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), ts.ScriptTarget.Latest);
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
      const literals = node.arguments.filter(ts.isStringLiteralLike).map((argument) => argument.text);
      const [first = '', second = ''] = literals;
      if (node.expression.text === '_' && first !== '') add(texts, file, first);
      if (node.expression.text === 'ngettext' && first !== '') add(texts, file, first, second);
      if (node.expression.text === 'pgettext' && second !== '') add(texts, file, second, '', first);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}

function readBuilder(texts: Texts, file: string): void {
  for (const [, content = ''] of readFileSync(join(ROOT, file), 'utf8').matchAll(TRANSLATABLE)) {
    const text = content
      .replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&apos;', "'").replaceAll('&amp;', '&');
    if (text !== '') add(texts, file, text);
  }
}

/** Every source of texts, relative to the repository. */
function sourceFiles(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(?:ts|ui)$/.test(entry.name) && !entry.name.endsWith('.d.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort();
}

function table(texts: Texts, headers: Record<string, string>, old: GetTextTranslations | null): GetTextTranslations {
  const forms = Number(/nplurals=(\d)/.exec(headers['Plural-Forms'] ?? '')?.[1] ?? 2);
  const translations: Record<string, Record<string, GetTextMessage>> = {};
  for (const { context, text, plural, files } of texts.values()) {
    const kept = old?.translations[context]?.[text]?.msgstr;
    const empty = Array<string>(plural === '' ? 1 : forms).fill('');
    const message: GetTextMessage = { msgid: text, msgstr: kept ?? empty, comments: { reference: [...files].join('\n') } };
    if (plural !== '') message.msgid_plural = plural;
    if (context !== '') message.msgctxt = context;
    (translations[context] ??= {})[text] = message;
  }
  return { charset: 'utf-8', headers, translations };
}

function compile(content: GetTextTranslations): string {
  return `${po.compile(content, { foldLength: FOLD }).toString('utf8').trimEnd()}\n`;
}

/** The files that should be there, by path. */
function wantedFiles(): ReadonlyMap<string, string> {
  const texts: Texts = new Map();
  const files = sourceFiles('desktop');
  for (const file of files) (file.endsWith('.ui') ? readBuilder : readTypeScript)(texts, file);
  const used = new Set([...texts.values()].flatMap((found) => [...found.files]));
  const common = { 'Project-Id-Version': 'bastion-firewall', 'MIME-Version': '1.0', 'Content-Type': 'text/plain; charset=UTF-8', 'Content-Transfer-Encoding': '8bit' };
  const wanted = new Map([
    [POTFILES, `${files.filter((file) => used.has(file)).join('\n')}\n`],
    [TEMPLATE, compile(table(texts, { ...common, 'Plural-Forms': 'nplurals=2; plural=(n != 1);' }, null))],
  ]);
  for (const name of readdirSync(join(ROOT, 'po')).filter((one) => one.endsWith('.po'))) {
    const path = join(ROOT, 'po', name);
    const old = po.parse(readFileSync(path));
    wanted.set(path, compile(table(texts, { ...common, ...old.headers }, old)));
  }
  return wanted;
}

function current(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const check = process.argv.includes('--check');
for (const [path, content] of wantedFiles()) {
  if (current(path) === content) continue;
  process.stdout.write(`${relative(ROOT, path)} ${check ? 'is not up to date; run tools/update-po.ts' : 'written'}\n`);
  if (check) process.exitCode = 1;
  else writeFileSync(path, content);
}
