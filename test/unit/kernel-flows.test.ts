/** Connections that the kernel decided by itself: what the engine makes of what it is told of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FlowEnd, FlowRecord } from '../../helper/engine-api.ts';
import { TURN_EVENTS, WAITING_EVENTS } from '../../helper/engine/kernel-flows.ts';
import type { Ask, FlowEvent } from '../../helper/ports.ts';
import { Rig } from './engine-support.ts';
import type { AskChange } from './engine-support.ts';
import { rule } from './policy-support.ts';

const PATH = '/usr/bin/curl';
const NS_PER_MS = 1_000_000n;
const allowCurl = rule('curl', 'allow', { path: PATH });

class FlowRig {
  readonly rig: Rig;
  readonly ends: FlowEnd[] = [];
  readonly ended: FlowRecord[] = [];

  constructor(rig: Rig) {
    this.rig = rig;
    rig.engine.onEvents({
      flowsEnded: (ends, records) => {
        this.ends.push(...ends);
        this.ended.push(...records);
      },
    });
  }

  event(ask: Ask, change: Partial<FlowEvent> = {}): FlowEvent {
    const { tuple, attribution, interfaceName, lengthBytes, origin } = ask;
    return {
      kind: 'ended', tuple, attribution, interfaceName, lengthBytes, origin, cookie: attribution.owner?.cookie ?? 0n, inbound: false,
      beganNs: this.rig.time.ns - 2000n * NS_PER_MS, timeNs: this.rig.time.ns - 1000n * NS_PER_MS, sentBytes: 300, receivedBytes: 4000,
      generation: this.rig.dataPath.generations, hitSlot: 1, ...change,
    };
  }

  tell(ask: Ask, change: Partial<FlowEvent> = {}): void {
    this.rig.engine.onFlows([this.event(ask, change)]);
  }

  /** A flow that the engine decides. */
  asked(change: AskChange): Ask {
    const ask = this.rig.make(change);
    this.rig.engine.onAsks([ask]);
    return ask;
  }

  /** A flow that nobody was asked about. */
  other(cookie: bigint, change: AskChange = {}): Ask {
    return this.rig.make({ ...change, owner: { cookie, ...change.owner } });
  }

  get last(): FlowRecord | undefined {
    return this.rig.flows.at(-1);
  }
}

