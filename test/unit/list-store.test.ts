import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { LIST_COUNT } from '../../helper/adapters/rule-store/lists.ts';
import { readSettings } from '../../helper/adapters/rule-store/settings.ts';
import type { ListDefinition } from '../../helper/ports.ts';
import { definition, makeListStore, untilState, updated } from './list-support.ts';

describe('a list in a file', { timeout: 300_000 }, () => {
  test('is there when configure resolves, and says what is in it', async (context) => {
    const { store, write } = await makeListStore(context);
    const [names, addresses] = [write('ads.txt', '0.0.0.0 ads.example.com\n0.0.0.0 x y\n'), write('nets.txt', '192.0.2.0/24\n')];
    let changes = 0;
    store.onChanged(() => { changes += 1; });
    await store.configure([definition({ id: 'ads', name: 'Advertisers', file: names }), definition({ id: 'nets', file: addresses, format: 'cidr' })]);
    assert.deepEqual([store.hasName('ads', 'a.ads.example.com'), store.hasName('nets', 'ads.example.com'), store.hasAddress('nets', '192.0.2.9'), store.hasAddress('ads', '192.0.2.9')], [true, false, true, false]);
    assert.deepEqual([store.holds('ads'), store.holds('nets'), store.holds('none')], [{ names: true, addresses: false }, { names: false, addresses: true }, { names: false, addresses: false }]);
    const [ads] = store.states();
    const { updatedMs, ...rest } = ads ?? { updatedMs: 0 };
    assert.deepEqual(rest, { id: 'ads', name: 'Advertisers', source: names, format: 'hosts', domains: 1, prefixes: 0, exceptions: 0, ignored: 1, nextMs: 0, error: '', updating: false });
    assert.ok(Math.abs(updatedMs - Date.now()) < 60_000);
    assert.equal(changes, 2);
    assert.deepEqual(store.errors(), []);
  });

  test('is read again when it is saved, also by a rename', async (context) => {
    const { store, write, folder } = await makeListStore(context);
    const file = write('ads.txt', 'one.example.org\n');
    await store.configure([definition({ id: 'ads', file })]);
    const before = store.digest();
    write('ads.txt', 'two.example.org\n');
    await untilState(store, () => store.hasName('ads', 'two.example.org'));
    assert.ok(!store.hasName('ads', 'one.example.org'));
    assert.notEqual(store.digest(), before);
    write('new.txt', 'three.example.org\n');
    renameSync(join(folder, 'new.txt'), file);
    await untilState(store, () => store.hasName('ads', 'three.example.org'));
  });

  test('that others can write, is a link, is too large or is gone is not read; its last content stays, over a restart too', async (context) => {
    const { store, write, restarted, folder } = await makeListStore(context, { limits: { bytes: 1000 } });
    const file = write('ads.txt', 'one.example.org\n');
    const lists = [definition({ id: 'ads', file })];
    await store.configure(lists);
    const wrong: readonly (readonly [() => void, RegExp])[] = [
      [() => { write('ads.txt', 'evil.example.org\n'); chmodSync(file, 0o666); }, /can be written by others\. Mend it with: chmod/],
      [() => { rmSync(file); symlinkSync('/etc/hostname', file); }, /link/],
      [() => { rmSync(file); mkdirSync(file); }, /not a regular file/],
      [() => { rmSync(file, { recursive: true }); write('ads.txt', 'x'.repeat(1001)); }, /larger than 1000 bytes/],
      [() => { write('ads.txt', '\u{0}\u{1}binary\n'); }, /No line of it/],
      [() => { rmSync(file); }, /is not there/],
      [() => { write('ads.txt', 'evil.example.org\n'); chmodSync(folder, 0o777); }, /can be written by others/],
    ];
    for (const [spoil, reason] of wrong) {
      spoil();
      await untilState(store, () => store.states().every(({ updating }) => !updating));
      await updated(store);
      assert.match(store.states()[0]?.error ?? '', reason);
      assert.deepEqual([store.hasName('ads', 'one.example.org'), store.hasName('ads', 'evil.example.org')], [true, false]);
      assert.match(store.errors()[0]?.message ?? '', /stays in force/);
    }
    store.close();
    const next = restarted();
    await next.configure(lists);
    assert.ok(next.hasName('ads', 'one.example.org'));
    assert.match(next.errors()[0]?.message ?? '', /can be written by others.* What it said before stays in force/);
    chmodSync(folder, 0o755);
    await updated(next);
    assert.deepEqual([next.errors(), next.hasName('ads', 'evil.example.org')], [[], true]);
  });

  test('whose hash is another than the one that was given is refused', async (context) => {
    const { store, write } = await makeListStore(context);
    const file = write('ads.txt', 'one.example.org\n');
    const sha256 = createHash('sha256').update('one.example.org\n').digest('hex');
    await store.configure([definition({ id: 'ads', file, sha256 })]);
    assert.ok(store.hasName('ads', 'one.example.org'));
    write('ads.txt', 'two.example.org\n');
    await untilState(store, () => store.errors().length > 0);
    assert.ok(store.hasName('ads', 'one.example.org') && !store.hasName('ads', 'two.example.org'));
  });

  test('at the limits of one list and of all, one entry more is refused', async (context) => {
    const { store, write } = await makeListStore(context, { limits: { domains: 3, prefixes: 2, allDomains: 4, allPrefixes: 3 } });
    const names = (count: number, word: string): string => Array.from({ length: count }, (_, index) => `${word}${String(index)}.example.org\n`).join('');
    await store.configure([
      definition({ id: 'full', file: write('full.txt', names(3, 'a')) }),
      definition({ id: 'over', file: write('over.txt', names(4, 'b')) }),
      definition({ id: 'together', file: write('together.txt', names(2, 'c')) }),
      definition({ id: 'last', file: write('last.txt', names(1, 'd')) }),
      definition({ id: 'nets', file: write('nets.txt', '192.0.2.1\n192.0.2.2\n192.0.2.3\n') }),
    ]);
    const told = Object.fromEntries(store.states().map(({ id, error }) => [id, error]));
    assert.deepEqual([told['full'], told['last']], ['', '']);
    assert.match(told['over'] ?? '', /more than 3 names/);
    assert.match(told['together'] ?? '', /All lists together would have more than 4 names/);
    assert.match(told['nets'] ?? '', /more than 3 names or 2 addresses/);
    assert.equal(store.counters().refused, 3);
    assert.match(store.errors()[0]?.message ?? '', /It is empty\.$/);
  });

  test('a list that is taken out of the settings is gone, with its copy; others stay untouched', async (context) => {
    const { store, write, stateDir } = await makeListStore(context);
    const lists = [definition({ id: 'a', file: write('a.txt', 'a.example.org\n') }), definition({ id: 'b', file: write('b.txt', 'b.example.org\n') })];
    await store.configure(lists);
    const { loads } = store.counters();
    let changes = 0;
    store.onChanged(() => { changes += 1; });
    await store.configure(lists.slice(1));
    assert.deepEqual([store.hasName('a', 'a.example.org'), store.hasName('b', 'b.example.org'), changes], [false, true, 1]);
    assert.equal(store.counters().loads, loads);
    assert.deepEqual(readdirSync(join(stateDir, 'lists')).sort(), ['b.json', 'b.list']);
    assert.throws(() => { store.update(['a']); }, { code: 'NotFound' });
  });

  test('a note that is no note, or a folder that others can write, leaves the copy unused', async (context) => {
    const { store, write, restarted, stateDir } = await makeListStore(context);
    const file = write('a.txt', 'a.example.org\n');
    await store.configure([definition({ id: 'a', file })]);
    store.close();
    rmSync(file);
    for (const note of ['', 'null', '{}', '[', '{"version":2}', 'x'.repeat(20_000)]) {
      writeFileSync(join(stateDir, 'lists', 'a.json'), note);
      const next = restarted();
      await next.configure([definition({ id: 'a', file })]);
      assert.ok(!next.holds('a').names, note.slice(0, 20));
      next.close();
    }
  });
});

