/**
 * `npm run po`: reads every text of the product, writes po/POTFILES and po/bastion-firewall.pot, brings every po/LANGUAGE.po up to
 * date (new texts are empty, texts that are gone leave), and prints what is missing or wrong. With --check nothing is written
 * and the exit status is 1 when a file would change, a text is missing or a translation is wrong. With --missing LANGUAGE it
 * prints the texts that nobody has translated, as a catalogue to be filled in.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { GetTextTranslations } from 'gettext-parser';
import { checkCatalogue, checkMnemonics } from './po/check.ts';
import type { Complaint } from './po/check.ts';
import { DOMAIN, compileTable, languagesThere, makeTable, readCatalogue, readLanguages, readSources } from './po/catalogues.ts';
import type { Sources } from './po/catalogues.ts';
import { checkTypography } from './po/typography.ts';

const ROOT = join(import.meta.dirname, '..');
/** More complaints of one language are counted. */
const COMPLAINTS_SHOWN = 40;

/** What the folder po/ should be, and what is wrong. */
export interface PoReport {
  /** Absolute path -> text. */
  readonly wanted: ReadonlyMap<string, string>;
  /** Sources that cannot be translated, `file:line: why`. */
  readonly problems: readonly string[];
  /** By language; '' for the texts of the source. */
  readonly complaints: ReadonlyMap<string, readonly Complaint[]>;
}

/** Reads all sources and catalogues of the repository at `root`. */
export function reportPo(root: string): PoReport {
  const sources = readSources(root);
  const template = makeTable(sources, null, null);
  const wanted = new Map([
    [join(root, 'po/POTFILES'), `${sources.files.join('\n')}\n`],
    [join(root, `po/${DOMAIN}.pot`), compileTable(template)],
  ]);
  const complaints = new Map<string, readonly Complaint[]>([['', checkMnemonics(template, null)]]);
  for (const language of new Set([...readLanguages(root), ...languagesThere(root)])) {
    const table = tableOf(root, sources, language);
    wanted.set(join(root, 'po', `${language}.po`), compileTable(table));
    complaints.set(language, [
      ...checkCatalogue(language, template, table), ...checkTypography(language, template, table), ...checkMnemonics(template, table),
    ]);
  }
  return { wanted, problems: sources.problems, complaints };
}

/** A language of LINGUAS that has no file yet begins empty. */
function tableOf(root: string, sources: Sources, language: string): GetTextTranslations {
  const old = existsSync(join(root, 'po', `${language}.po`)) ? readCatalogue(root, language) : null;
  const table = makeTable(sources, language, old);
  return { ...table, headers: { ...table.headers, Language: language, 'Plural-Forms': old?.headers['Plural-Forms'] ?? pluralRule(language) } };
}

/** Source: gettext manual, "Plural forms"; a translator checks it against the language. */
function pluralRule(language: string): string {
  if (/^(?:zh|ja|ko|vi|th|id)(?:_|$)/.test(language)) return 'nplurals=1; plural=0;';
  return language.startsWith('fr') ? 'nplurals=2; plural=(n > 1);' : 'nplurals=2; plural=(n != 1);';
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function write(wanted: PoReport['wanted'], check: boolean): boolean {
  let same = true;
  for (const [path, content] of wanted) {
    if (existsSync(path) && readFileSync(path, 'utf8') === content) continue;
    same = false;
    say(`${relative(ROOT, path)} ${check ? 'is not up to date; run: npm run po' : 'written'}`);
    if (!check) writeFileSync(path, content);
  }
  return same;
}

function tellComplaints({ problems, complaints }: PoReport): boolean {
  for (const problem of problems) say(problem);
  for (const [language, found] of complaints) {
    const name = language === '' ? 'the sources' : language;
    const missing = found.filter((one) => one.missing).length;
    say(found.length === 0 ? `${name}: complete` : `${name}: ${String(missing)} to translate, ${String(found.length - missing)} wrong`);
    for (const { text, message } of found.slice(0, COMPLAINTS_SHOWN)) say(`  ${JSON.stringify(text)}: ${message}`);
    if (found.length > COMPLAINTS_SHOWN) say(`  and ${String(found.length - COMPLAINTS_SHOWN)} more`);
  }
  return problems.length === 0 && [...complaints.values()].every((found) => found.length === 0);
}

/** The entries of a language without a translation. */
function missingTable(root: string, language: string): string {
  const table = tableOf(root, readSources(root), language);
  const translations = Object.fromEntries(Object.entries(table.translations).map(([context, messages]) => [
    context, Object.fromEntries(Object.entries(messages).filter(([, { msgstr }]) => msgstr.some((form) => form === ''))),
  ]));
  return compileTable({ ...table, translations });
}

function main(args: readonly string[]): void {
  const language = args[args.indexOf('--missing') + 1];
  if (args.includes('--missing') && language !== undefined) {
    process.stdout.write(missingTable(ROOT, language));
    return;
  }
  const check = args.includes('--check');
  const report = reportPo(ROOT);
  const same = write(report.wanted, check);
  const complete = tellComplaints(report);
  if (report.problems.length > 0 || (check && !(same && complete))) process.exitCode = 1;
}

if (import.meta.main) main(process.argv.slice(2));
