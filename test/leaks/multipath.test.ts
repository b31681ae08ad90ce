/** Multipath TCP: further subflows, which the kernel opens, are the connector's, and each is decided by its own destination. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import { clientOf, copyInto, noLab, program, until } from '../integration/support.ts';
import { enterNamespace } from '../lab/network.ts';
import { tool } from '../lab/process.ts';
import { OBSERVED_MS, Talking, flushRules, observe } from './support.ts';

const PORT = '5201';
/** Where the peer's second address is told to be reached. */
const SECOND_PORT = '5202';
const SECOND_PEER = '10.77.0.9';
const SECOND_CLIENT = '10.77.0.3';
/** More than a second of it even where each turn comes at once. */
const TALK_LIMIT_MS = 30_000;
const STATES = ['the helper running', 'the helper killed', 'the helper killed and netfilter emptied'] as const;

function noMultipath(): string | false {
  const missing = noLab();
  if (missing !== false) return missing;
  try {
    return readFileSync('/proc/sys/net/mptcp/enabled', 'utf8').trim() === '1' ? false : 'this kernel has Multipath TCP switched off';
  } catch {
    return 'this kernel has no Multipath TCP';
  }
}

function ip(namespace: string, args: readonly string[]): void {
  const [command = '', ...rest] = [...enterNamespace(namespace), 'ip', ...args];
  tool(command, rest);
}

/** Both sides get a second address, which Multipath TCP uses by itself; the peer echoes. */
async function prepare(lab: Lab): Promise<Talking> {
  ip(lab.clientNamespace, ['address', 'add', `${SECOND_CLIENT}/24`, 'dev', 'eth0']);
  ip(lab.peerNamespace, ['address', 'add', `${SECOND_PEER}/24`, 'dev', 'eth0']);
  for (const namespace of [lab.clientNamespace, lab.peerNamespace]) {
    ip(namespace, ['mptcp', 'limits', 'set', 'subflow', '4', 'add_addr_accepted', '4']);
  }
  ip(lab.clientNamespace, ['mptcp', 'endpoint', 'add', SECOND_CLIENT, 'dev', 'eth0', 'subflow']);
  ip(lab.peerNamespace, ['mptcp', 'endpoint', 'add', SECOND_PEER, 'port', SECOND_PORT, 'dev', 'eth0', 'signal']);
  const server = new Talking(lab.spawnAtPeer([program('multipath'), 'serve', PORT]));
  assert.equal(await server.line(), 'listening');
  return server;
}

async function talk(lab: Lab, path: string): Promise<Talking> {
  const talking = new Talking(lab.spawn([path, 'talk', lab.peer4, PORT, 'multipath']));
  assert.equal(await talking.line(), 'ready');
  return talking;
}

describe('Multipath TCP', { skip: noMultipath() }, () => {
  for (const state of STATES) {
    test(`${state}: what is allowed everywhere uses all its ways`, async (t) => {
      await using lab = await Lab.create({ defaultAction: 'deny' });
      const server = await prepare(lab);
      const client = clientOf(lab);
      t.after(() => { client.close(); });
      const path = copyInto(lab, program('multipath'));
      await client.addRule({ action: 'allow', path });
      await lab.peer.watch();
      const first = await talk(lab, path);
      await until('the further subflows', async () => {
        const counts = await lab.peer.counts();
        return counts.of(`syn/${PORT}`) >= 2 && counts.of(`syn/${SECOND_PORT}`) >= 1 ? true : null;
      });
      await first.end();
      if (state.startsWith('the helper killed')) await lab.stopHelper('SIGKILL');
      if (state.endsWith('emptied')) await flushRules(lab);
      await lab.peer.watch();
      const again = await talk(lab, path);
      await until('the further subflows without a helper', async () => {
        const counts = await lab.peer.counts();
        return counts.of(`syn/${PORT}`) >= 2 && counts.of(`syn/${SECOND_PORT}`) >= 1 ? true : null;
      });
      await again.end();
      await server.end();
    });

    test(`${state}: what is allowed to one address opens no subflow to another one`, async (t) => {
      await using lab = await Lab.create({ defaultAction: 'deny' });
      const server = await prepare(lab);
      const client = clientOf(lab);
      t.after(() => { client.close(); });
      const path = copyInto(lab, program('multipath'));
      await client.addRule({ action: 'allow', path, address: lab.peer4 });
      await (await talk(lab, path)).end();
      if (state.startsWith('the helper killed')) await lab.stopHelper('SIGKILL');
      if (state.endsWith('emptied')) await flushRules(lab);
      await lab.peer.watch();
      const talking = await talk(lab, path);
      await until('the second subflow to the same address', async () => {
        return (await lab.peer.counts()).of(`syn/${PORT}`) >= 2 ? true : null;
      });
      // The peer told its second address together with the first answers.
      await until('much more talk', async () => ((await lab.peer.counts()).of('tag/multipath') > 200 ? true : null), TALK_LIMIT_MS);
      const counts = await lab.peer.counts();
      assert.deepEqual([counts.lost, counts.of(`tcp/${SECOND_PORT}`)], [0, 0]);
      await talking.end();
      await server.end();
    });
  }

  test('a deny rule ends every subflow of an open connection', async (t) => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    const server = await prepare(lab);
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    const path = copyInto(lab, program('multipath'));
    await client.addRule({ action: 'allow', path });
    await lab.peer.watch();
    const talking = await talk(lab, path);
    await until('a further subflow', async () => ((await lab.peer.counts()).of(`syn/${SECOND_PORT}`) > 0 ? true : null));
    await client.addRule({ action: 'deny', path });
    await talking.ask();
    await lab.peer.watch();
    await observe(OBSERVED_MS);
    const counts = await lab.peer.counts();
    assert.deepEqual([counts.lost, counts.of('tag/multipath')], [0, 0]);
    assert.equal(await talking.ask(), '0', 'something came back');
    await talking.end();
    await server.end();
  });
});
