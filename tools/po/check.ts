/** What is wrong with a catalogue: missing, doubtful, or not of the form of the text that it translates. */
import type { GetTextMessage, GetTextTranslations } from 'gettext-parser';

export interface Complaint {
  readonly text: string;
  readonly message: string;
  /** A text that nobody has translated yet, which is work and no mistake. */
  readonly missing: boolean;
}

/** `{name}` of fill() and `$(subject)` of polkit. */
function places(text: string): string {
  return [...text.matchAll(/\{\w+\}|\$\(\w+\)/g)].map(([place]) => place).sort().join(' ');
}

/** Is a letter marked for the keyboard? In English at the beginning of a word, which `on_failure` is not. */
function isMarked(msgid: string): boolean {
  return /(?<![\p{L}\p{N}_])_\p{L}/u.test(msgid);
}

/** The letters behind the underscore of labels, small, wherever they stand. */
export function mnemonics(text: string): readonly string[] {
  return [...text.matchAll(/(?<![\p{L}\p{N}_])_(\p{L}|\p{N})|(?<=\p{L})_(\p{L})(?=\p{L}|$)/gu)].map(([, first = '', second = '']) => (first || second).toLowerCase());
}

function tags(text: string): string {
  return [...text.matchAll(/<\/?[a-z]+>/g)].map(([tag]) => tag).sort().join(' ');
}

/** `forms`: how many plural forms the language has. */
function complaintsOf(message: GetTextMessage, forms: number): readonly string[] {
  const { msgid, msgid_plural: plural } = message;
  const found: string[] = [];
  const wanted = plural === undefined ? 1 : forms;
  if (message.msgstr.length !== wanted) found.push(`it has ${String(message.msgstr.length)} forms, the language has ${String(wanted)}`);
  for (const form of message.msgstr) {
    if (places(form) !== places(plural ?? msgid)) found.push(`its places are “${places(form)}”, not “${places(plural ?? msgid)}”: ${form}`);
    if (isMarked(msgid) && mnemonics(form).length !== mnemonics(msgid).length) found.push(`it must have as many letters marked with an underscore as the text: ${form}`);
    if (tags(form) !== tags(msgid)) found.push(`its markup is another than the text's: ${form}`);
    if (edges(form) !== edges(msgid)) found.push(`it must begin and end with the same white space and semicolons as the text: ${form}`);
    if (/[\u0000-\u0009\u000b-\u001f\u202a-\u202e\u2066-\u2069]/.test(form)) found.push('it has a character that nobody can see');
  }
  return found;
}

/** A list of keywords ends with a semicolon; white space at an end belongs to the layout. */
function edges(text: string): string {
  return `${/^\s*/.exec(text)?.[0] ?? ''}|${/;?\s*$/.exec(text)?.[0] ?? ''}`;
}

/** The number of forms of a language. Source: CLDR's categories, which gettext's are, for whole numbers. */
export function pluralForms(language: string): number {
  const rules = new Intl.PluralRules(language.replace('_', '-').replace(/@.*/, ''));
  const used = new Set(Array.from({ length: 1001 }, (_unused, count) => rules.select(count)));
  return used.size;
}

/** Everything that is wrong with a catalogue against the template. */
export function checkCatalogue(language: string, template: GetTextTranslations, catalogue: GetTextTranslations): readonly Complaint[] {
  const complaints: Complaint[] = [];
  const header = /nplurals=(\d+)/.exec(catalogue.headers['Plural-Forms'] ?? '')?.[1];
  const forms = Number(header ?? 0);
  if (forms !== pluralForms(language)) {
    complaints.push({ text: '', missing: false, message: `Plural-Forms says ${header ?? 'nothing'}, the language has ${String(pluralForms(language))} forms` });
  }
  for (const [context, messages] of Object.entries(template.translations)) {
    for (const { msgid } of Object.values(messages)) {
      if (msgid === '') continue;
      const message = catalogue.translations[context]?.[msgid];
      const empty = message === undefined || message.msgstr.some((form) => form === '') || message.msgstr.length === 0;
      if (empty) complaints.push({ text: msgid, message: 'not translated', missing: true });
      else if (/\bfuzzy\b/.test(message.comments?.flag ?? '')) complaints.push({ text: msgid, message: 'marked as doubtful (fuzzy)', missing: true });
      else complaints.push(...complaintsOf(message, forms).map((one) => ({ text: msgid, message: one, missing: false })));
    }
  }
  return complaints;
}

/** Two controls of one .ui file that share a letter; `catalogue` null looks at the texts of the source. */
export function checkMnemonics(template: GetTextTranslations, catalogue: GetTextTranslations | null): readonly Complaint[] {
  const taken = new Map<string, string>();
  const complaints: Complaint[] = [];
  for (const [context, messages] of Object.entries(template.translations)) {
    for (const { msgid, comments } of Object.values(messages)) {
      const shown = catalogue === null ? msgid : (catalogue.translations[context]?.[msgid]?.msgstr[0] ?? '');
      const [letter] = mnemonics(shown);
      if (letter === undefined || !isMarked(msgid)) continue;
      for (const file of (comments?.reference ?? '').split(/\s+/).filter((name) => name.endsWith('.ui'))) {
        const other = taken.get(`${file} ${letter}`);
        if (other !== undefined) complaints.push({ text: msgid, missing: false, message: `shares the letter ${letter} with “${other}” in ${file}` });
        taken.set(`${file} ${letter}`, shown);
      }
    }
  }
  return complaints;
}
