/** What a translation must look like on paper: the quotes, spaces and ends of sentences of its language. */
import type { GetTextTranslations } from 'gettext-parser';
import type { Complaint } from './check.ts';

interface Rule {
  readonly wrong: RegExp;
  readonly message: string;
}

/** For every language. A straight quote stands where the text itself has one. */
const COMMON: readonly Rule[] = [
  { wrong: /\.\.\.(?!\p{L})/u, message: 'three dots are one character: …' },
  { wrong: /'/u, message: 'a straight apostrophe is no letter: ’' },
];

const NO_SPACE_BEFORE: Rule = { wrong: /[ \u00a0\u202f][:;!?](?=\s|$)/u, message: 'no space stands before : ; ! ?' };

/** By the part of the language's name before `_`. */
const OF_LANGUAGE: ReadonlyMap<string, readonly Rule[]> = new Map([
  ['de', [NO_SPACE_BEFORE, { wrong: /[”«»‘]/u, message: 'quotes are „ and “' }, { wrong: /[\p{L}\p{N}]…$/u, message: 'a space stands before …' }]],
  ['nl', [NO_SPACE_BEFORE, { wrong: /[“”«»„]/u, message: 'quotes are ‘ and ’' }]],
  ['es', [NO_SPACE_BEFORE, { wrong: /[“”„‘]/u, message: 'quotes are « and »' }, { wrong: /^[^¿]*\?/u, message: 'a question begins with ¿' }]],
  ['fr', [
    { wrong: /[“”„‘]/u, message: 'quotes are « and »' },
    { wrong: /(?:^|[^\u00a0])(?:[:;!?](?=\s|$)|»)|«(?!\u00a0)/u, message: 'a non-breaking space stands before : ; ! ? » and after «' },
  ]],
  ['zh', [
    { wrong: /[«»„‘]/u, message: 'quotes are “ and ”' },
    { wrong: /[\p{Script=Han}}][,:;!?](?=\s|$|\p{Script=Han})|[,:;!?]\p{Script=Han}/u, message: 'punctuation is as wide as the characters: ，：；！？' },
  ]],
]);

/** What ends a sentence; the wide ones are the same. A mark for the keyboard may stand behind it. */
const ENDS: ReadonlyMap<string, string> = new Map([['.', '.'], ['。', '.'], [':', ':'], ['：', ':'], ['?', '?'], ['？', '?']]);

/** '' for a text that ends in the middle. */
function endOf(text: string): string {
  const last = text.replace(/\(_\p{L}\)/u, '').replace(/[\s”“’»)）]+$/u, '').at(-1) ?? '';
  return ENDS.get(last) ?? '';
}

function complaintsOf(language: string, source: string, text: string): readonly string[] {
  const rules = [...COMMON, ...(OF_LANGUAGE.get(/^[a-z]+/.exec(language)?.[0] ?? '') ?? [])];
  const found = rules.filter(({ wrong }) => wrong.test(text)).map(({ message }) => `${message}: ${text}`);
  if (endOf(source) !== endOf(text)) found.push(`it must end as the text does, or neither with . : ?: ${text}`);
  if (source.includes('…') !== text.includes('…')) found.push(`… belongs to both or to neither: ${text}`);
  if (!source.includes('"') && text.includes('"')) found.push(`a straight quote is none of the language’s: ${text}`);
  if (!/ {2}/.test(source) && / {2}/.test(text)) found.push(`it has two spaces together: ${text}`);
  return found;
}

/** Every translated text that is set wrongly. Lists of keywords, which end with a semicolon, are no sentences. */
export function checkTypography(language: string, template: GetTextTranslations, catalogue: GetTextTranslations): readonly Complaint[] {
  const complaints: Complaint[] = [];
  for (const [context, messages] of Object.entries(template.translations)) {
    for (const { msgid } of Object.values(messages)) {
      if (msgid === '' || msgid.endsWith(';')) continue;
      for (const text of catalogue.translations[context]?.[msgid]?.msgstr ?? []) {
        if (text === '') continue;
        complaints.push(...complaintsOf(language, msgid, text).map((message) => ({ text: msgid, missing: false, message })));
      }
    }
  }
  return complaints;
}
