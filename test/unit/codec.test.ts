/** Values that cross the bus: what is refused, and where the refusal says that it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, bool, dictionary, i32, oneOf, optional, required, string, text, u32, u64 } from '../../helper/contract/codec.ts';
import { assertNever } from '../../helper/contract/errors.ts';
import { WIRE_LIMITS } from '../../helper/contract/names.ts';
import { mergedPorts } from '../../helper/contract/port-ranges.ts';
import { systemCodeOf } from '../../helper/contract/system-faults.ts';
import { Variant } from '../../helper/contract/transport.ts';

const TYPE = dictionary({ id: required(string), count: optional(u64) }, { open: false });

function refuses(decode: () => unknown, message: RegExp): void {
  assert.throws(decode, { code: 'InvalidArgument', message });
}

test('whole numbers have the range of their type, from either form of the wire', () => {
  assert.deepEqual([u32.decode(0, 'n'), u32.decode(0xffff_ffff, 'n'), i32.decode(-5, 'n'), u64.decode(7n, 'n')], [0, 0xffff_ffff, -5, 7]);
  assert.deepEqual([u64.encode(7), u32.encode(7)], [7n, 7]);
  for (const bad of [-1, 0x1_0000_0000, 1.5, Number.NaN, '1', null, undefined, 2n ** 60n]) refuses(() => u32.decode(bad, 'n'), /^n: expected a whole number/u);
  refuses(() => u64.decode(2n ** 53n, 'n'), /^n/u);
});

test('truth, texts and words of a list are nothing else', () => {
  assert.deepEqual([bool.decode(true, 'b'), text(3).decode('abc', 't'), oneOf(['a', 'b']).decode('b', 'w')], [true, 'abc', 'b']);
  for (const bad of [0, 'true', null]) refuses(() => bool.decode(bad, 'b'), /^b: expected true or false$/u);
  for (const bad of ['abcd', 'a\0', 5]) refuses(() => text(3).decode(bad, 't'), /^t: expected a text of at most 3/u);
  for (const bad of ['c', 'toString', 1]) refuses(() => oneOf(['a', 'b']).decode(bad, 'w'), /^w: expected one of a, b$/u);
});

test('a text with NUL is sent so that it can be seen, within its limit', () => {
  assert.equal(text(20).encode('a\0b'), 'a\\u{0}b');
  assert.equal(text(4).encode('a\0b'), 'a\u{fffd}b');
  assert.equal(text(4).encode('ab'), 'ab');
});

test('a list says which of its elements is wrong, and how many it may have', () => {
  refuses(() => array(u32).decode([1, 'x'], 'list'), /^list\[1\]/u);
  refuses(() => array(u32, 2).decode([1, 2, 3], 'list'), /at most 2 elements/u);
  refuses(() => array(u32).decode('12', 'list'), /^list/u);
});

test('a dictionary has its own keys and their types, and all that it must have', () => {
  assert.deepEqual(TYPE.decode({ id: new Variant('s', 'a'), count: new Variant('t', 3n) }, 'd'), { id: 'a', count: 3 });
  for (const bad of [null, 5, []]) refuses(() => TYPE.decode(bad, 'd'), /^d: expected a dictionary$/u);
  refuses(() => TYPE.decode({}, 'd'), /^d\.id: expected a value, it is missing$/u);
  refuses(() => TYPE.decode({ id: new Variant('u', 1) }, 'd'), /^d\.id: expected a value of type 's'$/u);
  refuses(() => TYPE.decode({ id: 'a' }, 'd'), /^d\.id/u);
  refuses(() => TYPE.decode({ id: new Variant('s', 'a'), toString: new Variant('s', 'a') }, 'd'), /^d\.toString: expected no such key; the keys are id, count$/u);
  const long = 'k'.repeat(200);
  assert.throws(() => TYPE.decode({ [long]: new Variant('s', 'a') }, 'd'), (error: unknown) => error instanceof Error && !error.message.includes('k'.repeat(65)));
  const many = Object.fromEntries(Array.from({ length: WIRE_LIMITS.dictionaryEntries + 1 }, (_, index) => [`k${String(index)}`, new Variant('s', '')]));
  refuses(() => TYPE.decode(many, 'd'), /at most \d+ keys/u);
});

test('keys of a newer helper are left out where a dictionary is open', () => {
  const open = dictionary({ id: required(string) }, { open: true });
  assert.deepEqual(open.decode({ id: new Variant('s', 'a'), later: new Variant('s', 'b') }, 'd'), { id: 'a' });
});

test('what is left open is not sent', () => {
  assert.deepEqual(Object.keys(TYPE.encode({ id: 'a' }) as object), ['id']);
});

test('ports that touch, overlap or lie in one another are one range', () => {
  assert.deepEqual(mergedPorts([{ first: 5, last: 9 }, { first: 80, last: 80 }, { first: 1, last: 4 }, { first: 6, last: 7 }, { first: 1, last: 2 }]), [
    { first: 1, last: 9 }, { first: 80, last: 80 },
  ]);
});

test('what is no error has no code of the system, and a cause that is none ends the search', () => {
  assert.equal(systemCodeOf('ENOSPC'), null);
  assert.equal(systemCodeOf(new Error('x', { cause: 'ENOSPC' })), null);
  assert.equal(systemCodeOf(Object.assign(new Error('x'), { code: 28 })), null);
});

test('a case that cannot be is an error that names it', () => {
  assert.throws(() => assertNever('new' as never), /unhandled case: "new"/u);
});
