/** An engine that lies, hangs, floods or is not one: the helper goes on, bounded, and knows everything again when it behaves. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { ENGINE_LIMITS, USER_ENGINE_LIMITS } from '../../helper/adapters/containers/limits.ts';
import { described, idOf, QUICK, StandIn, Told } from './containers-support.ts';

const A = idOf(1);
const B = idOf(2);
const NOBODY = 65_534;
const notRoot = process.getuid?.() === 0 ? false : 'only root can give files away';
const MB = 1024 * 1024;

/** With a server of bare bytes at the stand-in's socket meanwhile. */
async function withBytes(engine: StandIn, serve: (socket: Socket) => void, work: () => Promise<void>): Promise<void> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => { sockets.delete(socket); });
    serve(socket);
  });
  await new Promise<void>((resolve) => { server.listen(engine.socket, resolve); });
  try {
    await work();
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => { server.close(resolve); });
  }
}

/** Writes as fast as it is read, until nobody reads. */
function pour(socket: Socket, piece: string): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', more);
  more();
}

/** It behaves from now on: all is well again. */
async function recovers(engine: StandIn, told: Told): Promise<void> {
  engine.containers.set(B, described(B, { name: 'honest' }));
  await engine.listen();
  told.watch.look();
  await told.until('recovery', () => told.state === 'connected' && told.names.includes('honest'));
}

