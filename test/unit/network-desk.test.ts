/** Interfaces with their zones as the service sees them, and when changes are told. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { InterfaceProblems } from '../../helper/interface-problems.ts';
import { ADDRESSES_TOLD, NetworkDesk } from '../../helper/network-desk.ts';
import type { NetworkSettings } from '../../helper/network-desk.ts';
import type { Container, Containers, LinkAddress, NetworkLink } from '../../helper/ports.ts';
import { FakeLinks, FakeNetworks, linkOf } from './engine-support.ts';

function address(text: string): LinkAddress {
  return { address: text, prefixLength: 24, scope: 'global', dynamic: false, temporary: false, deprecated: false };
}

class Rig {
  readonly links = new FakeLinks();
  readonly networks = new FakeNetworks();
  settings: NetworkSettings = {};
  changes = 0;
  containers: readonly Container[] = [];
  containersChanged: () => void = () => undefined;
  readonly desk = new NetworkDesk({ links: this.links, networks: this.networks, containers: this.#containersOf(), settings: () => this.settings });

  #containersOf(): Containers {
    const current = (): readonly Container[] => this.containers;
    const onChanged = (changed: () => void): (() => void) => {
      this.containersChanged = changed;
      return () => undefined;
    };
    return { get current() { return current(); }, engines: [], withAddress: () => null, withId: () => null, onChanged };
  }

  constructor() {
    this.desk.onChanged(() => { this.changes += 1; });
  }
}

test('zones: interfaces belong to that of the first [[interface]] that fits, in the order of the file', async () => {
  const rig = new Rig();
  rig.links.move([linkOf('wg1'), linkOf('eth1', { up: false }), linkOf('eth0'), linkOf('lo', { kind: 'loopback' })]);
  rig.settings = { interfaces: [{ name: 'wg0', zone: 'work' }, { name: 'eth*', zone: 'home' }, { name: 'eth0', zone: 'work' }, { name: 'wg*', zone: 'work' }] };
  assert.deepEqual((await rig.desk.interfaces()).map(({ name, zone }) => `${name} ${zone}`), ['eth0 home', 'lo ', 'wg1 work', 'eth1 home']);
  assert.deepEqual((await rig.desk.zones()).map(({ id, patterns, interfaces }) => [id, patterns, interfaces.map(({ name }) => name)]), [
    ['work', ['wg0', 'eth0', 'wg*'], ['wg1']], ['home', ['eth*'], ['eth0', 'eth1']],
  ]);
});

test('zones: the default one and those of [[zone]] are listed too, and hardware addresses where nothing else names an interface', async () => {
  const rig = new Rig();
  const mac = '02:00:00:00:00:07';
  rig.links.move([linkOf('lo', { kind: 'loopback' }), linkOf('eth0'), linkOf('eth1', { mac })]);
  rig.settings = {
    interfaces: [{ name: '', mac, zone: 'lab' }], defaultZone: 'wan',
    zones: [{ name: 'dmz', family: 'inet', table: 'filter', set4: '', set6: '', create: false, keepOthers: false, inbound: 'off', inboundAllow: [], line: 1 }],
  };
  assert.deepEqual((await rig.desk.zones()).map(({ id, patterns, interfaces }) => [id, patterns, interfaces.map(({ name }) => name)]), [
    ['lab', [mac], ['eth1']], ['wan', [], ['eth0']], ['dmz', [], []],
  ]);
});

test('network: an interface without the address that it should have says so', async () => {
  const rig = new Rig();
  rig.settings = { interfaces: [{ name: 'eth0', zone: 'wan', address: '192.0.2.7' }] };
  rig.links.move([linkOf('eth0', { addresses: [address('192.0.2.8')] })]);
  assert.equal((await rig.desk.interfaces())[0]?.problem, 'The address 192.0.2.7 of bastion.toml is not on this interface.');
  rig.links.move([linkOf('eth0', { addresses: [address('192.0.2.8'), address('192.0.2.7')] })]);
  assert.equal((await rig.desk.interfaces())[0]?.problem, undefined);
});

test('network: of more addresses than are told the rest is counted', async () => {
  const rig = new Rig();
  rig.links.move([linkOf('eth0', { addresses: Array.from({ length: ADDRESSES_TOLD + 3 }, (_, at) => address(`10.0.0.${String(at)}`)), addressesLeftOut: 2 })]);
  const [row] = await rig.desk.interfaces();
  assert.deepEqual([row?.addresses.length, row?.addressesLeftOut], [ADDRESSES_TOLD, 5]);
});

test('network: other interfaces, another network and other settings are told at once, and nothing after the end', () => {
  const rig = new Rig();
  rig.links.move([linkOf('eth0')]);
  assert.equal(rig.changes, 1);
  rig.networks.move({});
  assert.equal(rig.changes, 2);
  rig.desk.settingsChanged();
  assert.equal(rig.changes, 3);
  rig.desk.close();
  rig.links.move([]);
  rig.networks.move({});
  assert.equal(rig.changes, 3);
});

test('network: a missing address is one warning of the journal when it has lasted, and one line when it is over', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => { mock.timers.reset(); });
  const links = new FakeLinks();
  const lines: string[] = [];
  const problems = new InterfaceProblems({
    links, settings: () => ({ interfaces: [{ name: 'eth0', zone: 'wan', address: '192.0.2.7' }] }),
    logger: { log: (level, message, fields) => { lines.push(`${level} ${message} ${String(fields?.['interface'])}`); }, setLevel: () => undefined },
  });
  const eth0 = (...addresses: readonly LinkAddress[]): readonly NetworkLink[] => [linkOf('eth0', { addresses })];
  // Given soon after the carrier came.
  links.move(eth0());
  mock.timers.tick(3000);
  links.move(eth0(address('192.0.2.7')));
  mock.timers.tick(60_000);
  assert.deepEqual(lines, []);
  links.move(eth0());
  links.move(eth0(address('192.0.2.9')));
  mock.timers.tick(60_000);
  assert.deepEqual(lines, ['warning an interface is not as bastion.toml says eth0']);
  links.move(eth0(address('192.0.2.7')));
  assert.deepEqual(lines.slice(1), ['info an interface is as bastion.toml says again, or is not expected to be eth0']);
  links.move(eth0());
  problems.close();
  mock.timers.tick(60_000);
  assert.equal(lines.length, 2);
});

test('zones: those of containers are among them, also where no interface is; their changes are told, many at once', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => { mock.timers.reset(); });
  const rig = new Rig();
  const container = (name: string, zone: string): Container => (
    { engine: 'docker', id: name.padEnd(64, '0'), name, image: 'nginx', state: 'running', zone, hostNetwork: false, addresses: [] }
  );
  rig.settings = { interfaces: [{ name: 'eth0', zone: 'home' }] };
  rig.containers = [container('a', 'home'), container('b', 'dmz'), container('c', '')];
  assert.deepEqual((await rig.desk.zones()).map(({ id, containers }) => [id, containers.map(({ name }) => name)]), [['home', ['a']], ['dmz', ['b']]]);
  assert.deepEqual(rig.desk.containers().map(({ name }) => name), ['a', 'b', 'c']);
  for (let number = 0; number < 1000; number += 1) rig.containersChanged();
  assert.equal(rig.changes, 0);
  mock.timers.tick(1000);
  assert.equal(rig.changes, 1);
  rig.desk.close();
});
