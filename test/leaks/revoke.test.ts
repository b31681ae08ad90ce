/** Flows that are open when a rule changes: denied ones end with their next packet, allowed ones do not notice. */
import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import { clientOf, copyInto, noLab, until } from '../integration/support.ts';
import { OBSERVED_MS, Traffic, observe, trafficProgram } from './support.ts';

/** After it nothing may arrive. */
const LAST_PACKET_MS = 1000;
const LONGEST_GAP_MS = 150;
const TRIES = 300;
const UNRELATED_RULES = 10;
/** What rules do to a flow they do each time; that a busy machine gives a program no turn for so long happens now and then. */
const CHANCES = 4;
const FLOW_LIMIT_MS = 30_000;
/** More than any test downloads. */
const ENDLESS_BYTES = '1000000000000';

interface Kind {
  readonly name: string;
  readonly kind: 'stream' | 'fetch' | 'datagrams' | 'anew' | 'connect';
  readonly family: 4 | 6;
}

const STREAMS: readonly Kind[] = [
  { name: 'upload over TCP', kind: 'stream', family: 4 },
  { name: 'upload over TCP', kind: 'stream', family: 6 },
  { name: 'download over TCP', kind: 'fetch', family: 4 },
  { name: 'download over TCP', kind: 'fetch', family: 6 },
];
const DATAGRAMS: readonly Kind[] = [
  { name: 'connected UDP', kind: 'datagrams', family: 4 },
  { name: 'connected UDP', kind: 'datagrams', family: 6 },
  { name: 'unconnected UDP', kind: 'anew', family: 4 },
];

function words(lab: Lab, path: string, { kind, family }: Kind): string[] {
  const peer = family === 4 ? lab.peer4 : lab.peer6;
  if (kind === 'fetch') return [path, kind, peer, '80', ENDLESS_BYTES];
  if (kind === 'connect') return [path, kind, peer, '7', '2000'];
  return [path, kind, peer, '7', 'lab-tag:open;'];
}

/** Packets of the flow that hold anything; a bare reset or a last acknowledgement does not. */
async function arrived(lab: Lab): Promise<number> {
  const counts = await lab.peer.counts();
  assert.equal(counts.lost, 0);
  return counts.of('tag/open') + counts.of('tcp/80') + counts.of('tcp6/80');
}

describe('a deny rule that comes while a flow is open', { skip: noLab() }, () => {
  for (const kind of STREAMS) {
    test(`${kind.name}, IPv${String(kind.family)}: the program is told at once, and nothing arrives any more`, async (t) => {
      await using lab = await Lab.create({ defaultAction: 'deny' });
      const client = clientOf(lab);
      t.after(() => { client.close(); });
      const path = copyInto(lab, trafficProgram());
      await client.addRule({ action: 'allow', path });
      const traffic = await Traffic.start(lab, words(lab, path, kind));
      await traffic.total('received', 100_000, FLOW_LIMIT_MS);
      await client.addRule({ action: 'deny', path });
      const ended = await until('the end of the stream', async () => {
        const line = await traffic.read();
        return line.endedMs === 0 ? null : line;
      });
      // Its socket was reset: one whose packets are dropped ends with ETIMEDOUT, after minutes.
      assert.equal(ended.error, 'ECONNABORTED');
      await observe(LAST_PACKET_MS);
      await lab.peer.watch();
      await observe(OBSERVED_MS);
      assert.equal(await arrived(lab), 0);
      assert.equal((await traffic.read()).received, 0);
      await traffic.end();
    });
  }

  for (const kind of DATAGRAMS) {
    test(`${kind.name}, IPv${String(kind.family)}: nothing arrives any more, and nothing comes back`, async (t) => {
      await using lab = await Lab.create({ defaultAction: 'deny' });
      const client = clientOf(lab);
      t.after(() => { client.close(); });
      const path = copyInto(lab, trafficProgram());
      await client.addRule({ action: 'allow', path });
      const traffic = await Traffic.start(lab, words(lab, path, kind));
      await traffic.total('received', TRIES, FLOW_LIMIT_MS);
      await client.addRule({ action: 'deny', path });
      await traffic.read();
      await lab.peer.watch();
      const after = await traffic.total('sent', TRIES, FLOW_LIMIT_MS);
      assert.equal(await arrived(lab), 0);
      assert.equal(after.received, 0);
      assert.ok(after.refused > 0, 'the program was not told');
      await traffic.end();
    });
  }

  test('with netfilter emptied and the helper killed afterwards the denial holds', async (t) => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    const path = copyInto(lab, trafficProgram());
    await client.addRule({ action: 'allow', path });
    const traffic = await Traffic.start(lab, words(lab, path, { name: '', kind: 'datagrams', family: 4 }));
    await client.addRule({ action: 'deny', path });
    await lab.stopHelper('SIGKILL');
    await lab.run(['nft', 'flush', 'ruleset'], { as: 'root' });
    await traffic.read();
    await lab.peer.watch();
    const after = await traffic.total('sent', TRIES, FLOW_LIMIT_MS);
    assert.deepEqual([await arrived(lab), after.received], [0, 0]);
    await traffic.end();
  });
});

