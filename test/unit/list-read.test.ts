import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from '../property.ts';
import type { ListFormat } from '../../helper/contract/vocabulary.ts';
import { LoadedList } from '../../helper/lists/loaded-list.ts';
import { ClusteredError, NameTable, NameTableBuilder } from '../../helper/lists/name-table.ts';
import type { HashKey } from '../../helper/lists/name-table.ts';
import { RangeBuilder, Ranges } from '../../helper/lists/ranges.ts';
import { ListTooLargeError, readList } from '../../helper/lists/read-list.ts';
import { addressWords, toPrefix } from '../../helper/policy/address.ts';

const KEY: HashKey = { start: 0x1234_5678, factor: 0x9e37_79b1 };
const LIMITS = { domains: 1000, prefixes: 1000 };

function load(text: string | Uint8Array, format: ListFormat = 'auto', limits = LIMITS): LoadedList {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text.slice();
  return new LoadedList(readList(bytes, format, KEY, limits), '');
}

describe('a hosts file', () => {
  const hosts = load([
    '\u{feff}# Title', '127.0.0.1 localhost', '::1 localhost ip6-localhost', '0.0.0.0 0.0.0.0', '0.0.0.0 Ads.Example.com # why', '127.0.0.1\ttracker.example.net\r',
    ':: six.example.org more.example.org', '192.0.2.7 intranet.example.org', '0.0.0.0', '', '  # indented', '0.0.0.0 com', '0.0.0.0 co.uk',
  ].join('\n'));

  test('names that are sent nowhere are in the list, with all below them', () => {
    for (const name of ['ads.example.com', 'x.y.ads.example.com', 'tracker.example.net', 'six.example.org', 'more.example.org']) assert.ok(hosts.hasName(name), name);
    for (const name of ['example.com', 'badads.example.com', 'com', 'co.uk', 'other.co.uk', 'intranet.example.org', 'localhost', '']) assert.ok(!hosts.hasName(name), name);
  });

  test('what is no entry is counted', () => {
    const { format, domains, exceptions, prefixes, ignored } = hosts.counts;
    // localhost twice, 0.0.0.0, the true address and the two suffixes; the address alone is one of a list of addresses.
    assert.deepEqual({ format, domains, exceptions, prefixes, ignored }, { format: 'hosts', domains: 4, exceptions: 0, prefixes: 1, ignored: 6 });
  });
});

describe('a list of domains', () => {
  test('each line is a name, in any spelling, with a wildcard or without', () => {
    const list = load('Example.ORG\n*.wild.example.net\n.dotted.example.net\nmünchen.de\nend.example.com.\n_dmarc.example.com\nlast.example.com', 'domains');
    for (const name of ['a.example.org', 'wild.example.net', 'dotted.example.net', 'xn--mnchen-3ya.de', 'www.xn--mnchen-3ya.de', 'end.example.com', '_dmarc.example.com', 'last.example.com']) {
      assert.ok(list.hasName(name), name);
    }
    assert.deepEqual([list.counts.domains, list.counts.ignored], [7, 0]);
  });

  test('only names are names: other lines of the format are left out', () => {
    const list = load('a b c\nhttp://example.org/\nexample.org/x\n-bad.example.org\n1.2.3.4\n||x.example.org^\n<html>\nrouter\na..b\n\u{0}\u{1}\nok.example.org', 'domains');
    assert.deepEqual([list.counts.domains, list.counts.prefixes, list.counts.ignored], [1, 0, 10]);
  });

  test('a name that another covers does no harm, and one that stands twice counts once', () => {
    const list = load('example.org\nwww.example.org\nEXAMPLE.org\n');
    assert.equal(list.counts.domains, 2);
    assert.ok(list.hasName('www.example.org'));
  });
});

