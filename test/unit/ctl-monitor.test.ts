import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PENDING_LIMIT_BYTES } from '../../helper/ctl/verbs/monitor.ts';
import { bastionctl, fakeIo, FLOW, NOW_MS, ScriptedClient } from './ctl-support.ts';
import type { FakeIo, Outcome } from './ctl-support.ts';

const PACKET = {
  time_ms: NOW_MS, source_address: '2001:db8::1', source_port: 5312, address: '2001:db8::53', port: 53, protocol: 'udp', length: 72, interface: 'eth0',
};

async function started(args: readonly string[], client: ScriptedClient, io: FakeIo): Promise<{ readonly ended: Promise<Outcome> }> {
  const ended = bastionctl(['monitor', ...args], client, io);
  while (client.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
  return { ended };
}

test('monitor --packets: size, addresses, ports and protocol of each packet', async () => {
  const client = new ScriptedClient();
  const io = fakeIo();
  const { ended } = await started(['--packets'], client, io);
  assert.deepEqual(client.calls, [['subscribe', { packets: true }]]);
  client.emit('flows', [FLOW]);
  client.emit('packets', [PACKET]);
  io.stop('interrupt');
  assert.equal((await ended).exitCode, 0);
  assert.equal(io.stdout, '2026-11-21T02:00:00.000Z     72 bytes  udp   [2001:db8::1]:5312 -> [2001:db8::53]:53  eth0\n');
  assert.deepEqual(client.calls.at(-1), ['unsubscribe']);
});

test('monitor --json: one whole object on each line', async () => {
  const client = new ScriptedClient();
  const io = fakeIo();
  const { ended } = await started(['--json', '--count', '3'], client, io);
  client.emit('flows', [FLOW, { ...FLOW, host: 'a\nb' }, FLOW, FLOW]);
  assert.equal((await ended).exitCode, 0);
  const lines = io.stdout.trimEnd().split('\n').map((line): unknown => JSON.parse(line));
  assert.equal(lines.length, 3);
  assert.deepEqual(Object.keys(lines[0] as object).slice(0, 4), ['id', 'time_ms', 'application', 'path']);
});

test('monitor: names who, where and why, escaped', async () => {
  const client = new ScriptedClient();
  const io = fakeIo();
  const { ended } = await started(['-n', '1'], client, io);
  client.emit('flows', [{ ...FLOW, host: 'ev\x1bil' }]);
  await ended;
  assert.match(io.stdout, /allow {2}curl {2}-> {2}ev\\x1bil \(192\.0\.2\.7:443\) {2}tcp {2}uid 1000 {2}\[rule curl-web\] {2}f7\n$/);
});

test('monitor: a name that nobody can say whose it was is only perhaps the name; --json gives every name', async () => {
  const flow = { ...FLOW, names: ['example.org', 'a.example'], name_sources: ['machine', 'machine'] as const };
  for (const [args, wanted] of [[[], /-> {2}perhaps example\.org \(192\.0\.2\.7:443\)/u], [['--json'], /"names":\["example\.org","a\.example"\]/u]] as const) {
    const [client, io] = [new ScriptedClient(), fakeIo()];
    const { ended } = await started([...args, '-n', '1'], client, io);
    client.emit('flows', [flow]);
    await ended;
    assert.match(io.stdout, wanted);
  }
});

test('monitor: a reader that is too slow loses lines, which are counted; nothing piles up', async () => {
  const client = new ScriptedClient();
  const io = fakeIo();
  const { ended } = await started([], client, io);
  io.pending = PENDING_LIMIT_BYTES + 1;
  client.emit('flows', Array.from({ length: 1000 }, () => FLOW));
  assert.equal(io.stdout, '');
  io.pending = 0;
  client.emit('flows', [{ ...FLOW, lost: 5 }]);
  io.stop('closed');
  assert.equal((await ended).exitCode, 0);
  assert.match(io.stderr, /^1005 lines were left out/);
  assert.equal(io.stdout.split('\n').length, 2);
});