describe('rules that have nothing to do with an open flow', { skip: noLab() }, () => {
  for (const kind of [...STREAMS, ...DATAGRAMS, { name: 'new TCP connections', kind: 'connect', family: 4 } as const]) {
    test(`${kind.name}, IPv${String(kind.family)}: no gap of ${String(LONGEST_GAP_MS)} ms more than without them`, async (t) => {
      await using lab = await Lab.create({ defaultAction: 'deny' });
      const client = clientOf(lab);
      t.after(() => { client.close(); });
      const path = copyInto(lab, trafficProgram());
      await client.addRule({ action: 'allow', path });
      const traffic = await Traffic.start(lab, words(lab, path, kind));
      /** Beyond the longest one while nothing changes. */
      const gaps: number[] = [];
      await traffic.read();
      do {
        const before = await traffic.total('received', TRIES, FLOW_LIMIT_MS);
        for (let count = 0; count < UNRELATED_RULES; count += 1) {
          await client.addRule({ action: count % 2 === 0 ? 'deny' : 'allow', path: `/usr/bin/unrelated-${String(gaps.length)}-${String(count)}` });
        }
        const after = await traffic.total('received', TRIES, FLOW_LIMIT_MS);
        assert.deepEqual([after.refused, after.endedMs], [0, 0]);
        gaps.push(after.gapMs - before.gapMs);
      } while (Math.min(...gaps) > LONGEST_GAP_MS && gaps.length < CHANCES);
      const told = `the longest gap grew by ${gaps.map((gap) => gap.toFixed(1)).join(', then ')} ms`;
      t.diagnostic(told);
      assert.ok(Math.min(...gaps) <= LONGEST_GAP_MS, told);
      await traffic.end();
    });
  }
});

describe('the file of a running program is replaced', { skip: noLab() }, () => {
  for (const kind of [
    { name: 'its connection', kind: 'stream', family: 4 }, { name: 'its datagrams', kind: 'datagrams', family: 6 },
    { name: 'its next connections', kind: 'connect', family: 4 },
  ] as const satisfies readonly Kind[]) {
    test(`${kind.name} and the rule: judged anew, as a program that the rule does not name`, async (t) => {
      await using lab = await Lab.create({ defaultAction: 'deny' });
      const client = clientOf(lab);
      t.after(() => { client.close(); });
      const path = copyInto(lab, trafficProgram());
      const next = copyInto(lab, trafficProgram(), 'next');
      await client.addRule({ action: 'allow', path });
      const traffic = await Traffic.start(lab, words(lab, path, kind));
      renameSync(next, path);
      await until('the end of the flow', async () => {
        await traffic.read();
        await lab.peer.watch();
        await observe(OBSERVED_MS);
        const line = await traffic.read();
        return await arrived(lab) === 0 && (line.endedMs !== 0 || line.received === 0) ? true : null;
      });
      const successor = await Traffic.start(lab, words(lab, path, kind));
      await successor.total('received', 1, FLOW_LIMIT_MS);
      await successor.end();
      await traffic.end();
    });
  }
});
