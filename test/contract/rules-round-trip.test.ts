/** Rules that people write over D-Bus, into 50-user.toml and back, on the real helper and its real store. */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { ErrorCode } from '../../helper/contract/errors.ts';
import type { RuleEdit, RuleInfo } from '../../helper/contract/types.ts';
import { clientOf, noLab, until } from '../integration/support.ts';
import { Lab } from '../lab/lab.ts';

const ADMINISTRATOR = '[[rule]]\nid = "admin-deny"\naction = "deny"\ndestination = { address = "192.0.2.9" }\n';
const HAND_MADE = `# Mine. Keep this line.

[[rule]]
id = "printer"   # by the door
action = "deny"
destination = { address = "192.0.2.7" } # the old one
`;

function refusedWith(code: ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof BastionError && error.code === code;
}

describe('rules over D-Bus', { skip: noLab(), timeout: 300_000 }, () => {
  let lab: Lab;
  let client: HelperClient;
  before(async () => {
    lab = await Lab.create({ rules: ADMINISTRATOR });
    client = clientOf(lab);
    writeFileSync(userFile(), HAND_MADE, { mode: 0o640 });
    chmodSync(userFile(), 0o640);
    await client.reload();
  });
  after(async () => {
    client.close();
    await lab.dispose();
  });

  function userFile(): string {
    return join(lab.configDir, 'rules.d', '50-user.toml');
  }

  function userText(): string {
    return readFileSync(userFile(), 'utf8');
  }

  /** What is told of a rule that does not come from where and when it was written. */
  function content(rule: RuleInfo): Partial<RuleInfo> {
    const { line, created_ms, hits, last_hit_ms, ...rest } = rule;
    assert.ok(created_ms > 0 && hits === 0 && last_hit_ms === 0 && line >= 0);
    return rest;
  }

  test('what was written is told again in the same words, by this helper and by the next', async () => {
    const edits: readonly RuleEdit[] = [
      { id: 'quotes', action: 'deny', name: `"quoted" 'single' \\back\\slash # no comment`, group: '[[rule]]', path: '/opt/a "b"/c\\d' },
      { id: 'unicode', action: 'drop', name: 'Прокси — 代理 🦊', group: 'Žluťoučký', address: '2001:db8::/32' },
      { id: 'all', action: 'allow', path: '/usr/bin/curl', address: '192.0.2.0/24', port: '80,443,8000-8080', protocol: 'tcp,udp', user: 'root', priority: -5, schedule: 'mon,tue 09:00-17:30', enabled: false },
      { id: 'named', action: 'deny', path: '/opt/python', script: '/opt/tool.py', sha256: 'ab'.repeat(32), pin: true, include_children: true,
        ancestor: 'package:make', domain: '*.example.org', zone: 'home', interface: 'wg*', profile: 'home', group: 'Tools' },
      { id: 'packed', action: 'deny', package: 'curl', flatpak: 'org.example.App', snap: 'curl', appimage: '/opt/a.AppImage', list: 'ads' },
      { id: 'scripts', action: 'deny', path: '/usr/bin/bash', all_scripts: true }, { id: 'inside', action: 'deny', container: 'web-*' },
      { id: 'until', action: 'ask', protocol: 'icmp', lifetime: 'until', until_ms: Math.trunc(Date.now() / 1000) * 1000 + 3_600_000 },
    ];
    for (const edit of edits) assert.equal(await client.addRule(edit), edit.id);
    const told = await Promise.all(edits.map(async ({ id = '' }) => content(await client.getRule(id))));
    for (const [index, edit] of edits.entries()) {
      for (const [key, value] of Object.entries(edit)) assert.equal(Object.entries(told[index] ?? {}).find(([one]) => one === key)?.[1], value, `${edit.id ?? ''}: ${key}`);
    }
    assert.ok(userText().startsWith(HAND_MADE), 'what stood there stays');
    await lab.restartHelper();
    await until('the next helper', () => client.ping().then(() => true, () => null));
    assert.deepEqual(await Promise.all(edits.map(async ({ id = '' }) => content(await client.getRule(id)))), told);
    assert.deepEqual((await client.status()).loadErrors.map(({ message }) => message.replace(/ in bastion\.toml.*/, '')), [
      'There is no zone "home"', 'There is no list "ads"',
    ]);
  });

  test('a change touches its own rule, and comments stay', async () => {
    await client.updateRule('printer', { action: 'allow', port: '631', protocol: 'tcp' });
    const text = userText();
    for (const kept of ['# Mine. Keep this line.', 'id = "printer"   # by the door', '# the old one']) assert.ok(text.includes(kept), text);
    assert.equal((await client.getRule('printer')).port, '631');
    await client.updateRule('printer', { port: '', protocol: '' });
    assert.deepEqual([(await client.getRule('printer')).port, (await client.getRule('printer')).protocol], ['', '']);
    await client.removeRule('printer');
    assert.ok(userText().startsWith('# Mine. Keep this line.'));
    await assert.rejects(client.getRule('printer'), refusedWith('NotFound'));
  });

  test('names that could end a line or deceive, and values beyond the limits, are refused and change nothing', async () => {
    const before = userText();
    const base = { action: 'deny', address: '192.0.2.1' } as const;
    const bad: readonly RuleEdit[] = [
      { ...base, name: 'two\nlines' }, { ...base, name: 'one\r[[rule]]' }, { ...base, name: 'x'.repeat(129) }, { ...base, group: 'a\nb' },
      { ...base, group: 'x'.repeat(65) }, { ...base, name: 'line\u2028' },
      { ...base, id: 'UPPER' }, { ...base, id: '../x' }, { ...base, id: '-x' }, { ...base, id: '' }, { ...base, id: 'x'.repeat(65) },
      { ...base, path: 'relative' }, { ...base, path: '/a/../b' }, { ...base, path: `/${'x'.repeat(5000)}` },
      { ...base, port: '70000' }, { ...base, port: '9-1' }, { ...base, protocol: 'nonsense' }, { ...base, address: '192.0.2.1/99' },
      { ...base, user: 'no such user' }, { ...base, priority: 1001 }, { ...base, schedule: 'sometimes' },
      { ...base, package: 'Curl' }, { ...base, flatpak: 'curl' }, { ...base, snap: 'a--b' }, { ...base, appimage: 'x' }, { ...base, script: '../x' },
      { ...base, sha256: 'abc' }, { ...base, ancestor: 'make' }, { ...base, ancestor: 'path:kernel' }, { ...base, domain: 'example.org' },
      { ...base, list: 'ads' }, { ...base, zone: 'A B' }, { ...base, interface: '*' }, { ...base, profile: 'At home' }, { ...base, pin: true },
      { ...base, include_children: true }, { ...base, container: 'a b' }, { ...base, path: '/a', container: 'web' }, { ...base, path: '/a', script: '/b', all_scripts: true },
      { ...base, lifetime: 'until' }, { ...base, lifetime: 'until', until_ms: 1 }, { ...base, lifetime: 'always', until_ms: Date.now() + 60_000 }, { address: '192.0.2.1' },
    ];
    for (const edit of bad) await assert.rejects(client.addRule(edit), refusedWith('InvalidArgument'), JSON.stringify(edit).slice(0, 200));
    assert.equal(userText(), before);
  });

  test('an id that is taken is a conflict, whose file it ever is in', async () => {
    const before = userText();
    for (const id of ['quotes', 'admin-deny', 'loopback', 'vendor-chrony']) {
      await assert.rejects(client.addRule({ id, action: 'allow' }), refusedWith('Conflict'), id);
    }
    await assert.rejects(client.updateRule('quotes', { id: 'unicode' }), refusedWith('InvalidArgument'));
    assert.equal(userText(), before);
  });

  test('a group is switched off and on as one, by this helper and for the next', async () => {
    await client.addRule({ id: 'grouped', action: 'deny', address: '192.0.2.4', group: 'Tools' });
    await assert.rejects(client.setGroup('No such group', false), refusedWith('NotFound'));
    await client.setGroup('Tools', false);
    const switches = async (): Promise<unknown> => {
      const { enabled, group_enabled: group } = await client.getRule('grouped');
      return [enabled, group];
    };
    assert.deepEqual(await switches(), [true, false]);
    await client.updateRule('grouped', { port: '443' });
    assert.deepEqual(await switches(), [true, false]);
    await client.reload();
    assert.deepEqual(await switches(), [true, false]);
    await client.setGroup('Tools', true);
    assert.deepEqual(await switches(), [true, undefined]);
    assert.doesNotMatch(userText(), /group = "Tools"\nenabled/);
  });

  test('an administrator’s rule is not edited or removed; switching it off writes an override, and on takes it back', async () => {
    const before = userText();
    await assert.rejects(client.updateRule('admin-deny', { action: 'allow' }), refusedWith('ReadOnly'));
    await assert.rejects(client.updateRule('admin-deny', { enabled: false, action: 'allow' }), refusedWith('ReadOnly'));
    await assert.rejects(client.removeRule('admin-deny'), refusedWith('ReadOnly'));
    await assert.rejects(client.updateRule('loopback', { enabled: false }), refusedWith('ReadOnly'));
    assert.equal(userText(), before);
    await client.updateRule('admin-deny', { enabled: false });
    assert.match(userText(), /\[\[override\]\]\nrule = "admin-deny"\nenabled = false/);
    await client.reload();
    assert.equal((await client.getRule('admin-deny')).enabled, false);
    await client.updateRule('admin-deny', { enabled: true });
    await client.reload();
    assert.equal((await client.getRule('admin-deny')).enabled, true);
    assert.equal(readFileSync(join(lab.configDir, 'rules.d', '10-lab.toml'), 'utf8'), ADMINISTRATOR);
  });
});
