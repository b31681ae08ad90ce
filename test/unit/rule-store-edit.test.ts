import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from '../property.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { ErrorCode } from '../../helper/contract/errors.ts';
import { importNetworkManager } from '../../helper/import/network-manager.ts';
import type { NewRule } from '../../helper/ports.ts';
import { complaints, inForce, makeStore, newRule } from './rule-store-support.ts';

const HAND_MADE = `# My rules.

# The browser. Ask Bob before changing it.
[[rule]]
id   =  "web"     # the id
action = "allow"
  application = { path = '/nonexistent/firefox' }  # as installed
destination = { port = "80, 443", protocol = "tcp" }

# About the printer

[[rule]]   # printer
id = "printer"
action = "deny"
[rule.application]
path = "/nonexistent/printer"
[rule.destination]
address = "192.0.2.9"
# the end
`;

function failsWith(code: ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof BastionError && error.code === code;
}

test('add: the first rule makes the file, with a head that explains it, and is in force after the next load', async (t) => {
  const { store, userText, userFile } = await makeStore(t);
  await store.add(newRule({
    id: 'curl', name: 'curl to "home"', path: '/nonexistent/cu rl\n', address: '2001:db8::/32', port: '443', protocol: 'tcp',
    user: 'alice', lifetime: { until: Date.UTC(2027, 5, 1) }, schedule: 'mon-wed 22:00-06:00', priority: 7, group: 'Tools', enabled: false,
  }));
  assert.match(await userText(), /^# Rules made from answers[^]*\n\n\[\[rule\]\]\nid = "curl"\nname = "curl to \\"home\\""\n/);
  assert.equal((await stat(userFile)).mode & 0o777, 0o640);
  const { rules, errors } = await store.load();
  assert.deepEqual(errors, []);
  assert.deepEqual(rules.map(({ source, created, ...rest }) => ({ ...rest, created: created > 0, file: source?.file })), [{
    id: 'curl', name: 'curl to "home"', action: 'allow', enabled: false, priority: 7, tier: 'user', group: 'Tools',
    match: {
      path: '/nonexistent/cu rl\n', uid: 1000, address: '2001:db8::/32', ports: [{ first: 443, last: 443 }], protocols: [6],
      schedule: { days: [0, 1, 2], fromMinute: 1320, toMinute: 360 },
    },
    lifetime: { until: Date.UTC(2027, 5, 1) }, created: true, file: '50-user.toml',
  }]);
});

test('add: everything that was in the file stays byte for byte, without a last newline and with CRLF too', async (t) => {
  for (const text of [HAND_MADE, HAND_MADE.trimEnd(), HAND_MADE.replaceAll('\n', '\r\n')]) {
    const { store, userText, write } = await makeStore(t);
    await write('etc/rules.d/50-user.toml', text);
    await store.add(newRule({ id: 'new' }));
    const after = await userText();
    assert.equal(after.slice(0, text.length), text);
    assert.equal(after.includes('\r\n'), text.includes('\r\n'));
    assert.equal(/[^\r]\n/.test(after) && after.includes('\r\n'), false);
    assert.deepEqual(await inForce(store), ['web allow', 'printer deny', 'new allow']);
  }
});

test('update: only the keys that changed are touched, in each form in which a key can be written', async (t) => {
  const { store, userText, write } = await makeStore(t);
  await write('etc/rules.d/50-user.toml', HAND_MADE);
  const web = newRule({ id: 'web', path: '/nonexistent/firefox', port: '80,443', protocol: 'tcp' });
  await store.update('web', web);
  assert.equal(await userText(), HAND_MADE, 'the same rule changes nothing');
  await store.update('web', { ...web, action: 'deny', address: '192.0.2.1', protocol: '', group: 'Net' });
  await store.update('printer', newRule({ id: 'printer', action: 'deny', path: '', address: '192.0.2.9', port: '631', enabled: false }));
  assert.equal(await userText(), HAND_MADE
    .replace('action = "allow"', 'action = "deny"')
    .replace('port = "80, 443", protocol = "tcp" }\n', 'port = "80, 443", address = "192.0.2.1" }\ngroup = "Net"\n')
    .replace('action = "deny"\n[rule.application]\npath = "/nonexistent/printer"\n', 'action = "deny"\nenabled = false\n')
    .replace('address = "192.0.2.9"\n', 'address = "192.0.2.9"\nport = "631"\n'));
  assert.deepEqual(await inForce(store), ['web deny', 'printer deny (off)']);
});

test('remove: the block goes and the comments around it stay apart from what follows', async (t) => {
  const { store, userText, write } = await makeStore(t);
  await write('etc/rules.d/50-user.toml', HAND_MADE);
  await store.remove('web');
  assert.equal(await userText(), HAND_MADE.replace(/\[\[rule\]\]\nid {3}=[^]*?protocol = "tcp" \}\n/, ''));
  await store.remove('printer');
  assert.equal(await userText(), `# My rules.\n\n# The browser. Ask Bob before changing it.\n\n# About the printer\n\n# the end\n`);
});