for (const [what, serve] of Object.entries({
  'closes at once': (socket: Socket) => { socket.destroy(); },
  'speaks no HTTP': (socket: Socket) => { socket.end('SSH-2.0-OpenSSH_9.2\r\n'); },
  'never answers': () => undefined,
  'has endless headers': (socket: Socket) => { socket.write('HTTP/1.1 200 OK\r\n'); pour(socket, 'X-Much: more and more and more\r\n'); },
  'has one endless header': (socket: Socket) => { socket.write('HTTP/1.1 200 OK\r\nX-Much: '); pour(socket, 'x'.repeat(65_536)); },
  'says for ever that it begins soon': (socket: Socket) => { pour(socket, 'HTTP/1.1 102 Processing\r\n\r\n'); },
  'sends an endless body': (socket: Socket) => { socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'); pour(socket, `10000\r\n${' '.repeat(0x10000)}\r\n`); },
  'sends endless extensions of a chunk': (socket: Socket) => { socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;'); pour(socket, 'x'.repeat(65_536)); },
  'sends its answer a byte at a time': (socket: Socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
    const timer = setInterval(() => { socket.write(' '); }, 20);
    socket.on('close', () => { clearInterval(timer); });
  },
} satisfies Record<string, (socket: Socket) => void>)) {
  test(`containers: an engine that ${what} is failing, with a sentence, and may come to its senses`, async () => {
    await using engine = new StandIn();
    await using told = new Told(engine.socket, { ...QUICK, headers: 500, answer: 1000 });
    await withBytes(engine, serve, async () => {
      told.watch.look();
      await told.until('failing', () => told.state === 'failing');
      assert.match(told.problem, /engine\.sock (?:answers|does not|lets|cannot|is not|has closed)/u);
    });
    await recovers(engine, told);
  });
}

for (const [what, answers] of Object.entries({
  'a version that is none': { '/version': '{"ApiVersion":"one"}' },
  'no JSON': { '/version': '<html>' },
  'a list that is none': { '/containers/json': '{"message":"no"}' },
  'a list of other things': { '/containers/json': '[{"Id":"../../etc"}]' },
} satisfies Record<string, Record<string, string>>)) {
  test(`containers: ${what} makes an engine failing`, async () => {
    await using engine = new StandIn();
    engine.instead = (path, response) => {
      const found = Object.entries(answers).find(([part]) => path.includes(part));
      if (found !== undefined) response.end(found[1]);
      return found !== undefined;
    };
    await engine.listen();
    await using told = new Told(engine.socket);
    await told.until('failing', () => told.state === 'failing');
    engine.instead = () => false;
    await told.until('recovery', () => told.state === 'connected');
  });
}

test('containers: 100 MB as a list, as a container and as an event are read as far as their limits', async () => {
  await using engine = new StandIn();
  let sent = 0;
  engine.containers.set(A, described(A));
  engine.containers.set(B, described(B, { name: 'honest' }));
  let where = '/containers/json';
  engine.instead = (path, response) => {
    if (!path.includes(where)) return false;
    const piece = Buffer.alloc(MB, 0x20);
    const more = (): void => {
      for (; sent < 100 * MB && !response.destroyed; sent += MB) if (!response.write(piece)) break;
      if (sent >= 100 * MB) response.end('[]');
    };
    response.on('drain', more);
    more();
    return true;
  };
  await engine.listen();
  await using told = new Told(engine.socket, { ...QUICK, answer: 30_000 });
  await told.until('failing', () => told.state === 'failing');
  assert.match(told.problem, /more than 33554432 bytes/u);
  assert.ok(sent < 64 * MB, String(sent));
  // One whose description is too long is known as none, and nobody else with it.
  sent = 0;
  where = `/containers/${A}/json`;
  await told.until('the other one', () => told.state === 'connected' && told.names.join() === 'honest');
  assert.ok(sent < 40 * MB, String(sent));
  assert.deepEqual(told.unreadable, [A]);
  where = 'nowhere';
  engine.tellOf(A, 'update');
  await told.until('connected', () => told.state === 'connected' && told.containers.size === 2);
  // An event of 100 MB is left out, and everything is looked at again.
  engine.containers.delete(A);
  for (let part = 0; part < 100; part += 1) engine.tellText('x'.repeat(MB));
  engine.tellText('\n');
  await told.until('what the event hid', () => told.names.join() === 'honest');
  assert.equal(told.state, 'connected');
});

test('containers: labels of a hostile image, in a listing of 20 MB and in a description of 2 MB, hide no other container', async () => {
  await using engine = new StandIn();
  engine.containers.set(A, described(A, { labels: { long: 'x'.repeat(2 * MB) } }));
  engine.containers.set(B, described(B, { name: 'honest' }));
  const labels = { Id: 'no', x: '"}],{[\\'.repeat(MB), 'y"': 7 };
  const listing = JSON.stringify([{ Names: ['/Id'], Labels: labels, Id: A, Ports: [{ Id: 'no' }] }, { Id: B, Image: 'Id', Labels: labels }]);
  engine.instead = (path, response) => {
    if (path.includes('/containers/json')) response.end(listing);
    return path.includes('/containers/json');
  };
  await engine.listen();
  await using told = new Told(engine.socket, { ...QUICK, answer: 30_000 });
  await told.until('connected', () => told.state === 'connected');
  assert.deepEqual([told.names, told.unreadable], [['honest'], [A]]);
});

test('containers: a flood of events lets the engine wait, and what is true at the end is known', async () => {
  await using engine = new StandIn();
  engine.containers.set(A, described(A));
  await engine.listen();
  await using told = new Told(engine.socket);
  await told.until('connected', () => told.state === 'connected');
  for (let number = 0; number < 3 * ENGINE_LIMITS.eventsPerSecond; number += 1) engine.tellOf(idOf(1000 + number % 50), 'start');
  for (const line of ['null', '[]', '{', '{"Type":"container"}', '"'.repeat(1000), '{"Type":"container","Action":"start","Actor":{"ID":"../x"}}', '\u0000']) engine.tellText(`${line}\n`);
  engine.containers.set(A, described(A, { name: 'afterwards' }));
  engine.tellOf(A, 'rename');
  await told.until('the last name', () => told.names.join() === 'afterwards');
  assert.equal(told.state, 'connected');
});

test('containers: an answer about another container, or with nonsense in it, is about none', async () => {
  await using engine = new StandIn();
  const strange = [described(B), { Id: A }, null, [], 7, { ...Object(described(A)) as object, State: 'running' }, { ...Object(described(A)) as object, Config: { Image: 7 } }];
  engine.containers.set(B, described(B, { name: 'honest' }));
  engine.containers.set(A, described(A));
  await engine.listen();
  await using told = new Told(engine.socket);
  await told.until('both', () => told.containers.size === 2);
  for (const answer of strange) {
    engine.containers.set(A, answer);
    engine.tellOf(A, 'update');
    await told.until('it to go', () => told.names.join() === 'honest');
    engine.containers.set(A, described(A));
    engine.tellOf(A, 'update');
    await told.until('it to come back', () => told.containers.size === 2);
  }
});

test('containers: names, images, labels, networks and addresses are bounded and canonical', async () => {
  await using engine = new StandIn();
  const networks: Record<string, object> = { ['n'.repeat(500)]: { IPAddress: '010.1.1.1' } };
  for (let number = 0; number < 200; number += 1) networks[`net${String(number)}`] = { IPAddress: `10.7.${String(number)}.2`, IPPrefixLen: 240, GlobalIPv6Address: 'fd00::1%eth0' };
  networks['a-bad'] = { IPAddress: '127.0.0.1', GlobalIPv6Address: '::' };
  networks['a-mapped'] = { IPAddress: 'no', GlobalIPv6Address: '::ffff:192.0.2.1' };
  engine.containers.set(A, described(A, {
    name: 'x'.repeat(5000), image: '\u202e'.repeat(5000), networks, labels: { 'org.bastionfirewall.zone': 'z'.repeat(5000), other: 7 },
  }));
  await engine.listen();
  await using told = new Told(engine.socket);
  await told.until('it', () => told.containers.size === 1);
  const seen = told.containers.get(A);
  assert.deepEqual([seen?.name.length, seen?.image.length, seen?.label?.length], [128, 256, 64]);
  assert.ok((seen?.addresses.length ?? 99) <= ENGINE_LIMITS.addresses && (seen?.networks.length ?? 99) <= ENGINE_LIMITS.networks);
  assert.ok(seen?.addresses.every(({ address, prefixLength, network }) => /^10\.7\.\d+\.2$|^192\.0\.2\.1$/u.test(address) && prefixLength === 32 && network.length <= 128));
});

test('containers: what is no socket, or a link, or lies where others could have put it, is not connected to', { skip: notRoot }, async () => {
  await using engine = new StandIn();
  const at = (name: string): string => join(engine.folder, name);
  await engine.listen();
  execFileSync('mkfifo', [at('fifo')]);
  symlinkSync(engine.socket, at('link'));
  mkdirSync(at('open'));
  chmodSync(at('open'), 0o777);
  mkdirSync(at('theirs'));
  chownSync(at('theirs'), NOBODY, NOBODY);
  const servers: StandIn[] = [];
  for (const name of ['open', 'theirs']) {
    const server = new StandIn();
    servers.push(server);
    await server.listenAt(at(`${name}/engine.sock`));
  }
  const wrong = { 'fifo': /is no socket/u, 'link': /is a link/u, 'open/engine.sock': /can be written by others/u, 'theirs/engine.sock': /belongs to user 65534/u };
  for (const [name, problem] of Object.entries(wrong)) {
    await using told = new Told(at(name));
    await told.until(name, () => told.state === 'forbidden');
    assert.match(told.problem, problem);
  }
  // As the package podman-docker makes one: Podman's are told as Podman's.
  await using linked = new Told(at('link'), QUICK, engine.socket);
  await linked.until('absent', () => linked.state === 'absent');
  for (const server of servers) await server[Symbol.asyncDispose]();
  assert.deepEqual(engine.requests, []);
});

test('containers: a socket that may not be written to is forbidden, in words, and used when it may', { skip: notRoot }, async () => {
  await using engine = new StandIn();
  await engine.listen();
  chmodSync(engine.folder, 0o755);
  chmodSync(engine.socket, 0o600);
  process.seteuid?.(NOBODY);
  try {
    await using told = new Told(engine.socket);
    await told.until('forbidden', () => told.state === 'forbidden');
    assert.match(told.problem, /EACCES.*SocketMode=0666/u);
    process.seteuid?.(0);
    await told.until('connected', () => told.state === 'connected');
  } finally {
    process.seteuid?.(0);
  }
});

test('containers: an engine of a user is told as his, and has less of everything', { skip: notRoot }, async () => {
  await using engine = new StandIn();
  for (let number = 0; number < USER_ENGINE_LIMITS.containers + 50; number += 1) engine.containers.set(idOf(number), described(idOf(number), { name: `c${String(number)}` }));
  await engine.listen();
  chownSync(engine.folder, NOBODY, NOBODY);
  chownSync(engine.socket, NOBODY, NOBODY);
  await using told = new Told(engine.socket, { ...QUICK, gatherOfUser: 20 });
  await told.until('connected', () => told.state === 'connected');
  assert.deepEqual([told.ownerUid, told.containers.size], [NOBODY, USER_ENGINE_LIMITS.containers]);
});
