/** Every importer against a realistic file of its format, and the sentences of each format one by one. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { flagMissing } from '../../helper/import/bastion-rules.ts';
import { formatOf } from '../../helper/import/formats.ts';
import { NOW_MS, SAMPLES, all, only, openSnitchRule, outcomes, read, sample, simple } from './import-support.ts';

const GOLDEN = {
  'bastion-rules.json': 'bastion-rules', 'bastion-config.json': 'bastion-config', 'identities.toml': 'identities', 'rules.toml': 'rules-toml',
  'blocklist.lsrules': 'lsrules', 'network.yaml': 'network-manager', 'bastion.toml': 'bastion', 'opensnitch': 'opensnitch',
} as const;

describe('a sample of each format', () => {
  for (const [name, format] of Object.entries(GOLDEN)) {
    test(`${name} is told to be ${format} and read as written down`, () => {
      assert.equal(formatOf('', sample(name)).format, format);
      const imported = read(sample(name));
      const golden = join(SAMPLES, 'expected', `${name.replace(/\..*$/, '')}-${format}.json`);
      // BASTION_UPDATE_GOLDEN=1 writes them anew, to be read before they are committed.
      if (process.env['BASTION_UPDATE_GOLDEN'] === '1') writeFileSync(golden, `${JSON.stringify(imported, null, 1)}\n`);
      assert.deepEqual(JSON.parse(JSON.stringify(imported)), JSON.parse(readFileSync(golden, 'utf8')));
    });
  }
});

describe('rules.json', () => {
  function keys(...entries: readonly string[]): string {
    return JSON.stringify(Object.fromEntries(entries.map((key) => [key, true])));
  }

  test('a program by its path keeps its port; star and zero are any port', () => {
    const rules = read(keys('/usr/bin/curl:443', '/usr/bin/a:*', '/usr/bin/b:0'), 'bastion-rules').items.map(({ rule }) => [rule?.path, rule?.port]);
    assert.deepEqual(rules, [['/usr/bin/curl', '443'], ['/usr/bin/a', undefined], ['/usr/bin/b', undefined]]);
  });

  test('the port stands behind the last colon, so a path may hold one', () => {
    assert.equal(only(keys('/opt/a:b/c:443'), 'bastion-rules').rule?.path, '/opt/a:b/c');
  });

  test('a name that a program gives itself allows nothing: the rule is off', () => {
    const item = only(keys('@name:curl:443'), 'bastion-rules');
    assert.equal(item.outcome, 'review');
    assert.equal(item.rule?.enabled, false);
    assert.match(item.text, /call itself "curl"/);
  });

  test('a destination drops its last field and is split at the last colon, IPv6 too, and is off', () => {
    const destinations = ['@dest:192.0.2.7:443:443', '@dest:2001:db8::1:53:*', '@dest:[2001:db8::2]:80:80', '@dest:192.0.2.8:*:*'];
    const items = read(keys(...destinations), 'bastion-rules').items;
    assert.deepEqual(items.map(({ outcome, rule }) => [outcome, rule?.enabled, rule?.address, rule?.port]), [
      ['review', false, '192.0.2.7', '443'], ['review', false, '2001:db8::1', '53'], ['review', false, '2001:db8::2', '80'],
      ['review', false, '192.0.2.8', undefined],
    ]);
  });

  test('ports that are no number, values that are no flag and the empty tables are not imported', () => {
    const text = '{"applications": {}, "services": {}, "/a:http": true, "/b:65536": true, "/c:-1": true, "/d": true, "/e:1": 1, "/f:1": null}';
    assert.deepEqual(outcomes(read(text, 'bastion-rules')), ['skipped /a:http', 'skipped /b:65536', 'skipped /c:-1', 'skipped /d', 'skipped /e:1', 'skipped /f:1']);
  });

  test('a path without a file may be the beginning of another one, and is off', () => {
    const imported = flagMissing(read(keys('/opt/My:443', '/usr/bin/curl:443'), 'bastion-rules'), new Set(['/opt/My']));
    assert.deepEqual(outcomes(imported), ['review /opt/My:443', 'kept /usr/bin/curl:443']);
    assert.equal(imported.items[0]?.rule?.enabled, false);
    assert.match(imported.items[0].text, /cut the path at a space/);
  });

  test('an allow rule for an interpreter says that its scripts are not covered', () => {
    assert.equal(only(keys('/usr/bin/python3.11:443'), 'bastion-rules').outcome, 'changed');
  });
});

describe('OpenSnitch', () => {
  function match(...conditions: readonly unknown[]): ReturnType<typeof only> {
    return only(openSnitchRule(all(...conditions)), 'opensnitch');
  }

  test('deny is silent there and reject answers, as drop and deny here', () => {
    const actions = ['allow', 'deny', 'reject'].map((action) => only(openSnitchRule(simple('process.path', '/a'), { action })).rule?.action);
    assert.deepEqual(actions, ['allow', 'drop', 'deny']);
  });

  test('a protocol is one of IPv4, and with a 6 one of IPv6', () => {
    const path = simple('process.path', '/usr/bin/a');
    assert.equal(match(path, simple('protocol', 'tcp')).rule?.address, '0.0.0.0/0');
    assert.equal(match(path, simple('protocol', 'udp6')).rule?.address, '::/0');
    assert.equal(match(path, { type: 'regexp', operand: 'protocol', data: '^(tcp|tcp6)$' }).rule?.address, undefined);
    assert.equal(match(path, simple('protocol', 'tcp6'), simple('dest.ip', '192.0.2.1')).outcome, 'review');
    assert.equal(match(path, simple('protocol', 'tcp'), simple('dest.host', 'example.org')).outcome, 'review');
  });

  test('patterns that are a finite set are said; all others are for review', () => {
    const ports = match(simple('process.path', '/a'), { type: 'regexp', operand: 'dest.port', data: '^(53|80|443)$' });
    assert.equal(ports.rule?.port, '53,80,443');
    for (const data of ['443', '^4', '^44[0-9]$', '^443|80$', '^(443$', '^443\\$', '^.*$', '^(a+)+$']) {
      const item = match(simple('process.path', '/a'), { type: 'regexp', operand: 'dest.port', data });
      assert.deepEqual([item.outcome, item.rule?.enabled], ['review', false], data);
    }
  });

  test('a domain with all below it is two rules; what an unanchored pattern means is for review', () => {
    const hosts = (data: string): readonly (string | undefined)[] => (
      read(openSnitchRule(all(simple('process.path', '/a'), { type: 'regexp', operand: 'dest.host', data }))).items.map(({ rule }) => rule?.domain)
    );
    assert.deepEqual(hosts('^(.*\\.)?example\\.org$'), ['example.org', '*.example.org']);
    assert.deepEqual(hosts('^.*\\.example\\.org$'), ['*.example.org']);
    assert.deepEqual(hosts('.*\\.example\\.org'), [undefined]);
    assert.deepEqual(hosts('^www.example.org$'), [undefined], 'a dot stands for any character');
  });

  test('what a process says of itself, old hashes, sources and lists are for review', () => {
    for (const operand of ['process.command', 'process.hash.md5', 'process.hash.sha1', 'source.port', 'process.env.HOME', 'lists.domains', 'quota']) {
      const item = match(simple('process.path', '/usr/bin/a'), simple(operand, 'x'));
      assert.deepEqual([item.outcome, item.rule?.enabled, item.rule?.path], ['review', false, '/usr/bin/a'], operand);
    }
  });

  test('a condition that is not understood alone makes no rule, for it would be for everything', () => {
    const item = only(openSnitchRule({ type: 'lists', operand: 'lists.domains', data: '/etc/ads' }, { action: 'deny' }));
    assert.deepEqual([item.outcome, item.rule], ['review', undefined]);
  });

  test('a rule for a time ends when that time is over; one that is over or was for once is not imported', () => {
    const lasting = (duration: string, created = '2026-11-21T11:00:00Z'): ReturnType<typeof only> => (
      only(openSnitchRule(simple('process.path', '/a'), { duration, created }))
    );
    assert.equal(lasting('2h').rule?.until_ms, NOW_MS + 3_600_000);
    assert.equal(lasting('1h30m').rule?.until_ms, NOW_MS + 1_800_000);
    assert.equal(lasting('until restart').rule?.lifetime, 'boot');
    for (const duration of ['once', '5m', '', 'forever', '1e9h', '-5m']) assert.equal(lasting(duration).outcome, 'skipped', duration);
    assert.equal(lasting('5m', '2030-01-01T00:00:00Z').outcome, 'skipped', 'one that begins later would be longer than it was');
    assert.equal(lasting('5m', 'today').outcome, 'skipped');
  });

  test('what stops the search there goes first here, in the order of the names', () => {
    const rules = [
      ['020-allow', 'allow', true], ['010-deny', 'deny', false], ['030-deny', 'reject', false], ['005-allow', 'allow', false],
    ].map(([name, action, precedence]) => openSnitchRule(simple('process.path', '/usr/bin/a'), { name, action, precedence }));
    const priorities = read(`[${rules.join(',')}]`).items.map(({ source, rule }) => [source, rule?.priority ?? 0]);
    assert.deepEqual(Object.fromEntries(priorities), { '010-deny': 3, '020-allow': 2, '030-deny': 1, '005-allow': 0 });
  });
});

describe('other formats', () => {
  test('a range of addresses becomes exactly the prefixes that it is', () => {
    const file = JSON.stringify({ rules: [{ action: 'deny', process: 'any', 'remote-addresses': '192.0.2.1-192.0.2.6' }] });
    assert.deepEqual(read(file).items.map(({ rule }) => rule?.address), ['192.0.2.1', '192.0.2.2/31', '192.0.2.4/31', '192.0.2.6']);
  });

  test('the order of Little Snitch, destination before program, becomes priorities', () => {
    const rules = [
      { action: 'allow', process: '/usr/bin/a' }, { action: 'deny', process: 'any', 'remote-domains': 'b.example' },
      { action: 'allow', process: '/usr/bin/a', 'remote-domains': 'b.example' }, { action: 'allow', process: '/usr/bin/a', 'remote-hosts': 'x.b.example' },
      { action: 'deny', process: 'any', 'remote-addresses': '192.0.2.0/24' }, { action: 'allow', process: '/usr/bin/a', 'remote-addresses': '192.0.0.0/16' },
      { action: 'allow', process: '/usr/bin/a', priority: 'high' }, { action: 'deny', process: 'any', remote: 'any', ports: '25' },
    ];
    const priorities = rules.map((one) => read(JSON.stringify({ rules: [one] })).items[0]?.rule?.priority ?? 0);
    const [anyServer = 0, denyDomain = 0, allowDomain = 0, allowHost = 0, denyNarrow = 0, allowWide = 0, high = 0, denyPort = 0] = priorities;
    assert.ok(high > denyNarrow && denyNarrow > allowWide && allowWide > allowHost && allowHost > denyDomain && denyDomain > allowDomain && allowDomain > anyServer);
    assert.equal(denyPort, anyServer);
    const list = read(JSON.stringify({ rules: [{ action: 'allow', process: '/usr/bin/a', 'remote-addresses': '192.0.2.1, 192.0.2.9' }] }));
    assert.ok(list.items.every(({ rule }) => (rule?.priority ?? 0) < denyNarrow), 'a list that allows is less exact than a range that refuses');
  });

  test('a long list of denied domains is told to be a list, not thousands of rules', () => {
    const item = only(JSON.stringify({ 'denied-remote-domains': Array.from({ length: 3000 }, (_, index) => `a${String(index)}.example`) }));
    assert.deepEqual([item.outcome, item.rule], ['review', undefined]);
  });

  test('a key that is not understood switches a rule off instead of making it wider', () => {
    const item = only('[[rules]]\napp = "/usr/bin/a"\naction = "allow"\nonly_at = "home"\n', 'rules-toml');
    assert.deepEqual([item.outcome, item.rule?.enabled], ['review', false]);
  });

  test('aliases of YAML are refused where they stand', () => {
    assert.throws(() => read('a: &x [1]\nb: *x\n', 'network-manager'), /line 2, column 4: aliases/);
  });

  test('our own rules keep id, time and the comments above and inside', () => {
    const [first] = read(sample('bastion.toml')).items;
    assert.equal(first?.rule?.id, 'curl-web');
    assert.equal(first.createdMs, Date.UTC(2026, 0, 2, 3, 4, 5));
    assert.match(first.block ?? '', /^# The web, for everybody\.\n# Keep this\.\n\[\[rule\]\]\nid = "curl-web" {3}# by hand\n/);
  });

  test('a key of our own format that is not known is told, and its rule is not imported', () => {
    const item = only('[[rule]]\nid = "a"\naction = "allow"\ndestination = { port = "1", country = "x" }\n');
    assert.equal(item.outcome, 'skipped');
    assert.match(item.text, /"destination\.country" is not understood/);
  });

  test('a format that cannot be told asks for its name', () => {
    for (const text of ['', 'hello', '{}', '[]', '{"a": 1}', 'a = 1']) assert.throws(() => formatOf('', text), /--format/, text);
    assert.throws(() => formatOf('xml', ''), /The formats are bastion, /);
  });
});
