/** Letters for the keyboard: what is on screen together is named here, because a window is put together from several files. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { GetTextTranslations } from 'gettext-parser';
import { checkTypography } from '../../tools/po/typography.ts';
import { readCatalogue, readLanguages, readSources } from '../../tools/po/catalogues.ts';
import { mnemonics } from '../../tools/po/check.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Labels that a person sees at the same time, by where. */
const TOGETHER: Readonly<Record<string, readonly string[]>> = {
  'a question': ['_Deny', '_Allow', 'Decide _Later'],
  'a question of the inbox': ['_Deny', '_Allow', '_Cancel'],
  'an answered question': ['_Close'],
  'several questions': ['De_ny All', 'Decide _Later'],
  'the first steps': ['_Skip', '_Next'],
  'the last of the first steps': ['_Skip', '_Learn for a While', '_Ask From Now On'],
  'activity, nothing found': ['_Everybody’s', 'Show _All', '_Make a Rule From This…', 'Show _Rule', 'Copy _Details'],
  'activity, nothing in this time': ['_Everybody’s', '_Any Time', '_Make a Rule From This…', 'Show _Rule', 'Copy _Details'],
  'activity, history off': ['_Everybody’s', 'Open _Preferences', '_Make a Rule From This…', 'Show _Rule', 'Copy _Details'],
  'activity, menu': ['Export as _CSV…', 'Export as _JSON…', 'C_lear History…'],
  'clear the history': ['_Cancel', 'C_lear'],
  'a time of one’s own': ['_Cancel', '_Show'],
  'an application': ['_Allow…', '_Block Everything…', '_Rehash…'],
  'an application that has not been checked': ['_Allow…', '_Block Everything…', '_Check File'],
  'block an application': ['_Cancel', '_Block Everything'],
  'accept a file': ['_Cancel', '_Accept File'],
  'check all files': ['_Cancel', 'C_heck All Files'],
  'accept all files': ['_Cancel', '_Accept All Files'],
  'accepting all files': ['_Stop', '_Accept All Files'],
  'selected rules': ['Switch O_n', 'Switch O_ff', '_Delete'],
  'the rule editor': ['_Cancel', '_Save'],
  'discard a rule': ['_Keep Editing', '_Discard'],
  'import, before a file is chosen': ['_Cancel', 'Choose a _File…', '_Add {number} Rule'],
  'suggestions': ['_Start Enforcing…', '_Add {number} Rule'],
  'suggestions, none selected': ['_Start Enforcing…', '_Add Selected'],
  'start enforcing': ['_Cancel', '_Try for 10 Minutes First', '_Start Enforcing'],
  'block what comes in': ['_Cancel', '_Let In Secure Shell and Block the Rest', '_Block New Connections'],
  'preferences': ['_Update All', '_Reload', 'Run _Test', '_Forget…'],
  'forget everything': ['_Cancel', '_Forget'],
};

function shown(catalogue: GetTextTranslations, text: string): string {
  const message = catalogue.translations['']?.[text];
  assert.ok(message !== undefined, `${text} is no text of the sources: correct the table`);
  return message.msgstr[0] ?? '';
}

function clashes(labels: readonly string[]): readonly string[] {
  const letters = labels.map((label) => mnemonics(label)[0] ?? '');
  return labels.filter((_label, index) => letters.indexOf(letters[index] ?? '') !== index);
}

test('po: no two labels that are on screen together share a letter for the keyboard, in no language', () => {
  const sources = readSources(ROOT);
  const catalogues = readLanguages(ROOT).map((language) => [language, readCatalogue(ROOT, language)] as const);
  const found: string[] = [];
  for (const [where, texts] of Object.entries(TOGETHER)) {
    for (const text of texts) assert.ok(sources.texts.has(`\u{4}${text}`), `${text} is no text of the sources: correct the table`);
    if (clashes(texts).length > 0) found.push(`${where}: ${texts.join(' | ')}`);
    for (const [language, catalogue] of catalogues) {
      const translated = texts.map((text) => shown(catalogue, text));
      if (clashes(translated).length > 0) found.push(`${language}, ${where}: ${translated.join(' | ')}`);
    }
  }
  assert.deepEqual(found, []);
});

test('po: every label with a letter that only code sets is in the table of what is on screen together', () => {
  const known = new Set(Object.values(TOGETHER).flat());
  const alone = new Set(['_Try Again', '_Unlock…', '_Rehash All…', '_Add Rule…', '_Show All Rules', '_Make a Rule…']);
  const missing = [...readSources(ROOT).texts.values()]
    .filter(({ text, files }) => /(?<![\p{L}\p{N}_])_\p{L}|\p{L}_\p{L}/u.test(text) && !text.includes('on_failure') && [...files].some((file) => file.endsWith('.ts')))
    .map(({ text }) => text).filter((text) => !known.has(text) && !alone.has(text));
  assert.deepEqual(missing, []);
});

function typography(language: string, source: string, text: string): number {
  const table = (msgstr: string) => ({ charset: 'utf-8', headers: {}, translations: { '': { [source]: { msgid: source, msgstr: [msgstr] } } } });
  return checkTypography(language, table(''), table(text)).length;
}

test('po: quotes, spaces and ends of sentences that are not of the language are named', () => {
  assert.equal(typography('fr', 'Rule: “{name}”.', 'Règle\u{a0}: «\u{a0}{name}\u{a0}».'), 0);
  assert.equal(typography('fr', 'Rule: “{name}”.', 'Règle : « {name} ».'), 1);
  assert.equal(typography('fr', 'Now?', 'Maintenant?'), 1);
  assert.equal(typography('de', 'The rule “{name}”', 'Die Regel „{name}“'), 0);
  assert.equal(typography('de', 'The rule “{name}”', 'Die Regel ”{name}“'), 1);
  assert.equal(typography('de', 'Save…', 'Speichern…'), 1);
  assert.equal(typography('es', 'Delete?', 'Eliminar?'), 1);
  assert.equal(typography('nl', 'It’s on.', 'Het is \'aan\'.'), 1);
  assert.equal(typography('zh_CN', 'Read: {why}', '读取：{why}'), 0);
  assert.equal(typography('zh_CN', 'Read: {why}', '读取: {why}'), 1);
  assert.equal(typography('zh_CN', 'Clear the history?', '清除历史记录'), 1);
  assert.equal(typography('zh_CN', '_Clear…', '清除(_C)…'), 0);
  assert.equal(typography('de', 'Nothing was changed.', 'Nichts wurde geändert'), 1);
});

test('po: the English of the sources uses one word for one idea, and the apostrophe of print', () => {
  const texts = [...readSources(ROOT).texts.values()].map(({ text }) => text);
  const instead = [
    [/\bprompts?\b/i, 'question'], [/\bset-up\b|\blog-in\b/i, 'setup, login'], [/\p{L}'\p{L}/u, '’'], [/\.\.\.$/, '…'], [/!$/, 'a full stop'],
  ] as const;
  for (const [wrong, right] of instead) assert.deepEqual(texts.filter((text) => wrong.test(text)), [], `use ${right}`);
});
