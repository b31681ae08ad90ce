/** Translations: every text is found, wrong translations are named, and what is shipped is complete. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import type { GetTextMessage, GetTextTranslations } from 'gettext-parser';
import { checkCatalogue, checkMnemonics, mnemonics, pluralForms } from '../../tools/po/check.ts';
import { mergeDesktopEntry, mergeXml } from '../../tools/po/merge.ts';
import { PSEUDO_MARKS, pseudoText } from '../../tools/po/pseudo.ts';
import { readerOf } from '../../tools/po/texts.ts';
import { readLanguages } from '../../tools/po/catalogues.ts';
import { reportPo } from '../../tools/update-po.ts';

const ROOT = join(import.meta.dirname, '../..');

function tableOf(messages: readonly GetTextMessage[], plurals = 'nplurals=2; plural=(n != 1);'): GetTextTranslations {
  return { charset: 'utf-8', headers: { 'Plural-Forms': plurals }, translations: { '': Object.fromEntries(messages.map((one) => [one.msgid, one])) } };
}

function complaints(source: GetTextMessage, msgstr: readonly string[], flag = ''): readonly string[] {
  const translated = { ...source, msgstr: [...msgstr], comments: { flag } };
  return checkCatalogue('de', tableOf([source]), tableOf([translated])).map((one) => one.message);
}

test('po: POTFILES, the template and every catalogue have every text of the sources (npm run po)', () => {
  const { wanted, problems } = reportPo(ROOT);
  assert.deepEqual(problems, []);
  for (const [path, content] of wanted) assert.equal(readFileSync(path, 'utf8'), content, `${relative(ROOT, path)}: run npm run po`);
});

test('po: every language of LINGUAS is complete: nothing missing, doubtful, or of another form than its text', () => {
  const { complaints: found } = reportPo(ROOT);
  for (const language of ['', ...readLanguages(ROOT)]) {
    const list = (found.get(language) ?? []).map(({ text, message }) => `${text}: ${message}`);
    assert.deepEqual(list.slice(0, 20), [], `${language === '' ? 'the sources' : language}: npm run po prints all`);
  }
});

test('po: texts are found in every kind of source, with context, plural and what is said to translators', () => {
  const texts = (file: string, content: string): readonly unknown[] => (
    (readerOf(file)?.(content).texts ?? []).map(({ text, plural, context, comment }) => [text, plural, context, comment])
  );
  assert.deepEqual(texts('a.ts', "f(_('One'));\nconst x = {\n  // Translators: a count.\n  y: ngettext('{n} dog', '{n} dogs', 3),\n};\npgettext('door', 'Open');"), [
    ['One', '', '', ''], ['{n} dog', '{n} dogs', '', 'a count.'], ['Open', '', 'door', ''],
  ]);
  assert.deepEqual(texts('a.ui', '<property name="label" translatable="yes" context="verb" comments="short">_A &amp; b</property><property name="x">No</property><item translatable="yes">I</item>'), [
    ['_A & b', '', 'verb', 'short'], ['I', '', '', ''],
  ]);
  assert.deepEqual(texts('a.desktop', '# Translators: a name.\nName=N\nName[de]=M\nExec=n\nKeywords=a;b;').map(String), [
    'N,,,a name.',
    'a;b;,,,Words that people search for, each followed by a semicolon, the last one too. Words of your own are welcome.',
  ]);
  assert.deepEqual(texts('a.policy', '<message gettext-domain="d">Say\n  it</message><vendor>V</vendor>'), [['Say it', '', '', '']]);
  assert.deepEqual(texts('a.metainfo.xml', '<p>Text</p><description translate="no"><p translate="no">No</p></description>'), [['Text', '', '', '']]);
});

test('po: a text that is put together is named with its line, because nobody could translate it', () => {
  assert.deepEqual(readerOf('a.ts')?.("f();\n_(`a ${b}`);").problems, [{ line: 2, message: '_() needs its text written out, or nobody can translate it' }]);
});

test('po: a translation with another place, mark, markup, ending or number of forms is named, one that is missing too', () => {
  const text = { msgid: '_Allow {program} <b>now</b>', msgstr: [''] };
  assert.deepEqual(complaints(text, ['{program} <b>jetzt</b> _erlauben']), []);
  assert.equal(complaints(text, ['_Erlauben <b>jetzt</b>'])[0]?.startsWith('its places are'), true);
  assert.equal(complaints(text, ['Erlauben {program} <b>jetzt</b>'])[0]?.startsWith('it must have as many letters'), true);
  assert.equal(complaints(text, ['_Erlauben {program} jetzt'])[0]?.startsWith('its markup'), true);
  assert.equal(complaints({ msgid: 'a;b;', msgstr: [''] }, ['a;b'])[0]?.includes('semicolons'), true);
  assert.deepEqual(complaints(text, ['']), ['not translated']);
  assert.deepEqual(complaints(text, ['_Erlauben {program} <b>jetzt</b>'], 'fuzzy'), ['marked as doubtful (fuzzy)']);
  assert.equal(complaints({ msgid: '{n} dog', msgid_plural: '{n} dogs', msgstr: ['', ''] }, ['{n} Hund'])[0], 'it has 1 forms, the language has 2');
  assert.deepEqual(complaints({ msgid: 'Set on_failure', msgstr: [''] }, ['on_failure setzen']), []);
  assert.deepEqual(complaints({ msgid: 'Deny', msgstr: [''] }, ['\u{202e}yneD']), ['it has a character that nobody can see']);
});

test('po: the plural forms of the shipped languages are counted right, and a header that says otherwise is named', () => {
  assert.deepEqual(['de', 'nl', 'fr', 'es', 'zh_CN', 'pl', 'ar'].map(pluralForms), [2, 2, 2, 2, 1, 3, 6]);
  const wrong = checkCatalogue('zh_CN', tableOf([]), tableOf([]));
  assert.deepEqual(wrong.map((one) => one.message), ['Plural-Forms says 2, the language has 1 forms']);
});

test('po: two controls of one window that share a letter are named', () => {
  const save = { msgid: '_Save', msgstr: [''], comments: { reference: 'desktop/ui/a.ui' } };
  const send = { msgid: '_Send', msgstr: [''], comments: { reference: 'desktop/ui/a.ui' } };
  assert.equal(checkMnemonics(tableOf([save, send]), null).length, 1);
  const german = tableOf([{ ...save, msgstr: ['_Sichern'] }, { ...send, msgstr: ['Sen_den'] }]);
  assert.deepEqual(checkMnemonics(tableOf([save, send]), german), []);
  assert.deepEqual([...mnemonics('Datei _öffnen'), ...mnemonics('允许(_A)'), ...mnemonics('Spe_ichern')], ['ö', 'a', 'i']);
});

test('po: translations are put into files that carry their own, escaped, without those that are doubtful', () => {
  const catalogue = tableOf([
    { msgid: 'Rules & more', msgstr: ['Regeln & <mehr>'] }, { msgid: 'Open', msgstr: ['Auf'], comments: { flag: 'fuzzy' } },
  ]);
  const both = new Map([['de', catalogue]]);
  assert.equal(mergeDesktopEntry('[A]\nName=Rules & more\nComment=Open\nName[xx]=old', both), '[A]\nName=Rules & more\nName[de]=Regeln & <mehr>\nComment=Open');
  assert.equal(
    mergeXml('<a><p gettext-domain="d">Rules &amp;\n more</p><p>Open</p></a>', ['p'], both),
    '<a><p>Rules &amp; more</p>\n    <p xml:lang="de">Regeln &amp; &lt;mehr&gt;</p><p>Open</p></a>',
  );
});

test('pseudo-locale: every text is longer, marked at both ends, and keeps what is filled in, marked or ended by a semicolon', () => {
  const text = pseudoText('_Allow {program} for $(subject)', false);
  assert.ok(text.startsWith(PSEUDO_MARKS.begin) && text.endsWith(PSEUDO_MARKS.end));
  for (const kept of ['_A', '{program}', '$(subject)']) assert.ok(text.includes(kept), text);
  assert.ok(text.length > '_Allow {program} for $(subject)'.length * 1.4);
  assert.ok(pseudoText('a;b;', false).endsWith(`${PSEUDO_MARKS.end};`));
});
