/** Where a program wants to go, in words, and of which country that is: by what is installed here, never by asking. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Countries } from '../../desktop/client/countries.ts';
import { countryIn } from '../../desktop/model/country-lines.ts';
import { countryName } from '../../desktop/model/country-text.ts';
import { placeLine } from '../../desktop/model/prompt-text.ts';
import { portPhrase, serviceName } from '../../desktop/model/service-name.ts';
import { promptOf } from '../desktop/samples.ts';

/** 1.0.0.0/24 AU, 1.0.1.0 to 1.0.3.255 CN, 5.5.5.0/24 nobody's, 223.255.255.0/24 DE. */
const LINES4 = '# comment, with commas, in it\n#\n16777216,16777471,AU\n16777472,16778239,CN\n84215040,84215295,??\n3758096128,3758096383,DE\n';
const LINES6 = '# comment\n2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP\n2a00::,2a00:7:ffff:ffff:ffff:ffff:ffff:ffff,FR\n';

function inText(text: string, address: string): string {
  const bytes = Buffer.from(text, 'latin1');
  return countryIn((offset, length) => bytes.toString('latin1', offset, offset + length), bytes.length, address);
}

test('country: the first, the last and every address of a range, and none between', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['1.0.0.0', 'AU'], ['1.0.0.255', 'AU'], ['1.0.1.0', 'CN'], ['1.0.3.255', 'CN'], ['1.0.4.0', ''], ['5.5.5.5', ''], ['223.255.255.255', 'DE'],
    ['0.0.0.0', ''], ['255.255.255.255', ''],
  ];
  for (const [address, country] of cases) assert.equal(inText(LINES4, address), country, address);
  for (const [address, country] of [['2001:200::1', 'JP'], ['2001:201::', ''], ['2a00:7:ffff::', 'FR'], ['::1', '']] as const) {
    assert.equal(inText(LINES6, address), country, address);
  }
});

test('country: every range of a long file is found, whatever the file begins and ends with', () => {
  const ranges = Array.from({ length: 1000 }, (_, index) => ({ first: 16_777_216 + index * 512, code: index % 2 === 0 ? 'DE' : 'NL' }));
  for (const [head, tail] of [['', '\n'], ['# x\n'.repeat(50), ''], ['# a long comment line that goes on\n', '\n\n']] as const) {
    const text = `${head}${ranges.map(({ first, code }) => `${String(first)},${String(first + 255)},${code}`).join('\n')}${tail}`;
    for (const { first, code } of ranges) {
      const address = [first >>> 24, (first >>> 16) & 255, (first >>> 8) & 255, 17].map(String).join('.');
      assert.equal(inText(text, address), code, address);
    }
  }
});

test('country: text that is no such file ends the search without an answer', () => {
  for (const text of ['', '\n', 'x', 'a,b,c\n'.repeat(100), '\u{0}'.repeat(5000), `${'9'.repeat(4000)}\n`, '1,2\n3,4,<b>\n', '16777216,16777471,<script>\n']) {
    assert.equal(inText(text, '1.0.0.1'), '', JSON.stringify(text.slice(0, 20)));
  }
  assert.equal(inText(LINES4, 'not an address'), '');
});

test('country: what is installed is asked, a damaged file is none, and a private address has none', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-countries-'));
  t.after(() => { rmSync(folder, { recursive: true }); });
  const at = (name: string): string => join(folder, name);
  const none = new Countries({ lines4: at('4'), lines6: at('6'), trees: [at('x.mmdb')] });
  assert.equal(none.find('1.0.0.1'), '');
  writeFileSync(at('4'), LINES4);
  writeFileSync(at('6'), LINES6);
  writeFileSync(at('x.mmdb'), Buffer.alloc(4096, 7));
  const countries = new Countries({ lines4: at('4'), lines6: at('6'), trees: [at('x.mmdb')] });
  assert.deepEqual(['1.0.0.1', '2001:200::1', '9.9.9.9', '10.0.0.1'].map((address) => countries.find(address)), ['AU', 'JP', '', '']);
  // It was found once and is kept.
  rmSync(at('4'));
  assert.equal(countries.find('1.0.0.1'), 'AU');
});

