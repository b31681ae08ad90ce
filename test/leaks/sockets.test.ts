/** One socket or port that was decided before: nothing of that decision goes to another program or another destination. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import { Lab } from '../lab/lab.ts';
import { FULL_SIZE, clientOf, copyInto, noLab, program, until } from '../integration/support.ts';
import { Talking, flushRules } from './support.ts';

const FROM_PORT = '44000';
const CLOSED_PORT = '9';
const DESTINATIONS = FULL_SIZE ? 1000 : 400;
/** Every address of it is the peer. */
const FIRST = '198.18.1.0';
const DENIED_NETWORK = '198.18.1.128/25';
const DENIED_FROM = 128;
const NETWORK_ADDRESSES = 256;
/** After it they are sent again, until the other. */
const AGAIN_MS = 5000;
const ARRIVED_LIMIT_MS = 30_000;

/** What stands between a packet and the peer. */
const STATES = ['the helper running', 'netfilter emptied', 'the helper killed and netfilter emptied'] as const;
type State = typeof STATES[number];

async function bring(lab: Lab, state: State): Promise<void> {
  if (state.startsWith('the helper killed')) await lab.stopHelper('SIGKILL');
  if (state.endsWith('netfilter emptied')) await flushRules(lab);
}

/**
 * Both peers are decided for the program. A datagram is sent before it is decided, so it has to arrive too. On a busy machine the
 * program may be gone before its connection stands: it is sent again.
 */
async function warm(lab: Lab, path: string, protocol: 'tcp' | 'udp'): Promise<void> {
  await lab.peer.watch();
  let arrived = 0;
  await until('both at the peer', async () => {
    for (const address of [lab.peer4, lab.peer6]) await said(lab, [path, 'again', protocol, address, address, '7', 'warm']);
    const before = arrived;
    await until('what was sent', async () => {
      arrived = (await lab.peer.counts()).of('tag/warm');
      return arrived > before ? true : null;
    }, 2000).catch(() => undefined);
    return arrived >= 2 ? true : null;
  });
}

interface Scene {
  readonly lab: Lab;
  readonly client: HelperClient;
  readonly allowed: string;
  readonly denied: string;
}

/** A program that may send everywhere, the same at another path that may not, and default_action deny. */
async function scene(t: TestContext, lab: Lab): Promise<Scene> {
  const client = clientOf(lab);
  t.after(() => { client.close(); });
  const allowed = copyInto(lab, program('sockets'), 'allowed');
  const denied = copyInto(lab, program('sockets'), 'denied');
  await client.addRule({ action: 'allow', path: allowed });
  await client.addRule({ action: 'deny', path: denied });
  return { lab, client, allowed, denied };
}

async function said(lab: Lab, argv: readonly string[]): Promise<string> {
  return (await lab.run(argv)).stdout.trim();
}

/** Until it says so: it waits for an answer only for a moment, in which a busy machine may not have decided about it. */
async function saysAtLast(lab: Lab, argv: readonly string[], wanted: string): Promise<void> {
  await until(`${argv.join(' ')} to say ${wanted}`, async () => (await said(lab, argv) === wanted ? true : null));
}

/** Holds a connection or a port; the same is true of it. */
async function holds(lab: Lab, argv: readonly string[]): Promise<Talking> {
  return until(`${argv.join(' ')} to stand`, async () => {
    const holder = new Talking(lab.spawn(argv));
    if (await holder.line() === 'sent') return holder;
    await holder.end();
    return null;
  });
}

describe('a port or socket that another program used before', { skip: noLab() }, () => {
  for (const state of STATES) {
    test(`after a server's reset, ${state}: the same source port opens nothing for a denied program`, async (t) => {
      await using lab = await Lab.create({ defaultAction: 'deny' });
      const { allowed, denied } = await scene(t, lab);
      for (const address of [lab.peer4, lab.peer6]) {
        await saysAtLast(lab, [allowed, 'from', 'tcp', address, CLOSED_PORT, FROM_PORT, 'x'], 'ECONNREFUSED');
      }
      await bring(lab, state);
      await lab.peer.watch();
      for (const address of [lab.peer4, lab.peer6]) await said(lab, [denied, 'from', 'tcp', address, CLOSED_PORT, FROM_PORT, 'x']);
      const counts = await lab.peer.counts();
      assert.deepEqual([counts.lost, counts.of(`tcp/${CLOSED_PORT}`), counts.of(`tcp6/${CLOSED_PORT}`)], [0, 0, 0]);
    });

    test(`a shared source port, ${state}: a denied program sends nothing beside an allowed one`, async (t) => {
      await using lab = await Lab.create({ defaultAction: 'deny' });
      const { allowed, denied } = await scene(t, lab);
      const holder = await holds(lab, [allowed, 'hold', 'udp', lab.peer4, '7', FROM_PORT, 'allowed']);
      const stream = await holds(lab, [allowed, 'hold', 'tcp', lab.peer4, '7', FROM_PORT, 'allowed']);
      await bring(lab, state);
      await lab.peer.watch();
      await said(lab, [denied, 'from', 'udp', lab.peer4, '7', FROM_PORT, 'denied']);
      await said(lab, [denied, 'from', 'tcp', lab.peer4, '7', FROM_PORT, 'denied']);
      await said(lab, [denied, 'from', 'tcp', lab.peer4, '80', FROM_PORT, 'denied']);
      const counts = await lab.peer.counts();
      assert.deepEqual([counts.lost, counts.of('tag/denied'), counts.of('syn/7'), counts.of('syn/80')], [0, 0, 0, 0]);
      await holder.end();
      await stream.end();
    });

    for (const how of ['exec', 'pass'] as const) {
      test(`a connection handed over by ${how}, ${state}: it is its connector's, and ends when that one is denied`, async (t) => {
        await using lab = await Lab.create({ defaultAction: 'deny' });
        const { client, allowed, denied } = await scene(t, lab);
        await said(lab, [allowed, 'lend', how, lab.peer4, '7', denied, 'before']);
        await lab.peer.watch();
        // docs/security.md: a connection is its connector's.
        await saysAtLast(lab, [allowed, 'lend', how, lab.peer4, '7', denied, 'handed'], 'sent');
        assert.ok((await lab.peer.counts()).of('tag/handed') > 0);
        await client.addRule({ action: 'deny', path: allowed });
        await said(lab, [allowed, 'lend', how, lab.peer4, '7', denied, 'last']);
        await bring(lab, state);
        await lab.peer.watch();
        await said(lab, [allowed, 'lend', how, lab.peer4, '7', denied, 'after']);
        const counts = await lab.peer.counts();
        assert.deepEqual([counts.lost, counts.of('tag/after'), counts.of('syn/7')], [0, 0, 0]);
      });
    }
  }
});

