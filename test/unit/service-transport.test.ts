import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Framer, MESSAGE, Variant, WireError, encodeMessage } from '../../helper/contract/transport-wire.ts';
import type { IncomingMessage, WireLimits } from '../../helper/contract/transport-wire.ts';
import { BusUnreachableError, socketPaths } from '../../helper/contract/transport-socket.ts';

const LIMITS: WireLimits = { maxMessageBytes: 64 * 1024, maxValues: 1000 };

function call(signature: string, body: readonly unknown[]): Buffer {
  return encodeMessage({
    type: MESSAGE.call, serial: 7, path: '/a', interface: 'a.b', member: 'C', destination: ':1.2', signature, body,
  });
}

/** Messages of some bytes that come in pieces of `size`. */
function read(bytes: Buffer, size = bytes.length, limits = LIMITS): { readonly messages: IncomingMessage[]; readonly framer: Framer } {
  const messages: IncomingMessage[] = [];
  const framer = new Framer(limits, (message) => messages.push(message));
  for (let at = 0; at < bytes.length; at += size) framer.push(bytes.subarray(at, at + size));
  return { messages, framer };
}

/** A big-endian call with one 64-bit argument. */
function bigEndianCall(type: 'x' | 't', value: bigint): Buffer {
  const fields = Buffer.from([
    1, 1, 0x6f, 0, 0, 0, 0, 2, 0x2f, 0x61, 0, 0, 0, 0, 0, 0,
    3, 1, 0x73, 0, 0, 0, 0, 1, 0x43, 0, 0, 0, 0, 0, 0, 0,
    8, 1, 0x67, 0, 1, type.charCodeAt(0), 0, 0,
  ]);
  const header = Buffer.alloc(16);
  header.set([0x42, 1, 0, 1]);
  header.writeUInt32BE(8, 4);
  header.writeUInt32BE(9, 8);
  header.writeUInt32BE(fields.length - 1, 12);
  const body = Buffer.alloc(8);
  if (type === 'x') body.writeBigInt64BE(value);
  else body.writeBigUInt64BE(value);
  return Buffer.concat([header, fields, body]);
}

test('Framer: reads messages whole, in pieces of any size, and several in one piece', () => {
  const bytes = Buffer.concat([call('s', ['one']), call('', []), call('a{sv}', [{ k: new Variant('u', 3) }])]);
  for (const size of [1, 3, 16, 17, 64, bytes.length]) {
    const { messages } = read(bytes, size);
    assert.deepEqual(messages.map((message) => message.signature), ['s', '', 'a{sv}']);
    assert.deepEqual(messages[0]?.body(), ['one']);
    assert.deepEqual(messages[1]?.body(), []);
    const dictionary = messages[2]?.body()[0] as Record<string, unknown>;
    assert.deepEqual(dictionary['k'], new Variant('u', 3));
  }
});

test('Framer: skips the body of a message that is too long, keeps its header, and goes on with the next', () => {
  const bytes = Buffer.concat([call('s', ['x'.repeat(200_000)]), call('s', ['after'])]);
  for (const size of [1000, 65_536, bytes.length]) {
    const { messages, framer } = read(bytes, size);
    assert.equal(messages.length, 2);
    assert.equal(messages[0]?.member, 'C');
    assert.ok(messages[0].bodyBytes > 200_000);
    assert.throws(() => messages[0]?.body(), WireError);
    assert.deepEqual(messages[1]?.body(), ['after']);
    assert.equal(framer.oversized, 1);
  }
});

test('Framer: skips a message whose header is too long, and goes on with the next', () => {
  const long = encodeMessage({ type: MESSAGE.signal, serial: 1, path: `/${'p'.repeat(100_000)}`, interface: 'a.b', member: 'S' });
  const { messages, framer } = read(Buffer.concat([long, call('s', ['after'])]), 4096);
  assert.deepEqual(messages.map((message) => message.body()), [['after']]);
  assert.equal(framer.oversized, 1);
});

test('Framer: throws WireError for bytes that are no D-Bus message', () => {
  assert.throws(() => read(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')), WireError);
});

test('body: refuses more values than the budget', () => {
  const many = call('au', [Array.from({ length: 2000 }, (_, index) => index)]);
  const { messages } = read(many);
  assert.throws(() => messages[0]?.body(), WireError);
  assert.equal(read(many, many.length, { ...LIMITS, maxValues: 3000 }).messages[0]?.body().length, 1);
});

test('body: refuses a text or a list that says to be longer than its message, and a signature that is none', () => {
  for (const [signature, value] of [['s', 'abc'], ['au', [1]]] as const) {
    const bytes = call(signature, [value]);
    bytes.writeUInt32LE(4000, bytes.length - 8);
    assert.throws(() => read(bytes).messages[0]?.body(), { name: 'WireError', message: /longer than its message/u });
  }
  const bytes = call('u', [5]);
  bytes.write('?', bytes.indexOf(Buffer.from([1, 0x75, 0])) + 1);
  assert.throws(() => read(bytes).messages[0]?.body(), WireError);
});

test('body: refuses a dictionary that has one key twice', () => {
  const bytes = call('a{sv}', [{ aa: new Variant('u', 1), ab: new Variant('u', 2) }]);
  const at = bytes.lastIndexOf('ab');
  bytes.write('aa', at);
  assert.throws(() => read(bytes).messages[0]?.body(), WireError);
});

test('body: a key named __proto__ is a key like any other', () => {
  const bytes = call('a{sv}', [{ xxproto_y: new Variant('u', 1) }]);
  bytes.write('__proto__', bytes.lastIndexOf('xxproto_y'));
  const dictionary = read(bytes).messages[0]?.body()[0] as Record<string, unknown>;
  assert.deepEqual(Object.keys(dictionary), ['__proto__']);
});

test('body: reads a file descriptor index as a number, because no descriptor is ever taken', () => {
  const bytes = call('u', [5]);
  const at = bytes.indexOf(Buffer.from([1, 0x75, 0]));
  bytes.write('h', at + 1);
  const { messages } = read(bytes);
  assert.equal(messages[0]?.signature, 'h');
  assert.deepEqual(messages[0].body(), [5]);
});

test('body: reads 64-bit numbers of senders of either byte order, to the last value', () => {
  for (const value of [-(2n ** 63n), -1n, 0n, 1n, 2n ** 63n - 1n]) {
    assert.deepEqual(read(bigEndianCall('x', value)).messages[0]?.body(), [value]);
    assert.deepEqual(read(call('x', [value])).messages[0]?.body(), [value]);
  }
  for (const value of [0n, 0x0102_0304_0506_0708n, 2n ** 64n - 1n]) {
    assert.deepEqual(read(bigEndianCall('t', value)).messages[0]?.body(), [value]);
    assert.deepEqual(read(call('t', [value])).messages[0]?.body(), [value]);
  }
});

test('socketPaths: finds unix sockets, with escapes, and refuses everything else', () => {
  assert.deepEqual(socketPaths('unix:path=/run/dbus/system_bus_socket,guid=12'), ['/run/dbus/system_bus_socket']);
  assert.deepEqual(socketPaths('tcp:host=localhost,port=1;unix:path=/a%20b'), ['/a b']);
  assert.deepEqual(socketPaths('unix:abstract=x'), ['\0x']);
  for (const bad of ['', 'tcp:host=localhost,port=1', 'unixexec:path=ssh', 'unix:path=%zz']) {
    assert.throws(() => socketPaths(bad), BusUnreachableError);
  }
});
