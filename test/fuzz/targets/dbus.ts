/** Bytes on the raw D-Bus socket, and the dictionaries in them. The first byte says in what pieces they come. */
import assert from 'node:assert/strict';
import { BastionError } from '../../../helper/contract/errors.ts';
import { answer, flowFilter, promptInfo, ruleEdit } from '../../../helper/contract/types.ts';
import { encodeMessage, Framer, MESSAGE, Variant, WireError } from '../../../helper/contract/transport-wire.ts';
import type { IncomingMessage } from '../../../helper/contract/transport-wire.ts';
import { promptOf } from '../../desktop/samples.ts';
import type { Target } from '../engine.ts';

const LIMITS = { maxMessageBytes: 16 * 1024, maxValues: 500 };
const DICTIONARIES = [answer, flowFilter, promptInfo, ruleEdit];

function call(signature: string, body: readonly unknown[]): Buffer {
  const bytes = encodeMessage({ type: MESSAGE.call, serial: 7, path: '/a', interface: 'a.b', member: 'C', destination: ':1.2', signature, body });
  return Buffer.concat([Buffer.from([0]), bytes]);
}

/** What came before the bytes were found to be none. */
function messagesIn(bytes: Buffer, size: number): { readonly messages: readonly IncomingMessage[]; readonly refused: boolean } {
  const messages: IncomingMessage[] = [];
  const framer = new Framer(LIMITS, (message) => messages.push(message));
  try {
    for (let at = 0; at < bytes.length; at += size) framer.push(bytes.subarray(at, at + size));
    return { messages, refused: false };
  } catch (error: unknown) {
    if (!(error instanceof WireError)) throw error;
    return { messages, refused: true };
  }
}

/** Null for a body that is refused. */
function bodyOf(message: IncomingMessage): readonly unknown[] | null {
  try {
    return message.body();
  } catch (error: unknown) {
    if (error instanceof WireError) return null;
    throw error;
  }
}

function readAsDictionaries(value: unknown): void {
  for (const type of DICTIONARIES) {
    try {
      const read = type.decode(value, 'value');
      assert.deepEqual(type.decode(type.encode(read as never), 'value'), read);
    } catch (error: unknown) {
      if (!(error instanceof BastionError && error.code === 'InvalidArgument')) throw error;
    }
  }
}

function run(input: Buffer): void {
  const [first = 0] = input;
  const bytes = input.subarray(1);
  const { messages, refused } = messagesIn(bytes, bytes.length + 1);
  const pieces = messagesIn(bytes, 1 + (first % 64));
  assert.deepEqual([pieces.refused, pieces.messages.length], [refused, messages.length], 'in pieces it is the same');
  for (const [index, message] of messages.entries()) {
    const body = bodyOf(message);
    const { messages: others } = pieces;
    const other = others[index];
    if (other !== undefined) assert.deepEqual(bodyOf(other), body);
    for (const value of body ?? []) readAsDictionaries(value);
  }
}

export const target: Target = {
  name: 'dbus', run, maxBytes: 8192,
  seeds: [
    call('s', ['one']), call('', []), call('a{sv}', [{ k: new Variant('u', 3), l: new Variant('as', ['a', 'b']) }]), call('(xtdbyq)', [[-3n, 4n, 1.5, true, 7, 8]]),
    call('a{sv}', [answer.encode({ action: 'allow', lifetime: 'until', until_ms: 5, scope: 'host' })]), call('a{sv}', [promptInfo.encode(promptOf())]),
    call('aav', [[[new Variant('ay', Buffer.from('bytes'))]]]),
  ],
  dictionary: ['a{sv}', 'aa{sv}', 'a(sv)', 'ay', '\u{8}\u{1}g\0', 'l\u{1}\0\u{1}', 'B\u{1}\0\u{1}', '((((', 'aaaaaaaa', 'action', 'allow', 'lifetime', '\u{1}s\0', '\u{1}v\0'],
};
