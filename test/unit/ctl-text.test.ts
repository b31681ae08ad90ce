import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../property.ts';
import { durationMs, parseLifetime } from '../../helper/ctl/text/duration.ts';
import { cutEnd, cutMiddle, displayWidth, jsonText, printable, printableLines, shellWord } from '../../helper/ctl/text/escape.ts';
import { localeOf, makeStyle, scriptFormat, terminalFormat } from '../../helper/ctl/text/format.ts';
import { details, table } from '../../helper/ctl/text/table.ts';
import type { Column } from '../../helper/ctl/text/table.ts';
import { answerSentence, endpoint, serviceWords } from '../../helper/ctl/text/words.ts';
import { keysOf } from '../../helper/ctl/io.ts';
import { NOW_MS, PROMPT } from './ctl-support.ts';

const PLAIN = makeStyle(false).strong;

test('printable: nothing that steers a terminal or deceives the eye is left', () => {
  const wanted: readonly (readonly [string, string])[] = [
    ['plain text, ünïcode, 日本', 'plain text, ünïcode, 日本'],
    ['\x1b[2J', '\\x1b[2J'],
    ['a\nb\tc', 'a\\nb\\tc'],
    ['\x9b31m', '\\x9b31m'],
    ['gpj.\u{202e}exe', 'gpj.\\u{202e}exe'],
    ['a\u{200b}b\u{feff}', 'a\\u{200b}b\\u{feff}'],
    ['a\u{a0}b\u{3000}', 'a\\xa0b\\u{3000}'],
    ['\u{e0041}\u{2028}', '\\u{e0041}\\u{2028}'],
    ['\ud800', '\\u{d800}'],
  ];
  for (const [text, shown] of wanted) assert.equal(printable(text), shown);
  assert.equal(printableLines('a\n\tb\x1bc'), 'a\n\tb\\x1bc');
});

test('printable: any text comes out without control, format and separator characters', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => {
    assert.doesNotMatch(printable(text), /[\p{C}\p{Zl}\p{Zp}]/u);
  }));
});

test('answerSentence: about a name lookup it says what lasts, and that the connection goes with it', () => {
  const lookup = { ...PROMPT, is_lookup: true, address: '192.0.2.53', port: 53, protocol: 'udp' };
  assert.equal(answerSentence(lookup, 'allow', 'host', 'once'), 'curl may reach example.org this once.');
  assert.equal(answerSentence(lookup, 'deny', 'host', 'always'), 'curl may never reach the name server 192.0.2.53.');
  assert.equal(
    answerSentence(lookup, 'allow', 'host', 'always'),
    'curl may always reach the name server 192.0.2.53. This once it may reach example.org too.',
  );
});

test('answerSentence: an answer by name says which names, and of a lookup that the port does not matter', () => {
  const named = { ...PROMPT, by_name: 'example.org', pattern: '*.example.org' };
  assert.equal(answerSentence(named, 'allow', 'domain', 'always'), 'curl may always reach example.org and *.example.org on port 443.');
  assert.equal(answerSentence({ ...named, by_name: 'www.example.org' }, 'deny', 'domain', 'process'), 'curl may not reach *.example.org on port 443 while it runs.');
  const lookup = { ...named, is_lookup: true, address: '192.0.2.53', port: 53, protocol: 'udp' };
  assert.equal(answerSentence(lookup, 'allow', 'host', 'always'), 'curl may always reach example.org on any port.');
  assert.equal(answerSentence(lookup, 'allow', 'domain', 'once'), 'curl may reach example.org this once.');
});

test('jsonText: reads back the same and holds no character that a terminal acts on', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (text, indented) => {
    const json = jsonText({ text, '\u{202e}': [text] }, indented);
    assert.deepEqual(JSON.parse(json), { text, '\u{202e}': [text] });
    assert.doesNotMatch(json, /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  }));
});

test('displayWidth: wide characters take two columns, combining marks none', () => {
  assert.equal(displayWidth('abc'), 3);
  assert.equal(displayWidth('日本'), 4);
  assert.equal(displayWidth('e\u{301}'), 1);
});

test('cutMiddle and cutEnd: never wider than asked', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 0, max: 30 }), (text, limit) => {
    assert.ok(displayWidth(cutMiddle(text, limit)) <= limit);
    assert.ok(limit < 2 || displayWidth(cutEnd(text, limit)) <= limit);
  }));
  assert.equal(cutMiddle('/usr/lib/firefox/firefox', 14), '/usr/l..irefox');
});

test('shellWord: quotes what a shell would take apart', () => {
  assert.equal(shellWord('/usr/bin/curl'), '/usr/bin/curl');
  assert.equal(shellWord("it's $HOME"), "'it'\\''s $HOME'");
  assert.equal(shellWord('a\x1bb'), "'a\\x1bb'");
});

test('durationMs: spans as people type them', () => {
  const wanted: readonly (readonly [string, number | null])[] = [
    ['30s', 30_000], ['5m', 300_000], ['5min', 300_000], ['1h', 3_600_000], ['1h30m', 5_400_000], ['1.5h', 5_400_000],
    ['2d', 172_800_000], ['1w', 604_800_000], ['90', 90_000], ['1 h 5 m', 3_900_000],
    ['', null], ['0', null], ['0s', null], ['-5m', null], ['5x', null], ['m', null], ['5m5', null], ['999999999w', null],
    ['1e9s', null], ['constructor', null], ['5constructor', null],
  ];
  for (const [text, ms] of wanted) assert.equal(durationMs(text), ms, text);
});

