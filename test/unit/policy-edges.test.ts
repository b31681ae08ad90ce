/** What rules say at the edges: the forms of text that are just right or just wrong, and the less usual matches. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addressWords, parseAddress, toPrefix } from '../../helper/policy/address.ts';
import { containerKeys, containerMatches, containerRank, containerText, nameableSender } from '../../helper/policy/containers.ts';
import { formatPorts, formatProtocols, parsePorts, parseProtocols, parseSchedule } from '../../helper/policy/text.ts';
import type { Parsed } from '../../helper/policy/text.ts';

function value<T>(result: Parsed<T>): T {
  assert.ok(result.ok, result.ok ? '' : result.message);
  return result.value;
}

describe('addresses', () => {
  test('parseAddress: only a mapped address is read as IPv4, not one that looks like it', () => {
    const kept = ['::fffe:c000:207', '::feff:c000:207', '::1:ffff:c000:207', '1::ffff:c000:207', 'ffff::c000:207', '::ffff:0:0/95'];
    for (const text of kept) {
      const read = value(parseAddress(text));
      assert.ok(read?.includes(':') === true, `${text} became ${String(read)}`);
      assert.equal(toPrefix(text)?.family, 6, text);
    }
    assert.deepEqual(toPrefix('::ffff:c000:207'), { family: 4, words: [0xc000_0207], bits: 32 });
    assert.deepEqual(addressWords('::ffff:c000:207'), [0xc000_0207]);
    assert.deepEqual(toPrefix('::ffff:0:0/96'), { family: 4, words: [0], bits: 0 });
  });

  test('toPrefix: every bit of the length counts, in every word', () => {
    const words = (bits: number): readonly number[] | undefined => toPrefix(`ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/${String(bits)}`)?.words;
    assert.deepEqual(words(128), [0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff]);
    assert.deepEqual(words(65), [0xffff_ffff, 0xffff_ffff, 0x8000_0000, 0]);
    assert.deepEqual(words(32), [0xffff_ffff, 0, 0, 0]);
    assert.deepEqual(words(0), [0, 0, 0, 0]);
    assert.deepEqual(toPrefix('1.2.3.255/25')?.words, [0x0102_0380]);
    assert.deepEqual(toPrefix('1.2.3.4')?.words, [0x0102_0304]);
  });

  test('toPrefix and addressWords: what is no address is none', () => {
    for (const text of ['', 'x', '1.2.3', '1.2.3.4/33', '1.2.3.4/8/8', '::/129', '1::2::3', '::1'.padStart(80, '0'), '1.2.3.4'.padEnd(80, '0'), '01.2.3.4']) {
      assert.equal(toPrefix(text), null, text);
    }
    for (const text of ['1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4::5:6:7:8', '12345::', 'g::', '::1/128']) assert.equal(addressWords(text), null, text);
    assert.deepEqual(addressWords('1:2:3:4:5:6:7:8'), [0x1_0002, 0x3_0004, 0x5_0006, 0x7_0008]);
    assert.deepEqual(addressWords('1:2:3::7:8'), [0x1_0002, 0x3_0000, 0, 0x7_0008]);
    assert.deepEqual(addressWords('ABCD::'), [0xabcd_0000, 0, 0, 0]);
  });
});

describe('ports and protocols', () => {
  test('parsePorts: the first and the last port are ports, and nothing means any', () => {
    assert.deepEqual(value(parsePorts('0,65535')), [{ first: 0, last: 0 }, { first: 65_535, last: 65_535 }]);
    assert.deepEqual(value(parsePorts(' 80 - 80 ')), [{ first: 80, last: 80 }]);
    assert.equal(value(parsePorts(' ')), undefined);
    assert.equal(formatPorts(undefined), '');
    assert.equal(formatPorts([{ first: 1, last: 2 }, { first: 9, last: 9 }]), '1-2,9');
  });

  test('parseProtocols: names and numbers, ICMP always of both versions, at most 32', () => {
    assert.deepEqual(value(parseProtocols(' UDP , tcp,6 ')), [6, 17]);
    for (const text of ['icmp', '1', '58']) assert.deepEqual(value(parseProtocols(text)), [1, 58], text);
    assert.deepEqual(value(parseProtocols('0,255')), [0, 255]);
    assert.equal(value(parseProtocols('')), undefined);
    for (const text of ['256', 'sctpx', '', '06'].map((word) => `tcp,${word}`)) assert.ok(!parseProtocols(text).ok, text);
    const many = (count: number): string => Array.from({ length: count }, (_, at) => String(100 + at)).join(',');
    assert.equal(value(parseProtocols(many(32)))?.length, 32);
    assert.ok(!parseProtocols(many(33)).ok);
    assert.equal(formatProtocols([1, 6, 17, 58, 132]), 'icmp,tcp,udp,132');
    assert.equal(formatProtocols(undefined), '');
  });
});

describe('schedules', () => {
  test('parseSchedule: the last minute of the day is one, 24:00 ends it, and a day may wrap around the week', () => {
    assert.deepEqual(value(parseSchedule('sun-mon 23:59-24:00')), { days: [0, 6], fromMinute: 1439, toMinute: 1440 });
    assert.deepEqual(value(parseSchedule('wed')), { days: [2], fromMinute: 0, toMinute: 1440 });
    assert.deepEqual(value(parseSchedule('1:05-0:59')), { days: [0, 1, 2, 3, 4, 5, 6], fromMinute: 65, toMinute: 59 });
    assert.deepEqual(value(parseSchedule(' FRI,mon   00:00-24:00 ')), { days: [0, 4], fromMinute: 0, toMinute: 1440 });
  });

  for (const text of ['mon tue', '09:00-10:00 mon', 'mon 09:00-10:00 tue', '24:00-06:00', '09:60-10:00', '23:00-24:01', '9-10', '09:00', '09:00-10:00-11:00',
    '09:00-09:00', 'mon-tue-wed', 'mon,', '-mon', '109:00-10:00', '09:000-10:00']) {
    test(`parseSchedule: refuses ${text}`, () => { assert.ok(!parseSchedule(text).ok); });
  }
});

describe('containers', () => {
  const id = 'abcdef0123456789'.repeat(4);
  const named = (name: string): { readonly id: string; readonly name: string } => ({ id, name });

  test('containerMatches: a name, the beginning of names, the whole id or its first twelve digits, and nothing between', () => {
    for (const pattern of ['web', 'we*', '*', id, id.slice(0, 12)]) assert.ok(containerMatches(pattern, named('web')), pattern);
    for (const pattern of ['we', 'webs', 'eb*', id.slice(0, 11), id.slice(0, 13), id.slice(1, 13), 'web*x']) assert.ok(!containerMatches(pattern, named('web')), pattern);
  });

  test('containerKeys: a container is found by its name, its id and its short id, and among those for several', () => {
    assert.deepEqual(containerKeys([]), []);
    assert.deepEqual(containerKeys([named('web')]), ['container:web', `container:${id}`, `container:${id.slice(0, 12)}`, 'containers:*']);
    assert.deepEqual(containerKeys([named('web'), named('web')]).length, 4);
    assert.ok(containerKeys([named('we*')]).includes('container:we'), 'a star in a name is no pattern');
  });

  test('containerRank: a name goes before the beginning of names, a longer one before a shorter one', () => {
    const ranks = ['web', 'web-*', 'w*', '*'].map(containerRank);
    assert.deepEqual(ranks, ranks.toSorted((a, b) => a - b));
    assert.equal(new Set(ranks).size, 4);
    assert.ok(ranks.every((rank) => rank >= 0 && rank < 1));
  });

  test('containerText: says name and engine, and nothing that deceives', () => {
    assert.equal(containerText({ name: 'web', engine: 'docker' }), 'Container web (docker)');
    assert.equal(containerText({ name: 'a\u202eb\u2028c', engine: 'podman' }), 'Container a\u{fffd}b\u{fffd}c (podman)');
    assert.equal(containerText({ name: 'x'.repeat(70), engine: 'docker' }), `Container ${'x'.repeat(64)} (docker)`);
  });

  test('nameableSender: who is sure to send, and has a name that a rule can say', () => {
    const end = { id, name: 'web', engine: 'docker', image: 'nginx', side: 'sender', certain: true } as const;
    const receiver = { ...end, side: 'receiver' } as const;
    assert.equal(nameableSender([receiver, end]), end);
    for (const other of [receiver, { ...end, certain: false }, { ...end, name: 'web*' }, { ...end, name: '-web' }, { ...end, name: '' }]) {
      assert.equal(nameableSender([other]), null, JSON.stringify(other));
    }
    assert.equal(nameableSender(), null);
  });
});