describe('a list of addresses', () => {
  const list = load('192.0.2.0/24\n198.51.100.7 ; note\n2001:db8::/32 # note\nfe80::/10\n::ffff:203.0.113.0/120\n10.0.0.1/8\n0.0.0.0/0\n::/0\n1.2.3\n300.1.1.1\n1.2.3.4/33\n', 'cidr');

  test('addresses of each prefix are in it, their neighbours are not', () => {
    for (const address of ['192.0.2.0', '192.0.2.255', '198.51.100.7', '2001:db8::1', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', 'fe80::1', '203.0.113.9', '10.255.0.1']) {
      assert.ok(list.hasAddress(address), address);
    }
    for (const address of ['192.0.1.255', '192.0.3.0', '198.51.100.6', '198.51.100.8', '2001:db9::', '2001:db7:ffff::', '11.0.0.0', 'example.org', '']) {
      assert.ok(!list.hasAddress(address), address);
    }
  });

  test('everything is no prefix, and what is no prefix is counted', () => {
    assert.deepEqual([list.counts.prefixes, list.counts.ignored], [6, 5]);
    assert.ok(!list.hasAddress('8.8.8.8'));
  });
});

describe('adblock rules', () => {
  const text = [
    '[Adblock Plus 2.0]', '! Title: x', '||ads.example.com^', '||Tracker.example.net^$important,all', '@@||good.ads.example.com^', '||*.wild.example.org^',
    '||narrow.example.org^$third-party', '||path.example.org/banner^', 'example.com', 'example.com##.ad', '##.banner', '/ads/*', '||part*.example.org^',
    '||192.0.2.9^', '||plain.example.org', '||port.example.org:8080^', '@@||narrow.example.com^$domain=x.org', '@@||192.0.2.9^', '0.0.0.0 hosts.example.org', '||two words^',
    '||com^', '@@||evil.example.org^$badfilter', '||münchen.de^',
  ].join('\n');
  const list = load(text);

  test('whole hosts are in the list, exceptions are not, whatever stands below them', () => {
    for (const name of ['ads.example.com', 'x.ads.example.com', 'tracker.example.net', 'wild.example.org', 'plain.example.org', 'xn--mnchen-3ya.de']) assert.ok(list.hasName(name), name);
    for (const name of ['good.ads.example.com', 'x.good.ads.example.com', 'narrow.example.org', 'path.example.org', 'example.com', 'port.example.org', 'hosts.example.org', 'a.com']) {
      assert.ok(!list.hasName(name), name);
    }
    assert.ok(list.hasAddress('192.0.2.9'));
  });

  test('rules for something else than a host are counted', () => {
    const { format, domains, exceptions, prefixes, ignored } = list.counts;
    assert.deepEqual({ format, domains, exceptions, prefixes, ignored }, { format: 'adblock', domains: 5, exceptions: 1, prefixes: 1, ignored: 13 });
  });

  test('a name that is listed and excepted is excepted, in either order', () => {
    for (const both of ['||a.example.org^\n@@||a.example.org^', '@@||a.example.org^\n||a.example.org^']) assert.ok(!load(both).hasName('a.example.org'));
  });
});

test('limits: one entry more than allowed refuses the text', () => {
  const names = Array.from({ length: 11 }, (_, index) => `n${String(index)}.example.org`);
  assert.equal(load(names.slice(0, 10).join('\n'), 'auto', { domains: 10, prefixes: 10 }).counts.domains, 10);
  assert.throws(() => load(names.join('\n'), 'auto', { domains: 10, prefixes: 10 }), ListTooLargeError);
  const addresses = names.map((_, index) => `192.0.2.${String(index)}`);
  assert.equal(load(addresses.slice(0, 10).join('\n'), 'auto', { domains: 10, prefixes: 10 }).counts.prefixes, 10);
  assert.throws(() => load(addresses.join('\n'), 'auto', { domains: 10, prefixes: 10 }), ListTooLargeError);
});

test('limits: a single line of many names, and names that take long to read, are refused before they cost much', () => {
  const line = Array.from({ length: 2000 }, (_, index) => `n${String(index)}.example.org`).join(' ');
  assert.throws(() => load(`0.0.0.0 ${line}`), ListTooLargeError);
  assert.throws(() => load('ü.example.org\n'.repeat(200_001), 'domains'), ListTooLargeError);
  assert.equal(load('\n'.repeat(1_000_000)).counts.ignored, 0);
  assert.equal(load('x'.repeat(3_000_000)).counts.ignored, 1);
});

test('hostile bytes: whatever they are, reading ends, and every name that is found is one', () => {
  const pieces = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6(), fc.constantFrom('||', '^', '@@', '\n', '\n', ' ', '*.', '#', '$important', '/', '0.0.0.0 ', '\u{ff}', 'ü'), fc.string({ maxLength: 12 }));
  fc.assert(fc.property(fc.array(pieces, { maxLength: 40 }), fc.constantFrom('auto', 'hosts', 'domains', 'cidr', 'adblock'), (parts, format) => {
    const content = readList(new TextEncoder().encode(parts.join('')), format, KEY, LIMITS);
    let at = 0;
    while (at < content.table.arena.length) {
      const length = content.table.arena[at] ?? 0;
      const name = new TextDecoder().decode(content.table.arena.subarray(at + 1, at + 1 + length));
      assert.match(name, /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)+$/);
      at += length + 1;
    }
  }), { numRuns: 300 });
  for (let seed = 0; seed < 50; seed += 1) load(Uint8Array.from({ length: 500 }, (_, index) => (index * 7919 * (seed + 3)) % 256));
});