test('parseLifetime: words, spans from now and dates', () => {
  assert.deepEqual(parseLifetime('process', NOW_MS), { lifetime: 'process' });
  assert.deepEqual(parseLifetime('1h', NOW_MS), { lifetime: 'until', until_ms: NOW_MS + 3_600_000 });
  assert.deepEqual(parseLifetime('2027-01-01T00:00:00Z', NOW_MS), { lifetime: 'until', until_ms: Date.UTC(2027, 0, 1) });
  for (const wrong of ['forever', '60', '2020-01-01', '2027-13-01', '2027-1-1', '']) {
    assert.throws(() => parseLifetime(wrong, NOW_MS), { name: 'UsageError' }, wrong);
  }
});

test('localeOf: LC_ALL before the category before LANG, and English for what nobody speaks', () => {
  assert.equal(localeOf({ LC_ALL: 'de_DE.UTF-8', LANG: 'fr_FR' }, 'LC_NUMERIC'), 'de-DE');
  assert.equal(localeOf({ LC_ALL: '', LC_NUMERIC: 'fr_FR@euro', LANG: 'de_DE' }, 'LC_NUMERIC'), 'fr-FR');
  for (const LANG of ['C', 'POSIX', 'C.UTF-8', '', 'not a locale']) assert.equal(localeOf({ LANG }, 'LC_TIME'), 'en');
});

test('formats: scripts get the same everywhere, people their own', () => {
  const script = scriptFormat();
  assert.equal(script.count(1_234_567), '1234567');
  assert.equal(script.span(3_900_000), '1 hr 5 min');
  assert.equal(script.span(20_001), '21 sec');
  assert.equal(script.span(0), '0 sec');
  assert.equal(script.size(72), '72 bytes');
  assert.equal(script.size(1500), '1.5 kB');
  assert.equal(script.time(NOW_MS, NOW_MS), new Date(NOW_MS).toISOString());
  assert.equal(terminalFormat({ LANG: 'de_DE.UTF-8' }).count(1_234_567), '1.234.567');
});

test('table: columns are aligned, empty cells are marked, outside text is escaped', () => {
  const rows = [{ a: 'x', b: '1\x1b' }, { a: '', b: '22' }];
  const text = table([
    { title: 'NAME', cell: (row: { a: string; b: string }) => row.a },
    { title: 'N', cell: (row) => row.b, right: true },
  ], rows, null, PLAIN);
  assert.equal(text, 'NAME      N\nx     1\\x1b\n--       22\n');
});

test('table: the widest flexible column gives way on a narrow terminal, the others stay', () => {
  const row = { path: '/usr/lib/firefox/firefox-bin', id: 'firefox-web' };
  const columns = [
    { title: 'ID', cell: (one: typeof row) => one.id },
    { title: 'PATH', cell: (one: typeof row) => one.path, flexible: true },
  ];
  const lines = table(columns, [row], 30, PLAIN).split('\n');
  assert.ok(lines.every((line) => line.length <= 30));
  assert.match(lines[1] ?? '', /^firefox-web {2}\/usr\/lib\.\.fox-bin$/);
  assert.ok(table(columns, [row], null, PLAIN).includes(row.path));
});

test('details: lines without a value are left out', () => {
  assert.equal(details([{ name: 'A', value: '1' }, { name: 'Long', value: '' }, { name: 'Bee', value: 'x\ny' }]), 'A:   1\nBee: x\\ny\n');
});

test('words: services keep their number, addresses of IPv6 their brackets', () => {
  assert.equal(serviceWords('tcp', 443), 'encrypted web (443)');
  assert.equal(serviceWords('udp', 53), 'name lookup (53, udp)');
  assert.equal(serviceWords('tcp', 4711), 'port 4711 (tcp)');
  assert.equal(serviceWords('icmp', 128), 'ping (icmp)');
  assert.equal(serviceWords('132', 0), 'protocol 132');
  assert.equal(endpoint('2001:db8::1', 53, 'udp'), '[2001:db8::1]:53');
  assert.equal(endpoint('192.0.2.1', 8, 'icmp'), '192.0.2.1');
});

test('keysOf: a bare Escape is a key; arrows and pastes are none', () => {
  assert.deepEqual(keysOf('a'), ['a']);
  assert.deepEqual(keysOf('A\r'), ['a', 'enter']);
  assert.deepEqual(keysOf('\x1b'), ['escape']);
  assert.deepEqual(keysOf('\x1b[A'), []);
  assert.deepEqual(keysOf('aaaaaaaaaaaa'), []);
  assert.deepEqual(keysOf('\x03\x1a\x04'), ['interrupt', 'suspend', 'end']);
});

test('table: a narrow terminal leaves spare columns out before it cuts names beyond recognition', () => {
  const columns: readonly Column<string>[] = [
    { title: 'ID', cell: (id) => id, flexible: true },
    { title: 'LATER', spare: 1, cell: () => 'kept longer' },
    { title: 'FIRST', spare: 2, cell: () => 'goes first' },
  ];
  const heads = (width: number | null): string => table(columns, ['vendor-systemd-names'], width, (text) => text).split('\n')[0] ?? '';
  assert.match(heads(null), /ID +LATER +FIRST/);
  assert.match(heads(45), /ID +LATER +FIRST/);
  assert.match(heads(44), /ID +LATER *$/);
  assert.match(heads(30), /^ID *$/);
  assert.ok(table(columns, ['vendor-systemd-names'], 22, (text) => text).includes('vendor-systemd-names'));
});
