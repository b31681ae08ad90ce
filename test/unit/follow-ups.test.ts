/** What an answer about a name covers, at its limits; what it means for packets is in engine-names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FollowUps, NAMES_OF_PROCESS } from '../../helper/engine/follow-ups.ts';
import type { Ask } from '../../helper/ports.ts';
import { Rig } from './engine-support.ts';
import type { AskChange } from './engine-support.ts';

const rig = new Rig();
const NOW = 0n;

function lookup(name: string, owner: AskChange['owner'] = {}): Ask {
  return rig.make({ tuple: { protocol: 17, destinationAddress: '192.0.2.53', destinationPort: 53 }, dnsQuestion: name, owner });
}

function connection(change: AskChange = {}): Ask {
  return rig.make({ tuple: { destinationAddress: '198.51.100.7', destinationPort: 443 }, ...change });
}

test('a process is remembered for its newest names', () => {
  const follow = new FollowUps((_owner, name) => name === 'n0.example');
  for (let at = 0; at < NAMES_OF_PROCESS; at += 1) follow.answered(lookup(`n${String(at)}.example`), 'allow', `n${String(at)}.example`, NOW);
  assert.equal(follow.actionFor(connection(), NOW), 'allow');
  follow.answered(lookup('one-more.example'), 'allow', 'one-more.example', NOW);
  assert.equal(follow.actionFor(connection(), NOW), null);
});

test('processes of one user do not push out those of another', () => {
  const follow = new FollowUps(() => true, { total: 8, perUser: 4, kept: 1 });
  follow.answered(lookup('example.org', { uid: 1001 }), 'allow', 'example.org', NOW);
  for (let pid = 1; pid <= 50; pid += 1) follow.answered(lookup('example.org', { pid }), 'allow', 'example.org', NOW);
  assert.equal(follow.actionFor(connection({ owner: { uid: 1001 } }), NOW), 'allow');
  assert.equal(follow.actionFor(connection({ owner: { pid: 46 } }), NOW), null);
  assert.equal(follow.actionFor(connection({ owner: { pid: 47 } }), NOW), 'allow');
});

test('a long answer may be fetched over TCP from the same server, and from no other', () => {
  const follow = new FollowUps(() => false);
  follow.answered(lookup('example.org'), 'allow', 'example.org', NOW);
  const over = (address: string, protocol = 6): unknown =>
    follow.actionFor(connection({ tuple: { protocol, destinationAddress: address, destinationPort: 53 } }), NOW);
  assert.deepEqual([over('192.0.2.53'), over('192.0.2.54'), over('192.0.2.53', 17)], ['allow', null, null]);
});

test('nothing follows for a peer that is answered, a ping, a packet of the kernel or of a container', () => {
  const follow = new FollowUps(() => true);
  follow.answered(lookup('example.org'), 'allow', 'example.org', NOW);
  const asks: readonly Ask[] = [
    connection({ answersPeer: true }), connection({ tuple: { protocol: 1, destinationPort: 8 } }), connection({ owner: null }),
    { ...connection(), origin: 'kernel' }, { ...connection(), origin: 'forwarded' },
  ];
  for (const ask of asks) assert.equal(follow.actionFor(ask, NOW), null);
  assert.equal(follow.actionFor(connection(), NOW), 'allow');
});