describe('the table of names', () => {
  const label = fc.stringMatching(/^[ab]{1,2}$/);
  const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));

  test('says what a set of names says, for every name and exception', () => {
    fc.assert(fc.property(fc.array(fc.tuple(name, fc.boolean()), { maxLength: 60 }), fc.array(name, { maxLength: 30 }), (entries, asked) => {
      const builder = new NameTableBuilder(KEY);
      for (const [one, isException] of entries) builder.add(new TextEncoder().encode(one), 0, one.length, isException);
      const table = new NameTable(builder.finish());
      const excepted = new Set(entries.filter(([, isException]) => isException).map(([one]) => one));
      const listed = new Set(entries.filter(([one]) => !excepted.has(one)).map(([one]) => one));
      for (const one of asked) {
        const labels = one.split('.');
        const above = labels.map((_, index) => labels.slice(index).join('.'));
        const wanted = above.some((suffix) => listed.has(suffix)) && !above.some((suffix) => excepted.has(suffix));
        assert.equal(table.covers(one), wanted, one);
      }
      assert.equal(builder.size, listed.size + excepted.size);
    }));
  });

  test('names that were chosen to share a hash are refused, not looked up slowly', () => {
    // With the factor 1 and no start, names of like letters in another order are alike to the hash.
    const builder = new NameTableBuilder({ start: 0, factor: 1 });
    assert.throws(() => {
      for (let index = 0; index < 2_000_000; index += 1) {
        const one = `${index.toString(2).padStart(22, '0')}.test`;
        builder.add(new TextEncoder().encode(one), 0, one.length, false);
      }
    }, ClusteredError);
  });
});

test('ranges say what the prefixes say, one by one, however they overlap', () => {
  const small4 = fc.tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 24, max: 32 })).map(([last, bits]) => `10.0.0.${String(last)}/${String(bits)}`);
  const small6 = fc.tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 32, max: 128 })).map(([last, bits]) => `2001:db8::${String(last)}/${String(bits)}`);
  const asked = ['10.0.0.0', '10.0.0.3', '10.0.0.7', '10.0.0.8', '10.0.1.0', '9.255.255.255', '2001:db8::', '2001:db8::5', '2001:db8::8', '2001:db8:1::', '2001:db7::', '::'];
  fc.assert(fc.property(fc.array(fc.oneof(small4, small6), { maxLength: 20 }), (texts) => {
    const builder = new RangeBuilder();
    const prefixes = texts.map((text) => toPrefix(text)).filter((prefix) => prefix !== null);
    for (const { words, bits } of prefixes) builder.add(words, bits);
    const ranges = new Ranges(builder.finish());
    for (const address of asked) {
      const words = addressWords(address) ?? [];
      const wanted = prefixes.some((prefix) => toPrefix(`${address}/${String(prefix.bits)}`)?.words.join() === prefix.words.join() && prefix.words.length === words.length);
      assert.equal(ranges.has(words), wanted, `${address} in ${texts.join()}`);
    }
  }));
});

test('of two hundred thousand names each is found, also under its own names, and no other', () => {
  const count = 200_000;
  const nameOf = (index: number): string => `ads${String(index)}.host${String(index % 977)}.example`;
  const list = load(Array.from({ length: count }, (_, index) => `0.0.0.0 ${nameOf(index)}\n`).join(''), 'hosts', { domains: count, prefixes: 0 });
  assert.equal(list.counts.domains, count);
  const has = (nameFor: (index: number) => string): number => {
    let found = 0;
    for (let index = 0; index < count; index += 1) if (list.hasName(nameFor(index))) found += 1;
    return found;
  };
  assert.deepEqual([has(nameOf), has((index) => `www.cdn.${nameOf(index)}`), has((index) => `x${nameOf(index)}`)], [count, count, 0]);
});
