/** Zones of containers, whose they are by address and by id, and what a user's engine may not say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { globMatches } from '../../helper/adapters/containers/glob.ts';
import { ENGINE_LIMITS } from '../../helper/adapters/containers/limits.ts';
import type { SeenContainer } from '../../helper/adapters/containers/messages.ts';
import { ContainerTable } from '../../helper/adapters/containers/table.ts';
import { readSettings } from '../../helper/adapters/rule-store/settings.ts';
import { idOf } from './containers-support.ts';

function seen(number: number, change: Partial<SeenContainer> = {}): SeenContainer {
  return {
    id: idOf(number), name: `c${String(number)}`, image: 'nginx:latest', state: 'running', label: null, hostNetwork: false, networkOf: null, networks: ['bridge'],
    addresses: [{ network: 'bridge', address: `172.17.${String(number >> 8)}.${String(number & 255)}`, prefixLength: 16 }], ...change,
  };
}

test('containers: zone by label, then by the first [[container]] that fits in name, image and network', () => {
  const table = new ContainerTable(() => undefined);
  table.setMappings([{ name: 'c1?', image: 'nginx:*', zone: 'ten' }, { network: 'back', zone: 'back' }, { image: '*', zone: 'rest' }]);
  table.apply('docker', 0, [
    seen(1), seen(10), seen(11, { image: 'redis' }), seen(12, { networks: ['front', 'back'], image: 'redis' }), seen(13, { label: 'own' }), seen(14, { label: 'No Zone!' }),
  ], []);
  assert.deepEqual(table.tables.current.map(({ name, zone }) => `${name} ${zone}`), ['c1 rest', 'c10 ten', 'c11 rest', 'c12 back', 'c13 own', 'c14 ten']);
  assert.equal(table.setMappings([]), true);
  assert.deepEqual(table.tables.current.map(({ zone }) => zone), ['', '', '', '', 'own', '']);
  assert.equal(table.setMappings([]), false);
});

test('containers: a label that names no zone is said once for each container', () => {
  const told: string[] = [];
  const table = new ContainerTable(({ name }) => { told.push(name); });
  for (let round = 0; round < 3; round += 1) table.apply('docker', 0, [seen(1, { label: 'UPPER' }), seen(2, { label: 'fine' }), seen(3, { label: '' })], []);
  assert.deepEqual(told, ['c1', 'c3']);
});

test('containers: an address belongs to the one that has it, and to nobody where two have, or share a network', () => {
  const table = new ContainerTable(() => undefined);
  table.apply('docker', 0, [seen(1), seen(2), seen(3, { addresses: seen(2).addresses }), seen(4, { addresses: seen(1).addresses, networkOf: idOf(1) })], []);
  assert.equal(table.tables.byAddress.get('172.17.0.1'), null);
  assert.equal(table.tables.byAddress.get('172.17.0.2'), null);
  table.apply('docker', 0, [], [idOf(3), idOf(4)]);
  assert.equal(table.tables.byAddress.get('172.17.0.1')?.name, 'c1');
  assert.equal(table.tables.byAddress.get('172.17.0.2')?.name, 'c2');
});

test('containers: one that joins another\'s network has that one\'s addresses or the machine\'s network, and nobody is sure of either', () => {
  const table = new ContainerTable(() => undefined);
  const joins = (number: number, networkOf: string): SeenContainer => seen(number, { addresses: [], networks: [], networkOf });
  const now = (): unknown => table.tables.current.map(({ name, hostNetwork, addresses }) => [name, hostNetwork, addresses.map(({ address }) => address).join()].join(' '));
  table.apply('docker', 0, [
    joins(10, idOf(1)), seen(1), joins(11, 'c1'), joins(12, idOf(10)), seen(2, { hostNetwork: true, addresses: [] }), joins(20, idOf(2)), seen(3, { addresses: [] }),
    joins(30, idOf(3)),
  ], []);
  assert.deepEqual(now(), [
    'c1 false 172.17.0.1', 'c10 false 172.17.0.1', 'c11 false 172.17.0.1', 'c12 false 172.17.0.1', 'c2 true ', 'c20 true ', 'c3 false ', 'c30 false ',
  ]);
  assert.equal(table.tables.byAddress.get('172.17.0.1'), null);
  // The machine's network outlives the container that was joined; and what joins itself has an end.
  table.apply('docker', 0, [joins(40, idOf(40))], [idOf(1), idOf(2), idOf(3), idOf(10), idOf(11), idOf(12), idOf(30)]);
  assert.deepEqual(now(), ['c20 true ', 'c40 true ']);
});

test('containers: what a user\'s engine says takes no address, no container and no zone of its own choice', () => {
  const table = new ContainerTable(() => undefined);
  table.setMappings([{ name: 'c9', zone: 'users' }]);
  table.apply('docker', 0, [seen(1)], []);
  table.apply('podman', 1000, [seen(1, { name: 'stolen' }), seen(2, { addresses: seen(1).addresses, label: 'lan' }), seen(9)], []);
  assert.deepEqual(table.tables.current.map(({ name, zone, addresses, ownerUid }) => [name, zone, addresses.length, ownerUid]), [
    ['c1', '', 1, undefined], ['c2', '', 0, 1000], ['c9', 'users', 0, 1000],
  ]);
  assert.equal(table.tables.byId.get(idOf(1))?.name, 'c1');
  assert.equal(table.tables.byAddress.get('172.17.0.1')?.name, 'c1');
  assert.equal(table.tables.byAddress.get('172.17.0.9'), undefined);
});

test('containers: more than the limit are left out, those of users first', () => {
  const table = new ContainerTable(() => undefined);
  table.apply('docker', 1000, Array.from({ length: 256 }, (_, number) => seen(50_000 + number)), []);
  table.apply('podman', 0, Array.from({ length: ENGINE_LIMITS.containers - 6 }, (_, number) => seen(number)), []);
  assert.deepEqual([table.tables.current.length, table.tables.current.filter(({ engine }) => engine === 'docker').length], [ENGINE_LIMITS.containers, 6]);
});

test('patterns: * is any characters, ? is one', () => {
  for (const [pattern, text, fits] of [
    ['web', 'web', true], ['web', 'webs', false], ['web*', 'web', true], ['*web*', 'my-web-1', true], ['we?', 'web', true], ['we?', 'we', false], ['*', '', true], ['', '', true],
    ['a*b*c', 'axxbxxc', true], ['a*b*c', 'axxbxx', false], ['.*', 'x', false], ['[a]', 'a', false],
  ] as const) assert.equal(globMatches(pattern, text), fits, `${pattern} ${text}`);
  assert.equal(globMatches(`${'*a'.repeat(100)}*b`, 'a'.repeat(256)), false);
});

test('bastion.toml: [containers] and [[container]] as they are written, and what holds without them', () => {
  const read = (text: string): unknown => {
    const result = readSettings(text);
    return result.ok ? result.settings.containers : result.problems.map(({ line, column, message }) => `${String(line)}:${String(column)} ${message}`);
  };
  assert.equal(read(''), undefined);
  assert.deepEqual(read('[containers]\ndocker = ""\n'), { docker: '', podman: '/run/podman/podman.sock', zones: [] });
  assert.deepEqual(read('[containers]\npodman = "/run/user/1000/podman/podman.sock"\n[[container]]\nname = "web-*"\nzone = "dmz"\n[[container]]\nimage = "a"\nnetwork = "b"\nzone = "lan"\n'), {
    docker: '/run/docker.sock', podman: '/run/user/1000/podman/podman.sock', zones: [{ name: 'web-*', zone: 'dmz' }, { image: 'a', network: 'b', zone: 'lan' }],
  });
});

test('bastion.toml: what is wrong in [containers] and [[container]] is told with line and column', () => {
  for (const [text, place, message] of [
    ['[containers]\ndocker = "docker.sock"\n', [2, 1], /not the absolute path of a socket/u],
    ['[containers]\ndocker = "/run/../docker.sock"\n', [2, 1], /not the absolute path of a socket/u],
    ['[containers]\ndocker = 7\n', [2, 1], /must be a text/u],
    ['[containers]\ndokcer = ""\n', [2, 1], /Did you mean "docker"/u],
    ['[containers]\ndocker = "/a"\npodman = "/a"\n', [3, 1], /the same socket/u],
    ['[[containers]]\n', [1, 1], /Write \[containers\]/u],
    ['[container]\nzone = "a"\n', [1, 1], /Write \[\[container\]\]/u],
    ['\n[[container]]\nzone = "lan"\n', [2, 1], /fits every container/u],
    ['[[container]]\nname = "a"\n', [1, 1], /"zone" is missing/u],
    ['[[container]]\nname = "a"\nzone = "No"\n', [3, 1], /is no "zone"/u],
    ['[[container]]\nname = ""\nzone = "a"\n', [2, 1], /is empty/u],
    ['[[container]]\nid = "a"\nzone = "a"\n', [2, 1], /no key "container.id"/u],
    ['[[container]]\nname = "a"\nzone = "a"\n'.repeat(257), [769, 1], /at most 256/u],
  ] as const) {
    const result = readSettings(text);
    const [first] = result.ok ? [] : result.problems;
    assert.deepEqual([first?.line, first?.column], place, text.slice(0, 80));
    assert.match(first?.message ?? '', message);
  }
});
