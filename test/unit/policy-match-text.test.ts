/** The parts of a rule as text: what is read, what is refused with the way to write it, and what does not go together. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ProgramMatch, RuleMatch } from '../../helper/contract/vocabulary.ts';
import type { TextPart } from '../../helper/policy/match-text.ts';
import { quoted } from '../../helper/policy/parsed.ts';
import { conflictIn, formatAncestor, PART_READERS, parseAncestor, parseProfile } from '../../helper/policy/text.ts';

const HASH = 'ab'.repeat(32);

describe('the parts', () => {
  const parts: Readonly<Record<TextPart, { readonly right: readonly string[]; readonly wrong: readonly string[]; readonly says: RegExp }>> = {
    path: { right: ['/usr/bin/curl', 'kernel'], wrong: ['curl', '/usr//bin'], says: /is no program|can never match/ },
    package: {
      right: ['curl', 'c3', '0ad', 'g++', 'lib.x-1', 'x'.repeat(128)], wrong: ['c', '-curl', '+x', 'Curl', 'cu rl', 'curl_', ' curl', 'x'.repeat(129)],
      says: /is no package; their names have two or more small letters/,
    },
    flatpak: {
      right: ['org.mozilla.firefox', 'org.x.App-1', '_a._b._c', `org.x.${'a'.repeat(249)}`],
      wrong: ['firefox', 'org.firefox', 'org.mozilla-x.firefox', '1org.x.App', 'org.1x.App', 'org.x.1App', 'org..App', 'org.x.', 'org.x.A b', ' org.x.A', `org.x.${'a'.repeat(250)}`],
      says: /is no Flatpak application; write its id, such as org\.mozilla\.firefox/,
    },
    snap: {
      right: ['hello', 'a', '7zip', 'a-b-c', 'hello_one', `${'a'.repeat(40)}_${'b'.repeat(10)}`],
      wrong: ['Hello', '-a', 'a-', 'a--b', '123', '1_a', 'a_', 'a_b_c', 'a_B', 'a'.repeat(41), `a_${'b'.repeat(11)}`, ' a', 'a '],
      says: /is no snap; their names have small letters, digits and single dashes/,
    },
    appImage: { right: ['/opt/x y.AppImage'], wrong: ['x.AppImage', 'kernel', '/opt/../x'], says: /is not the absolute path of an AppImage|can never match/ },
    script: { right: ['/opt/backup.py'], wrong: ['backup.py', 'kernel', '/opt//backup.py'], says: /is not the absolute path of a script|can never match/ },
    sha256: { right: [HASH], wrong: [HASH.slice(1), `${HASH}0`, `x${HASH.slice(1)}`], says: /is no SHA-256; write its 64 hexadecimal digits/ },
    container: {
      right: ['web', 'web-*', '*', 'a_b.c-d', 'x'.repeat(128), `${'x'.repeat(127)}*`], wrong: ['-web', '.w*', 'we*b', '**', 'w b', ' web', 'x'.repeat(129), `${'x'.repeat(128)}*`],
      says: /is no container; write its name/,
    },
    domain: { right: ['example.org', '*.example.org'], wrong: ['*', 'exa mple'], says: /is no host name/ },
    list: { right: ['ads', '0', 'a.b_c-d', 'x'.repeat(64)], wrong: ['Ads', '-a', '.a', 'a b', 'x'.repeat(65)], says: /is no id of a list; write that of a \[\[list\]\]/ },
    zone: { right: ['home', '0', 'a_b-c', 'x'.repeat(32)], wrong: ['Home', '-a', 'a.b', 'x'.repeat(33)], says: /is no zone; write the "zone" of an \[\[interface\]\]/ },
    interface: {
      right: ['eth0', 'wg*', 'enp0s31f6.1234', 'ü0'], wrong: ['*', 'e*h', 'a b', 'a/b', 'a:b', 'wg**', 'a\u0007b', 'x'.repeat(16)],
      says: /is no network interface; write one such as eth0/,
    },
  };
  for (const [part, { right, wrong, says }] of Object.entries(parts) as [TextPart, (typeof parts)[TextPart]][]) {
    test(`${part}: reads what is right, refuses what is wrong, and nothing means any`, () => {
      for (const text of right) assert.deepEqual(PART_READERS[part](text), { ok: true, value: text }, text);
      for (const text of wrong) {
        const read = PART_READERS[part](text);
        assert.ok(!read.ok, text);
        assert.match(read.message, says);
      }
      assert.deepEqual(PART_READERS[part](''), { ok: true, value: undefined });
    });
  }

  test('sha256: capital letters are the same digits', () => {
    assert.deepEqual(PART_READERS.sha256(HASH.toUpperCase()), { ok: true, value: HASH });
  });

  test('a profile has an id of at most 32 characters', () => {
    for (const text of ['work', '0', 'a_b-c', 'x'.repeat(32)]) assert.deepEqual(parseProfile(text), { ok: true, value: text });
    for (const text of ['Work', '-a', 'a b', 'a.b', 'x'.repeat(33)]) assert.ok(!parseProfile(text).ok, text);
    const wrong = parseProfile('A');
    assert.match(wrong.ok ? '' : wrong.message, /^'A' is no id of a profile; write that of a \[\[profile\]\]/);
  });

  test('text from outside is bounded in a sentence, and cannot act on a terminal', () => {
    assert.equal(quoted('x'.repeat(64)), `'${'x'.repeat(64)}'`);
    assert.equal(quoted('x'.repeat(65)), `'${'x'.repeat(64)}…'`);
    assert.equal(quoted('a\u001bb\u202ec\u2028d\u2029e\ud800f'), `'a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e\u{fffd}f'`);
  });
});

describe('who started it, as text', () => {
  const forms: readonly (readonly [string, ProgramMatch])[] = [
    ['path:/usr/bin/make', { path: '/usr/bin/make' }], ['package:make', { package: 'make' }], ['flatpak:org.x.App', { flatpak: 'org.x.App' }],
    ['snap:hello', { snap: 'hello' }], ['appimage:/opt/x', { appImage: '/opt/x' }], ['script:/opt/a:b.py', { script: '/opt/a:b.py' }],
    [`sha256:${HASH}`, { sha256: HASH }],
  ];
  for (const [text, match] of forms) {
    test(`parseAncestor: ${text.slice(0, 20)} is read, and written back`, () => {
      assert.deepEqual(parseAncestor(text), { ok: true, value: match });
      assert.equal(formatAncestor(match), text);
    });
  }

  test('parseAncestor: nothing means anybody; what names no program is refused with the way to write it', () => {
    assert.deepEqual(parseAncestor(''), { ok: true, value: undefined });
    assert.equal(formatAncestor(undefined), '');
    assert.equal(formatAncestor({}), '');
    for (const text of ['make', '/usr/bin/make', 'file:/x', ':/x', 'PATH:/x']) {
      const read = parseAncestor(text);
      assert.match(read.ok ? '' : read.message, /names no program; write path:\/usr\/bin\/make, or package:, flatpak:, snap:, appimage:, script:, sha256:/, text);
    }
    for (const text of ['path:', 'path:kernel', 'snap:']) {
      const read = parseAncestor(text);
      assert.match(read.ok ? '' : read.message, /names no program that could start another one/, text);
    }
    assert.match(((read) => (read.ok ? '' : read.message))(parseAncestor('path:make')), /'make' is no program; write its absolute path/);
  });
});

describe('what does not go together', () => {
  const path = '/usr/bin/python3';
  const conflicts: readonly (readonly [RuleMatch, string])[] = [
    [{ address: '192.0.2.1', domain: 'example.org' }, 'address and domain exclude each other; make a rule for each'],
    [{ domain: 'example.org', list: 'ads' }, 'domain and list exclude each other; make a rule for each'],
    [{ address: '192.0.2.1', domain: 'a.org', list: 'ads' }, 'address and domain and list exclude each other; make a rule for each'],
    [{ path: 'kernel', ancestor: { path } }, 'the kernel is no program of a package, has no file and was started by nobody; name one of the two'],
    [{ path: 'kernel', package: 'linux' }, 'the kernel is no program of a package, has no file and was started by nobody; name one of the two'],
    [{ container: 'web', path }, 'a container and a program exclude each other: which program inside it sends cannot be told'],
    [{ container: 'web', path: 'kernel' }, 'a container and a program exclude each other: which program inside it sends cannot be told'],
    [{ container: 'web', package: 'curl' }, 'a container and a program exclude each other: which program inside it sends cannot be told'],
    [{ container: 'web', ancestor: { path } }, 'a container and a program exclude each other: which program inside it sends cannot be told'],
    [{ allScripts: true }, '"all" scripts needs the path of the interpreter'],
    [{ allScripts: true, path: 'kernel' }, '"all" scripts needs the path of the interpreter'],
    [{ allScripts: true, package: 'python3' }, '"all" scripts needs the path of the interpreter'],
    [{ allScripts: true, path, script: '/opt/a.py' }, 'a script and "all" scripts exclude each other'],
    [{ includeChildren: true }, 'including children needs the program that starts them'],
    [{ includeChildren: true, path: 'kernel' }, 'including children needs the program that starts them'],
    [{ pin: true }, 'a pin needs the program whose file is not to change'],
    [{ pin: true, path: 'kernel' }, 'a pin needs the program whose file is not to change'],
  ];
  for (const [match, wanted] of conflicts) {
    test(`conflictIn: ${Object.keys(match).join(', ')}: ${wanted.slice(0, 30)}`, () => { assert.equal(conflictIn(match), wanted); });
  }

  test('conflictIn: the rest goes together', () => {
    const right: readonly RuleMatch[] = [
      {}, { address: '192.0.2.1' }, { domain: 'example.org', path }, { list: 'ads', package: 'curl' }, { path: 'kernel', address: '192.0.2.1' }, { container: 'web' },
      { path, allScripts: true }, { path, script: '/opt/a.py' }, { path, includeChildren: true }, { package: 'make', includeChildren: true }, { path, pin: true },
      { script: '/opt/a.py', pin: true }, { path, ancestor: { package: 'make' } }, { ancestor: { path } },
      { allScripts: false, includeChildren: false, pin: false },
    ];
    for (const match of right) assert.equal(conflictIn(match), null, JSON.stringify(match));
  });
});
