/** Packets held, asked about and decided, in namespaces of the test's own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { Bed, CLIENT4, PEER4, PEER6, endInput, missingForBed, saidReady } from './support-native/bed.ts';
import { HostError } from './support-native/host-client.ts';
import { answersObeyed, deadlineGivesDefault, decidesWithoutAsking, letAskExpire, limitsHold, programDecision } from './support-native/journey.ts';

const ECONNREFUSED = 111;
const EHOSTUNREACH = 113;
const EACCES = 13;
/** Of asks that are answered in time, on a busy machine too; those that are not are waited for. */
const ANSWERED_MS = 1500;
const BURST = process.env['BASTION_TEST_SIZE'] === 'full' ? 1000 : 300;

const missing = missingForBed();

describe('native data path', { skip: missing ?? false }, () => {
  let bed: Bed;

  before(async () => {
    bed = new Bed();
    await bed.peer.ready();
  });
  afterEach(() => bed.closeHosts());
  after(() => bed.close());

  test('ask: names program, user and destination of TCP, UDP over IPv4 and IPv6, and the answer is obeyed', async () => {
    await answersObeyed(bed, await bed.open());
  });

  test('ask: a ping is held with its type as port and gets through when it is accepted', async () => {
    const host = await bed.open();
    for (const [address, type] of [[PEER4, 8], [PEER6, 128]] as const) {
      const ended = bed.run('/usr/bin/ping', ['-c1', '-W5', address]);
      const ask = await host.nextAsk();
      assert.equal(ask.tuple.destinationPort, type);
      assert.match(ask.path ?? '', /\/ping$/u);
      await host.answer({ id: ask.id, verdict: 'accept' });
      assert.equal(await ended, 0);
    }
  });

  test('refuse: TCP is reset at once, UDP gets an ICMP error, nothing reaches the peer', async () => {
    const host = await bed.open();
    host.policy = () => ({ verdict: 'refuse' });
    const seen = await bed.peer.seen();
    assert.equal(await bed.traffic('tcp', PEER4, 7), ECONNREFUSED);
    assert.equal(await bed.traffic('tcp', PEER6, 7), ECONNREFUSED);
    assert.equal(await bed.traffic('udp-echo', PEER4, 7), EHOSTUNREACH);
    assert.equal(await bed.traffic('udp-echo', PEER6, 7), EACCES);
    assert.deepEqual(await bed.peer.seen(), seen);
  });

  test('drop: the packet vanishes, and its retransmit is a new ask of the same flow', async () => {
    const host = await bed.open();
    const ended = bed.traffic('tcp', PEER4, 7);
    const first = await host.nextAsk();
    await host.answer({ id: first.id, verdict: 'drop' });
    const second = await host.nextAsk();
    assert.deepEqual(second.tuple, first.tuple);
    await host.answer({ id: second.id, verdict: 'accept' });
    assert.equal(await ended, 0);
  });

  test('hold: a held connection outlives the answer deadline and succeeds with its first packet', async () => {
    const host = await bed.open({ answerDeadlineMs: ANSWERED_MS });
    const ended = bed.traffic('tcp', PEER4, 7);
    const ask = await host.nextAsk();
    await host.answer({ id: ask.id, verdict: 'hold', deadlineNs: ask.heldAtNs + 60_000_000_000n });
    await letAskExpire(bed, host);
    assert.equal((await host.counters()).held, 1);
    assert.equal(await host.answer({ id: ask.id, verdict: 'accept' }), 1);
    assert.equal(await ended, 0);
  });

  test('deadline: an ask that nobody answers gets the default verdict and is said to have ended', async () => {
    await deadlineGivesDefault(bed, await bed.open({ answerDeadlineMs: 300 }));
  });

  test('deadline: a blocked JavaScript thread neither opens an undecided flow nor delays a remembered one', async () => {
    const host = await bed.open({ answerDeadlineMs: ANSWERED_MS });
    const decided = bed.traffic('udp-echo', PEER4, 7);
    const ask = await host.nextAsk();
    await host.call({ op: 'remember', entries: [programDecision(ask, 'accept')] });
    await host.answer({ id: ask.id, verdict: 'accept' });
    assert.equal(await decided, 0);
    const stranger = bed.copy('stranger');
    const fifo = join(bed.folder, 'block');
    execFileSync('mkfifo', [fifo]);
    await host.call({ op: 'block', fifo });
    try {
      assert.equal(await bed.run(stranger, ['tcp', PEER4, 7]), ECONNREFUSED);
      assert.equal(await bed.traffic('udp-echo', PEER4, 7), 0);
    } finally {
      await writeFile(fifo, 'go on');
    }
    assert.equal((await host.counters()).defaultVerdicts, 1);
    assert.equal(host.asks.length, 0, 'an ask that had ended was told');
  });

  test('remember: kernel decisions of a flow and of a program are repeated without an ask, until they are forgotten', async () => {
    await decidesWithoutAsking(bed, await bed.open());
  });

  test('remember: an expired decision is asked about again', async () => {
    const host = await bed.open();
    const first = bed.traffic('tcp', PEER4, 7);
    const ask = await host.nextAsk();
    await host.call({ op: 'remember', entries: [programDecision(ask, 'accept', ask.heldAtNs)] });
    await host.answer({ id: ask.id, verdict: 'accept' });
    assert.equal(await first, 0);
    const second = bed.traffic('tcp', PEER4, 7);
    await host.answer({ id: (await host.nextAsk()).id, verdict: 'refuse' });
    assert.equal(await second, ECONNREFUSED);
  });

  test('remember: a decision is for one program only: a copy of it is asked about', async () => {
    const host = await bed.open();
    const first = bed.traffic('tcp', PEER4, 7);
    const ask = await host.nextAsk();
    await host.call({ op: 'remember', entries: [programDecision(ask, 'accept')] });
    await host.answer({ id: ask.id, verdict: 'accept' });
    assert.equal(await first, 0);
    const copy = bed.copy('copy');
    const second = bed.run(copy, ['tcp', PEER4, 7]);
    const other = await host.nextAsk();
    assert.equal(other.path, copy);
    await host.answer({ id: other.id, verdict: 'refuse' });
    assert.equal(await second, ECONNREFUSED);
  });

  test('remember: a socket inherited over exec does not carry the decisions of the program before', async () => {
    const host = await bed.open({ answerDeadlineMs: ANSWERED_MS });
    const heir = bed.copy('heir');
    const child = bed.start(bed.program, ['udp-pass-on', PEER4, 7, heir]);
    const first = await host.nextAsk();
    await host.answer({ id: first.id, verdict: 'accept', rememberUntilNs: 0n });
    await letAskExpire(bed, host);
    child.stdin?.write('1\n');
    const second = await host.nextAsk();
    assert.equal(first.path, bed.program);
    assert.equal(second.path, heir);
    assert.equal(second.owner?.cookie, first.owner?.cookie);
    await host.answer({ id: second.id, verdict: 'drop' });
    await endInput(child);
  });

  test('peers: an answer to who spoke first is told as one; what the server says first is not', async () => {
    const host = await bed.open();
    const server = await saidReady(bed.start(bed.program, ['udp-server', PEER4, 9100, 9007]));
    const spoken = bed.fromPeer('udp-echo', CLIENT4, 9007);
    const answer = await host.nextAsk();
    assert.equal(answer.answersPeer, true);
    await host.answer({ id: answer.id, verdict: 'accept' });
    assert.equal(await spoken, 0);

    server.stdin?.write('1\n');
    const ask = await host.nextAsk();
    assert.deepEqual([ask.tuple.destinationPort, ask.answersPeer], [9100, false]);
    await host.answer({ id: ask.id, verdict: 'drop' });
    const stranger = await saidReady(bed.startPeer('udp-server', CLIENT4, 9007, 9100));
    stranger.stdin?.write('1\n');
    const reply = await host.nextAsk();
    assert.deepEqual([reply.tuple.destinationPort, reply.answersPeer], [9100, false], 'a peer undid a refusal by speaking');
    await host.answer({ id: reply.id, verdict: 'drop' });
    await Promise.all([endInput(server), endInput(stranger)]);
  });

  for (const mode of ['tcp-exit', 'udp-send'] as const) {
    test(`ask: ${mode} processes that exit at once are all identified`, async () => {
      const host = await bed.open({ maxHeldPerUid: 1024, maxHeld: 1024 });
      const owners: (string | null)[] = [];
      host.policy = (ask) => {
        owners.push(ask.evidence === 'kernel' ? ask.path : null);
        return { verdict: 'drop' };
      };
      for (const address of [PEER4, PEER6]) await bed.traffic('burst', address, 7, BURST, mode);
      // Two processes of one program that happen on the same port at one time are one ask: packets count, not asks.
      const wanted = { packets: 2 * BURST, unidentified: 0, limitDrops: 0, dropped: 2 * BURST };
      for (let dropped = 0; dropped < wanted.dropped;) dropped = (await host.counters()).dropped;
      const { packets, unidentified, limitDrops, dropped } = await host.counters();
      assert.deepEqual({ packets, unidentified, limitDrops, dropped }, wanted);
      assert.deepEqual(owners.filter((path) => path !== bed.program), []);
    });
  }

  test('asks: a storm of them leaves the event loop its turns, four calls and 128 asks at most in each', async () => {
    const host = await bed.open({ maxHeldPerUid: 1024, maxHeld: 1024, answerDeadlineMs: 60_000 });
    await host.call({ op: 'labour', ms: 20 });
    await bed.traffic('burst', PEER4, 7, BURST, 'udp-send');
    // Two processes on the same port at one time are one ask.
    for (let packets = 0; packets < BURST;) ({ packets } = await host.counters());
    const { asks } = await host.counters();
    await host.until('every ask', () => (host.asks.length >= asks ? asks : null));
    assert.deepEqual(host.turns.filter((turn) => turn.calls > 4 || turn.asks > 128), []);
    const fifo = join(bed.folder, 'storm');
    execFileSync('mkfifo', [fifo]);
    await host.call({ op: 'block', fifo });
    await bed.traffic('burst', PEER6, 7, BURST, 'udp-send');
    await writeFile(fifo, 'go on');
    await host.until('the asks of the second storm', () => (host.asks.length > asks + 128 ? true : null));
    assert.deepEqual(host.turns.filter((turn) => turn.calls > 4 || turn.asks > 128), []);
    assert.ok(host.turns.some((turn) => turn.asks === 128), 'never as many as may be');
  });

  test('limits: packets over the limits of a flow and of a user are dropped and counted', async () => {
    await limitsHold(bed, await bed.open({ maxHeldPerFlow: 3, maxHeldPerUid: 5 }));
  });

  test('open: a queue of another process is named with EBUSY, and that process goes on', async () => {
    const first = await bed.open();
    const second = bed.newHost();
    await assert.rejects(second.open(bed.addon, bed.options()), (error: unknown) => {
      assert.ok(error instanceof HostError);
      assert.equal(error.code, 'EBUSY');
      assert.match(error.message, /queue 7 .*netlink port \d+/u);
      return true;
    });
    first.policy = () => ({ verdict: 'accept' });
    assert.equal(await bed.traffic('tcp', PEER4, 7), 0);
  });

  test('queue: one whose socket fails is closed meanwhile, said to be so, and opened again', async () => {
    const host = await bed.open();
    const waiting = bed.traffic('tcp', PEER4, 7);
    const ask = await host.nextAsk();
    await host.call({ op: 'breakQueue' });
    await host.until('the queue to come back', () => (host.queueStates.at(-1) === true ? true : null));
    assert.deepEqual(host.queueStates, [false, true]);
    assert.deepEqual(host.ended, [{ id: ask.id, why: 'queue-failed' }]);
    const again = await host.nextAsk();
    await host.answer({ id: again.id, verdict: 'accept' });
    assert.equal(await waiting, 0);
  });

  test('trace: packets that reach the queue are told while it is on', async () => {
    const host = await bed.open();
    host.policy = () => ({ verdict: 'refuse' });
    await host.call({ op: 'trace', on: true });
    await bed.traffic('tcp', PEER6, 7);
    const packet = await host.until('a packet', () => host.packets[0]);
    assert.equal(packet.tuple.destinationAddress, PEER6);
    assert.equal(packet.interfaceName, 'veth0');
  });
});
