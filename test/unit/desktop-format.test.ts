/** Numbers, dates and lists follow the locale; words follow the catalogue. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { parseCatalogue, setCatalogue, textDirection } from '../../desktop/i18n.ts';
import { agoText, shortDuration } from '../../desktop/model/durations.ts';
import {
  clockText, compareText, countText, dateText, listText, localesFor, percentText, rateText, sizeText,
} from '../../desktop/model/format.ts';
import { compileMo } from '../../tools/po/catalogues.ts';

const DAY_MS = 86_400_000;

afterEach(() => { setCatalogue(null); });

function use(language: string, translations: Record<string, Record<string, { msgid: string; msgctxt?: string; msgstr: string[] }>> = {}): void {
  setCatalogue(parseCatalogue(compileMo({ charset: 'utf-8', headers: {}, translations }), language));
}

test('format: the words are of the catalogue, digits and dates of LC_NUMERIC and LC_TIME where that makes no mixture', () => {
  const german = localesFor({ LANG: 'en_GB.UTF-8', LC_NUMERIC: 'de_DE.UTF-8', LC_TIME: 'de_CH.UTF-8' }, 'de');
  assert.deepEqual(german, { words: 'de-CH', numbers: 'de-DE', times: 'de-CH' });
  // No catalogue for Italian: English words, with the clock of 24 hours.
  assert.deepEqual(localesFor({ LANG: 'it_IT.UTF-8' }, 'en'), { words: 'en-US', numbers: 'it-IT', times: 'en-US-u-hc-h23' });
  assert.equal(localesFor({ LANG: 'en_US.UTF-8' }, 'zh_CN').words, 'zh-CN');
  assert.equal(localesFor({ LC_ALL: 'fr_CA.UTF-8', LANG: 'de_DE' }, 'fr').times, 'fr-CA');
});

test('format: what is no locale is ignored', () => {
  for (const bad of ['', 'C', 'C.UTF-8', 'POSIX', 'x'.repeat(300), '../../etc', 'de_DE; rm', '\u{0}']) {
    assert.deepEqual(localesFor({ LANG: bad, LC_TIME: bad }, 'en'), { words: 'en-US', numbers: 'en-US', times: 'en-US' });
  }
});

test('format: sizes have at most three digits before the point, in the language of the catalogue', () => {
  assert.deepEqual([0, 1, 999, 1000, 12_345_678, 999_950_000, 4e15, -3].map(sizeText), [
    '0 bytes', '1 byte', '999 bytes', '1 kB', '12.3 MB', '1 GB', '4 PB', '0 bytes',
  ]);
  assert.equal(rateText(1_234_567), '1.2 MB/s');
  use('fr');
  assert.match(sizeText(12_345_678), /^12,3\sMo$/);
});

test('format: a list, a share, a count and a date read as in the language', () => {
  assert.equal(countText(1_234_567), '1,234,567');
  assert.equal(percentText(0.123), '12%');
  use('de');
  assert.equal(listText(['a', 'b', 'c']), 'a, b und c');
  assert.equal(listText(['a', 'b'], 'or'), 'a oder b');
  assert.equal(dateText(new Date(2026, 2, 12).getTime()), '12. März 2026');
  assert.equal(agoText(0, 2 * DAY_MS), 'vorgestern');
  assert.ok(compareText('Ärger', 'Zebra') < 0);
});

test('format: a time of another day has its date, of another year the year', () => {
  use('de');
  const now = new Date(2026, 2, 12, 20, 0).getTime();
  assert.equal(clockText(new Date(2026, 2, 12, 14, 5).getTime(), now), '14:05');
  assert.match(clockText(new Date(2026, 0, 3, 14, 5).getTime(), now), /^3\. Januar\D+14:05$/);
  assert.match(clockText(new Date(2025, 0, 3, 14, 5).getTime(), now), /2025/);
});

test('format: long ago is said in months and years, and what is left never in zero', () => {
  assert.equal(agoText(0, 90 * DAY_MS), '2 months ago');
  assert.equal(agoText(0, 800 * DAY_MS), '2 years ago');
  assert.deepEqual([0, 1, 119_000, 121_000, 7_200_001].map(shortDuration), ['0 s', '1 s', '119 s', '3 min', '3 h']);
});

test('format: the direction is the catalogue’s word for it, and anything else is from the left', () => {
  const direction = (word: string): string => {
    use('ar', { 'direction of the text': { ltr: { msgctxt: 'direction of the text', msgid: 'ltr', msgstr: [word] } } });
    return textDirection();
  };
  assert.equal(textDirection(), 'ltr');
  assert.equal(direction('rtl'), 'rtl');
  assert.equal(direction('RTL please'), 'ltr');
});
