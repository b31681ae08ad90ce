import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from '../property.ts';
import { QuestionTable } from '../../helper/flow/dns-questions.ts';
import type { Exchange } from '../../helper/flow/dns-questions.ts';
import { DnsStreams, MESSAGE_LIMIT_BYTES } from '../../helper/flow/dns-streams.ts';
import { NAMES_KEPT, NAMES_SHOWN, NameTable, programKey } from '../../helper/flow/names.ts';
import type { Asker } from '../../helper/flow/names.ts';
import { SharedTable } from '../../helper/flow/shared-table.ts';
import { framed, message, v4 } from './dns-bytes.ts';
import { owner } from './prompt-support.ts';

const S = 1_000_000_000n;
const NOW = 1000n * S;

function asker(uid = 1000, inode = 42n): Asker {
  return { executable: { ...owner().executable, inode }, uid, budget: uid, system: uid < 1000 };
}

function key(one: Asker): string {
  return programKey(one.executable, one.uid);
}

function told(table: NameTable, one: Asker, address: string, nowNs = NOW, hosts: readonly string[] = []): readonly string[] {
  return table.namesFor(key(one), address, hosts, nowNs).map(({ name, source }) => `${name} ${source}`);
}

describe('whose names a flow shows', () => {
  test('its own program first, the most recent first, then /etc/hosts, then what services of the system asked', () => {
    const table = new NameTable();
    const given = (one: Asker, name: string, atNs: bigint): void => { table.record(one, name, [{ address: '198.51.100.7', ttlS: 60 }], atNs); };
    given(asker(), 'first.example', NOW);
    given(asker(101, 9n), 'resolved.example', NOW + 1n);
    given(asker(), 'second.example', NOW + 2n);
    given(asker(), 'first.example', NOW + 3n);
    given(asker(101, 9n), 'second.example', NOW + 4n);
    assert.deepEqual(told(table, asker(), '198.51.100.7', NOW + 5n, ['server.lan']), [
      'first.example program', 'second.example program', 'server.lan hosts', 'resolved.example machine',
    ]);
  });

  test('neither another program of the same user nor the same program of another user', () => {
    const table = new NameTable();
    table.record(asker(1000, 1n), 'other-program.example', [{ address: '198.51.100.7', ttlS: 60 }], NOW);
    table.record(asker(1001), 'other-user.example', [{ address: '198.51.100.7', ttlS: 60 }], NOW);
    assert.deepEqual(told(table, asker(), '198.51.100.7'), []);
    assert.equal(table.gave(key(asker()), 'other-user.example', '198.51.100.7', NOW), false);
  });

  test('where nobody knows the program, only what anybody may have asked', () => {
    const table = new NameTable();
    table.record(asker(), 'own.example', [{ address: '198.51.100.7', ttlS: 60 }], NOW);
    table.record(asker(0, 9n), 'resolved.example', [{ address: '198.51.100.7', ttlS: 60 }], NOW);
    assert.deepEqual(table.namesFor(null, '198.51.100.7', [], NOW), [{ name: 'resolved.example', source: 'machine' }]);
  });
});

describe('how long a name holds', () => {
  test('for decisions as long as its TTL, at least 10 s and at most a day; it is shown for an hour more', () => {
    for (const [ttlS, freshS] of [[60, 60n], [0, 10n], [10_000_000, 86_400n]] as const) {
      const table = new NameTable();
      table.record(asker(), 'example.org', [{ address: '198.51.100.7', ttlS }], NOW);
      const gave = (atNs: bigint): boolean => table.gave(key(asker()), 'example.org', '198.51.100.7', atNs);
      assert.deepEqual([gave(NOW + freshS * S - 1n), gave(NOW + freshS * S)], [true, false]);
      const shownUntil = NOW + (BigInt(Math.min(ttlS, 86_400)) + 3600n) * S;
      assert.equal(told(table, asker(), '198.51.100.7', shownUntil - 1n).length, 1);
      assert.equal(told(table, asker(), '198.51.100.7', shownUntil).length, 0);
    }
  });
});