describe('[[list]] in bastion.toml', () => {
  function read(text: string): readonly ListDefinition[] {
    const result = readSettings(text);
    assert.ok(result.ok, JSON.stringify(result));
    return result.settings.lists ?? [];
  }

  test('is read with its defaults', () => {
    assert.deepEqual(read('[[list]]\nid = "ads"\nfile = "/etc/bastion/lists/ads.txt"\n\n[[list]]\nid = "n-1"\nname = "Nets"\nurl = "https://Example.org/x#y"\nformat = "cidr"\nupdate_hours = 6\n'), [
      { id: 'ads', name: 'ads', file: '/etc/bastion/lists/ads.txt', url: null, format: 'auto', sha256: null, updateHours: 24 },
      { id: 'n-1', name: 'Nets', file: null, url: 'https://example.org/x', format: 'cidr', sha256: null, updateHours: 6 },
    ]);
    const hash = 'A'.repeat(64);
    assert.equal(read(`[[list]]\nid = "a"\nurl = "http://example.org/"\nsha256 = "${hash}"`)[0]?.sha256, 'a'.repeat(64));
    assert.deepEqual(read('mode = "learning"'), []);
  });

  const wrong: readonly (readonly [string, number, number, RegExp])[] = [
    ['[[list]]\nfile = "/a"', 1, 1, /This list has no id/],
    ['[[list]]\nid = "Ads"\nfile = "/a"', 2, 1, /no(?:t a)? valid id/],
    ['[[list]]\nid = "../a"\nfile = "/a"', 2, 1, /not a valid id/],
    ['[[list]]\nid = "a"', 1, 1, /either "file" or "url"/],
    ['[[list]]\nid = "a"\nfile = "/a"\nurl = "https://x.org/"', 1, 1, /either "file" or "url"/],
    ['[[list]]\nid = "a"\nfile = "a.txt"', 3, 1, /not the absolute path/],
    ['[[list]]\nid = "a"\nfile = "/etc/../a"', 3, 1, /not the absolute path/],
    ['[[list]]\nid = "a"\nfile = "/a"\nupdate_hours = 3', 4, 1, /belongs to "url"/],
    ['[[list]]\nid = "a"\nurl = "http://example.org/a"', 3, 1, /Anybody on the way can change/],
    ['[[list]]\nid = "a"\nurl = "ftp://example.org/a"', 3, 1, /begins with https/],
    ['[[list]]\nid = "a"\nurl = "file:///etc/shadow"', 3, 1, /begins with https/],
    ['[[list]]\nid = "a"\nurl = "https://me:pw@example.org/a"', 3, 1, /password cannot stand/],
    ['[[list]]\nid = "a"\nurl = "https://example.org/a"\nsha256 = "12"', 4, 1, /64 hexadecimal digits/],
    ['[[list]]\nid = "a"\nurl = "https://example.org/a"\nupdate_hours = 0', 4, 1, /1 to 8760/],
    ['[[list]]\nid = "a"\nfile = "/a"\nformat = "host"', 4, 1, /no format of a list.*hosts/],
    ['[[list]]\nid = "a"\nfile = "/a"\nfiles = "b"', 4, 1, /no key/],
    ['[[list]]\nid = "a"\nfile = "/a"\n[[list]]\nid = "a"\nfile = "/b"', 5, 1, /two lists with the id/],
    ['[list]\nid = "a"\nfile = "/a"', 1, 1, /Write \[\[list\]\]/],
  ];
  for (const [text, line, column, message] of wrong) {
    test(`refuses ${JSON.stringify(text.slice(9, 60))} with the place and the way to mend it`, () => {
      const result = readSettings(text);
      assert.ok(!result.ok);
      const [problem] = result.problems;
      assert.deepEqual([problem?.line, problem?.column], [line, column], JSON.stringify(result.problems));
      assert.match(problem?.message ?? '', message);
    });
  }

  test(`${String(LIST_COUNT)} lists are read, one more is not`, () => {
    const text = (count: number): string => Array.from({ length: count }, (_, index) => `[[list]]\nid = "l${String(index)}"\nfile = "/a"\n`).join('');
    assert.equal(read(text(LIST_COUNT)).length, LIST_COUNT);
    const result = readSettings(text(LIST_COUNT + 1));
    assert.ok(!result.ok);
    assert.match(result.problems[0]?.message ?? '', /more than 32 lists/);
  });
});
