/** What the kernel tells of connections that it decides by itself: each of them, with what it moved and what decided it. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import type { NativeAsk, NativeFlow, NativeTraffic } from '../../native/binding.ts';
import { Bed, CLIENT4, PEER4, PEER6, endInput, missingForBed, saidReady } from './support-native/bed.ts';
import type { Host } from './support-native/host-client.ts';
import { programDecision } from './support-native/journey.ts';
import { Talker, startEcho } from './support-native/talker.ts';

const missing = missingForBed();
const POLICY = 7n;
const ECHO_PORT = 9400;
const SLOT = 5;
const OTHER_UID = 4711;
/** BASTION_USER_EVENTS of native/bpf/wire.h. */
const USER_EVENTS = 2048;
const LASTING_NS = 1_000_000_000n;

describe('connections that the kernel decides', { skip: missing ?? false }, () => {
  let bed: Bed;
  const talkers: Talker[] = [];

  before(async () => {
    bed = new Bed();
    await bed.peer.ready();
    await startEcho(bed, ECHO_PORT);
  });
  afterEach(async () => {
    await Promise.all(talkers.splice(0).map((talker) => talker.end()));
    await bed.closeHosts();
  });
  after(() => bed.close());

  function talk(address: string): Talker {
    const talker = new Talker(bed, address, ECHO_PORT);
    talkers.push(talker);
    return talker;
  }

  /** A connection that is open. */
  async function connected(address: string): Promise<Talker> {
    const talker = talk(address);
    assert.equal(await talker.next(), 'connected');
    return talker;
  }

  /** A host that tells, and has let the kernel remember that `program` of this user may do everything. */
  async function allowing<T>(start: () => T, uids: readonly number[] = [0]): Promise<{ readonly host: Host; readonly ask: NativeAsk; readonly opened: Awaited<T> }> {
    const host = await bed.open();
    await host.call({ op: 'setTellFlows', on: true });
    const started = start();
    const ask = await host.nextAsk(({ owner, tuple }) => owner !== null && tuple.protocol === 6);
    const programs = uids.map((uid) => ({ ...programDecision(ask, 'accept'), form: 'program' as const, uid, hitSlot: SLOT }));
    await host.call({ op: 'replaceAll', programs, flows: [], policy: POLICY });
    await host.answer({ id: ask.id, verdict: 'accept' });
    return { host, ask, opened: await started };
  }

  function told(host: Host, fits: (flow: NativeFlow) => boolean): Promise<NativeFlow> {
    return host.until('what the kernel tells of a connection', () => host.flows.find(fits));
  }

  async function traffic(host: Host, { owner }: NativeAsk, uid = 0): Promise<NativeTraffic | undefined> {
    const rows = await host.call({ op: 'traffic' }) as readonly NativeTraffic[];
    return rows.find((row) => row.executable.inode === owner?.executable.inode && row.uid === uid);
  }

  for (const address of [PEER4, PEER6]) {
    test(`a short connection to ${address} is told once, at its end: who, where, what decided it, and each byte`, async () => {
      const { host, ask, opened } = await allowing(() => connected(address));
      await opened.end();
      await told(host, ({ cookie }) => cookie === ask.owner?.cookie);
      host.flows.length = 0;
      const before = await traffic(host, ask);
      const talker = await connected(address);
      await talker.say('some words for the other side');
      await talker.end();
      const flow = await told(host, ({ kind }) => kind === 'ended');
      const after = await traffic(host, ask);
      // One that a busy machine made last was told while it was open too.
      const lasted = flow.timeNs - flow.begunNs >= LASTING_NS;
      assert.deepEqual(host.flows.filter(({ kind }) => lasted ? kind === 'ended' : true), [flow]);
      assert.equal(flow.path, process.execPath);
      assert.deepEqual([flow.owner.uid, flow.owner.cookie], [0, flow.cookie]);
      assert.deepEqual([flow.tuple.destinationAddress, flow.tuple.destinationPort, flow.tuple.protocol], [address, ECHO_PORT, 6]);
      assert.deepEqual([flow.tuple.sourceAddress, flow.tuple.sourcePort > 1023], [address === PEER4 ? CLIENT4 : 'fd13::1', true]);
      assert.deepEqual([flow.inbound, flow.hitSlot, flow.interfaceName], [false, SLOT, 'veth0']);
      assert.equal(flow.generation, await host.call({ op: 'generation' }));
      assert.ok(flow.timeNs > flow.begunNs && flow.timeNs - flow.begunNs < 10n * LASTING_NS);
      assert.ok(flow.sentBytes > 29 && flow.receivedBytes > 29);
      for (const part of ['sentBytes', 'sentPackets', 'receivedBytes', 'receivedPackets'] as const) {
        assert.equal(flow[part], (after?.[part] ?? 0) - (before?.[part] ?? 0), part);
      }
    });
  }

  test('a connection that lasts is told while it is open, once, and again at its end', async () => {
    const { host, opened: talker } = await allowing(() => connected(PEER4));
    let lines = 0;
    while (host.flows.length === 0) await talker.say(`line ${String(lines += 1)}`);
    const [open] = host.flows;
    assert.deepEqual([open?.kind, open?.inbound, open?.tuple.destinationPort], ['open', false, ECHO_PORT]);
    assert.ok(open !== undefined && open.timeNs - open.begunNs >= LASTING_NS);
    await talker.end();
    const ended = await told(host, ({ kind }) => kind === 'ended');
    assert.equal(host.flows.length, 2);
    assert.deepEqual([ended.cookie, ended.tuple], [open.cookie, open.tuple]);
    const apartNs = ended.begunNs - open.begunNs;
    assert.ok(apartNs > -1_000_000n && apartNs < 1_000_000n, String(apartNs));
    assert.ok(ended.sentBytes > open.sentBytes || ended.receivedBytes > open.receivedBytes);
  });

  test('a connection that a peer opened is told as such, with what it moved and nothing of its listener', async () => {
    const { host } = await allowing(() => bed.traffic('tcp', PEER4, 7));
    const script = "require('node:net').createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(8080, () => console.log('ready')); process.stdin.on('end', () => process.exit()).resume()";
    const server = await saidReady(bed.start(process.execPath, ['-e', script]));
    host.policy = (ask) => ask.answersPeer ? { verdict: 'accept', rememberUntilNs: 0n } : null;
    for (let round = 0; round < 3; round += 1) assert.equal(await bed.fromPeer('tcp', CLIENT4, 8080), 0);
    await endInput(server);
    await host.until('three of them', () => host.flows.filter(({ inbound }) => inbound).length >= 3 ? true : null);
    for (const flow of host.flows.filter(({ inbound }) => inbound)) {
      assert.deepEqual([flow.tuple.sourceAddress, flow.tuple.sourcePort, flow.tuple.destinationAddress], [CLIENT4, 8080, PEER4]);
      assert.equal(flow.path, process.execPath);
      assert.notEqual(flow.cookie, flow.owner.cookie);
      assert.ok(flow.receivedPackets >= 1 && flow.receivedPackets <= 4, String(flow.receivedPackets));
      assert.ok(flow.sentPackets <= 4, String(flow.sentPackets));
    }
  });

  test('each of a thousand is told', async () => {
    const { host, ask } = await allowing(() => bed.traffic('tcp', PEER4, 7));
    await told(host, () => true);
    const before = await traffic(host, ask);
    assert.equal(await bed.traffic('tcp-many', PEER4, 7, 1000), 0);
    await host.until('a thousand and one', () => host.flows.length >= 1001 ? true : null);
    const after = await traffic(host, ask);
    assert.equal(new Set(host.flows.map(({ cookie }) => cookie)).size, 1001);
    assert.equal((await host.counters()).flowsLost, 0);
    // What is sent with or after the reset is no longer the connection's.
    const sent = host.flows.slice(1).reduce((sum, flow) => sum + flow.sentPackets, 0);
    const rest = (after?.sentPackets ?? 0) - (before?.sentPackets ?? 0) - sent;
    assert.ok(rest >= 0 && rest <= 1000, String(rest));
  });

  test("a storm of one user's connections is cut to his share; what others open meanwhile is told", async () => {
    const { host } = await allowing(() => bed.traffic('tcp', PEER4, 7), [0, OTHER_UID]);
    const storm = bed.traffic('tcp-many', PEER4, 7, 4 * USER_EVENTS, OTHER_UID);
    await told(host, ({ owner }) => owner.uid === OTHER_UID);
    const [open] = await Promise.all([bed.traffic('tcp-many', PEER4, 7, 20), storm]);
    assert.equal(open, 0);
    await host.until("the others'", () => host.flows.filter(({ owner }) => owner.uid === 0).length >= 21 ? true : null);
    const { flowsLost } = await host.counters();
    const his = host.flows.filter(({ owner }) => owner.uid === OTHER_UID);
    const seconds = new Map<bigint, number>();
    for (const { timeNs } of his) seconds.set(timeNs / LASTING_NS, (seconds.get(timeNs / LASTING_NS) ?? 0) + 1);
    for (const count of seconds.values()) assert.ok(count <= USER_EVENTS + 2, String(count));
    assert.ok(flowsLost + his.length >= USER_EVENTS, `${String(flowsLost)} and ${String(his.length)}`);
  });

  test('nothing is told while nobody wants it', async () => {
    const { host } = await allowing(() => bed.traffic('tcp', PEER4, 7));
    const own = (): readonly NativeFlow[] => host.flows.filter(({ owner }) => owner.uid === 0);
    await told(host, ({ owner }) => owner.uid === 0);
    await host.call({ op: 'setTellFlows', on: false });
    assert.equal(await bed.traffic('tcp-many', PEER4, 7, 20), 0);
    await host.call({ op: 'setTellFlows', on: true });
    assert.equal(await bed.traffic('tcp', PEER6, 7), 0);
    await told(host, ({ tuple }) => tuple.family === 6);
    assert.equal(own().length, 2);
  });

  test('what ended while no helper was there is told to the next one', async () => {
    const { host } = await allowing(() => bed.traffic('tcp', PEER4, 7));
    await told(host, () => true);
    await host.kill();
    assert.equal(await bed.traffic('tcp-many', PEER4, 7, 10), 0);
    const next = await bed.open();
    await next.call({ op: 'adopt', policy: POLICY });
    await next.until('ten', () => next.flows.length >= 10 ? true : null);
    assert.ok(next.flows.every(({ hitSlot }) => hitSlot === SLOT));
  });

  test('a helper that stops has told each connection, or leaves it to the next one, which knows its program', async () => {
    const { host } = await allowing(() => bed.traffic('tcp', PEER4, 7));
    await told(host, () => true);
    host.flows.length = 0;
    assert.equal(await bed.traffic('tcp-many', PEER4, 7, 100), 0);
    const last = await host.call({ op: 'leaveFlows' }) as readonly NativeFlow[];
    const all = [...host.flows, ...last];
    assert.ok(last.length > 0, 'everything had been told');
    host.flows.length = 0;
    assert.equal(await bed.traffic('tcp-many', PEER6, 7, 10), 0);
    assert.deepEqual(await host.call({ op: 'leaveFlows' }), []);
    await host.kill();
    const next = await bed.open();
    await next.call({ op: 'adopt', policy: POLICY });
    await next.until('the rest', () => (all.length + next.flows.length >= 110 ? true : null));
    assert.deepEqual(host.flows, []);
    const found = [...all, ...next.flows];
    assert.equal(new Set(found.map(({ cookie }) => cookie)).size, 110);
    assert.deepEqual(found.filter(({ path }) => path !== bed.program), []);
  });
});
