/** What the kernel remembers when a rule goes or ends, when the helper restarts, and what it counts: on real connections. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { RuleEdit } from '../../helper/contract/types.ts';
import { Lab } from '../lab/lab.ts';
import { Traffic, trafficProgram } from '../leaks/support.ts';
import { clientOf, copyInto, inTime, noLab, onceWithin, promptFor, until } from './support.ts';

const ECHO = 7;
const MANY = 200;
const LIMIT_MS = 30_000;
/** A lost packet of an open connection is sent again after 200 ms at the earliest. Source: include/net/tcp.h TCP_RTO_MIN. */
const NO_GAP_MS = 190;

interface Open {
  readonly path: string;
  readonly id: string;
  readonly traffic: Traffic;
}

describe('memory', { skip: noLab() }, () => {
  let lab: Lab;
  let client: HelperClient;
  const open: Traffic[] = [];
  before(async () => {
    lab = await Lab.create();
    client = clientOf(lab);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((traffic) => traffic.end()));
  });
  after(async () => {
    client.close();
    await lab.dispose();
  });

  /** A program that sends without end, which a rule of its own allows. */
  async function allowed(name: string, way: 'stream' | 'datagrams', rule: RuleEdit = {}): Promise<Open> {
    const path = copyInto(lab, trafficProgram(), name);
    const id = await client.addRule({ action: 'allow', path, ...rule });
    const traffic = await Traffic.start(lab, [path, way, lab.peer4, String(ECHO), name]);
    open.push(traffic);
    return { path, id, traffic };
  }

  test('a rule that goes leaves an open connection undecided: it is asked about, and the answer lets it go on', async () => {
    const { path, id, traffic } = await allowed('asked-again', 'stream');
    await client.removeRule(id);
    const prompt = await promptFor(client, path);
    assert.equal(prompt.port, ECHO);
    await traffic.read();
    await client.answer(prompt.nonce, { action: 'allow', lifetime: 'once', scope: 'host' });
    const said = await traffic.total('received', MANY, LIMIT_MS);
    assert.deepEqual([said.error, said.endedMs], ['-', 0]);
  });

  test('a rule that holds for a time lets the connection go on without a gap until then, and no longer', async () => {
    await inTime([3, 6, 12, 24], async (seconds) => {
      const until_ms = Date.now() + seconds * 1000;
      const begun = await (async () => {
        const { path, traffic } = await allowed(`for-${String(seconds)}-s`, 'stream', { lifetime: 'until', until_ms });
        return { path, gapMs: (await traffic.total('received', MANY, LIMIT_MS)).gapMs };
      })().catch((error: unknown) => {
        if (Date.now() < until_ms) throw error;
        return null;
      });
      if (begun === null || Date.now() > until_ms - 500) return null;
      const { path, gapMs } = begun;
      const { raised_ms } = await promptFor(client, path);
      assert.ok(raised_ms >= until_ms - 1000, 'asked when the time was over');
      return gapMs < NO_GAP_MS ? true : null;
    });
  });

  test('what the kernel decides counts for the rule', async () => {
    const { id, traffic } = await allowed('counted', 'datagrams');
    const { received } = await traffic.total('received', MANY, LIMIT_MS);
    await until('the hits', async () => ((await client.getRule(id)).hits >= received ? true : null));
  });

  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    test(`a helper that comes back after ${signal} knows what was decided: nothing pauses, nobody is asked`, async () => {
      const { path, traffic } = await allowed(`survives-${signal}`, 'stream');
      await onceWithin(NO_GAP_MS, 'went without an answer', async () => {
        await traffic.read();
        const backMs = Date.now();
        await lab.restartHelper(signal);
        client.close();
        client = clientOf(lab);
        const { error, gapMs } = await traffic.total('received', MANY, LIMIT_MS);
        assert.equal(error, '-');
        assert.deepEqual((await client.queryFlows({ path, since_ms: backMs }, 10, '')).rows, []);
        return gapMs;
      });
    });
  }
});
