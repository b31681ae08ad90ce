import assert from 'node:assert/strict';
import { cp, readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { makeStore } from './rule-store-support.ts';

/** Programs without which a machine has no names, no time, no address and no updates. */
const NEEDED = [
  '/usr/lib/systemd/systemd-resolved', '/usr/lib/systemd/systemd-timesyncd', '/usr/sbin/chronyd', '/usr/sbin/ntpd',
  '/usr/sbin/NetworkManager', '/usr/lib/systemd/systemd-networkd', '/usr/sbin/dhclient', '/usr/lib/apt/methods/http',
];

test('vendor rules: every one loads, names one program and its ports and protocol, and explains itself', async (t) => {
  const { store, root } = await makeStore(t);
  for (const name of await readdir('data/rules')) await cp(`data/rules/${name}`, `${root}/vendor/${name}`);
  const { rules, errors } = await store.load();
  assert.deepEqual(errors, []);
  assert.ok(rules.length > 15);
  for (const { id, name, action, match, tier, group } of rules) {
    assert.match(id, /^vendor-/);
    assert.ok(name !== id && group.startsWith('System: '), id);
    assert.deepEqual([action, tier], ['allow', 'vendor'], id);
    assert.ok((match.path ?? match.script) !== undefined && match.ports !== undefined && match.protocols !== undefined, `${id} is not scoped`);
    assert.ok(match.ports.every(({ first, last }) => first === last), id);
  }
  for (const program of NEEDED) assert.ok(rules.some(({ match, enabled }) => enabled && match.path === program), program);
});

test('vendor rules: what a machine works without is switched off, and multicast goes to its group only', async (t) => {
  const { store, root } = await makeStore(t);
  for (const name of await readdir('data/rules')) await cp(`data/rules/${name}`, `${root}/vendor/${name}`);
  const { rules } = await store.load();
  assert.deepEqual(rules.filter(({ enabled }) => !enabled).map(({ id, match }) => [id, match.address]), [
    ['vendor-fwupd', undefined], ['vendor-avahi', '224.0.0.251'], ['vendor-avahi-ipv6', 'ff02::fb'],
  ]);
});

test('shipped settings: load without a complaint and say the defaults', async (t) => {
  const { store, root } = await makeStore(t);
  const defaults = (await store.load()).settings;
  await cp('data/bastion.toml', `${root}/etc/bastion.toml`);
  assert.deepEqual(await store.load(), { settings: defaults, rules: [], errors: [] });
});

test('shipped settings: the examples that are commented out are right when the marks are taken away', async (t) => {
  const { readFile } = await import('node:fs/promises');
  const { store, write } = await makeStore(t);
  const text = await readFile('data/bastion.toml', 'utf8');
  await write('etc/bastion.toml', text.replaceAll(/^# (?=\[|[a-z0-9_]+ = )/gm, ''));
  assert.deepEqual((await store.load()).errors, []);
});