test('setEnabled: a rule of the user is switched in its block, and back to what it was', async (t) => {
  const { store, userText, write } = await makeStore(t);
  await write('etc/rules.d/50-user.toml', HAND_MADE);
  await store.setEnabled('printer', false);
  assert.deepEqual(await inForce(store), ['web allow', 'printer deny (off)']);
  await store.setEnabled('printer', true);
  assert.equal(await userText(), HAND_MADE);
});

test('setEnabled: a rule of another file is switched by an override, and its file is not touched', async (t) => {
  const { store, userText, write, restarted } = await makeStore(t);
  await write('etc/rules.d/50-user.toml', HAND_MADE);
  await write('vendor/v.toml', '[[rule]]\nid = "v"\naction = "allow"\n[[rule]]\nid = "w"\naction = "allow"\nenabled = false\n');
  await store.setEnabled('v', false);
  await restarted().setEnabled('w', true);
  assert.match(await userText(), /\n\n\[\[override\]\]\nrule = "v"\nenabled = false\n\n\[\[override\]\]\nrule = "w"\nenabled = true\n$/);
  assert.deepEqual(await inForce(store), ['web allow', 'printer deny', 'v allow (off)', 'w allow']);
  await store.setEnabled('w', false);
  await store.setEnabled('v', true);
  assert.equal(await userText(), HAND_MADE);
});

test('edits: refuse what is not theirs, what is not there, what exists and what cannot be written', async (t) => {
  const { store, write, userText } = await makeStore(t);
  await write('etc/rules.d/50-user.toml', HAND_MADE);
  await write('etc/rules.d/60-admin.toml', '[[rule]]\nid = "admin"\naction = "deny"\n');
  await store.load();
  await assert.rejects(store.add(newRule({ id: 'web' })), failsWith('Conflict'));
  await assert.rejects(store.add(newRule({ id: 'admin' })), failsWith('Conflict'));
  await assert.rejects(store.update('admin', newRule({ id: 'admin' })), failsWith('ReadOnly'));
  await assert.rejects(store.remove('admin'), failsWith('ReadOnly'));
  await assert.rejects(store.remove('gone'), failsWith('NotFound'));
  await assert.rejects(store.setEnabled('gone', false), failsWith('NotFound'));
  for (const change of [
    { path: 'relative' }, { port: '99999' }, { port: ' ' }, { address: 'example.org' }, { protocol: 'tpc' }, { schedule: 'never' }, { user: 'nobody-here' },
    { id: 'Bad Id' }, { priority: 1.5 }, { priority: 2000 }, { lifetime: { until: Number.NaN } }, { name: 'x'.repeat(129) }, { path: '/a\ud800' },
  ]) {
    await assert.rejects(store.add(newRule({ id: 'new', ...change })), failsWith('InvalidArgument'), JSON.stringify(change));
  }
  assert.equal(await userText(), HAND_MADE);
});

test('edits: a file that is broken is not written; the error says where to mend it', async (t) => {
  const { store, write, userText } = await makeStore(t);
  await write('etc/rules.d/50-user.toml', `${HAND_MADE}oops\n`);
  await assert.rejects(store.add(newRule({ id: 'new' })), /Mend 50-user\.toml first, line 20, column 5: This is not valid TOML/);
  assert.equal(await userText(), `${HAND_MADE}oops\n`);
});