describe('one socket that goes to several places', { skip: noLab() }, () => {
  for (const state of STATES) {
    for (const way of ['spread', 'batch'] as const) {
      test(`${String(DESTINATIONS)} destinations by ${way}, ${state}: exactly the allowed ones arrive`, async (t) => {
        await using lab = await Lab.create({ defaultAction: 'deny' });
        const { client, allowed } = await scene(t, lab);
        await client.addRule({ action: 'deny', path: allowed, address: DENIED_NETWORK });
        const send = (tag: string): Promise<string> => said(lab, [allowed, way, FIRST, String(DESTINATIONS), '9', tag]);
        await lab.peer.watch();
        const denied = (at: number): boolean => at >= DENIED_FROM && at < NETWORK_ADDRESSES;
        const wanted = Array.from({ length: DESTINATIONS }, (_, at) => at).filter((at) => !denied(at));
        // Those that the helper decided on while there was one. Again, where the kernel's queue could not take so many at once.
        const allArrived = async (): Promise<true | null> => {
          const counts = await lab.peer.counts();
          return wanted.every((at) => counts.of(`tag/first-${String(at)}`) > 0) ? true : null;
        };
        await until('the allowed ones', async () => {
          await send('first');
          return until('them', allArrived, AGAIN_MS).catch(() => null);
        }, ARRIVED_LIMIT_MS);
        await bring(lab, state);
        await lab.peer.watch();
        await send('again');
        const counts = await until('all of the second time', async () => {
          const now = await lab.peer.counts();
          return wanted.every((at) => now.of(`tag/again-${String(at)}`) > 0) ? now : null;
        });
        assert.equal(counts.lost, 0);
        const leaked = [...counts.keys.keys()].filter((key) => denied(Number(/-(\d+)$/u.exec(key)?.[1] ?? '-1')));
        assert.deepEqual(leaked, []);
      });
    }

    for (const protocol of ['tcp', 'udp'] as const) {
      test(`${protocol}, connected again elsewhere, ${state}: the first decision does not count there`, async (t) => {
        await using lab = await Lab.create({ defaultAction: 'deny' });
        const client = clientOf(lab);
        t.after(() => { client.close(); });
        const path = copyInto(lab, program('sockets'));
        await client.addRule({ action: 'allow', path, address: lab.peer4 });
        await client.addRule({ action: 'allow', path, address: lab.peer6 });
        const second = { 4: '198.18.9.9', 6: 'fd78::99' } as const;
        await warm(lab, path, protocol);
        await bring(lab, state);
        await lab.peer.watch();
        await said(lab, [path, 'again', protocol, lab.peer4, second[4], '7', 'elsewhere']);
        await said(lab, [path, 'again', protocol, lab.peer6, second[6], '7', 'elsewhere']);
        const counts = await until('what went to the first place, which is allowed', async () => {
          const now = await lab.peer.counts();
          return now.of('tag/first') >= 2 ? now : null;
        });
        assert.deepEqual([counts.lost, counts.of('tag/elsewhere')], [0, 0]);
        // The first connection of each, and no other.
        if (protocol === 'tcp') assert.deepEqual([counts.of('syn/7'), counts.of('syn6/7')], [1, 1]);
      });

      test(`${protocol} with a source route, ${state}: the first place of it is what counts`, async (t) => {
        await using lab = await Lab.create({ defaultAction: 'deny' });
        const client = clientOf(lab);
        t.after(() => { client.close(); });
        const path = copyInto(lab, program('sockets'));
        await client.addRule({ action: 'allow', path, address: lab.peer4 });
        await client.addRule({ action: 'allow', path, address: lab.peer6 });
        await warm(lab, path, protocol);
        await bring(lab, state);
        await lab.peer.watch();
        await said(lab, [path, 'detour', protocol, lab.peer4, '198.18.9.9', '7', 'detour']);
        await said(lab, [path, 'detour', protocol, lab.peer6, 'fd78::99', '7', 'detour']);
        const counts = await lab.peer.counts();
        assert.deepEqual([counts.lost, counts.of('routed/198.18.9.9'), counts.of('routed/fd78::99')], [0, 0, 0]);
      });
    }
  }

  test('a port that is taken away while a datagram leaves: it is its program\'s, not the kernel\'s', async (t) => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    const path = copyInto(lab, program('sockets'));
    await client.addRule({ action: 'deny', path });
    await client.addRule({ action: 'allow', path: 'kernel', port: '7' });
    await lab.peer.watch();
    await said(lab, [path, 'dissolve', lab.peer4, String(FULL_SIZE ? 2_000_000 : 200_000), '7', 'dissolved']);
    const counts = await lab.peer.counts();
    assert.deepEqual([counts.lost, counts.of('tag/dissolved')], [0, 0]);
  });
});
