/** The gate and what the kernel remembers: by the socket, whatever others do to netfilter, and over the helper's death. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import type { NativeAsk, NativeForm, NativeRemembered, NativeTraffic, NativeVerdict } from '../../native/binding.ts';
import { Bed, PEER4, PEER6, missingForBed } from './support-native/bed.ts';
import type { Host } from './support-native/host-client.ts';
import { until } from './support.ts';
import { programDecision } from './support-native/journey.ts';
import { Talker, startEcho } from './support-native/talker.ts';

const missing = missingForBed();
const POLICY = 7n;
const ECHO_PORT = 9400;
/** errno of a connection that nobody answered within the program's patience, and of a datagram that the kernel refused. */
const EPERM = 1;

describe('gate', { skip: missing ?? false }, () => {
  let bed: Bed;
  const talkers: Talker[] = [];

  before(async () => {
    bed = new Bed();
    await bed.peer.ready();
    await startEcho(bed, ECHO_PORT);
    await startEcho(bed, ECHO_PORT + 1);
  });
  afterEach(async () => {
    await Promise.all(talkers.splice(0).map((talker) => talker.end()));
    await bed.closeHosts();
  });
  after(() => bed.close());

  function talk(address = PEER4): Talker {
    const talker = new Talker(bed, address, ECHO_PORT);
    talkers.push(talker);
    return talker;
  }

  function replace(host: Host, programs: readonly NativeRemembered[], policy = POLICY): Promise<unknown> {
    return host.call({ op: 'replaceAll', programs, flows: [], policy });
  }

  function inForm(ask: NativeAsk, form: NativeForm, verdict: NativeVerdict = 'accept'): NativeRemembered {
    return { ...programDecision(ask, verdict), form };
  }

  /** A connection that is open, and the decision that opened it. */
  async function openTalk(host: Host, address = PEER4): Promise<{ readonly talker: Talker; readonly ask: NativeAsk }> {
    const talker = talk(address);
    const ask = await host.nextAsk();
    const said = talker.next();
    await replace(host, [programDecision(ask, 'accept')]);
    await host.answer({ id: ask.id, verdict: 'accept' });
    assert.equal(await said, 'connected');
    return { talker, ask };
  }

  for (const address of [PEER4, PEER6]) {
    test(`a flushed ruleset opens nothing undecided to ${address}; what is decided opens new connections`, async () => {
      const host = await bed.open();
      const { ask } = await openTalk(host, address);
      const before = await bed.peer.seen();
      bed.flushRules();
      const other = bed.copy(`stranger-${address.replaceAll(/[.:]/gu, '-')}`);
      assert.equal(await bed.run(other, ['udp-send', address, 7]), EPERM);
      const stranger = bed.run(other, ['tcp', address, 7]);
      const asked = await host.nextAsk((one) => one.path === other && one.tuple.protocol === 6);
      assert.deepEqual([asked.held, asked.evidence, asked.tuple.destinationAddress], [false, 'kernel', address]);
      assert.deepEqual(await bed.peer.seen(), before);
      assert.equal(await talk(address).next(), 'connected');

      await host.call({ op: 'remember', entries: [programDecision(asked, 'accept')] });
      await host.answer({ id: asked.id, verdict: 'accept' });
      assert.equal(await stranger, 0, 'the next SYN finds the answer');
      assert.notEqual(ask.path, other);
    });
  }

  test('a denial ends an open connection with its next packet, and tells the program', async () => {
    const host = await bed.open();
    for (const address of [PEER4, PEER6]) {
      const { talker, ask } = await openTalk(host, address);
      assert.equal(await talker.say('one'), 'one');
      await replace(host, [programDecision(ask, 'refuse')]);
      assert.equal(await talker.say('two'), 'ECONNABORTED');
    }
    // The program hears of its end before the thread that ended it has counted.
    const counters = await until('two sockets to be ended', async () => {
      const now = await host.counters();
      return now.socketsEnded >= 2 ? now : null;
    });
    assert.ok(counters.gateRefused >= 2);
    assert.equal(counters.socketsEnded, 2);
  });

  test('an allowance that stays lets an open connection go on without a question', async () => {
    const host = await bed.open();
    const { talker, ask } = await openTalk(host);
    const { gateUndecided } = await host.counters();
    for (let round = 0; round < 20; round += 1) {
      await replace(host, [programDecision(ask, 'accept')]);
      assert.equal(await talker.say(`line ${String(round)}`), `line ${String(round)}`);
    }
    assert.deepEqual([host.asks.length, (await host.counters()).gateUndecided], [0, gateUndecided]);
  });

  test('what nobody decides any more is asked about, and goes on when it is allowed', async () => {
    const host = await bed.open();
    const { talker } = await openTalk(host);
    await replace(host, []);
    const answer = talker.say('waits');
    const ask = await host.nextAsk();
    assert.equal(ask.held, false);
    await host.call({ op: 'remember', entries: [programDecision(ask, 'accept')] });
    await host.answer({ id: ask.id, verdict: 'accept' });
    assert.equal(await answer, 'waits');
  });

  test('a form says as much as its name: any address, any port, the whole program', async () => {
    const host = await bed.open();
    const ended = bed.traffic('tcp', PEER4, ECHO_PORT);
    const ask = await host.nextAsk();
    await host.answer({ id: ask.id, verdict: 'accept' });
    assert.equal(await ended, 0);
    /** Is a connection decided without a question? */
    const decides = async (address: string, port: number): Promise<boolean> => {
      let ended: number | null = null;
      const status = bed.traffic('tcp', address, port).then((code) => { ended = code; });
      const first = await until('an end or an ask', () => Promise.resolve(host.asks[0] ?? ended));
      if (typeof first === 'number') return first === 0;
      host.asks.shift();
      await host.answer({ id: first.id, verdict: 'refuse' });
      await status;
      return false;
    };
    const reach: Readonly<Record<NativeForm, readonly boolean[]>> = {
      'exact': [true, false, false, false],
      'any-address': [true, true, false, false],
      'any-port': [true, false, true, false],
      'program': [true, true, true, true],
    };
    for (const form of ['exact', 'any-address', 'any-port', 'program'] as const) {
      await replace(host, [inForm(ask, form)]);
      const found = [];
      for (const port of [ECHO_PORT, ECHO_PORT + 1]) for (const address of [PEER4, PEER6]) found.push(await decides(address, port));
      assert.deepEqual(found, reach[form], form);
    }
  });

  test('a new helper with the same policy takes over what was decided, one with another forgets it', async () => {
    const first = await bed.open();
    const { talker, ask } = await openTalk(first);
    await first.kill();
    assert.equal(await talker.say('alone'), 'alone');
    const second = bed.newHost();
    await second.open(bed.addon, bed.options());
    assert.equal(await second.call({ op: 'adopt', policy: POLICY }), true);
    assert.equal(await talker.say('adopted'), 'adopted');
    assert.equal(second.asks.length, 0);
    await second.kill();

    const third = bed.newHost();
    await third.open(bed.addon, bed.options());
    assert.equal(await third.call({ op: 'adopt', policy: POLICY + 1n }), false);
    const answer = talker.say('again');
    const again = await third.nextAsk();
    assert.equal(again.owner?.pid, ask.owner?.pid);
    await third.call({ op: 'remember', entries: [programDecision(again, 'accept')] });
    assert.equal(await answer, 'again');
  });

  test('a helper that dies while it replaces what is remembered leaves no policy behind', async () => {
    const first = await bed.open();
    await replace(first, [], 0n);
    await first.kill();
    const second = bed.newHost();
    await second.open(bed.addon, bed.options());
    assert.equal(await second.call({ op: 'adopt', policy: 0n }), false);
  });

  test('where undecided packets may pass, a denial still holds', async () => {
    const host = await bed.open();
    const { talker, ask } = await openTalk(host);
    await talker.end();
    await host.call({ op: 'setGate', posture: { undecided: 'pass', whenAway: 'pass', untracked: 'drop' } });
    await replace(host, [inForm(ask, 'program', 'refuse')]);
    bed.flushRules();
    assert.equal(await bed.run(bed.copy('anybody'), ['udp-echo', PEER4, 7]), 0);
    assert.equal(await talk().next(), 'ECONNABORTED');
  });

  test('with the helper away undecided packets pass only where that was said before', async () => {
    for (const whenAway of ['drop', 'pass'] as const) {
      const host = await bed.open();
      const other = bed.copy(`away-${whenAway}`);
      await host.call({ op: 'setGate', posture: { undecided: 'drop', whenAway, untracked: 'drop' } });
      bed.flushRules();
      assert.equal(await bed.run(other, ['udp-send', PEER4, 7]), EPERM, 'the helper is there');
      await host.call({ op: 'close', unpin: false });
      await host.stop();
      assert.equal(await bed.run(other, ['udp-send', PEER4, 7]), whenAway === 'pass' ? 0 : EPERM);
    }
  });

  test('uses and bytes are counted for the rule and the program', async () => {
    const host = await bed.open();
    const ended = bed.traffic('udp-echo', PEER4, 7);
    const ask = await host.nextAsk();
    await replace(host, [{ ...inForm(ask, 'program'), hitSlot: 5 }]);
    await host.answer({ id: ask.id, verdict: 'accept' });
    assert.equal(await ended, 0);
    const total = async (): Promise<NativeTraffic | undefined> => (await host.call({ op: 'traffic' }) as readonly NativeTraffic[]).find((one) => one.path === bed.program);
    const [hitsBefore, before] = [await host.call({ op: 'hits' }) as readonly number[], await total()];
    assert.equal(await bed.traffic('udp-echo', PEER4, 7), 0);
    const [hits, after] = [await host.call({ op: 'hits' }) as readonly number[], await total()];
    assert.equal((hits[5] ?? 0) - (hitsBefore[5] ?? 0), 1);
    assert.equal((after?.sentPackets ?? 0) - (before?.sentPackets ?? 0), 1);
    assert.equal((after?.receivedPackets ?? 0) - (before?.receivedPackets ?? 0), 1);
    assert.equal((after?.sentBytes ?? 0) - (before?.sentBytes ?? 0), (after?.receivedBytes ?? 0) - (before?.receivedBytes ?? 0));
  });
});
