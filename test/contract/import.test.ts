/** Import and Export on the real helper: one write or none, a dry run that tells the truth, nothing lost on the way round. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { connectHelper } from '../../helper/contract/client.ts';
import type { HelperClient } from '../../helper/contract/client.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { ErrorCode } from '../../helper/contract/errors.ts';
import { BUS_NAME, INTERFACES, OBJECT_PATH } from '../../helper/contract/names.ts';
import { BusError, Variant, connectBus } from '../../helper/contract/transport.ts';
import type { BusConnection } from '../../helper/contract/transport.ts';
import { noLab, until } from '../integration/support.ts';
import { Lab } from '../lab/lab.ts';
import { all, openSnitchRule, sample, simple } from '../unit/import-support.ts';

const ADMINISTRATOR = '[[rule]]\nid = "admin-deny"\naction = "deny"\ndestination = { address = "192.0.2.9" }\n';
const MINE = `# Rules of mine.

# By the door.
[[rule]]
id = "printer"   # the old one
action = "deny"
destination = { address = "192.0.2.7" }
created = 2026-01-02T03:04:05Z

[[rule]]
id = "web"
name = "The web"
action = "allow"
enabled = false
application = { path = "/nonexistent/browser" }
user = "root"
destination = { port = "80,443", protocol = "tcp" }
schedule = { days = ["mon"], from = "09:00", to = "17:30" }
lifetime = { until = 2031-01-01T00:00:00Z }
priority = -7
group = "Old"
created = 2026-01-02T03:04:06Z

[[override]]
rule = "admin-deny"
enabled = false
`;

/** Calls of others while much comes in: behind all of it there would be one or two. */
const ANSWERED = 5;
/** Of a call, on a machine that is busy. */
const CALL_LIMIT_MS = 60_000;

function refusedWith(code: ErrorCode, message = /./): (error: unknown) => boolean {
  return (error) => error instanceof BastionError && error.code === code && message.test(error.message);
}