test('edits: a hand edit between reading and writing is kept, and the change is made on the new text', async (t) => {
  let meddle: (() => Promise<void>) | null = null;
  const { store, write, userText, userFile } = await makeStore(t, {
    lookupUser: async () => {
      await meddle?.();
      return 1000;
    },
  });
  await write('etc/rules.d/50-user.toml', HAND_MADE);
  meddle = async () => {
    meddle = null;
    await writeFile(userFile, `${HAND_MADE}# by hand\n`, { mode: 0o640 });
  };
  await store.add(newRule({ id: 'new', user: 'alice' }));
  assert.match(await userText(), /# the end\n# by hand\n\n\[\[rule\]\]\nid = "new"/);
  assert.equal(store.counters().concurrentEdits, 1);
});

test('edits: many at once are made one after the other and none is lost', async (t) => {
  const { store } = await makeStore(t);
  await Promise.all(Array.from({ length: 20 }, (_, index) => store.add(newRule({ id: `r${String(index)}` }))));
  assert.equal((await store.load()).rules.length, 20);
});

test('add: what was written is the last good version when the file is broken by hand afterwards', async (t) => {
  const { store, restarted, userFile } = await makeStore(t);
  await store.add(newRule({ id: 'blocked', action: 'deny' }));
  await writeFile(userFile, 'broken', { mode: 0o640 });
  assert.deepEqual(await inForce(restarted()), ['blocked deny']);
});

test('add: stops at the limits of size and number, and says so', async (t) => {
  const small = await makeStore(t, { limits: { fileBytes: 600 } });
  await small.store.add(newRule({ id: 'a' }));
  await assert.rejects(async () => {
    for (let index = 0; index < 10; index += 1) await small.store.add(newRule({ id: `b${String(index)}` }));
  }, failsWith('LimitReached'));
  const few = await makeStore(t, { limits: { rules: 2 } });
  await few.store.add(newRule({ id: 'a' }));
  await few.store.add(newRule({ id: 'b' }));
  await assert.rejects(few.store.add(newRule({ id: 'c' })), failsWith('LimitReached'));
});

test('setMode: changes one word of a commented file, adds the key where it is missing and makes a missing file', async (t) => {
  const { store, write, root, restarted } = await makeStore(t);
  const { readFile, rm } = await import('node:fs/promises');
  const path = `${root}/etc/bastion.toml`;
  await write('etc/bastion.toml', '# hello\nmode = "enforcing"   # now\n[safeguard]\nrate = 5\n');
  await store.setMode('learning');
  assert.equal(await readFile(path, 'utf8'), '# hello\nmode = "learning"   # now\n[safeguard]\nrate = 5\n');
  assert.equal((await store.load()).settings.mode, 'learning');
  await write('etc/bastion.toml', '# hello\n\n# about it\n[safeguard]\nrate = 5\n');
  await store.setMode('learning');
  assert.equal(await readFile(path, 'utf8'), '# hello\n\n# about it\nmode = "learning"\n\n[safeguard]\nrate = 5\n');
  await rm(path);
  await restarted({ defaultSettingsFile: 'data/bastion.toml' }).setMode('learning');
  const shipped = await readFile('data/bastion.toml', 'utf8');
  assert.equal(await readFile(path, 'utf8'), shipped.replace('mode = "enforcing"', 'mode = "learning"'));
  await rm(path);
  await store.setMode('learning');
  assert.equal(await readFile(path, 'utf8'), 'mode = "learning"\n');
});

test('setMode: lines that move below it are no other settings', async (t) => {
  const { store, write, root } = await makeStore(t);
  const { readFile } = await import('node:fs/promises');
  for (const below of ['[[zone]]\nname = "lan"\n', '[control]\nsocket = "/run/a.sock"\n']) {
    await write('etc/bastion.toml', below);
    await store.setMode('learning');
    assert.equal(await readFile(`${root}/etc/bastion.toml`, 'utf8'), `mode = "learning"\n\n${below}`);
  }
});

test('setInbound: with a [control] below, as the import of rust-network-mgr writes it', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/bastion.toml', importNetworkManager('interfaces:\n  - {name: eth0, nftables_zone: wan}\n').settings);
  const before = (await store.load()).settings;
  assert.ok(before.control !== undefined);
  await store.setInbound('wan', { inbound: 'deny', inboundAllow: [{ service: 'ssh' }] });
  const after = (await store.load()).settings;
  assert.deepEqual([after.control?.socket, after.zones?.map(({ name, set4, inbound }) => [name, set4, inbound])], [
    before.control.socket, [['wan', 'wan_ips', 'deny'], ['docker', 'docker_ips', 'off']],
  ]);
});

