/** Which addresses a zone has, and what has to change in its sets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../property.ts';
import { addressesOf, ofZone } from '../../helper/zones/addresses.ts';
import type { PlacedLink } from '../../helper/zones/addresses.ts';
import { Content, RENEW_BELOW_S, differenceOf } from '../../helper/zones/difference.ts';
import type { Difference } from '../../helper/zones/difference.ts';
import { numberOf, textOf } from '../../helper/zones/ranges.ts';
import type { Element } from '../../helper/zones/ranges.ts';
import { processorTime } from './processor-time.ts';

function link(name: string, addresses: readonly (string | { readonly address: string; readonly dynamic?: boolean; readonly tentative?: boolean })[], up = true): PlacedLink {
  return { name, up, addresses: addresses.map((one) => (typeof one === 'string' ? { address: one, dynamic: false } : { dynamic: false, ...one })) };
}

const single = (address: string, expiresS: number | null = null): Element => ({ first: address, last: address, expiresS });
const texts = (elements: readonly Element[]): readonly string[] => elements.map(({ first, last }) => (first === last ? first : `${first}-${last}`));

test('a zone has the addresses of its interfaces that are up and of its containers, each once; none of the link alone', () => {
  const links = [
    link('eth0', ['192.0.2.1', '2001:db8::1', 'fe80::1', { address: '2001:db8::2', tentative: true }]), link('eth1', ['192.0.2.1', '192.0.2.3']),
    link('eth2', ['192.0.2.4'], false), link('lo', ['127.0.0.1']),
  ];
  const containers = [{ zone: 'wan', addresses: [{ address: '172.17.0.2' }] }, { zone: '', addresses: [{ address: '172.17.0.3' }] }];
  const all = addressesOf(links, containers, ({ name }) => (name === 'lo' ? null : { zone: 'wan', dynamicOnly: false }));
  assert.deepEqual([...ofZone(all, 'wan')[4]], ['192.0.2.1', '192.0.2.3', '172.17.0.2']);
  assert.deepEqual([...ofZone(all, 'wan')[6]], ['2001:db8::1']);
  assert.equal(ofZone(all, 'lan')[4].size, 0);
});

test('dhcp = true takes only the addresses that the network gave', () => {
  const all = addressesOf([link('eth0', ['192.0.2.1', { address: '192.0.2.2', dynamic: true }])], [], () => ({ zone: 'wan', dynamicOnly: true }));
  assert.deepEqual([...ofZone(all, 'wan')[4]], ['192.0.2.2']);
});

test('an address that others put in is not ours, and stays when it is not wanted any more', () => {
  const found = new Content([single('192.0.2.1'), single('198.51.100.9')]);
  const first = differenceOf({ version: 4, wanted: new Set(['192.0.2.1', '192.0.2.2']), found, ours: new Set(), keepOthers: true });
  assert.deepEqual([texts(first.remove), texts(first.add), [...first.ours]], [[], ['192.0.2.2'], ['192.0.2.2']]);
  found.applied(first);
  const second = differenceOf({ version: 4, wanted: new Set(), found, ours: first.ours, keepOthers: true });
  assert.deepEqual([texts(second.remove), texts(second.add), second.ours.size], [['192.0.2.2'], [], 0]);
});

test('a wanted element that the kernel would soon take out is put in anew, one that stays for weeks is left', () => {
  const found = new Content([single('192.0.2.1', 30), single('192.0.2.2', RENEW_BELOW_S)]);
  const { remove, add, ours } = differenceOf({ version: 4, wanted: new Set(['192.0.2.1', '192.0.2.2']), found, ours: new Set(), keepOthers: true });
  assert.deepEqual([texts(remove), texts(add), [...ours]], [['192.0.2.1'], ['192.0.2.1'], ['192.0.2.1']]);
});

test('of a range that the kernel merged only what has gone is taken out; a range of IPv6 likewise', () => {
  const four = differenceOf({
    version: 4, wanted: new Set(['192.0.2.1']), found: new Content([{ first: '192.0.2.1', last: '192.0.2.5', expiresS: null }]),
    ours: new Set(['192.0.2.1', '192.0.2.3']), keepOthers: true,
  });
  assert.deepEqual([texts(four.remove), texts(four.add), [...four.ours]], [['192.0.2.1-192.0.2.5'], ['192.0.2.1-192.0.2.2', '192.0.2.4-192.0.2.5'], ['192.0.2.1']]);
  const six = differenceOf({
    version: 6, wanted: new Set(), found: new Content([{ first: '2001:db8::1', last: '2001:db8::2', expiresS: null }]), ours: new Set(['2001:db8::2']), keepOthers: true,
  });
  assert.deepEqual([texts(six.remove), texts(six.add)], [['2001:db8::1-2001:db8::2'], ['2001:db8::1']]);
});

test('thousands of ranges and of addresses do not cost each with each', () => {
  const text = (number: number): string => textOf(0x0a00_0000n + BigInt(number), 4);
  const ranges = Array.from({ length: 8000 }, (_, at): Element => ({ first: text(at * 8), last: text(at * 8 + 3), expiresS: null }));
  const addresses = Array.from({ length: 40_000 }, (_, at) => text(at * 2));
  const found = new Content(ranges);
  const wanted = new Set(addresses.slice(0, 20_000));
  const ours = new Set(addresses.slice(20_000));
  const { result: difference, tookMs } = processorTime(() => {
    const made = differenceOf({ version: 4, wanted, found, ours, keepOthers: true });
    found.applied(made);
    return made;
  });
  // 5000 ranges hold what is wanted, two of each four; 3000 hold what leaves.
  assert.deepEqual([difference.remove.length, difference.add.length, found.size], [3000, 16_000, 21_000]);
  assert.ok(tookMs < 2500, `${tookMs.toFixed(0)} ms`);
});

test('numbers and texts of addresses are the same address', () => {
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 0xffff_ffffn }), (number) => numberOf(textOf(number, 4)) === number));
  fc.assert(fc.property(fc.bigInt({ min: 1n << 64n, max: (1n << 128n) - 1n }), (number) => numberOf(textOf(number, 6)) === number));
});

const WORLD = 24;
const address = fc.integer({ min: 0, max: WORLD - 1 }).map((last) => `10.0.0.${String(last)}`);
const some = fc.uniqueArray(address, { maxLength: 10 }).map((all) => new Set(all));

/** Elements that do not overlap, some of them ranges, some about to end. */
const content = fc.array(fc.tuple(fc.nat(2), fc.nat(3), fc.constantFrom(null, 10)), { maxLength: 8 }).map((steps) => {
  let at = 0;
  return steps.flatMap(([gap, width, expiresS]): Element[] => {
    const first = at + gap;
    at = first + width + 1;
    return at > WORLD ? [] : [{ first: `10.0.0.${String(first)}`, last: `10.0.0.${String(first + width)}`, expiresS }];
  });
});

