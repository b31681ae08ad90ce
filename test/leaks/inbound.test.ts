/** Servers of this machine: they answer whoever spoke first, a denied one answers nobody, and none becomes a way out. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import { clientOf, copyInto, noLab, program, until } from '../integration/support.ts';
import { Talking, flushRules } from './support.ts';

const PORT = '8080';
const FROM_PORT = '45000';
/** What a connection from the other port leaves on its way is not counted here. */
const LATER_PORT = '45001';
/** A helper counts as away, and servers answer without it, 3 s after its last turn. */
const ANSWER_LIMIT_MS = 20_000;
const ANSWER = 'lab-tag:served;';

async function serve(lab: Lab, argv: readonly string[]): Promise<Talking> {
  const server = new Talking(lab.spawn(argv));
  assert.equal(await server.line(), 'listening');
  return server;
}

/** The peer speaks first, once. */
async function speak(lab: Lab, protocol: 'tcp' | 'udp', address: string, fromPort = FROM_PORT): Promise<void> {
  await lab.runAtPeer([program('sockets'), 'from', protocol, address, PORT, fromPort, 'question']);
}

/** Packets of the server that reached the peer: any, and such with its answer. */
async function answers(lab: Lab, protocol: 'tcp' | 'udp', toPort = FROM_PORT): Promise<{ readonly any: number; readonly served: number }> {
  const counts = await lab.peer.counts();
  assert.equal(counts.lost, 0);
  return { any: counts.of(`${protocol}/${toPort}`) + counts.of(`${protocol}6/${toPort}`), served: counts.of('tag/served') };
}

/** As a peer does that gets no answer: again and again. */
async function speakUntil(lab: Lab, protocol: 'tcp' | 'udp', address: string, what: string, done: () => Promise<boolean>): Promise<void> {
  await until(what, async () => {
    await speak(lab, protocol, address);
    return (await done()) ? true : null;
  }, ANSWER_LIMIT_MS);
}

const STATES = ['the helper running', 'netfilter emptied', 'the helper killed', 'the helper killed and netfilter emptied'] as const;

async function bring(lab: Lab, state: typeof STATES[number]): Promise<void> {
  if (state.startsWith('the helper killed')) await lab.stopHelper('SIGKILL');
  if (state.endsWith('netfilter emptied')) await flushRules(lab);
}

describe('a server of this machine', { skip: noLab() }, () => {
  for (const state of STATES) {
    for (const protocol of ['tcp', 'udp'] as const) {
      test(`${protocol}, ${state}: it answers a peer that spoke first`, async () => {
        await using lab = await Lab.create();
        const path = copyInto(lab, program('server'));
        const server = await serve(lab, [path, protocol, PORT, ANSWER]);
        await bring(lab, state);
        for (const address of [lab.client4, lab.client6]) {
          await lab.peer.watch();
          await speakUntil(lab, protocol, address, 'the answer', async () => (await answers(lab, protocol)).served > 0);
        }
        await server.end();
      });

      test(`${protocol}, ${state}: one whose program is denied answers nothing`, async (t) => {
        await using lab = await Lab.create();
        const client = clientOf(lab);
        t.after(() => { client.close(); });
        const path = copyInto(lab, program('server'));
        await client.addRule({ action: 'deny', path });
        const server = await serve(lab, [path, protocol, PORT, ANSWER]);
        // Once while the helper is there: what it decided is what the kernel goes by without it.
        await speak(lab, protocol, lab.client4);
        await until('the decision', async () => ((await client.queryFlows({ path }, 1, '')).rows[0]?.action === 'deny' ? true : null));
        await bring(lab, state);
        await lab.peer.watch();
        for (const address of [lab.client4, lab.client6]) await speak(lab, protocol, address);
        assert.deepEqual(await answers(lab, protocol), { any: 0, served: 0 });
        await server.end();
      });
    }
  }

  test('a rule that comes to deny its program ends its service', async (t) => {
    await using lab = await Lab.create();
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    const path = copyInto(lab, program('server'));
    const server = await serve(lab, [path, 'tcp', PORT, ANSWER]);
    await lab.peer.watch();
    await speakUntil(lab, 'tcp', lab.client4, 'the answer', async () => (await answers(lab, 'tcp')).served > 0);
    await client.addRule({ action: 'deny', path });
    await lab.peer.watch();
    await speak(lab, 'tcp', lab.client4, LATER_PORT);
    assert.deepEqual(await answers(lab, 'tcp', LATER_PORT), { any: 0, served: 0 });
    await server.end();
  });
});

describe('a server that turns to somebody else', { skip: noLab() }, () => {
  for (const [way, protocol, what] of [
    ['listener-connects', 'tcp', 'a listening socket that connects itself'],
    ['accepted-connects', 'tcp', 'an accepted socket that is dissolved and connects'],
    ['udp-sends', 'udp', 'a UDP server that sends to another peer'],
  ] as const) {
    for (const state of STATES) {
      test(`${what}, ${state}: is no answer, and nothing arrives`, async () => {
        await using lab = await Lab.create({ defaultAction: 'deny' });
        const path = copyInto(lab, program('server'));
        const server = await serve(lab, [path, way, PORT, 'lab-tag:turned;', lab.peer4]);
        await bring(lab, state);
        await lab.peer.watch();
        const line = server.line(ANSWER_LIMIT_MS * 2);
        let said: string | null = null;
        void line.then((text) => { said = text; }, () => undefined);
        await speakUntil(lab, protocol, lab.client4, 'the turn', () => Promise.resolve(said !== null));
        const counts = await lab.peer.counts();
        assert.deepEqual([counts.of('syn/7'), counts.of('udp/7')], [0, 0], String(said));
        await server.end();
      });
    }
  }

  test('a listening socket in other hands is its maker\'s, as docs/security.md says of streams, and is denied with that one', async (t) => {
    await using lab = await Lab.create();
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    const path = copyInto(lab, program('server'));
    const denied = copyInto(lab, program('server'), 'denied');
    await client.addRule({ action: 'deny', path: denied });
    const server = await serve(lab, [path, 'handed', PORT, ANSWER, denied]);
    await lab.peer.watch();
    await speakUntil(lab, 'tcp', lab.client4, 'the answer', async () => (await answers(lab, 'tcp')).served > 0);
    await client.addRule({ action: 'deny', path });
    await lab.peer.watch();
    await speak(lab, 'tcp', lab.client4, LATER_PORT);
    assert.deepEqual(await answers(lab, 'tcp', LATER_PORT), { any: 0, served: 0 });
    await server.end();
  });
});