test('settings: each key is checked, and a bad one keeps the last good file', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/bastion.toml', 'default_action = "deny"\nprompt_timeout_s = 5\n');
  const before = (await store.load()).settings;
  assert.deepEqual([before.defaultAction, before.promptTimeoutMs, before.mode], ['deny', 5000, 'enforcing']);
  for (const [text, wanted] of [
    ['mode = "off"\n', /^bastion\.toml:1:1 "off" is no value for "mode"; the values are "enforcing", "learning"/],
    ['\nprompt_timeout_s = 4\n', /^bastion\.toml:2:1 "prompt_timeout_s" must be a whole number from 5 to 300/],
    ['prompt_timeout = 30\n', /Did you mean "prompt_timeout_s"\?/],
    ['[safeguard]\nrate = 0\n', /^bastion\.toml:2:1 "rate" must be/],
    ['[safegard]\n', /There is no table "safegard" in bastion\.toml\. Did you mean "safeguard"\?/],
    ['[[zone]]\nname = "home"\ncolour = "red"\n', /^bastion\.toml:3:1 There is no key "zone\.colour"/],
    ['[[interface]]\nname = "eth0"\n', /^bastion\.toml:1:1 "zone" is missing/],
    ['queue_num = 65536\n', /"queue_num" must be/],
    ['mode = "learning"\nforwarded = "allow"\n', /^bastion\.toml:2:1 "allow" is no value for "forwarded"; the values are "pass", "ask", "deny", "drop"/],
    ['mode = \n', /^bastion\.toml:1:7 This is not valid TOML/],
  ] as const) {
    await write('etc/bastion.toml', text);
    assert.match((await complaints(store))[0] ?? '', wanted);
    assert.deepEqual((await store.load()).settings, before);
  }
});

test('settings: without a readable file the careful defaults hold', async (t) => {
  const { store, write } = await makeStore(t);
  const careful = { mode: 'enforcing', defaultAction: 'ask', onFailure: 'closed', untracked: 'drop' };
  for (const text of [null, 'mode = "learning"\noops\n']) {
    if (text !== null) await write('etc/bastion.toml', text);
    const { mode, defaultAction, onFailure, untracked } = (await store.load()).settings;
    assert.deepEqual({ mode, defaultAction, onFailure, untracked }, careful);
  }
});

test('add: any text that a rule can hold is read back as it was, and never reaches another rule', async (t) => {
  const { store, write } = await makeStore(t);
  const name = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }).filter((text) => text.length <= 64);
  const path = fc.string({ minLength: 1, maxLength: 40, unit: 'binary' })
    .map((text) => `/${text.replaceAll(/[/\0]/g, 'x')}`).filter((text) => !['/.', '/..'].includes(text));
  await fc.assert(fc.asyncProperty(name, path, name, async (label, program, group) => {
    await write('etc/rules.d/50-user.toml', HAND_MADE);
    const rule: NewRule = newRule({ id: 'new', name: label, path: program, group });
    await store.add(rule);
    await store.update('new', { ...rule, group: '', priority: 3 });
    const { rules } = await store.load();
    const added = rules.find(({ id }) => id === 'new');
    assert.deepEqual([added?.name, added?.match.path, added?.priority, added?.group, rules.length], [label, program, 3, '', 3]);
  }), { numRuns: 60 });
});