/** What the kernel makes of it: a removal that is not there just so, or an addition that is, fails the transaction. */
function taken(before: readonly Element[], { remove, add }: Difference): readonly string[] {
  const key = ({ first, last }: Element): string => `${first}-${last}`;
  const left = new Map(before.map((one) => [key(one), one]));
  for (const element of remove) assert.ok(left.delete(key(element)), `no element ${key(element)}`);
  const held = new Set<string>();
  for (const element of [...left.values(), ...add]) {
    for (let at = numberOf(element.first) ?? 0n; at <= (numberOf(element.last) ?? 0n); at += 1n) {
      assert.ok(!held.has(textOf(at, 4)), `${textOf(at, 4)} twice`);
      held.add(textOf(at, 4));
    }
  }
  return [...held].sort();
}

test('whatever a set holds, the difference is one that the kernel takes, holds what is wanted, and leaves what others put in', () => {
  fc.assert(fc.property(content, some, some, fc.boolean(), (before, wanted, ours, keepOthers) => {
    const difference = differenceOf({ version: 4, wanted, found: new Content(before), ours, keepOthers });
    const all = taken(before, { remove: [], add: [], ours });
    const others = keepOthers ? all.filter((one) => !ours.has(one)) : [];
    assert.deepEqual(taken(before, difference), [...new Set([...wanted, ...others])].sort());
    // Done once, there is nothing left to do, but for elements of others that end.
    const after = new Content(before);
    after.applied(difference);
    const again = differenceOf({ version: 4, wanted, found: after, ours: difference.ours, keepOthers });
    assert.deepEqual([again.remove, again.add], [[], []]);
    for (const one of difference.ours) assert.ok(wanted.has(one));
  }), { numRuns: 500 });
});