describe('limits of names', () => {
  test('one user who fills his share loses his own oldest names and nobody else a name', () => {
    const table = new NameTable({ total: 40, perUser: 10, kept: 2 });
    table.record(asker(1001), 'quiet.example', [{ address: '198.51.100.1', ttlS: 60 }], NOW);
    for (let at = 0; at < 100; at += 1) table.record(asker(), `n${String(at)}.example`, [{ address: `203.0.113.${String(at)}`, ttlS: 60 }], NOW);
    assert.equal(table.size, 11);
    assert.equal(table.lost, 90);
    assert.equal(told(table, asker(1001), '198.51.100.1').length, 1);
    assert.equal(told(table, asker(), '203.0.113.89').length, 0);
    assert.equal(told(table, asker(), '203.0.113.90').length, 1);
  });

  test('a table that many users fill takes from who has most, and refuses where everybody has little', () => {
    const table = new NameTable({ total: 12, perUser: 8, kept: 2 });
    for (let at = 0; at < 8; at += 1) table.record(asker(1000), `n${String(at)}.example`, [{ address: '198.51.100.1', ttlS: 60 }], NOW);
    for (let uid = 2000; uid < 2020; uid += 1) table.record(asker(uid), 'm.example', [{ address: '198.51.100.2', ttlS: 60 }], NOW);
    assert.equal(table.size, 12);
    assert.equal(told(table, asker(1000), '198.51.100.1').length, 2);
    assert.equal(told(table, asker(2009), '198.51.100.2').length, 1);
    assert.equal(told(table, asker(2010), '198.51.100.2').length, 0);
    assert.equal(table.lost, 16);
  });

  test('an address with many names keeps the newest, and tells no more than fit a prompt', () => {
    const table = new NameTable();
    for (let at = 0; at <= NAMES_KEPT; at += 1) table.record(asker(), `n${String(at)}.example`, [{ address: '198.51.100.7', ttlS: 60 }], NOW);
    assert.equal(table.size, NAMES_KEPT);
    assert.equal(table.lost, 1);
    assert.equal(told(table, asker(), '198.51.100.7').length, NAMES_SHOWN);
    assert.equal(told(table, asker(), '198.51.100.7')[0], `n${String(NAMES_KEPT)}.example program`);
  });

  test('names whose time is over make room first', () => {
    const table = new NameTable({ total: 40, perUser: 10, kept: 2 });
    for (let at = 0; at < 10; at += 1) table.record(asker(), `n${String(at)}.example`, [{ address: '198.51.100.1', ttlS: at === 0 ? 80_000 : 1 }], NOW);
    table.record(asker(), 'new.example', [{ address: '198.51.100.2', ttlS: 60 }], NOW + 4000n * S);
    assert.deepEqual([table.size, table.lost], [2, 0]);
    assert.equal(table.gave(key(asker()), 'n0.example', '198.51.100.1', NOW + 4000n * S), true);
  });

  test('SharedTable: never holds more than its limits, and a user with little keeps it, whatever is put in', () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(6), fc.nat(9)), { maxLength: 200 }), (puts) => {
      const table = new SharedTable<number>({ total: 12, perUser: 5, kept: 2 });
      for (const [user, number] of puts) {
        const before = Array.from({ length: 7 }, (_, one) => table.sizeOf(one));
        table.set(user, String(number), number);
        assert.ok(table.size <= 12 && table.sizeOf(user) <= 5);
        before.forEach((size, one) => { assert.ok(one === user || table.sizeOf(one) >= Math.min(size, 2)); });
      }
    }));
  });
});

describe('questions and their answers', () => {
  const exchange: Exchange = {
    protocol: 17, serverAddress: '192.0.2.53', serverPort: 53, localPort: 40_000, cookie: 7n, id: 1, name: 'example.org', type: 1,
  };

  test('an answer counts once, and only to the question that was asked', () => {
    const table = new QuestionTable();
    const others: readonly Partial<Exchange>[] = [
      { id: 2 }, { serverAddress: '192.0.2.54' }, { localPort: 40_001 }, { cookie: 8n }, { name: 'example.com' }, { type: 28 },
      { protocol: 6 }, { serverPort: 5353 },
    ];
    table.ask(exchange, asker(), NOW);
    for (const change of others) assert.equal(table.answer({ ...exchange, ...change }, NOW + 1n), null, JSON.stringify(Object.keys(change)));
    assert.deepEqual(table.answer(exchange, NOW + 1n), asker());
    assert.equal(table.answer(exchange, NOW + 2n), null);
  });

  test('an answer before its question, and one after more than 10 s, is none', () => {
    const table = new QuestionTable();
    assert.equal(table.answer(exchange, NOW), null);
    table.ask(exchange, asker(), NOW);
    assert.equal(table.answer(exchange, NOW - 1n), null);
    table.ask(exchange, asker(), NOW);
    assert.equal(table.answer(exchange, NOW + 10n * S + 1n), null);
    table.ask(exchange, asker(), NOW);
    assert.notEqual(table.answer(exchange, NOW + 10n * S), null);
  });

  test('one user who asks without end forgets his own questions, not those of others', () => {
    const table = new QuestionTable({ total: 20, perUser: 10, kept: 2 });
    table.ask({ ...exchange, cookie: 1n }, asker(1001), NOW);
    for (let id = 0; id < 100; id += 1) table.ask({ ...exchange, id }, asker(), NOW);
    assert.deepEqual([table.size, table.lost], [11, 90]);
    assert.notEqual(table.answer({ ...exchange, cookie: 1n }, NOW), null);
    table.ask({ ...exchange, id: 200 }, asker(), NOW + 11n * S);
    assert.equal(table.size, 1);
  });
});

