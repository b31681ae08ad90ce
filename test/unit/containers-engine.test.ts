/** What is told of an engine's containers, as they start, change and end; and how an engine is lost and found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { described, idOf, QUICK, StandIn, Told } from './containers-support.ts';

const A = idOf(1);
const B = idOf(2);

test('containers: those that run already are known with their networks, addresses, image and state', async () => {
  await using engine = new StandIn();
  engine.containers.set(A, described(A, { networks: {
    front: { IPAddress: '10.5.0.2', IPPrefixLen: 24, GlobalIPv6Address: 'FD00:0:0::5', GlobalIPv6PrefixLen: 64 }, back: { IPAddress: '10.6.0.2', IPPrefixLen: 16 },
  }, labels: { 'org.bastionfirewall.zone': 'dmz' } }));
  engine.containers.set(B, described(B, { name: 'db', paused: true, mode: 'host', networks: { host: { IPAddress: '' } } }));
  await engine.listen();
  await using told = new Told(engine.socket);
  await told.until('connected', () => told.state === 'connected');
  assert.deepEqual(told.containers.get(A), {
    id: A, name: 'web', image: 'nginx:latest', state: 'running', label: 'dmz', hostNetwork: false, networkOf: null, networks: ['back', 'front'],
    addresses: [
      { network: 'back', address: '10.6.0.2', prefixLength: 16 }, { network: 'front', address: '10.5.0.2', prefixLength: 24 },
      { network: 'front', address: 'fd00::5', prefixLength: 64 },
    ],
  });
  assert.deepEqual(told.containers.get(B), {
    id: B, name: 'db', image: 'nginx:latest', state: 'paused', label: null, hostNetwork: true, networkOf: null, networks: ['host'], addresses: [],
  });
  assert.equal(told.ownerUid, 0);
});

test('containers: each event leads to a new look: start, rename, pause, move to another network, end', async () => {
  await using engine = new StandIn();
  await engine.listen();
  await using told = new Told(engine.socket);
  await told.until('connected', () => told.state === 'connected');
  const now = (change: Parameters<typeof described>[1], action: string): void => {
    engine.containers.set(A, described(A, change));
    engine.tellOf(A, action);
  };
  now({}, 'start');
  await told.until('the start', () => told.names.join() === 'web');
  now({ name: 'shop' }, 'rename');
  await told.until('the new name', () => told.names.join() === 'shop');
  now({ name: 'shop', paused: true }, 'pause');
  await told.until('the pause', () => told.containers.get(A)?.state === 'paused');
  engine.containers.set(A, described(A, { networks: { other: { IPAddress: '10.9.0.7', IPPrefixLen: 24 } } }));
  engine.tell({ Type: 'network', Action: 'connect', Actor: { ID: idOf(99), Attributes: { container: A, name: 'other' } } });
  await told.until('the new address', () => told.containers.get(A)?.addresses[0]?.address === '10.9.0.7');
  engine.containers.set(A, described(A, { networks: {} }));
  // As Podman tells it: the container is the actor.
  engine.tell({ Type: 'network', Action: 'disconnect', Actor: { ID: A, Attributes: { network: 'other' } } });
  await told.until('no address', () => told.containers.get(A)?.addresses.length === 0);
  now({ running: false }, 'die');
  await told.until('the end', () => told.containers.size === 0);
});

test('containers: many events of one container are few looks', async () => {
  await using engine = new StandIn();
  engine.containers.set(A, described(A));
  await engine.listen();
  await using told = new Told(engine.socket);
  await told.until('connected', () => told.state === 'connected');
  const before = engine.requests.length;
  engine.containers.set(A, described(A, { name: 'last' }));
  for (let number = 0; number < 500; number += 1) engine.tellOf(A, number % 2 === 0 ? 'pause' : 'exec_start: /bin/true');
  await told.until('the last name', () => told.names.join() === 'last');
  assert.ok(engine.requests.length - before < 100, String(engine.requests.length - before));
});

test('containers: what no event told is found with the connection that follows; what has gone meanwhile is forgotten', async () => {
  await using engine = new StandIn();
  engine.containers.set(A, described(A, { name: 'old' }));
  await engine.listen();
  await using told = new Told(engine.socket, { ...QUICK, grace: 60_000 });
  await told.until('connected', () => told.state === 'connected');
  await engine.stop();
  await told.until('the loss', () => told.state !== 'connected');
  // An engine may start again beneath its containers.
  assert.deepEqual(told.names, ['old']);
  engine.containers.delete(A);
  engine.containers.set(B, described(B, { name: 'new' }));
  await engine.listen();
  told.watch.look();
  await told.until('the new one alone', () => told.names.join() === 'new');
  await told.until('connected again', () => told.state === 'connected');
});

test('containers: those of an engine that does not come back are forgotten', async () => {
  await using engine = new StandIn();
  engine.containers.set(A, described(A));
  await engine.listen();
  await using told = new Told(engine.socket);
  await told.until('connected', () => told.state === 'connected' && told.containers.size === 1);
  await engine.stop();
  await told.until('nothing', () => told.containers.size === 0);
  await told.until('absent', () => told.state === 'absent');
  assert.equal(told.problem, '');
});

test('containers: a container that shares another\'s network is told as such', async () => {
  await using engine = new StandIn();
  engine.containers.set(A, described(A, { mode: `container:${B}` }));
  await engine.listen();
  await using told = new Told(engine.socket);
  await told.until('it', () => told.containers.size === 1);
  assert.equal(told.containers.get(A)?.networkOf, B);
});

test('containers: the version of the API is one that both sides know', async () => {
  for (const [version, prefix] of [[{ ApiVersion: '1.41' }, '/v1.41/'], [{ ApiVersion: '1.99' }, '/v1.47/'], [{ ApiVersion: '1.60', MinAPIVersion: '1.50' }, '/v1.50/']] as const) {
    await using engine = new StandIn();
    engine.instead = (path, response) => {
      if (path !== '/version') return false;
      response.end(JSON.stringify(version));
      return true;
    };
    await engine.listen();
    await using told = new Told(engine.socket);
    await told.until('connected', () => told.state === 'connected');
    assert.ok(engine.requests.filter((path) => path !== '/version').every((path) => path.startsWith(prefix)), engine.requests.join(' '));
  }
});
