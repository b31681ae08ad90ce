/** Names against a model that is too simple to be wrong: an answer counts if the very question is open. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../property.ts';
import { readDnsMessage } from '../../helper/adapters/dns-message.ts';
import { NameDesk } from '../../helper/engine/name-desk.ts';
import { message } from './dns-bytes.ts';
import { copy } from './dns-support.ts';
import { NAME_SERVER, Rig } from './engine-support.ts';

const SERVERS = [NAME_SERVER, '192.0.2.99'] as const;
const WINDOW_S = 10;

const step = fc.record({
  direction: fc.constantFrom('sent' as const, 'received' as const), waitS: fc.integer({ min: 0, max: 6 }), id: fc.nat(1), cookie: fc.nat(1),
  port: fc.nat(1), server: fc.nat(1), name: fc.constantFrom('a.example', 'A.example', 'b.example'), spoil: fc.nat(9), at: fc.nat(60),
});

function desk(): NameDesk {
  const users = { name: (uid: number) => (uid === 1000 ? 'alice' : String(uid)), uid: () => null };
  return new NameDesk({ read: readDnsMessage, resolver: { isServer: (address) => address === NAME_SERVER, hostNames: () => [] } }, users);
}

test('whatever messages come, a name is shown exactly when an open question got its answer', () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const names = desk();
    const open = new Map<string, number>();
    let [seconds, answers] = [1000, 0];
    for (const { direction, waitS, id, cookie, port, server, name, spoil, at } of steps) {
      seconds += waitS;
      const record = { name, type: 'A', data: [198, 51, 100, answers % 200] } as const;
      const bytes = message({ id, name, ...(direction === 'received' ? { answers: [record] } : {}) });
      // One in ten is damaged somewhere: it must not count as anything else than what it then says.
      if (spoil === 0) bytes[at % bytes.length] = 0xff;
      const change = { cookie: BigInt(cookie), localPort: 40_000 + port, serverAddress: SERVERS[server] ?? '' };
      names.take([copy(direction, bytes, BigInt(seconds) * 1_000_000_000n, change)]);
      const read = readDnsMessage(bytes);
      if (server !== 0 || typeof read === 'string' || read.isAnswer !== (direction === 'received')) continue;
      const key = [String(read.id), String(read.type), String(cookie), String(port), read.name].join(' ');
      const asked = open.get(key);
      if (direction === 'sent') open.set(key, seconds);
      else open.delete(key);
      if (direction === 'received' && asked !== undefined && seconds - asked <= WINDOW_S) answers += 1;
      assert.equal(names.counts.answers, answers);
    }
    assert.equal(names.counts.answers, answers);
  }), { numRuns: 500 });
});

test('random bytes in any direction and protocol never throw and never name anything', () => {
  const rig = new Rig();
  fc.assert(fc.property(
    fc.array(fc.record({ payload: fc.uint8Array({ maxLength: 300 }), sent: fc.boolean(), tcp: fc.boolean(), sequence: fc.nat(0xffff_ffff) })),
    (parts) => {
      const names = desk();
      names.take(parts.map(({ payload, sent, tcp, sequence }) =>
        copy(sent ? 'sent' : 'received', payload, rig.time.ns, { protocol: tcp ? 6 : 17, sequence })));
      assert.equal(names.counts.names, 0);
    },
  ));
});