describe('import over D-Bus', { skip: noLab(), timeout: 300_000 }, () => {
  let lab: Lab;
  let client: HelperClient;
  let bus: BusConnection;
  before(async () => {
    lab = await Lab.create({ rules: ADMINISTRATOR });
    client = connectHelper({ address: lab.busAddress, timeoutMs: CALL_LIMIT_MS });
    bus = await connectBus({ address: lab.busAddress });
  });
  beforeEach(async () => {
    rmSync(userFile(), { force: true });
    await client.reload();
  });
  after(async () => {
    bus.close();
    client.close();
    await lab.dispose();
  });

  function userFile(): string {
    return join(lab.configDir, 'rules.d', '50-user.toml');
  }

  async function ids(): Promise<readonly string[]> {
    const { rows } = await client.listRules(500, '');
    return rows.filter(({ tier }) => tier === 'user').map(({ id }) => id).sort();
  }

  /** Every rule; where it stands in its file is left out. */
  async function told(): Promise<readonly unknown[]> {
    const { rows } = await client.listRules(500, '');
    return rows.map((row) => ({ ...row, line: 0 }));
  }

  function call(member: string, signature: string, ...body: readonly unknown[]): Promise<readonly unknown[]> {
    return bus.call({ destination: BUS_NAME, path: OBJECT_PATH, interface: INTERFACES.rules, member, signature, body });
  }

  test('a dry run writes nothing and tells exactly what a run then does', async () => {
    const dry = await client.importRules('', sample('bastion-rules.json'), true);
    assert.deepEqual(await ids(), []);
    const real = await client.importRules('', sample('bastion-rules.json'), false);
    assert.deepEqual({ ...real, summary: { ...real.summary, dry_run: true } }, dry);
    assert.deepEqual(await ids(), [...real.summary.ids].sort());
    const inFile = readFileSync(userFile(), 'utf8');
    for (const id of real.summary.ids) assert.ok(inFile.includes(`id = "${id}"`));
    assert.deepEqual((await client.status()).loadErrors, []);
  });

  test('importing the same again adds nothing, and what was added can be removed again', async () => {
    const { summary } = await client.importRules('', sample('bastion-rules.json'), false);
    const { ino } = statSync(userFile());
    const again = await client.importRules('', sample('bastion-rules.json'), false);
    assert.deepEqual(again.summary.ids, []);
    assert.equal(statSync(userFile()).ino, ino, 'nothing was written');
    for (const id of summary.ids) await client.removeRule(id);
    assert.deepEqual(await ids(), []);
  });

  test('what was switched on or changed after an import stays so', async () => {
    const { summary } = await client.importRules('bastion-rules', '{"@name:curl:443": true}', false);
    const [id = ''] = summary.ids;
    await client.updateRule(id, { enabled: true, path: '/nonexistent/curl' });
    await client.importRules('bastion-rules', '{"@name:curl:443": true}', false);
    const rule = await client.getRule(id);
    assert.deepEqual([rule.enabled, rule.path], [true, '/nonexistent/curl']);
  });

  test('our own rules go out and in without loss: text, comments, times, overrides', async () => {
    await client.importRules('', MINE, false);
    const first = await client.exportRules('toml');
    const before = await told();
    assert.equal((await client.getRule('admin-deny')).enabled, false, 'the override came along');
    rmSync(userFile());
    await client.reload();
    const { summary } = await client.importRules('bastion', first, false);
    assert.deepEqual(summary.ids, ['printer', 'web']);
    const parts = (text: string): string => text.slice(text.indexOf('# By the door.'));
    assert.equal(parts(await client.exportRules('toml')), parts(first));
    assert.ok(parts(first).startsWith(MINE.slice(MINE.indexOf('# By the door.'), MINE.indexOf('[[override]]')).trimEnd()));
    await client.reload();
    assert.deepEqual(await told(), before);
    assert.deepEqual((await client.importRules('bastion', first, false)).summary.ids, [], 'and again nothing');
  });

  test('a rule whose id is taken by another one gets an id of its own, the same each time', async () => {
    await client.importRules('', MINE, false);
    const other = '[[rule]]\nid = "printer"\naction = "allow"\ndestination = { address = "192.0.2.7" }\n';
    const { items, summary } = await client.importRules('', other, false);
    assert.equal(items[0]?.outcome, 'changed');
    assert.match(summary.ids[0] ?? '', /^printer-[0-9a-f]{10}$/);
    assert.equal((await client.getRule('printer')).action, 'deny');
    assert.deepEqual((await client.importRules('', other, false)).summary.ids, []);
  });

  test('a rule that this machine does not take is told, and the others are added', async () => {
    const text = `[${openSnitchRule(simple('process.path', '/nonexistent/a'))},${openSnitchRule(all(simple('process.path', '/nonexistent/b'), simple('user.id', '4294967295')), { name: 'b' })}]`;
    const { items } = await client.importRules('', text, false);
    assert.deepEqual(items.map(({ outcome }) => outcome), ['kept', 'skipped']);
    assert.equal((await ids()).length, 1);
  });

  test('a broken text is refused with its place, and nothing is written', async () => {
    await assert.rejects(client.importRules('bastion-rules', '{\n  "/a:1" true}', false), refusedWith('InvalidArgument', /line 2, column 10: /));
    await assert.rejects(client.importRules('', '[[rule]]\nid = "a"\naction = \n', false), refusedWith('InvalidArgument', /^line \d/));
    await assert.rejects(client.importRules('xml', '', false), refusedWith('NotSupported'));
    await assert.rejects(client.importRules('', 'hello', false), refusedWith('InvalidArgument', /--format/));
    assert.deepEqual(await ids(), []);
  });

  test('Import takes a text of 1 MiB and no more; every other method takes 128 KiB as before', async () => {
    const longest = `{"/nonexistent/a:1": true}${' '.repeat(1_048_576 - 26)}`;
    const [items] = await call('Import', 'ssb', 'bastion-rules', longest, true);
    assert.equal(Array.isArray(items) && items.length, 1);
    const refused = (error: unknown): boolean => error instanceof BusError && error.errorName.endsWith('.InvalidArgument');
    await assert.rejects(call('Import', 'ssb', 'bastion-rules', `${longest} `, true), refused);
    await assert.rejects(call('Import', 'ssb', 'bastion-rules', ' '.repeat(1_100_000), true), refused);
    for (const [member, signature, ...body] of [
      ['Add', 'a{sv}', { name: new Variant('s', 'x'.repeat(140_000)) }], ['Remove', 's', 'x'.repeat(140_000)], ['Export', 's', 'x'.repeat(140_000)],
    ] as const) {
      await assert.rejects(call(member, signature, ...body), (error: unknown) => refused(error) && error instanceof Error && error.message.includes('too long'), member);
    }
    assert.deepEqual(await ids(), []);
  });

  test('the longest report is told, without its rules; one entry more is refused', async () => {
    const names = (length: number, fill = 'x'): string => (
      JSON.stringify(Object.fromEntries(Array.from({ length: 4000 }, (_, index) => [`@name:${String(index).padStart(length, fill)}:1`, true])))
    );
    await assert.rejects(client.importRules('bastion-rules', names(5).replace('{', '{"/one/more:1": true,'), false), refusedWith('LimitReached', /more than 4000 entries/));
    await assert.rejects(client.importRules('bastion-rules', names(78, '€'), false), refusedWith('LimitReached', /too long to be told/));
    const { items, summary } = await client.importRules('bastion-rules', names(230), true);
    assert.deepEqual([items.length, summary.ids.length, items[0]?.rule, typeof items[0]?.rule_id], [4000, 4000, undefined, 'string']);
    assert.deepEqual(await ids(), []);
  });

  test('two thousand rules come in while the helper goes on answering', async () => {
    const many = JSON.stringify(Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`@dest:192.0.2.1:${String(index + 1)}:*`, true])));
    let answered = 0;
    const state = { done: false };
    const importing = client.importRules('bastion-rules', many, false).finally(() => { state.done = true; });
    while (!state.done) {
      await client.ping();
      answered += 1;
    }
    assert.equal((await importing).summary.ids.length, 2000);
    assert.ok(answered >= ANSWERED, `${String(answered)} calls were answered meanwhile`);
  });

  test('files of the original are imported from their place, left as they are, and named in the journal when they change', async () => {
    const [rules, config] = [join(lab.configDir, 'rules.json'), join(lab.configDir, 'config.json')];
    await assert.rejects(client.importRules('original', '', true), refusedWith('NotFound'));
    writeFileSync(rules, '{"/nonexistent/a:443": true}', { mode: 0o644 });
    writeFileSync(config, '{"mode": "enforcement"}', { mode: 0o644 });
    await restarted();
    assert.match(lab.logText(), /was not imported.*rules\.json/);
    const { items, summary } = await client.importRules('original', '', false);
    assert.deepEqual(items.map(({ file, outcome }) => [file, outcome]), [['rules.json', 'review'], ['config.json', 'kept']]);
    assert.equal(summary.settings, 'mode = "enforcing"\n');
    assert.equal(readFileSync(rules, 'utf8'), '{"/nonexistent/a:443": true}');
    const length = lab.logText().length;
    await restarted();
    assert.doesNotMatch(lab.logText().slice(length), /Bastion Firewall 2/);
    writeFileSync(rules, '{"/nonexistent/b:443": true}');
    await restarted();
    assert.match(lab.logText().slice(length), /has changed since it was imported.*rules\.json/);
    assert.equal((await ids()).length, 1, 'nothing was imported by itself');
    await assert.rejects(client.importRules('original', 'text', true), refusedWith('InvalidArgument'));
  });

  async function restarted(): Promise<void> {
    await lab.restartHelper();
    await until('the next helper', () => client.ping().then(() => true, () => null));
  }

  test('an identity list becomes entries of applications.toml, and nothing before the run', async () => {
    const list = `[tools.backup]\nbinary = "/usr/local/bin/backup"\nsha256 = "${'ab'.repeat(32)}"\n`;
    const { summary } = await client.importRules('identities', list, true);
    assert.match(summary.applications, /path = "\/usr\/local\/bin\/backup"/);
    const known = (): string => readFileSync(join(lab.configDir, 'applications.toml'), 'utf8');
    assert.throws(known, { code: 'ENOENT' });
    await client.importRules('identities', list, false);
    assert.match(known(), /sha256 = "(ab){32}"/);
  });

  test('exports: JSON has every rule; rules.json has what it can say, or nothing', async () => {
    await client.importRules('bastion-rules', '{"/usr/bin/env:443": true, "/usr/bin/env:*": false, "@name:curl:1": true}', false);
    const exported = JSON.parse(await client.exportRules('json')) as readonly { readonly id: string }[];
    assert.ok(exported.some(({ id }) => id === 'admin-deny'));
    const back = JSON.parse(await client.exportRules('bastion-rules')) as unknown;
    assert.deepEqual(back, { applications: {}, services: {}, '/usr/bin/env:443': true, '/usr/bin/env:*': false });
    await client.addRule({ id: 'narrow', action: 'allow', path: '/usr/bin/env', address: '192.0.2.1' });
    await assert.rejects(client.exportRules('bastion-rules'), refusedWith('NotSupported', /narrow/));
    await assert.rejects(client.exportRules('xml'), refusedWith('NotSupported'));
  });
});
