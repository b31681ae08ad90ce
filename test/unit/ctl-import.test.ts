/** rules import and rules export: what is read, what is asked, what is told. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { BastionError } from '../../helper/contract/errors.ts';
import { ScriptedClient, bastionctl, fakeIo } from './ctl-support.ts';

const folder = mkdtempSync(join(tmpdir(), 'bastion-ctl-import-'));
after(() => {
  rmSync(folder, { recursive: true });
});

function file(name: string, text: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Calls of Import: format, text, dry run. */
function imports(client: ScriptedClient): readonly (readonly unknown[])[] {
  return client.calls.filter(([name]) => name === 'importRules').map(([, ...args]) => args);
}

describe('rules import', () => {
  test('a dry run only asks for the report, and shows it', async () => {
    const path = file('rules.json', '{"/usr/bin/curl:443": true}');
    const { exitCode, stdout, stderr, client } = await bastionctl(['rules', 'import', path, '--dry-run']);
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual(imports(client), [['', '{"/usr/bin/curl:443": true}', true]]);
    assert.match(stderr, /Format bastion-rules: Its keys end in a port\./);
    assert.match(stdout, /kept +2 +\/usr\/bin\/curl:443 +curl-1 +The program, port 443/);
    assert.match(stdout, /1 kept, 0 changed, 0 to review \(off\), 1 skipped\.\nNothing was written; 1 rule would be added\.\n/);
  });

  test('with --yes it is one call, and says how to undo it', async () => {
    const { stdout, client } = await bastionctl(['rules', 'import', file('a.json', '{}'), '--format', 'bastion-rules', '--yes']);
    assert.deepEqual(imports(client), [['bastion-rules', '{}', false]]);
    assert.match(stdout, /Added 1 rule\.\nTo undo: bastionctl rules remove curl-1\n$/);
  });

  test('on a terminal y adds, and every other key does not', async () => {
    for (const [key, calls, exit] of [['y', [true, false], 0], ['n', [true], 1], ['enter', [true], 1]] as const) {
      const io = fakeIo({ terminal: true });
      const client = new ScriptedClient();
      const asked = bastionctl(['rules', 'import', file('b.json', '{}'), '--no-ask-password', '--no-pager'], client, io);
      while (io.keyboardState !== 'open') await new Promise((resolve) => setImmediate(resolve));
      assert.match(io.stdout, /Add 1 rule\? \[y\/N\] $/);
      io.press(key);
      assert.equal((await asked).exitCode, exit, key);
      assert.deepEqual(imports(client).map(([, , dryRun]) => dryRun), calls);
      assert.equal(io.keyboardState, 'closed');
    }
  });

  test('where nobody can be asked, --yes or --dry-run is needed, and nothing is called', async () => {
    const { exitCode, stderr, client } = await bastionctl(['rules', 'import', file('c.json', '{}')]);
    assert.deepEqual([exitCode, imports(client)], [2, []]);
    assert.match(stderr, /--yes/);
  });

  test('the original files are read by the helper', async () => {
    const { client } = await bastionctl(['rules', 'import', '--from-original', '--dry-run']);
    assert.deepEqual(imports(client), [['original', '', true]]);
    for (const args of [[], ['x', '--from-original'], ['--from-original', '--format', 'lsrules']]) {
      assert.equal((await bastionctl(['rules', 'import', ...args, '--dry-run'])).exitCode, 2, args.join(' '));
    }
  });

  test('JSON has the report with stable keys', async () => {
    const { stdout } = await bastionctl(['rules', 'import', file('d.json', '{}'), '--dry-run', '--json']);
    const report = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(Object.keys(report).sort(), ['applications', 'changed', 'dry_run', 'format', 'guess', 'ids', 'items', 'kept', 'review', 'settings', 'skipped']);
    assert.deepEqual(report['ids'], ['curl-1']);
  });

  test('a file of 100 MB is refused by its size; an endless one after what one import takes', async () => {
    const path = file('large.json', '');
    truncateSync(path, 100 * 1024 * 1024);
    const before = process.memoryUsage().rss;
    for (const large of [path, '/dev/zero']) {
      const { exitCode, stderr, client } = await bastionctl(['rules', 'import', large, '--dry-run']);
      assert.deepEqual([exitCode, imports(client)], [1, []]);
      assert.match(stderr, /has more than 1024 KiB, which is what one import takes/);
    }
    assert.ok(process.memoryUsage().rss - before < 32 * 1024 * 1024);
  });

  test('what is no text, not there or not to be read is told as that', async () => {
    for (const bad of [file('binary', Buffer.from([0xff, 0xfe, 0x00])), file('nul', 'a\0b'), join(folder, 'missing')]) {
      const { exitCode, stderr, client } = await bastionctl(['rules', 'import', bad, '--dry-run']);
      assert.deepEqual([exitCode, imports(client)], [1, []], stderr);
    }
  });

  test('a folder is one list in the order of names; places are told in its files', async () => {
    const rules = join(folder, 'opensnitch');
    mkdirSync(rules);
    writeFileSync(join(rules, 'b.json'), '{\n"b": 1\n}\n');
    writeFileSync(join(rules, 'a.json'), '{\n"a": 1\n}\n');
    writeFileSync(join(rules, '.hidden.json'), 'x');
    writeFileSync(join(rules, 'notes.txt'), 'x');
    const client = new ScriptedClient();
    const [first] = client.imported.items;
    assert.ok(first !== undefined);
    client.imported = { ...client.imported, items: [{ ...first, line: 3 }, { ...first, line: 9 }] };
    const { stdout } = await bastionctl(['rules', 'import', rules, '--dry-run'], client);
    assert.deepEqual(JSON.parse(String(imports(client)[0]?.[1])), [{ a: 1 }, { b: 1 }]);
    assert.match(stdout, /a\.json:2 /);
    assert.match(stdout, /b\.json:3 /);
    client.failures = { importRules: new BastionError('InvalidArgument', 'line 8, column 1: this is not valid JSON: a colon is missing here.') };
    const failed = await bastionctl(['rules', 'import', rules, '--dry-run'], client);
    assert.match(failed.stderr, /b\.json, line 2, column 1: this is not valid JSON/);
  });

  test('a report cannot act on the terminal', async () => {
    const client = new ScriptedClient();
    const [first] = client.imported.items;
    assert.ok(first !== undefined);
    client.imported = { items: [{ ...first, source: '\x1b[2J\u{202e}x' }], summary: { ...client.imported.summary, settings: '\x1b]0;x\x07' } };
    const { stdout } = await bastionctl(['rules', 'import', file('e.json', '{}'), '--dry-run'], client);
    assert.ok(!/[\x1b\x07\u{202e}]/u.test(stdout));
  });
});

describe('rules export', () => {
  test('a format is passed on, and a file is written whole', async () => {
    const output = join(folder, 'exported.toml');
    const { exitCode, client } = await bastionctl(['rules', 'export', '--format', 'bastion-rules', '--output', output]);
    assert.equal(exitCode, 0);
    assert.deepEqual(client.calls.find(([name]) => name === 'exportRules'), ['exportRules', 'bastion-rules']);
    assert.equal(readFileSync(output, 'utf8'), '[[rule]]\nid = "a"\n');
    assert.equal((await bastionctl(['rules', 'export', '--output', join(folder, 'no/such/file')])).exitCode, 1);
    assert.equal((await bastionctl(['rules', 'export', '--format', 'xml'])).exitCode, 2);
  });
});
