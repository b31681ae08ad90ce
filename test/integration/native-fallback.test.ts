/** Without kernel programs: sock_diag and /proc. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { Bed, PEER4, PEER6, endInput, missingForBed, saidReady } from './support-native/bed.ts';
import { until } from './support.ts';
import { programDecision } from './support-native/journey.ts';

const missing = missingForBed();

describe('fallback identification', { skip: missing ?? false }, () => {
  let bed: Bed;

  before(async () => {
    bed = new Bed();
    await bed.peer.ready();
  });
  afterEach(() => bed.closeHosts());
  after(() => bed.close());

  test('a program that waits for its answer is found, over TCP, UDP and ICMP, IPv4 and IPv6', async () => {
    const host = await bed.open({ kernel: null });
    for (const address of [PEER4, PEER6]) {
      for (const [program, args] of [
        [bed.program, ['tcp', address, 7]], [bed.program, ['udp-echo', address, 7]], ['/usr/bin/ping', ['-c1', '-W5', address]],
      ] as const) {
        const ended = bed.run(program, args);
        const ask = await host.nextAsk();
        assert.equal(ask.evidence, 'sock_diag', JSON.stringify(ask.tuple));
        assert.match(ask.path ?? '', program === bed.program ? /\/traffic$/u : /\/ping$/u);
        assert.equal(ask.owner?.uid, 0);
        await host.answer({ id: ask.id, verdict: 'accept' });
        assert.equal(await ended, 0);
      }
    }
  });

  test('programs that wait at the same time are each found as themselves', async () => {
    const host = await bed.open({ kernel: null });
    const programs = Array.from({ length: 12 }, (_, number) => bed.copy(`together-${String(number)}`));
    const ended = programs.map((program) => bed.run(program, ['tcp', PEER4, 7]));
    const asks = await host.until('every ask', () => (host.asks.length === programs.length ? host.asks : null));
    assert.deepEqual(asks.map((ask) => ask.path).sort(), [...programs].sort());
    assert.equal(new Set(asks.map((ask) => ask.owner?.pid)).size, programs.length);
    for (const ask of asks) await host.answer({ id: ask.id, verdict: 'accept' });
    assert.deepEqual(await Promise.all(ended), programs.map(() => 0));
  });

  test('a decision for a program is repeated by the thread for its next connection', async () => {
    const host = await bed.open({ kernel: null });
    const first = bed.traffic('tcp', PEER4, 7);
    const ask = await host.nextAsk();
    await host.call({ op: 'remember', entries: [programDecision(ask, 'accept')] });
    await host.answer({ id: ask.id, verdict: 'accept' });
    assert.equal(await first, 0);
    assert.equal(await bed.traffic('tcp', PEER4, 7), 0);
    const { asks, remembered } = await host.counters();
    assert.deepEqual({ asks, remembered }, { asks: 1, remembered: 1 });
  });

  test('a socket that two programs hold is nobody\'s', async () => {
    const host = await bed.open({ kernel: null });
    const child = await saidReady(bed.start(bed.program, ['udp-shared', PEER4, 7, bed.copy('sharer')]));
    child.stdin?.write('1\n');
    const ask = await host.nextAsk();
    assert.equal(ask.owner, null);
    assert.equal(ask.evidence, 'none');
    await endInput(child);
  });

  test('a program that is gone before anybody looks is unknown, and its packet is refused by default', async () => {
    const host = await bed.open({ kernel: null, answerDeadlineMs: 300 });
    const seen = await bed.peer.seen();
    await bed.traffic('burst', PEER4, 7, 20, 'udp-send');
    // Two of them that happen on the same port are one ask: packets count.
    await until('every packet to get its verdict', async () => {
      const { packets, held } = await host.counters();
      return packets >= 20 && held === 0 ? true : null;
    });
    await host.until('the end of every ask', () => (host.ended.length === host.asks.length ? true : null));
    assert.ok(host.asks.length > 0);
    assert.deepEqual(await bed.peer.seen(), seen);
  });
});