describe('what the kernel tells of connections', () => {
  test('one that was asked about gets its end and what it moved in its own record', async () => {
    const one = new FlowRig(Rig.with([allowCurl]));
    const ask = one.asked({ owner: { cookie: 5n } });
    const [asked] = one.rig.flows;
    one.tell(ask, { kind: 'open' });
    one.tell(ask);
    assert.equal(one.rig.flows.length, 1);
    assert.deepEqual(one.ends, [{ id: asked?.id, endedMs: one.rig.time.wallMs() - 1000, sentBytes: 300, receivedBytes: 4000 }]);
    const { rows } = await one.rig.engine.flows({}, 10, '');
    assert.deepEqual(rows, [{ ...asked, endedMs: one.rig.time.wallMs() - 1000, sentBytes: 300, receivedBytes: 4000 }]);
    assert.deepEqual(one.ended, rows);
  });

  test('one that is asked about again while it is open has one record that waits for its end, with its bytes once', async () => {
    const one = new FlowRig(Rig.with([allowCurl]));
    const ask = one.asked({ owner: { cookie: 5n } });
    one.rig.time.pass(1000);
    one.rig.engine.onAsks([{ ...one.rig.make({ owner: { cookie: 5n } }), tuple: ask.tuple }]);
    const againMs = one.rig.time.wallMs();
    one.tell(ask);
    const { rows } = await one.rig.engine.flows({}, 10, '');
    assert.deepEqual(rows.map(({ id, endedMs, sentBytes, receivedBytes }) => [id, endedMs, sentBytes, receivedBytes]), [
      ['f1', againMs, 0, 0], ['f0', againMs - 1000, 300, 4000],
    ]);
    assert.deepEqual(one.ends.map(({ id }) => id), ['f0']);
  });

  test('a socket that connects to another place before the end of its first connection was told has a record for each', () => {
    const one = new FlowRig(Rig.with([allowCurl]));
    const first = one.asked({ owner: { cookie: 5n } });
    const second = { ...one.rig.make({ owner: { cookie: 5n } }), tuple: { ...first.tuple, destinationAddress: '192.0.2.77' } };
    one.rig.engine.onAsks([second]);
    one.tell(second);
    assert.deepEqual(one.ends.map(({ id }) => id), ['f1']);
  });

  test('one that was not becomes a flow with its rule, its times and its program', async () => {
    const one = new FlowRig(Rig.with([rule('another', 'deny', { path: '/usr/bin/other' }), allowCurl]));
    one.rig.identities.known.set(PATH, { identity: { path: PATH, package: 'curl' }, ancestors: [{ pid: 7, path: '/usr/bin/make', command: 'make' }] });
    one.tell(one.other(6n), { hitSlot: 2 });
    assert.deepEqual(one.last?.decision, { action: 'allow', reason: 'remembered', ruleId: 'curl' });
    assert.deepEqual([one.last.timeMs, one.last.endedMs], [one.rig.time.wallMs() - 2000, one.rig.time.wallMs() - 1000]);
    assert.deepEqual([one.last.sentBytes, one.last.receivedBytes, one.last.answersPeer], [300, 4000, false]);
    assert.deepEqual([one.last.identity?.package, one.last.ancestors?.length, one.last.pid], ['curl', 1, one.other(6n).attribution.owner?.pid]);
    assert.equal((await one.rig.engine.explain(one.last.id)).text.split(';')[0], 'Allowed in the kernel, by what it remembers of the rule “curl”');
  });

  test('one that is open is recorded once, and completed at its end', () => {
    const one = new FlowRig(Rig.with([allowCurl]));
    one.tell(one.other(6n), { kind: 'open' });
    assert.equal(one.last?.endedMs, undefined);
    one.tell(one.other(6n));
    assert.deepEqual([one.rig.flows.length, one.ends[0]?.id], [1, one.last?.id]);
    one.tell(one.other(6n));
    assert.equal(one.rig.flows.length, 2, 'the same socket may be connected again');
  });

  test('an accepted one that was asked about is found by its addresses, because the question was the listener\'s', () => {
    const one = new FlowRig(Rig.with([allowCurl]));
    const ask = one.asked({ owner: { cookie: 5n }, answersPeer: true });
    one.tell(ask, { inbound: true, cookie: 17n });
    assert.deepEqual([one.rig.flows.length, one.ends.length], [1, 1]);
    one.tell(one.other(5n, { tuple: { sourcePort: 81 } }), { inbound: true, cookie: 18n });
    assert.equal(one.last?.answersPeer, true);
  });

  test('the rule is the one of the generation that decided, also when the rules have changed meanwhile', () => {
    const one = new FlowRig(Rig.with([allowCurl]));
    const before = one.rig.dataPath.generations;
    one.rig.load([rule('a-new-one', 'deny', { path: '/usr/bin/other' }), allowCurl]);
    assert.ok(one.rig.dataPath.generations > before);
    for (const [generation, hitSlot, expected] of [[before, 1, 'curl'], [before + 1, 1, 'a-new-one'], [before + 1, 2, 'curl'], [before + 1, 0, null], [99, 1, null]] as const) {
      one.tell(one.other(BigInt(hitSlot * 100 + generation)), { generation, hitSlot });
      assert.equal(one.last?.decision.ruleId, expected);
    }
  });

  test('who the program is may be found out later: the connection does not wait, the next one of the process has it', async () => {
    const one = new FlowRig(Rig.with([allowCurl]));
    one.rig.identities.known.set(PATH, Promise.resolve({ identity: { path: PATH, package: 'curl' } }));
    one.tell(one.other(6n));
    assert.equal(one.last?.identity?.package, undefined);
    await new Promise(setImmediate);
    one.tell(one.other(7n));
    assert.equal(one.rig.flows.at(-1)?.identity?.package, 'curl');
  });

  test('many are recorded by turns, in order; what is too much is counted and left out', () => {
    const one = new FlowRig(Rig.with([allowCurl]));
    const plain = one.event(one.other(6n));
    const more = 100;
    one.rig.engine.onFlows(Array.from({ length: WAITING_EVENTS + more }, (_, number) => ({ ...plain, cookie: BigInt(1000 + number), sentBytes: number })));
    assert.equal(one.rig.flows.length, TURN_EVENTS);
    one.rig.time.pass(1000);
    assert.equal(one.rig.flows.length, WAITING_EVENTS);
    assert.ok(one.rig.flows.every(({ sentBytes }, number) => sentBytes === number));
    assert.equal(one.rig.engine.status().statistics.history_lost, more);
  });

  test('the last ones of a helper that stops are recorded at once, behind those that wait', () => {
    const one = new FlowRig(Rig.with([allowCurl]));
    const plain = one.event(one.other(6n));
    const events = (from: number, many: number): FlowEvent[] =>
      Array.from({ length: many }, (_, number) => ({ ...plain, cookie: BigInt(1000 + from + number), sentBytes: from + number }));
    one.rig.engine.onFlows(events(0, TURN_EVENTS * 3));
    one.rig.engine.onLastFlows(events(TURN_EVENTS * 3, TURN_EVENTS * 2));
    assert.deepEqual(one.rig.flows.map(({ sentBytes }) => sentBytes), Array.from({ length: TURN_EVENTS * 5 }, (_, number) => number));
    one.rig.time.pass(1000);
    assert.equal(one.rig.flows.length, TURN_EVENTS * 5);
  });

  test('a thousand processes at a time cost no more than some looks at who they are', () => {
    const one = new FlowRig(Rig.with([allowCurl]));
    let looks = 0;
    one.rig.identities.identify = (attribution) => {
      looks += 1;
      return attribution;
    };
    const events = Array.from({ length: 1000 }, (_, number) => one.event(one.other(BigInt(1000 + number), { owner: { pid: 5000 + number } })));
    one.rig.engine.onFlows(events);
    one.rig.time.pass(100);
    assert.equal(one.rig.flows.length, 1000);
    assert.ok(looks <= 200, String(looks));
    assert.equal(one.rig.flows.at(-1)?.path, PATH);
  });

  test('open ones are known to the next helper, which completes their records', async () => {
    const one = new FlowRig(Rig.with([allowCurl]));
    const ask = one.asked({ owner: { cookie: 5n } });
    await one.rig.engine.stop();
    const next = new FlowRig(new Rig(one.rig.runState));
    await next.rig.engine.restore();
    next.tell(ask);
    assert.deepEqual([next.rig.flows.length, next.ends.map(({ id }) => id)], [0, [one.rig.flows[0]?.id]]);
  });

  test('what the kernel tells follows the history\'s switch', () => {
    const { rig } = new FlowRig(Rig.with([allowCurl]));
    assert.equal(rig.dataPath.tellsFlows, true);
    const history = { enabled: false, names: true, keepDays: 1, maxMegabytes: 16, prometheusFile: null };
    rig.load([allowCurl], { history });
    assert.equal(rig.dataPath.tellsFlows, false);
  });
});
