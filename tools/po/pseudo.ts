/**
 * Catalogues of a language that nobody speaks, made from the sources for tests: every text is readable, longer than the English
 * one, and stands in brackets, so that a text without them is one that cannot be translated. `qps` runs from the left,
 * `qps@rtl` from the right.
 */
import type { GetTextTranslations } from 'gettext-parser';
import { makeTable, readSources } from './catalogues.ts';

export const PSEUDO = { leftToRight: 'qps', rightToLeft: 'qps@rtl' } as const;
/** Around every text. */
export const PSEUDO_MARKS = { begin: '⟦', end: '⟧' } as const;
/** How much longer a translation can be than English. Source: W3C, "Text size in translation": 40 % for sentences. */
const LONGER = 0.4;
const LETTERS = 'aàeéiîoôuûcçnñyýAÀEÉIÎOÔUÛCÇNÑYÝ';
/** A letter that turns its line, because the direction of a line is that of its first letter. */
const RIGHT_TO_LEFT_LETTER = '\u{5d0}';
/** What stays as it is: places for values, the subject of a password dialog, markup, marked letters. */
const KEPT = /(\{\w+\}|\$\(\w+\)|<\/?[a-z]+>|_\p{L})/u;

function accented(text: string): string {
  return text.replaceAll(/[a-z]/gi, (letter) => {
    const index = LETTERS.indexOf(letter);
    return index >= 0 && index % 2 === 0 ? (LETTERS[index + 1] ?? letter) : letter;
  });
}

/** One text in the language. */
export function pseudoText(text: string, rightToLeft: boolean): string {
  const kept = new RegExp(KEPT, 'u');
  const body = text.split(kept).map((part) => (kept.test(part) ? part : accented(part))).join('');
  const tail = /;?\s*$/.exec(body)?.[0] ?? '';
  // In words, because a longer translation can be broken into lines too.
  const filler = Array.from({ length: Math.round(text.length * LONGER) }, (_unused, at) => (at % 5 === 0 ? ' ' : '~')).join('').trimEnd();
  return `${PSEUDO_MARKS.begin}${rightToLeft ? RIGHT_TO_LEFT_LETTER : ''}${body.slice(0, body.length - tail.length)}${filler}${PSEUDO_MARKS.end}${tail}`;
}

/** Both catalogues, by language. */
export function pseudoCatalogues(root: string): ReadonlyMap<string, GetTextTranslations> {
  const sources = readSources(root);
  return new Map(Object.values(PSEUDO).map((language) => [language, pseudoCatalogue(makeTable(sources, null, null), language)] as const));
}

function pseudoCatalogue(template: GetTextTranslations, language: string): GetTextTranslations {
  const rightToLeft = language === PSEUDO.rightToLeft;
  const translations = Object.fromEntries(Object.entries(template.translations).map(([context, messages]) => [
    context, Object.fromEntries(Object.entries(messages).map(([text, message]) => {
      const forms = message.msgid_plural === undefined ? [message.msgid] : [message.msgid, message.msgid_plural];
      const isDirection = message.msgid === 'ltr' && context !== '';
      const msgstr = isDirection ? [rightToLeft ? 'rtl' : 'ltr'] : forms.map((form) => pseudoText(form, rightToLeft));
      return [text, { ...message, msgstr }];
    })),
  ]));
  return { ...template, translations, headers: { ...template.headers, 'Plural-Forms': 'nplurals=2; plural=(n != 1);' } };
}
