/** Every way that a program can send, in every state in which it may not: nothing arrives. Counted at the peer. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PeerCounts } from '../lab/lab.ts';
import { Lab } from '../lab/lab.ts';
import { clientOf, copyInto, noLab, program, promptFor, until } from '../integration/support.ts';

const FIRST_PORT = 21_000;
/** Ways that a kernel may lack. */
const OPTIONAL = new Set(['udplite', 'multipath']);
/** Ways whose first packets carry no text: counted by their port, which nobody else connects to. */
const STREAMS = new Set(['stream4', 'stream6', 'multipath', 'inherited-stream', 'fast-open']);

interface Way {
  readonly name: string;
  readonly port: number;
}

const STATES = [
  { state: 'no rule', defaultAction: 'deny' },
  { state: 'denied', defaultAction: 'deny' },
  { state: 'prompt open', defaultAction: 'ask' },
  { state: 'helper standing still', defaultAction: 'ask' },
  { state: 'helper killed', defaultAction: 'ask' },
  { state: 'helper stopped', defaultAction: 'ask' },
] as const;

/** Every way once; those that the kernel lacks are left out. */
async function attempt(lab: Lab, sender: string, lender: string, tag: string): Promise<Way[]> {
  const { stdout, status, stderr } = await lab.run([sender, 'try', lab.peer4, lab.peer6, String(FIRST_PORT), tag, lender]);
  assert.equal(status, 0, stderr);
  return stdout.trim().split('\n').flatMap((line, index) => {
    const [name = '', said = ''] = line.split(' ');
    return OPTIONAL.has(name) && said === 'EPROTONOSUPPORT' ? [] : [{ name, port: FIRST_PORT + index }];
  });
}

function arrived(counts: PeerCounts, { name, port }: Way, tag: string): number {
  if (STREAMS.has(name)) return counts.of(`syn/${String(port)}`) + counts.of(`syn6/${String(port)}`);
  return counts.of(`tag/${tag}-${name}`);
}

/** Waits until a datagram of the lender has arrived that was sent after all others: the queue keeps their order. */
async function settle(lab: Lab, lender: string): Promise<PeerCounts> {
  const tag = 'last';
  return until('the last datagram', async () => {
    await lab.run([lender, 'lend', 'alone', lab.peer4, '7', lender, `lab-tag:${tag};`]);
    const counts = await lab.peer.counts();
    return counts.of(`tag/${tag}`) > 0 ? counts : null;
  });
}

describe('an intruder that tries every way to send', { skip: noLab() }, () => {
  test('when it is allowed, every way arrives: the other counts mean something', async () => {
    await using lab = await Lab.create({ defaultAction: 'allow' });
    const lender = copyInto(lab, program('leak'), 'lender');
    await lab.peer.watch();
    const ways = await attempt(lab, lender, lender, 'lent');
    const counts = await settle(lab, lender);
    assert.equal(counts.lost, 0);
    assert.deepEqual(ways.filter((way) => arrived(counts, way, 'lent') === 0), []);
  });

  for (const { state, defaultAction } of STATES) {
    test(`${state}: nothing arrives, also not by the permission of another program`, async () => {
      await using lab = await Lab.create({ defaultAction });
      const client = clientOf(lab);
      try {
        const intruder = copyInto(lab, program('leak'), 'intruder');
        const lender = copyInto(lab, program('leak'), 'lender');
        await client.addRule({ action: 'allow', path: lender });
        if (state === 'denied') await client.addRule({ action: 'deny', path: intruder });
        // From here on the kernel remembers what the lender may do.
        await lab.peer.watch();
        await attempt(lab, lender, lender, 'lent');
        await settle(lab, lender);
        if (state === 'prompt open') {
          await attempt(lab, intruder, lender, 'first');
          await promptFor(client, intruder);
        }
        if (state === 'helper standing still') process.kill(lab.helperPid, 'SIGSTOP');
        if (state === 'helper killed') await lab.stopHelper('SIGKILL');
        if (state === 'helper stopped') await lab.stopHelper('SIGTERM');
        await lab.peer.watch();
        const ways = await attempt(lab, intruder, lender, 'leak');
        const counts = await settle(lab, lender);
        assert.equal(counts.lost, 0);
        assert.deepEqual(ways.filter((way) => arrived(counts, way, 'leak') > 0), []);
      } finally {
        if (state === 'helper standing still') process.kill(lab.helperPid, 'SIGCONT');
        client.close();
      }
    });
  }
});
