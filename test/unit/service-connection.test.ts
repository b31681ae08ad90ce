import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { BusConnection } from '../../helper/contract/transport.ts';
import { FLAG, Framer, MESSAGE, encodeMessage } from '../../helper/contract/transport-wire.ts';
import type { IncomingMessage } from '../../helper/contract/transport-wire.ts';

const signal = { path: '/a', interface: 'a.b', member: 'C', signature: 's', body: ['x'.repeat(1024 * 1024)] };

/** A bus that takes nothing more once it is told to stop. */
class TestStream extends Duplex {
  takes = true;
  readonly sent: IncomingMessage[] = [];
  readonly #framer = new Framer({ maxMessageBytes: 64 * 1024 * 1024, maxValues: 1000 }, (message) => this.sent.push(message));

  override _read(): void {
    // Tests push by themselves.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (!this.takes) return;
    this.#framer.push(chunk);
    done();
  }
}

function connection(timeoutMs = 1000): { readonly bus: BusConnection; readonly stream: TestStream } {
  const stream = new TestStream();
  return { bus: new BusConnection(stream, { timeoutMs }), stream };
}

/** The one call that has come in. */
async function incomingCall(bus: BusConnection, stream: TestStream, flags = 0): Promise<IncomingMessage> {
  const came = new Promise<IncomingMessage>((resolve) => {
    bus.onCall(resolve);
  });
  stream.push(encodeMessage({ type: MESSAGE.call, serial: 9, flags, path: '/a', interface: 'a.b', member: 'C' }));
  return came;
}

test('BusConnection: a call that nobody answers ends after its time', async () => {
  const { bus } = connection(20);
  await assert.rejects(bus.callBus('GetId'), { errorName: 'org.freedesktop.DBus.Error.NoReply' });
  bus.close();
});

test('BusConnection: more calls than the limit are refused at once, and all end with the connection', async () => {
  const { bus } = connection();
  const calls = Array.from({ length: 600 }, () => bus.callBus('GetId').then(() => 'done', (error: unknown) => String(error)));
  bus.close();
  const outcomes = await Promise.all(calls);
  assert.equal(outcomes.filter((one) => one.includes('too many calls')).length, 600 - 512);
  assert.equal(outcomes.filter((one) => one.includes('the connection was closed')).length, 512);
});

test('BusConnection: an answer for which the bus would end the connection is an error here', async () => {
  const { bus, stream } = connection();
  const call = await incomingCall(bus, stream);
  assert.throws(() => { bus.reply(call, 's', ['x'.repeat(5 * 1024 * 1024)]); }, { errorName: 'org.freedesktop.DBus.Error.LimitsExceeded' });
  bus.replyError(call, 'a.b.Error', 'too long');
  assert.deepEqual(stream.sent.map((one) => [one.type, one.errorName]), [[MESSAGE.error, 'a.b.Error']]);
  bus.close();
});

test('BusConnection: a caller that wants no answer gets none', async () => {
  const { bus, stream } = connection();
  const call = await incomingCall(bus, stream, FLAG.noReply);
  bus.reply(call, '', []);
  bus.replyError(call, 'a.b.Error', 'no');
  assert.deepEqual(stream.sent, []);
  bus.close();
});

test('BusConnection: signals are left out and counted while the bus takes nothing, and a bus that never does is given up', () => {
  const { bus, stream } = connection();
  stream.takes = false;
  let reason = '';
  bus.onClosed((why) => {
    reason = why;
  });
  let taken = 0;
  while (bus.signal(signal)) taken += 1;
  assert.ok(taken >= 8 && taken <= 9, String(taken));
  assert.equal(bus.counters.signalsLost, 1);
  assert.equal(reason, '');
  const rejected: Promise<unknown>[] = [];
  for (let index = 0; index < 40 && !bus.closed; index += 1) {
    rejected.push(bus.call({ destination: 'a.b', ...signal }).catch(() => undefined));
  }
  assert.equal(reason, 'the bus does not take what is sent to it');
  return Promise.all(rejected).then(() => undefined);
});

test('BusConnection: a handler that throws ends neither the connection nor the handlers beside it', async () => {
  const { bus, stream } = connection();
  const warned = new Promise<Error>((resolve) => {
    process.once('warning', resolve);
  });
  bus.onSignal(() => {
    throw new Error('a bug');
  });
  const seen = new Promise<void>((resolve) => {
    bus.onSignal(() => { resolve(); });
  });
  stream.push(encodeMessage({ type: MESSAGE.signal, serial: 3, path: '/a', interface: 'a.b', member: 'S' }));
  await seen;
  assert.match((await warned).message, /a bug/u);
  assert.equal(bus.closed, false);
  bus.close();
});

test('BusConnection: bytes that are no D-Bus end the connection with a reason', async () => {
  const { bus, stream } = connection();
  const ended = new Promise<string>((resolve) => {
    bus.onClosed(resolve);
  });
  stream.push(Buffer.from('HTTP/1.1 400 Bad Request\r\n'));
  assert.match(await ended, /no message/u);
});
