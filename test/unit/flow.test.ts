import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../property.ts';
import { Ring } from '../../helper/flow/ring.ts';
import { endpoint, flowId, flowNumber, tupleKey } from '../../helper/flow/tuple.ts';
import { tuple } from './policy-support.ts';

test('flowId: is read back, and nothing else is', () => {
  fc.assert(fc.property(fc.nat(), (number) => {
    assert.equal(flowNumber(flowId(number)), number);
  }));
  for (const text of ['', 'f', 'x1', 'f-1', 'f01', 'fA', 'f1 ', `f${'z'.repeat(12)}`]) assert.equal(flowNumber(text), null, text);
});

test('tupleKey: tells flows apart by every part of the tuple', () => {
  const base = tuple();
  const others = [
    tuple({ protocol: 17 }), tuple({ sourceAddress: '10.0.0.9' }), tuple({ sourcePort: 1 }), tuple({ destinationAddress: '10.0.0.9' }),
    tuple({ destinationPort: 1 }),
  ];
  assert.equal(new Set([base, ...others].map(tupleKey)).size, 6);
});

test('endpoint: brackets an IPv6 address before a port', () => {
  assert.equal(endpoint('192.0.2.7', 443), '192.0.2.7:443');
  assert.equal(endpoint('2001:db8::7', 443), '[2001:db8::7]:443');
  assert.equal(endpoint('2001:db8::7', 0), '2001:db8::7');
});

test('Ring: holds the last items and forgets the older ones', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(40), (limit, count) => {
    const ring = new Ring<number>(limit);
    for (let at = 0; at < count; at += 1) assert.equal(ring.push(at), at);
    const kept = Array.from({ length: count }, (_, at) => at).slice(-limit);
    assert.deepEqual(ring.before(ring.next, 100, () => true).rows, kept.toReversed());
    for (let at = -1; at <= count; at += 1) assert.equal(ring.get(at), kept.includes(at) ? at : undefined);
  }));
});

test('Ring: pages without a gap or a repetition', () => {
  const ring = new Ring<number>(100);
  for (let at = 0; at < 250; at += 1) ring.push(at);
  const seen: number[] = [];
  let from = ring.next;
  for (;;) {
    const { rows, last } = ring.before(from, 7, (item) => item % 2 === 0);
    seen.push(...rows);
    if (last <= ring.oldest) break;
    from = last;
  }
  assert.deepEqual(seen, Array.from({ length: 50 }, (_, at) => 248 - at * 2));
});
