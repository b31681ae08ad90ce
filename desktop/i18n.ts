/**
 * Text for people. Every sentence that the desktop shows passes through `_`, `ngettext` or `pgettext`, so that po/ holds
 * it. Catalogues are compiled .mo files below `<locale folder>/<language>/LC_MESSAGES/`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readMo } from './model/mo-file.ts';

const DOMAIN = 'bastion-firewall';
/** A catalogue of ours is far below this; a larger file is not one of ours. */
const CATALOGUE_LIMIT_BYTES = 4 * 1024 * 1024;
const LANGUAGE_NAME = /^[A-Za-z]{2,3}(?:_[A-Za-z]{2,4})?(?:@[A-Za-z]{1,16})?$/;
const CONTEXT_SEPARATOR = '\u{4}';

/** Translations of one language. `plural` picks the form for a count. */
export interface Catalogue {
  /** Context + U+0004 + text, or the text alone -> forms. */
  readonly forms: ReadonlyMap<string, readonly string[]>;
  readonly plural: (count: number) => number;
  /** As in the file's name, `zh_CN`; `en` when absent. */
  readonly language?: string;
}

const NONE: Catalogue = { forms: new Map(), plural: (count) => (count === 1 ? 0 : 1) };
let current: Catalogue = NONE;

/** Replaces the catalogue in use; null goes back to the texts of the source. */
export function setCatalogue(catalogue: Catalogue | null): void {
  current = catalogue ?? NONE;
}

/** The language of the texts that are shown, which is not the session's where there is no catalogue for that. */
export function messageLanguage(): string {
  return current.language ?? 'en';
}

/**
 * Which way the texts run. The catalogue says it, because the toolkit knows it only where it has a translation of its own and
 * the system has the locale.
 */
export function textDirection(): 'ltr' | 'rtl' {
  // Translators: "rtl" where your language is written from the right to the left, else "ltr". Nothing else.
  return pgettext('direction of the text', 'ltr') === 'rtl' ? 'rtl' : 'ltr';
}

/** The text in the language of the session. */
export function _(text: string): string {
  return current.forms.get(text)?.[0] ?? text;
}

/** The text that means `context`: for words that need two translations. */
export function pgettext(context: string, text: string): string {
  return current.forms.get(context + CONTEXT_SEPARATOR + text)?.[0] ?? text;
}

/** For texts that come from a file: `context` '' for none. */
export function translated(text: string, context: string): string {
  return current.forms.get(context === '' ? text : context + CONTEXT_SEPARATOR + text)?.[0] ?? text;
}

/** The form that fits `count`. The number itself is put in with `fill`. */
export function ngettext(one: string, many: string, count: number): string {
  const forms = current.forms.get(one);
  if (forms === undefined) return count === 1 ? one : many;
  return forms[Math.min(current.plural(count), forms.length - 1)] ?? many;
}

/** Puts values into `{name}` places. Unknown places stay, so that a wrong translation shows instead of failing. */
export function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\{(\w+)\}/g, (place, name: string) => (Object.hasOwn(values, name) ? (values[name] ?? place) : place));
}

/**
 * Languages that the person wants, best first, without 'C' and 'POSIX'. Source: gettext's order, LANGUAGE before LC_ALL
 * before LC_MESSAGES before LANG; LANGUAGE is ignored in the C locale.
 */
export function wantedLanguages(environment: Readonly<Record<string, string | undefined>>): readonly string[] {
  const locale = environment['LC_ALL'] || environment['LC_MESSAGES'] || environment['LANG'] || 'C';
  if (isPlain(locale)) return [];
  const wanted = [...(environment['LANGUAGE'] ?? '').split(':'), locale];
  const names = new Set<string>();
  for (const one of wanted.slice(0, 16)) {
    const name = one.replace(/\.[^@]*/, '');
    if (!LANGUAGE_NAME.test(name) || isPlain(name)) continue;
    names.add(name);
    names.add(name.replace(/@.*/, ''));
    names.add(name.replace(/[_@].*/, ''));
  }
  return [...names];
}

function isPlain(locale: string): boolean {
  return /^(?:C|POSIX)(?:\.|$)/.test(locale);
}

/**
 * The index of the plural form in gettext's order, which is CLDR's with the categories left out that whole numbers never
 * take; those come last, so that the caller's clamp to the last form is right for them.
 */
function pluralOf(language: string): (count: number) => number {
  const rules = new Intl.PluralRules(language.replace('_', '-').replace(/@.*/, ''));
  const used = new Set<string>(rules.resolvedOptions().pluralCategories);
  const order = ['zero', 'one', 'two', 'few', 'many', 'other'].filter((category) => used.has(category));
  return (count) => Math.max(0, order.indexOf(rules.select(count)));
}

/** Reads one compiled catalogue. Throws on a file that is not one. */
export function parseCatalogue(bytes: Uint8Array, language: string): Catalogue {
  const forms = new Map<string, readonly string[]>();
  for (const [key, found] of readMo(bytes)) {
    const filled = found.filter((form) => form !== '');
    // The empty text's translation is the catalogue's own header.
    if (key !== '' && filled.length > 0) forms.set(key, filled);
  }
  return { forms, plural: pluralOf(language), language };
}

/** Takes the best catalogue below `folder` into use; without one the texts of the source stay. */
export function loadCatalogue(folder: string, environment: Readonly<Record<string, string | undefined>>): void {
  for (const language of wantedLanguages(environment)) {
    if (language === 'en') return;
    try {
      const bytes = readFileSync(join(folder, language, 'LC_MESSAGES', `${DOMAIN}.mo`));
      if (bytes.length > CATALOGUE_LIMIT_BYTES) continue;
      setCatalogue(parseCatalogue(bytes, language));
      return;
    } catch {
      continue;
    }
  }
}
