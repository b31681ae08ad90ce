/** Interfaces out of what rtnetlink tells. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../property.ts';
import { watchLinks } from '../../helper/adapters/link-monitor.ts';
import { ADDRESSES_LIMIT, LINKS_LIMIT, LinkTable } from '../../helper/adapters/link-table.ts';
import type { NetworkLink } from '../../helper/ports.ts';
import type { NativeLink, NativeLinkAddress, NativeLinkNews } from '../../native/binding.ts';

const UP = 0x1_0001;
const PERMANENT = 0x80;

function link(change: Partial<NativeLink> = {}): NativeLink {
  return { gone: false, index: 2, name: 'eth0', flags: UP, type: 1, kind: '', mac: '02:00:00:00:00:01', master: 0, ...change };
}

function address(text: string, change: Partial<NativeLinkAddress> = {}): NativeLinkAddress {
  const family = text.includes(':') ? 6 : 4;
  return { gone: false, index: 2, family, address: text, peer: text, prefix: family === 4 ? 24 : 64, scope: 0, flags: PERMANENT, label: '', ...change };
}

function tableOf(...changes: NativeLinkNews['changes']): LinkTable {
  const table = new LinkTable((name) => name === 'wlan0');
  table.take({ whole: true, changes });
  return table;
}

function texts({ current }: LinkTable): readonly string[] {
  return current.flatMap(({ name, addresses }) => addresses.map((one) => `${name} ${one.address}/${String(one.prefixLength)}`));
}

test('links: an interface has its state, its addresses and what is known of them', () => {
  const temporary = address('2001:db8::7', { flags: 0x01 | 0x20 });
  assert.deepEqual(tableOf(link(), temporary, address('192.0.2.7', { flags: 0x01 }), address('fe80::1', { scope: 253 })).current, [{
    name: 'eth0', kind: 'ethernet', up: true, connected: true, mac: '02:00:00:00:00:01', addressesLeftOut: 0,
    addresses: [
      { address: '192.0.2.7', prefixLength: 24, scope: 'global', dynamic: true, temporary: false, deprecated: false },
      { address: '2001:db8::7', prefixLength: 64, scope: 'global', dynamic: true, temporary: true, deprecated: true },
      { address: 'fe80::1', prefixLength: 64, scope: 'link', dynamic: false, temporary: false, deprecated: false },
    ],
  } satisfies NetworkLink]);
});

test('links: kinds are told apart, and an unknown one is other', () => {
  const { current } = tableOf(
    link({ index: 1, name: 'lo', type: 772, mac: '00:00:00:00:00:00' }), link({ index: 2, name: 'wlan0' }), link({ index: 3, name: 'br0', kind: 'bridge' }),
    link({ index: 4, name: 'veth1', kind: 'veth' }), link({ index: 5, name: 'wg0', type: 65_534, kind: 'wireguard' }),
    link({ index: 6, name: 'tun0', type: 65_534 }), link({ index: 7, name: 'x0', kind: 'constructor' }), link({ index: 8, name: 'can0', type: 280 }),
  );
  assert.deepEqual(current.map(({ name, kind }) => `${name} ${kind}`), [
    'lo loopback', 'wlan0 wireless', 'br0 bridge', 'veth1 container', 'wg0 tunnel', 'tun0 tunnel', 'x0 other', 'can0 other',
  ]);
  assert.equal(current[0]?.mac, '');
});

test('links: an address that the kernel still tries, or that somebody else has, is none yet', () => {
  const table = tableOf(link(), address('2001:db8::1', { flags: 0x40 }), address('2001:db8::2', { flags: 0x08 | 0x40 }), address('2001:db8::3', { flags: 0x44 }));
  assert.deepEqual(texts(table), ['eth0 2001:db8::3/64']);
  assert.equal(table.take({ whole: false, changes: [address('2001:db8::1')] }), true);
  assert.deepEqual(texts(table), ['eth0 2001:db8::1/64', 'eth0 2001:db8::3/64']);
});

test('links: the same address with another length or another end is another one with IPv4, and a change with IPv6', () => {
  const table = tableOf(link(), address('10.0.0.1'), address('10.0.0.1', { prefix: 25 }), address('10.0.0.1', { prefix: 32, peer: '10.0.0.9' }), address('fd00::1'));
  table.take({ whole: false, changes: [address('10.0.0.1', { gone: true }), address('fd00::1', { peer: 'fd00::2', prefix: 128 })] });
  assert.deepEqual(texts(table), ['eth0 10.0.0.1/25', 'eth0 10.0.0.1/32', 'eth0 fd00::1/128']);
});

test('links: an interface that is renamed keeps its addresses, one that goes takes them along', () => {
  const table = tableOf(link(), address('10.0.0.1'));
  table.take({ whole: false, changes: [link({ name: 'wan0' })] });
  assert.deepEqual(texts(table), ['wan0 10.0.0.1/24']);
  assert.equal(table.take({ whole: false, changes: [link({ gone: true }), link({ name: 'eth0' })] }), true);
  assert.deepEqual(texts(table), []);
  assert.deepEqual(table.current.map(({ name }) => name), ['eth0']);
});

test('links: what looks as before is no change, read anew or told again', () => {
  const table = tableOf(link(), address('10.0.0.1'));
  const before = table.current;
  assert.equal(table.take({ whole: false, changes: [link({ master: 7 }), address('10.0.0.1')] }), false);
  assert.equal(table.take({ whole: true, changes: [link(), address('10.0.0.1')] }), false);
  assert.equal(table.take({ whole: false, changes: [address('10.0.0.9', { index: 99 }), link({ index: 98, gone: true })] }), false);
  assert.equal(table.current, before);
});

test('links: a whole listing forgets what is not in it', () => {
  const table = tableOf(link(), link({ index: 3, name: 'eth1' }), address('10.0.0.1'));
  assert.equal(table.take({ whole: true, changes: [link({ index: 3, name: 'eth1' })] }), true);
  assert.deepEqual(table.current.map(({ name }) => name), ['eth1']);
});

test('links: names that no interface can have are left out', () => {
  assert.deepEqual(tableOf(link({ name: 'a/b' }), link({ index: 3, name: '' }), link({ index: 4, name: 'a b' })).current, []);
});

test('links: more interfaces and addresses than the limits are cut, and the addresses counted', () => {
  const addresses = Array.from({ length: ADDRESSES_LIMIT + 3 }, (_, at) => address(`10.0.${String(at >> 8)}.${String(at & 255)}`));
  const [found] = tableOf(link(), ...addresses).current;
  assert.deepEqual([found?.addresses.length, found?.addressesLeftOut], [ADDRESSES_LIMIT, 3]);
  assert.equal(tableOf(...Array.from({ length: LINKS_LIMIT + 1 }, (_, at) => link({ index: at + 1, name: `e${String(at)}` }))).current.length, LINKS_LIMIT);
});

test('links: any history of changes leads to what a listing at its end says', () => {
  const index = fc.integer({ min: 1, max: 4 });
  const change = fc.oneof(
    fc.record({ index, gone: fc.boolean(), up: fc.boolean() }).map((one) => link({ index: one.index, name: `e${String(one.index)}`, gone: one.gone, flags: one.up ? UP : 0 })),
    fc.record({ index, gone: fc.boolean(), host: fc.integer({ min: 1, max: 3 }) }).map((one) => address(`10.0.0.${String(one.host)}`, { index: one.index, gone: one.gone })),
  );
  fc.assert(fc.property(fc.array(change, { maxLength: 40 }), fc.integer({ min: 1, max: 5 }), (changes, size) => {
    const table = tableOf();
    const links = new Map<number, NativeLink>();
    const addresses = new Map<string, NativeLinkAddress>();
    for (let at = 0; at < changes.length; at += size) table.take({ whole: false, changes: changes.slice(at, at + size) });
    for (const one of changes) {
      if ('name' in one) {
        if (one.gone) for (const [key, { index: of }] of addresses) if (of === one.index) addresses.delete(key);
        if (one.gone) links.delete(one.index);
        else links.set(one.index, one);
      } else if (one.gone) addresses.delete(`${String(one.index)} ${one.address}`);
      else if (links.has(one.index)) addresses.set(`${String(one.index)} ${one.address}`, one);
    }
    assert.deepEqual(table.current, tableOf(...links.values(), ...addresses.values()).current);
  }));
});

test('links: where the kernel gives no socket the list says why', async () => {
  const lines: string[] = [];
  const monitor = watchLinks({
    native: { watchLinks: () => { throw new Error('cannot watch: Too many open files'); } },
    logger: { log: (level, message) => { lines.push(`${level} ${message}`); }, setLevel: () => undefined },
  });
  await assert.rejects(monitor.list(), { code: 'Failed', message: /Too many open files/ });
  assert.deepEqual(lines, ['warning the network interfaces cannot be followed']);
  monitor.close();
});

test('links: who asks before the first listing waits for it; news without a visible change are told to nobody', async () => {
  let tell: (news: NativeLinkNews) => void = () => undefined;
  let changes = 0;
  const monitor = watchLinks({
    native: { watchLinks: (_bytes, onNews) => {
      tell = onNews;
      return { close: () => undefined };
    } },
    logger: { log: () => undefined, setLevel: () => undefined },
  });
  monitor.onChanged(() => { changes += 1; });
  const asked = monitor.list();
  tell({ whole: false, changes: [link({ index: 7, name: 'part0' })], routes: true, resyncs: 0, unreadable: 0 });
  tell({ whole: true, changes: [link()], routes: false, resyncs: 1, unreadable: 0 });
  assert.deepEqual((await asked).map(({ name }) => name), ['eth0']);
  tell({ whole: false, changes: [link()], routes: false, resyncs: 1, unreadable: 0 });
  tell({ whole: true, changes: [link()], routes: false, resyncs: 2, unreadable: 0 });
  assert.deepEqual([changes, monitor.counters], [1, { changes: 1, resyncs: 1 }]);
  monitor.close();
});
