/** Which zone an interface is in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../property.ts';
import { assignedByMac, connectedZones, problemOf, zoneOf } from '../../helper/zones/interfaces.ts';
import type { ZoneAssignment } from '../../helper/zones/interfaces.ts';
import type { InterfaceSettings, LinkAddress } from '../../helper/ports.ts';
import { linkOf } from './engine-support.ts';

const MAC = '02:00:00:00:00:01';
const GLOBAL: LinkAddress = { address: '192.0.2.7', prefixLength: 24, scope: 'global', dynamic: false, temporary: false, deprecated: false };

test('a zone is that of the first [[interface]] that fits by name, by the beginning of a name, or by hardware address', () => {
  const settings: ZoneAssignment = { interfaces: [
    { name: 'eth0', mac: '02:00:00:00:00:99', zone: 'both' }, { name: '', mac: MAC, zone: 'mac' }, { name: 'eth*', zone: 'glob' }, { name: 'wg0', zone: 'name' },
  ] };
  assert.equal(zoneOf({ name: 'eth0', mac: '02:00:00:00:00:99' }, settings), 'both');
  assert.equal(zoneOf({ name: 'eth0', mac: MAC }, settings), 'mac');
  assert.equal(zoneOf({ name: 'eth0', mac: '' }, settings), 'glob');
  assert.equal(zoneOf({ name: 'wg0', mac: '' }, settings), 'name');
  assert.equal(zoneOf({ name: 'wg01', mac: '' }, settings), '');
});

test('the default zone takes every other interface but the loopback one, which has to be named', () => {
  const settings: ZoneAssignment = { interfaces: [{ name: 'wg0', zone: 'vpn' }], defaultZone: 'wan' };
  assert.equal(zoneOf({ name: 'eth9', mac: '' }, settings), 'wan');
  assert.equal(zoneOf({ name: 'wg0', mac: '' }, settings), 'vpn');
  assert.equal(zoneOf({ name: 'lo', mac: '' }, settings), '');
  assert.equal(zoneOf({ name: 'loop', mac: '', kind: 'loopback' }, settings), '');
  assert.equal(zoneOf({ name: 'lo', mac: '' }, { ...settings, interfaces: [{ name: 'lo', zone: 'here' }] }), 'here');
});

const names = fc.constantFrom('lo', 'eth0', 'eth1', 'wg0');
const macs = fc.constantFrom('', MAC, '02:00:00:00:00:02');
const zones = fc.constantFrom('a', 'b', 'c');
const one: fc.Arbitrary<InterfaceSettings> = fc.oneof(
  fc.record({ name: fc.constantFrom('eth0', 'eth*', 'wg0', 'lo'), zone: zones }),
  fc.record({ name: fc.constantFrom('', 'eth*', 'eth1'), mac: fc.constantFrom(MAC, '02:00:00:00:00:02'), zone: zones }),
);

test('what hardware addresses come to can be said by names, and nothing is said without one', () => {
  const links = fc.uniqueArray(fc.record({ name: names, mac: macs }), { selector: ({ name }) => name });
  fc.assert(fc.property(links, fc.array(one, { maxLength: 5 }), fc.option(zones, { nil: undefined }), (present, interfaces, defaultZone) => {
    const settings: ZoneAssignment = { interfaces, ...(defaultZone === undefined ? {} : { defaultZone }) };
    const assigned = assignedByMac(present, settings);
    if (interfaces.every(({ mac }) => mac === undefined)) assert.deepEqual(assigned, []);
    const byName = { ...settings, interfaces: [...assigned, ...interfaces] };
    for (const link of present) assert.equal(zoneOf({ name: link.name, mac: '' }, byName), zoneOf(link, settings));
  }));
});

test('a zone is connected while an interface of it is up, with a carrier and an address that is not only of the link', () => {
  const settings: ZoneAssignment = { interfaces: [{ name: 'eth*', zone: 'work' }], defaultZone: 'wan' };
  const connected = (change: Parameters<typeof linkOf>[1]): readonly string[] => [...connectedZones([linkOf('eth0', change)], settings)];
  assert.deepEqual(connected({ addresses: [GLOBAL] }), ['work']);
  assert.deepEqual(connected({ addresses: [] }), []);
  assert.deepEqual(connected({ addresses: [{ ...GLOBAL, scope: 'link' }] }), []);
  assert.deepEqual(connected({ addresses: [GLOBAL], up: false }), []);
  assert.deepEqual(connected({ addresses: [GLOBAL], connected: false }), []);
  assert.deepEqual([...connectedZones([linkOf('lo', { kind: 'loopback', addresses: [GLOBAL] })], settings)], []);
});

test('a missing address is a problem only of an interface that is connected and whose addresses are all known', () => {
  const settings: ZoneAssignment = { interfaces: [{ name: 'eth0', zone: 'work', address: '192.0.2.9' }] };
  assert.match(problemOf(linkOf('eth0', { addresses: [GLOBAL] }), settings), /^The address 192\.0\.2\.9 of bastion\.toml/);
  assert.equal(problemOf(linkOf('eth0', { addresses: [{ ...GLOBAL, address: '192.0.2.9' }] }), settings), '');
  assert.equal(problemOf(linkOf('eth0', { up: false }), settings), '');
  assert.equal(problemOf(linkOf('eth0', { connected: false }), settings), '');
  assert.equal(problemOf(linkOf('eth0', { addresses: [GLOBAL], addressesLeftOut: 1 }), settings), '');
  assert.equal(problemOf(linkOf('eth1'), settings), '');
});