describe('messages over TCP', () => {
  const first = message({ id: 1 });
  const second = message({ id: 2, answers: [{ name: 'example.org', type: 'A', data: v4('198.51.100.7') }] });
  const stream = Buffer.concat([framed(first), framed(second)]);
  const START = 0xffff_fff0;

  function feed(pieces: readonly (readonly [number, number])[], streams = new DnsStreams()): readonly string[] {
    return pieces.flatMap(([from, to]) => streams.take(1000, {
      connection: 'c', direction: 'received', sequence: (START + from) >>> 0, payload: stream.subarray(from, to), timeNs: NOW,
    })).map((bytes) => Buffer.from(bytes).toString('hex'));
  }

  const both = [first.toString('hex'), second.toString('hex')];

  test('messages are the same however the stream is cut, repeated and put out of order', () => {
    assert.deepEqual(feed([[0, stream.length]]), both);
    assert.deepEqual(feed([[0, 1], [40, 60], [0, 20], [20, 40], [15, 41], [60, stream.length]]), both);
    fc.assert(fc.property(fc.uniqueArray(fc.integer({ min: 1, max: stream.length - 1 }), { maxLength: 8 }), fc.nat(1000), (cuts, seed) => {
      const ends = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
      const [head, ...rest] = ends.slice(1).map((end, at) => [ends[at] ?? 0, end] as const);
      assert.ok(head !== undefined);
      const mixed = rest.map((piece, at) => ({ piece, order: (at * 7919 + seed * 104_729) % 31 })).toSorted((a, b) => a.order - b.order);
      assert.deepEqual(feed([head, ...mixed.map(({ piece }) => piece)]), both);
    }));
  });

  test('a length that no message has ends the reading of its connection, and that is counted', () => {
    for (const length of [0, 11, MESSAGE_LIMIT_BYTES + 1]) {
      const streams = new DnsStreams();
      const bytes = Buffer.alloc(2);
      bytes.writeUInt16BE(length, 0);
      const take = (payload: Uint8Array, sequence: number): number =>
        streams.take(1000, { connection: 'c', direction: 'sent', sequence, payload, timeNs: NOW }).length;
      assert.deepEqual([take(bytes, 0), take(framed(first), 2), streams.lost], [0, 0, 1]);
    }
  });

  test('segments that wait in vain for one before them end it too', () => {
    const streams = new DnsStreams();
    for (let at = 0; at < 10; at += 1) {
      streams.take(1000, { connection: 'c', direction: 'sent', sequence: at === 0 ? 0 : at * 10 + 5, payload: new Uint8Array(5), timeNs: NOW });
    }
    assert.equal(streams.lost, 1);
  });

  test('connections of one user do not push out those of another', () => {
    const streams = new DnsStreams({ total: 8, perUser: 4, kept: 1 });
    const take = (user: number, connection: string, payload: Uint8Array, sequence: number): number =>
      streams.take(user, { connection, direction: 'sent', sequence, payload, timeNs: NOW }).length;
    take(1001, 'quiet', framed(first).subarray(0, 9), 0);
    for (let at = 0; at < 50; at += 1) take(1000, String(at), framed(first).subarray(0, 9), 0);
    assert.deepEqual([streams.size, streams.lost], [5, 46]);
    assert.equal(take(1001, 'quiet', framed(first).subarray(9), 9), 1);
  });
});
