import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from '../property.ts';
import { ANSWER_LIMITS, readDnsMessage } from '../../helper/adapters/dns-message.ts';
import { message, nameBytes, v4, v6 } from './dns-bytes.ts';
import type { RecordText } from './dns-bytes.ts';
import { processorTime } from './processor-time.ts';

const A: RecordText = { name: 'example.org', type: 'A', data: v4('198.51.100.7') };

function addresses(bytes: Uint8Array): readonly string[] {
  const content = readDnsMessage(bytes);
  assert.ok(typeof content !== 'string', 'it was not read');
  return content.addresses.map(({ address, ttlS }) => `${address} ${String(ttlS)}`);
}

describe('what is read of a DNS message', () => {
  test('a question is its id, name and type', () => {
    assert.deepEqual(readDnsMessage(message({ id: 513, name: 'WWW.Example.ORG', type: 'AAAA' })), {
      id: 513, isAnswer: false, name: 'www.example.org', type: 28, addresses: [],
    });
  });

  test('IPv4 and IPv6 addresses come with their TTL, in canonical text, a mapped one as IPv4', () => {
    const mapped = [...Array<number>(10).fill(0), 0xff, 0xff, 198, 51, 100, 8];
    assert.deepEqual(addresses(message({ answers: [
      A, { name: 'example.org', type: 'AAAA', ttlS: 5, data: v6(1) }, { name: 'example.org', type: 'AAAA', data: mapped },
    ] })), ['198.51.100.7 300', 'fd77::1 5', '198.51.100.8 300']);
  });

  test('aliases are followed in any order, and no address outlives one of them', () => {
    assert.deepEqual(addresses(message({ answers: [
      { name: 'b.example', type: 'A', data: v4('198.51.100.7'), ttlS: 900 },
      { name: 'a.example', type: 'CNAME', data: 'B.Example', ttlS: 600 },
      { name: 'Example.org', type: 'CNAME', data: 'a.example', ttlS: 60 },
    ] })), ['198.51.100.7 60']);
  });

  test('an address of another name in the same answer is not taken', () => {
    assert.deepEqual(addresses(message({ answers: [A, { ...A, name: 'bank.example', data: v4('203.0.113.9') }] })), ['198.51.100.7 300']);
  });

  test('aliases in a circle, and more of them than are followed, end in nothing', () => {
    assert.deepEqual(addresses(message({ answers: [
      { name: 'example.org', type: 'CNAME', data: 'a.example' }, { name: 'a.example', type: 'CNAME', data: 'example.org' },
    ] })), []);
    const chain = Array.from({ length: ANSWER_LIMITS.aliases + 1 }, (_, at): RecordText => (
      { name: at === 0 ? 'example.org' : `n${String(at)}.example`, type: 'CNAME', data: `n${String(at + 1)}.example` }
    ));
    const end = { ...A, name: `n${String(chain.length)}.example` };
    assert.deepEqual(addresses(message({ answers: [...chain, end] })), []);
    assert.equal(addresses(message({ answers: [...chain.slice(0, -1), { ...end, name: `n${String(chain.length - 1)}.example` }] })).length, 1);
  });

  test('the hints of an HTTPS record are addresses of the name', () => {
    const hints = [0, 1, 0, 0, 1, 0, 3, 2, 0x68, 0x32, 0, 4, 0, 8, 198, 51, 100, 7, 198, 51, 100, 8, 0, 6, 0, 16, ...v6(9)];
    const bytes = message({ type: 'HTTPS', answers: [{ name: 'example.org', type: 'HTTPS', data: hints }] });
    assert.deepEqual(addresses(bytes), ['198.51.100.7 300', '198.51.100.8 300', 'fd77::9 300']);
  });

  test('loopback and the unspecified address, another class and a failed answer name nothing', () => {
    for (const data of [v4('127.0.0.1'), v4('0.0.0.0')]) assert.deepEqual(addresses(message({ answers: [{ ...A, data }] })), []);
    assert.deepEqual(addresses(message({ answers: [{ ...A, class: 3 }] })), []);
    assert.deepEqual(addresses(message({ answers: [A], flags: 0x8183 })), []);
  });

  test('a TTL with the highest bit set is 0', () => {
    assert.deepEqual(addresses(message({ answers: [{ ...A, ttlS: 0x8000_0001 }] })), ['198.51.100.7 0']);
  });
});

describe('hostile messages', () => {
  const question = nameBytes('example.org');
  const whole = message({ answers: [A] });
  const cases: readonly (readonly [string, Uint8Array, 'malformed' | 'truncated'])[] = [
    ['nothing', new Uint8Array(), 'malformed'],
    ['a header alone', message().subarray(0, 12), 'malformed'],
    ['a cut question', message().subarray(0, 20), 'malformed'],
    ['an answer that says it is cut off', message({ answers: [A], flags: 0x8380 }), 'truncated'],
    ['another operation', message({ flags: 0x2900 }), 'malformed'],
    ['a name with control characters', message({ name: 'exa\u001bmple.org' }), 'malformed'],
    ['a name with a dot inside a label', message().fill(0x2e, 14, 15), 'malformed'],
    ['a name that is a pointer to itself', Buffer.concat([message().subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]), 'malformed'],
    ['a name that is a pointer ahead', Buffer.concat([message().subarray(0, 12), Buffer.from([0xc0, 20, 0, 1, 0, 1]), question]), 'malformed'],
    ['65,535 records that are not there', message({ answers: [], count: 65_535 }), 'malformed'],
    ['a record longer than the message', Buffer.concat([whole.subarray(0, -6), Buffer.from([0xff, 0xff]), whole.subarray(-4)]), 'malformed'],
    ['a record that ends early', whole.subarray(0, -1), 'malformed'],
  ];
  for (const [what, bytes, wanted] of cases) {
    test(`${what}: ${wanted}`, () => {
      assert.equal(readDnsMessage(bytes), wanted);
    });
  }

  test('more records than are read: the first 64 count', () => {
    const answers = Array.from({ length: 200 }, (_, at): RecordText => ({ ...A, data: [198, 51, 100, at] }));
    assert.equal(addresses(message({ answers })).length, 64);
  });

  test('a message full of pointers is read quickly', () => {
    const pointers = Buffer.alloc(4000);
    for (let at = 0; at < pointers.length; at += 2) pointers.writeUInt16BE(0xc000 | Math.max(12, 29 + at - 2), at);
    const bytes = Buffer.concat([message({ answers: [], count: 65_535 }), pointers]);
    assert.ok(processorTime(() => readDnsMessage(bytes)).tookMs < 100);
  });

  test('random bytes, and messages with random bytes changed, never throw and never show more than a bounded host name', () => {
    const aliased = message({ answers: [{ name: 'example.org', type: 'CNAME', data: 'a.example' }, { ...A, name: 'a.example' }] });
    const spoilt = fc.array(fc.tuple(fc.nat(aliased.length - 1), fc.nat(255)), { maxLength: 6 }).map((changes) => {
      const bytes = Buffer.from(aliased);
      for (const [at, byte] of changes) bytes[at] = byte;
      return bytes;
    });
    fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), spoilt), (bytes) => {
      const content = readDnsMessage(bytes);
      if (typeof content === 'string') return;
      assert.match(content.name, /^[a-z0-9_.-]{1,253}$/u);
      assert.ok(content.addresses.length <= ANSWER_LIMITS.addresses);
    }), { numRuns: 3000 });
  });
});
