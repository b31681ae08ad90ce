import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from '../property.ts';
import {
  canonicalName, isPublicSuffix, matchesDomain, parseDomain, registrableDomain, suggestedDomains, suggestedPattern,
} from '../../helper/policy/domains.ts';

describe('parseDomain', () => {
  const read: readonly (readonly [string, string])[] = [
    ['example.org', 'example.org'],
    ['Example.ORG.', 'example.org'],
    ['*.Example.org', '*.example.org'],
    ['  www.example.org ', 'www.example.org'],
    ['münchen.de', 'xn--mnchen-3ya.de'],
    ['*.MÜNCHEN.de', '*.xn--mnchen-3ya.de'],
    ['bücher.example。', 'xn--bcher-kva.example'],
    ['router', 'router'],
    ['_dmarc.example.org', '_dmarc.example.org'],
    ['xn--mnchen-3ya.de', 'xn--mnchen-3ya.de'],
    [`${'a'.repeat(63)}.org`, `${'a'.repeat(63)}.org`],
  ];
  for (const [text, wanted] of read) {
    test(`reads ${text} as ${wanted.slice(0, 30)}`, () => {
      assert.deepEqual(parseDomain(text), { ok: true, value: wanted });
    });
  }

  test('nothing means any', () => {
    assert.deepEqual(parseDomain(' '), { ok: true, value: undefined });
  });

  const refused = [
    '*', '*.', '.', '..', '*example.org', 'a.*.org', '*.*.org', 'example..org', '.example.org', 'example.org..', '192.0.2.7', '*.0.2.7', '1.2.3.4.',
    '2001:db8::7', '[::1]', 'http://example.org', 'example.org/x', 'example.org:443', 'user@example.org', '-a.org', 'a-.org', 'exa mple.org',
    'ex\u{0}ample.org', '\u{202e}gro.elpmaxe', 'ü@example.org', 'ü#.org', 'ü%2e.org', `${'a'.repeat(64)}.org`, 'ü\\.org', '０x7f．1',
    `${'a.'.repeat(127)}org`, 'x'.repeat(5000), 'ü'.repeat(5000), '||example.org^',
  ];
  for (const text of refused) {
    test(`refuses ${JSON.stringify(text.slice(0, 24))} with the way to write it`, () => {
      const result = parseDomain(text);
      assert.ok(!result.ok);
      assert.match(result.message, /is no host name; write one such as example\.org|too long/);
      assert.doesNotMatch(result.message, /[\p{Cc}\p{Cf}]/u);
    });
  }

  test('a wildcard over a public suffix is read with a note that says what it covers', () => {
    for (const text of ['*.com', '*.co.uk', '*.github.io', '*.澳門']) {
      const result = parseDomain(text);
      assert.ok(result.ok);
      assert.match(result.complaint ?? '', /covers the names of everybody/);
    }
    for (const text of ['*.example.com', '*.lan', '*.local', 'com']) {
      const result = parseDomain(text);
      assert.ok(result.ok);
      assert.equal(result.complaint, undefined);
    }
  });

  test('what it prints it reads again unchanged', () => {
    fc.assert(fc.property(fc.oneof(fc.domain(), fc.string({ unit: 'binary', maxLength: 40 })), fc.boolean(), (text, wild) => {
      const first = parseDomain(wild ? `*.${text}` : text);
      if (!first.ok || first.value === undefined) return;
      const again = parseDomain(first.value);
      assert.ok(again.ok);
      assert.equal(again.value, first.value);
      assert.match(first.value, /^(?:\*\.)?[a-z0-9_.-]{1,253}$/);
    }));
  });

  test('canonicalName: an address in any spelling is no name', () => {
    for (const text of ['127.0.0.1', '0x7f.1', '0x7f000001', '2130706433', '①②⑦.0.0.1', '::1']) assert.equal(canonicalName(text), null, text);
  });
});

describe('matchesDomain', () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['example.org', 'example.org', true],
    ['example.org', 'www.example.org', false],
    ['*.example.org', 'www.example.org', true],
    ['*.example.org', 'a.b.example.org', true],
    ['*.example.org', 'example.org', false],
    ['*.example.org', 'badexample.org', false],
    ['*.example.org', '.example.org', false],
    ['*.example.org', 'example.org.evil.test', false],
    ['example.org', 'example.org.evil.test', false],
    ['*.org', 'org', false],
    ['', 'example.org', false],
  ];
  for (const [pattern, name, wanted] of cases) {
    test(`${pattern} ${wanted ? 'is' : 'is not'} ${name}`, () => {
      assert.equal(matchesDomain(pattern, name), wanted);
    });
  }
});

describe('suggestions', () => {
  const cases: readonly (readonly [string, string | null, readonly string[]])[] = [
    ['www.example.org', '*.example.org', ['*.example.org']],
    ['a.b.c.example.co.uk', '*.example.co.uk', ['*.example.co.uk']],
    ['example.org', '*.example.org', ['example.org', '*.example.org']],
    ['alice.github.io', '*.alice.github.io', ['alice.github.io', '*.alice.github.io']],
    ['nas.home.lan', '*.home.lan', ['*.home.lan']],
    ['xn--mnchen-3ya.de', '*.xn--mnchen-3ya.de', ['xn--mnchen-3ya.de', '*.xn--mnchen-3ya.de']],
    ['github.io', null, []],
    ['co.uk', null, []],
    ['com', null, []],
    ['router', null, []],
  ];
  for (const [name, pattern, domains] of cases) {
    test(`for ${name}: ${pattern ?? 'none'}`, () => {
      assert.equal(suggestedPattern(name), pattern);
      assert.deepEqual(suggestedDomains(name), domains);
    });
  }

  test('no suggestion is a public suffix, and one of its domains is always the name that was asked about', () => {
    fc.assert(fc.property(fc.domain(), (text) => {
      const name = canonicalName(text);
      if (name === null) return;
      const domains = suggestedDomains(name);
      if (domains.length === 0) return;
      assert.ok(domains.some((domain) => matchesDomain(domain, name)), name);
      assert.ok(domains.every((domain) => !isPublicSuffix(domain.replace('*.', ''))), name);
    }));
  });

  test('registrableDomain: what its owner registered', () => {
    assert.equal(registrableDomain('www.parliament.uk'), 'parliament.uk');
    assert.equal(registrableDomain('a.b.kawasaki.jp'), 'a.b.kawasaki.jp');
    assert.equal(registrableDomain('com'), null);
  });
});
