/** [control] in bastion.toml, what the control socket tells, and whom it does not wait for. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { readSettings } from '../../helper/adapters/rule-store/settings.ts';
import type { LoadError } from '../../helper/contract/types.ts';
import { ControlSocket } from '../../helper/control-socket.ts';
import type { ControlSocketDeps } from '../../helper/control-socket.ts';
import { statusJson, statusText } from '../../helper/control-status.ts';
import type { NetworkStatus } from '../../helper/control-status.ts';
import type { Container, SetView } from '../../helper/ports.ts';
import { ETH0, MemoryNetwork } from '../contract/memory-network.ts';
import { silent } from './rule-store-support.ts';

const ID = 'a1'.repeat(32);
const WEB: Container = {
  engine: 'docker', id: ID, name: 'web', image: 'nginx:1', state: 'running', zone: 'home', hostNetwork: false,
  addresses: [{ network: 'bridge', address: '172.17.0.2', prefixLength: 16 }, { network: 'back', address: '2001:db8:1::2', prefixLength: 64 }],
};
const SET: SetView = {
  family: 'inet', table: 'filter', set: 'home_ips', version: 4, state: 'current', problem: '', elements: ['172.17.0.2', '192.0.2.7'], others: 0,
};

function status(change: Partial<NetworkStatus> = {}): NetworkStatus {
  return {
    interfaces: [ETH0], containers: [WEB],
    zones: [{ id: 'home', patterns: ['eth*'], interfaces: [ETH0], containers: [WEB], sets: [SET], inbound: { policy: 'off', allow: [] } }],
    engines: [{ engine: 'podman', socket: '/run/podman/podman.sock', state: 'absent', problem: '' }], ...change,
  };
}

function control(text: string): unknown {
  const result = readSettings(text);
  return result.ok ? result.settings.control ?? null : result.problems.map(({ line, column, message }) => `${String(line)}:${String(column)} ${message}`);
}

test('bastion.toml: the socket has an absolute path that a socket can have; without one there is none', () => {
  assert.deepEqual(control('\n[control]\nsocket = "/run/rust-network-mgr.sock"\n'), { socket: '/run/rust-network-mgr.sock', line: 3 });
  for (const none of ['', '[control]\n', '[control]\nsocket = ""\n']) assert.equal(control(none), null);
  for (const [path, why] of [['run/a.sock', /no "socket"/], ['/run/../etc/a', /no "socket"/], ['/run//a', /no "socket"/], ['/run/', /no "socket"/], [`/${'a'.repeat(91)}`, /at most 90 bytes/]] as const) {
    const [problem] = control(`[control]\nsocket = "${path}"\n`) as readonly string[];
    assert.match(problem ?? '', why);
    assert.match(problem ?? '', /^2:/);
  }
  assert.match(String(control('[control]\nsockets = "/run/a"\n')), /2:1 There is no key "control\.sockets" here/);
  assert.match(String(control('[[control]]\nsocket = "/run/a"\n')), /Write \[control\]/);
});

test('status: the lines of rust-network-mgr come first, then zones, containers, sets and engines', () => {
  assert.equal(statusText(status()), `Current Status:
Interfaces:
  eth0: [192.0.2.7, 2001:db8::7]
Tracked Containers:
  ${ID}: 172.17.0.2
  ${ID}: 2001:db8:1::2
Zones:
  home: [eth0, web]
Containers:
  docker web (nginx:1) running, zone home, bridge 172.17.0.2/16, back 2001:db8:1::2/64
Sets:
  inet filter home_ips: current, [172.17.0.2, 192.0.2.7]
Engines:
  podman /run/podman/podman.sock: absent`);
  assert.match(statusText(status({ containers: [], zones: [], engines: [], interfaces: [] })), /^Current Status:\nInterfaces:\n {2}\(None\)\nTracked Containers:\n {2}\(None\)\n/);
});

test('status json: one line that says the same, with what is wrong with a set', () => {
  const [zone] = status().zones;
  const line = statusJson(status({ zones: zone === undefined ? [] : [{ ...zone, sets: [{ ...SET, state: 'missing', problem: 'There is no such set.', elements: [] }] }] }));
  assert.ok(!line.includes('\n'));
  const { sets, containers, left_out: leftOut } = JSON.parse(line) as Record<string, unknown>;
  assert.deepEqual(sets, [{
    zone: 'home', name: 'inet filter home_ips', version: 4, state: 'missing', problem: 'There is no such set.', elements: [], elements_left_out: 0, others: 0,
  }]);
  assert.deepEqual((containers as readonly Record<string, unknown>[])[0]?.['addresses'], [
    { network: 'bridge', address: '172.17.0.2' }, { network: 'back', address: '2001:db8:1::2' },
  ]);
  assert.deepEqual(leftOut, { interfaces: 0, zones: 0, containers: 0, sets: 0, engines: 0 });
});

test('status: however much there is, a reply is bounded and says how much it leaves out; names steer no terminal and make no line', () => {
  const name = `evil\n  eth9: [203.0.113.1]\u{1b}[2J${'\u{1f600}'.repeat(60)}`;
  const containers = Array.from({ length: 4096 }, (): Container => ({ ...WEB, name, addresses: Array.from({ length: 64 }, () => ({ network: name, address: '10.0.0.1', prefixLength: 8 })) }));
  const many = status({ containers, interfaces: Array.from({ length: 2048 }, () => ETH0), zones: [{
    id: 'home', patterns: [], interfaces: [], containers, inbound: { policy: 'off', allow: [] },
    sets: [{ ...SET, elements: Array.from({ length: 10_000 }, (_, index) => `10.0.${String(index >> 8)}.${String(index & 255)}`) }],
  }] });
  const text = statusText(many);
  const json = statusJson(many);
  assert.ok(Buffer.byteLength(text) < 256 * 1024, String(text.length));
  assert.ok(Buffer.byteLength(json) < 256 * 1024, String(json.length));
  assert.match(text, /^ {2}\(\d+ more\)$/m);
  assert.match(text, / and 9744 more$/m);
  assert.ok(!text.includes('\u{1b}') && !json.includes('\u{1b}'));
  assert.ok(!/^ {2}eth9/m.test(text));
  assert.ok((JSON.parse(json) as { left_out: { containers: number } }).left_out.containers > 0);
});

async function socketOf(context: TestContext, change: Partial<ControlSocketDeps> = {}): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-control-'));
  const control = new ControlSocket({
    runDir: folder, settingsFile: '/etc/bastion/bastion.toml', network: new MemoryNetwork(), reload: () => Promise.resolve([]), logger: silent, ...change,
  });
  context.after(async () => {
    await control.close();
    rmSync(folder, { recursive: true });
  });
  const socket = join(folder, 'c.sock');
  await control.follow({ socket, line: 7 });
  assert.deepEqual(control.errors(), []);
  return socket;
}

async function ask(path: string, line: string): Promise<string> {
  const socket = connect(path);
  socket.write(line);
  let text = '';
  for await (const part of socket) text += String(part);
  return text;
}

test('who says nothing, or half a line, is not waited for', async (context) => {
  const path = await socketOf(context, { patienceMs: 50 });
  for (const half of ['', 'sta']) {
    const socket = connect(path);
    socket.on('error', () => undefined).resume();
    socket.write(half);
    await once(socket, 'close');
  }
});

test('reloads that are asked for while one is under way are done together after it', async (context) => {
  const release: (() => void)[] = [];
  const path = await socketOf(context, {
    reload: () => new Promise((resolve) => { release.push(() => { resolve([]); }); }),
  });
  const first = ask(path, 'reload\n');
  while (release.length === 0) await new Promise(setImmediate);
  const others = Array.from({ length: 5 }, () => ask(path, 'reload\n'));
  // A line behind theirs is answered when theirs were read.
  assert.equal(await ask(path, 'ping\n'), 'PONG\n');
  release[0]?.();
  assert.equal(await first, 'OK: Reload command sent\n');
  while (release.length === 1) await new Promise(setImmediate);
  release[1]?.();
  assert.deepEqual(new Set(await Promise.all(others)), new Set(['OK: Reload command sent\n']));
  assert.equal(release.length, 2);
});

test('a reload that fails, or finds something wrong, is answered by an error', async (context) => {
  const wrong: LoadError = { file: '/etc/bastion/bastion.toml', line: 3, column: 5, message: 'No\nsuch key.' };
  let answer: () => Promise<readonly LoadError[]> = () => Promise.resolve([wrong, wrong]);
  const path = await socketOf(context, { reload: () => answer() });
  assert.equal(await ask(path, 'reload\n'), 'ERROR: Read again, but not everything is right: /etc/bastion/bastion.toml:3:5: No\\nsuch key. (and 1 more; see bastionctl status)\n');
  answer = () => Promise.reject(new Error('the disk\nis away'));
  assert.equal(await ask(path, 'reload\n'), 'ERROR: the disk\\nis away\n');
});