/** Source: MaxMind DB File Format Specification 2.0: a control byte has the type in its upper three bits and the size below. */
const text = (value: string): Buffer => Buffer.concat([Buffer.from([0x40 | value.length]), Buffer.from(value)]);
const small = (value: number): Buffer => Buffer.from([0xa2, value >> 8, value & 255]);
const map = (...pairs: readonly (readonly [string, Buffer])[]): Buffer => (
  Buffer.concat([Buffer.from([0xe0 | pairs.length]), ...pairs.flatMap(([key, value]) => [text(key), value])])
);

/** A database of one node: the lower half of all IPv4 addresses is of this country, of the upper half nothing is known. */
function treeOf(country: string): Buffer {
  const [nodes, separator] = [1, 16];
  const tree = Buffer.from([0, 0, nodes + separator, 0, 0, nodes]);
  const metadata = map(['node_count', small(nodes)], ['record_size', small(24)], ['ip_version', small(4)], ['database_type', text('Test-Country')],
    ['binary_format_major_version', small(2)], ['binary_format_minor_version', small(0)]);
  return Buffer.concat([
    tree, Buffer.alloc(separator), map(['country', map(['iso_code', text(country)])]), Buffer.from('\u{ab}\u{cd}\u{ef}MaxMind.com', 'latin1'), metadata,
  ]);
}

test('country: a database of the other form is asked where the first has nothing, and what it says is bounded', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-countries-'));
  t.after(() => { rmSync(folder, { recursive: true }); });
  const at = (name: string): string => join(folder, name);
  writeFileSync(at('damaged.mmdb'), 'no database');
  writeFileSync(at('good.mmdb'), treeOf('DE'));
  const places = { lines4: at('none'), lines6: at('none'), trees: [at('missing.mmdb'), at('damaged.mmdb'), at('good.mmdb')] };
  const countries = new Countries(places);
  assert.deepEqual(['9.9.9.9', '203.0.113.7', '2001:db8::1'].map((address) => countries.find(address)), ['DE', '', '']);
  writeFileSync(at('good.mmdb'), treeOf('<b>'));
  assert.equal(new Countries(places).find('9.9.9.9'), '');
});

test('country: by its name, and nothing where there is none', () => {
  assert.equal(countryName('DE'), 'Germany');
  for (const code of ['', 'X', '<b>', 'DEU', 'xx-yy']) assert.equal(countryName(code), '', code);
  assert.equal(placeLine(promptOf(), 'DE'), '203.0.113.7  ·  Germany');
  assert.equal(placeLine(promptOf({ destination: '203.0.113.7' }), 'DE'), 'Germany');
  assert.equal(placeLine(promptOf({ destination: '203.0.113.7' }), ''), '');
  assert.equal(placeLine(promptOf({ is_lookup: true, address: '192.0.2.53' }), 'DE'), 'asks the name server 192.0.2.53');
});

test('service: words for what is common, the number always beside them, and never the words of another protocol', () => {
  const cases: readonly (readonly [string, number, string])[] = [
    ['tcp', 22, 'secure shell (22)'], ['tcp', 993, 'encrypted mail (993)'], ['tcp', 5900, 'remote desktop (5900)'], ['udp', 5353, 'device discovery (5353)'],
    ['udp', 22, 'UDP port 22'], ['132', 443, 'telephony (SCTP), protocol 132'], ['47', 0, 'a tunnel (GRE), protocol 47'], ['200', 80, 'protocol 200'],
  ];
  for (const [protocol, port, words] of cases) assert.equal(serviceName(protocol, port), words);
  assert.equal(portPhrase('udp', 5353), 'port 5353');
});
