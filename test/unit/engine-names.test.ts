/** Names in the engine: what counts as one, what a prompt about one joins, and how far its answer reaches. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MESSAGES_PER_SECOND } from '../../helper/engine/name-desk.ts';
import type { DnsMessage } from '../../helper/ports.ts';
import { framed, message, v4, v6 } from './dns-bytes.ts';
import type { MessageText } from './dns-bytes.ts';
import { copy } from './dns-support.ts';
import { NAME_SERVER, Rig } from './engine-support.ts';
import type { AskChange } from './engine-support.ts';
import { ports, rule } from './policy-support.ts';

const SERVER4 = '198.51.100.7';
const SERVER6 = 'fd77::7';
const LOOKUP: AskChange = { tuple: { protocol: 17, destinationAddress: NAME_SERVER, destinationPort: 53 }, dnsQuestion: 'example.org' };

function to(address: string, port = 443, change: AskChange = {}): AskChange {
  return { ...change, tuple: { family: address.includes(':') ? 6 : 4, destinationAddress: address, destinationPort: port } };
}

/** The program of every ask asks for a name, and the configured server answers. */
function resolve(rig: Rig, text: MessageText, change: Partial<DnsMessage> = {}): void {
  const { answers = [], ...question } = text;
  rig.engine.onDns([copy('sent', message(question), rig.time.ns, change)]);
  rig.engine.onDns([copy('received', message({ ...question, answers }), rig.time.ns, change)]);
}

function resolveBoth(rig: Rig, name = 'example.org', change: Partial<DnsMessage> = {}): void {
  resolve(rig, { name, answers: [{ name, type: 'A', data: v4(SERVER4) }] }, change);
  resolve(rig, { name, id: 8, type: 'AAAA', answers: [{ name, type: 'AAAA', data: v6(7) }] }, change);
}

function resolveMore(rig: Rig, address: string, name = 'example.org'): void {
  resolve(rig, { name, id: 9, answers: [{ name, type: 'A', data: v4(address) }] });
}

function destination(rig: Rig): string | undefined {
  return rig.raised.at(-1)?.info.destination;
}

describe('which answers count', () => {
  test('the prompt and the history show the name that the program asked for', async () => {
    const rig = Rig.with();
    resolveBoth(rig);
    rig.ask(to(SERVER4));
    const info = rig.raised[0]?.info;
    assert.deepEqual([info?.destination, info?.address, info?.names, info?.name_sources, info?.is_lookup], [
      'example.org', SERVER4, ['example.org'], ['program'], false,
    ]);
    await rig.engine.answer(rig.nonce(), { action: 'deny', lifetime: 'once' });
    assert.deepEqual([rig.flows[0]?.host, rig.flows[0]?.names], ['example.org', [{ name: 'example.org', source: 'program' }]]);
  });

  const changes: readonly (readonly [string, Partial<DnsMessage>, MessageText])[] = [
    ['from a server that is not configured', { serverAddress: '192.0.2.99' }, {}],
    ['from another port than a name server has', { serverPort: 5353 }, {}],
    ['to another socket', { cookie: 99n }, {}],
    ['to another port', { localPort: 41_000 }, {}],
    ['with another id', {}, { id: 8 }],
    ['for another name', {}, { name: 'example.com' }],
    ['of another type', {}, { type: 'AAAA' }],
    ['that is cut off', {}, { flags: 0x8380 }],
    ['that is a question', {}, { flags: 0x0100 }],
  ];
  for (const [what, change, text] of changes) {
    test(`an answer ${what} names nothing`, () => {
      const rig = Rig.with();
      rig.engine.onDns([copy('sent', message(), rig.time.ns)]);
      const name = text.name ?? 'example.org';
      const answer = message({ answers: [{ name, type: 'A', data: v4(SERVER4) }], ...text });
      rig.engine.onDns([copy('received', answer, rig.time.ns, change)]);
      rig.ask(to(SERVER4));
      assert.equal(destination(rig), SERVER4);
      assert.equal(rig.engine.status().statistics.dns_ignored, 1);
    });
  }

  test('an answer in other letters than the question is the same name', () => {
    const rig = Rig.with();
    rig.engine.onDns([copy('sent', message({ name: 'eXaMpLe.OrG' }), rig.time.ns)]);
    rig.engine.onDns([copy('received', message({ answers: [{ name: 'EXAMPLE.org', type: 'A', data: v4(SERVER4) }] }), rig.time.ns)]);
    rig.ask(to(SERVER4));
    assert.equal(destination(rig), 'example.org');
  });

  test('an answer over TCP counts as one over UDP does', () => {
    const rig = Rig.with();
    const answer = framed(message({ answers: [{ name: 'example.org', type: 'A', data: v4(SERVER4) }] }));
    rig.engine.onDns([
      copy('sent', framed(message()), rig.time.ns, { protocol: 6, sequence: 100 }),
      copy('received', answer.subarray(0, 9), rig.time.ns, { protocol: 6, sequence: 5 }),
      copy('received', answer.subarray(9), rig.time.ns, { protocol: 6, sequence: 14 }),
    ]);
    rig.ask(to(SERVER4));
    assert.equal(destination(rig), 'example.org');
  });

  test('a name that another user, or another program, asked for is not shown', () => {
    const rig = Rig.with();
    resolveBoth(rig, 'example.org', { uid: 1001 });
    resolveBoth(rig, 'example.org', { executable: { device: 1, inode: 2n, generation: 3, ctimeSec: 4 } });
    rig.ask(to(SERVER4));
    assert.deepEqual(rig.raised[0]?.info.names, []);
  });

  test('a name that a service of the system asked for is shown to everybody, and says that it is not certain whose it was', () => {
    const rig = Rig.with();
    resolveBoth(rig, 'example.org', { uid: 101, executable: { device: 1, inode: 2n, generation: 3, ctimeSec: 4 } });
    rig.ask(to(SERVER4));
    assert.deepEqual([rig.raised[0]?.info.names, rig.raised[0]?.info.name_sources], [['example.org'], ['machine']]);
  });

  test('why a flow was decided says whose name it shows', async () => {
    const rig = Rig.with();
    resolveBoth(rig);
    rig.ask(to(SERVER4));
    await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'once' });
    assert.match((await rig.engine.explain(rig.flows[0]?.id ?? '')).text, /; example\.org is the name that the program asked for; identified/u);
  });

  test('a user who asks without end is not listened to beyond a rate, and others are', () => {
    const rig = Rig.with();
    for (let at = 0; at < MESSAGES_PER_SECOND; at += 1) rig.engine.onDns([copy('sent', message(), rig.time.ns)]);
    resolveBoth(rig);
    resolveBoth(rig, 'example.org', { uid: 1001 });
    assert.deepEqual([rig.engine.status().statistics.names, rig.engine.status().statistics.names_lost], [2, 4]);
    rig.time.pass(1000);
    resolveBoth(rig);
    assert.equal(rig.engine.status().statistics.names, 4);
  });

  test('thousands of uids of one user, as a container may have, push nobody else out', () => {
    const rig = Rig.with();
    resolveBoth(rig);
    for (let at = 0; at < 5000; at += 1) {
      rig.time.pass(10);
      resolve(rig, { answers: [{ name: 'example.org', type: 'A', data: v4(SERVER4) }] }, { uid: 100_000 + at });
    }
    assert.equal(rig.engine.status().statistics.names, 2 + 4096);
    assert.equal(rig.engine.status().statistics.names_lost, 5000 - 4096);
    rig.ask(to(SERVER4));
    assert.equal(destination(rig), 'example.org');
  });

  test('a container is not shown the names of this machine', () => {
    const rig = Rig.with();
    resolveBoth(rig);
    rig.engine.onAsks([{ ...rig.make(to(SERVER4)), origin: 'forwarded' }]);
    assert.equal(rig.raised.some(({ info }) => info.destination === 'example.org'), false);
  });
});

describe('one wish is one question', () => {
  test('both addresses of a name are one prompt, and a lasting answer is one rule for the name', async () => {
    const rig = Rig.with();
    resolveBoth(rig);
    const [six, four] = [rig.ask(to(SERVER6)), rig.ask(to(SERVER4))];
    assert.equal(rig.raised.length, 1);
    assert.deepEqual([rig.raised[0]?.info.by_name, rig.raised[0]?.info.pattern], ['example.org', '*.example.org']);
    const { flows } = await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'always', scope: 'host' });
    assert.deepEqual([flows, rig.dataPath.last(six).verdict, rig.dataPath.last(four).verdict], [2, 'accept', 'accept']);
    assert.deepEqual(rig.store.added.map(({ name, domain, address, port }) => [name, domain, address, port]), [['curl: example.org, tcp 443', 'example.org', '', '443']]);
    const told = (change: AskChange): string | undefined => rig.dataPath.told(rig.ask(change)).at(-1);
    assert.equal(told(to(SERVER4)), 'accept');
    assert.equal(told(to(SERVER4, 80)), 'hold', 'another port');
    assert.equal(told(to('198.51.100.8')), 'hold', 'an address that no answer gave');
    resolveMore(rig, '198.51.100.8');
    assert.equal(told(to('198.51.100.8')), 'accept', 'a new address of the name');
  });

  test('an answer for all names of an owner covers the one that was asked about and those below it, nothing beside', async () => {
    const rig = Rig.with();
    resolveBoth(rig);
    rig.ask(to(SERVER4));
    await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'always', scope: 'domain' });
    assert.deepEqual(rig.store.added.map(({ domain }) => domain), ['example.org', '*.example.org']);
    resolveMore(rig, '198.51.100.8', 'cdn.example.org');
    resolveMore(rig, '198.51.100.9', 'badexample.org');
    const told = (change: AskChange): string | undefined => rig.dataPath.told(rig.ask(change)).at(-1);
    assert.deepEqual([told(to(SERVER4)), told(to('198.51.100.8')), told(to('198.51.100.9'))], ['accept', 'accept', 'hold']);
  });

  test('another port of the name is another question', () => {
    const rig = Rig.with();
    resolveBoth(rig);
    rig.ask(to(SERVER4));
    rig.ask(to(SERVER4, 80));
    assert.equal(rig.engine.status().statistics.prompts, 2);
  });

  test('a lookup that is allowed once covers the connection that follows it, and nothing else', async () => {
    const rig = Rig.with();
    rig.ask(LOOKUP);
    assert.deepEqual([destination(rig), rig.raised[0]?.info.is_lookup], ['example.org', true]);
    await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'once', scope: 'host' });
    resolveBoth(rig);
    const told = (change: AskChange): string | undefined => rig.dataPath.told(rig.ask(change)).at(-1);
    assert.equal(told(to(SERVER6, 80)), 'accept');
    assert.equal(told(to(SERVER4, 80)), 'accept');
    assert.equal(told(to(SERVER4, 443)), 'hold', 'another port than the first');
    assert.equal(told(to('198.51.100.8', 80)), 'hold', 'an address that no answer gave');
    assert.equal(told(to(SERVER4, 80, { owner: { pid: 101 } })), 'hold', 'another process');
    assert.equal(told(to(SERVER4, 80, { owner: { uid: 1001 } })), 'hold', 'another user');
    rig.time.pass(60_000);
    assert.equal(told(to(SERVER4, 80)), 'hold', 'more than a minute later');
  });

  test('a lookup that is allowed for good is a rule for its name: the program may look it up and reach it, whichever port it takes', async () => {
    const rig = Rig.with();
    rig.ask(LOOKUP);
    await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'always', scope: 'host' });
    assert.deepEqual(rig.store.added.map(({ name, domain, address, port, protocol }) => [name, domain, address, port, protocol]), [['curl: example.org', 'example.org', '', '', '']]);
    resolveBoth(rig);
    const told = (change: AskChange): string | undefined => rig.dataPath.told(rig.ask(change)).at(-1);
    assert.equal(told(LOOKUP), 'accept');
    assert.deepEqual([told(to(SERVER6, 80)), told(to(SERVER4, 443))], ['accept', 'accept']);
    rig.time.pass(60_000);
    assert.equal(told(to(SERVER4, 80)), 'accept', 'more than a minute later');
    assert.equal(told(to('198.51.100.8', 80)), 'hold', 'an address that no answer gave');
    assert.equal(told(to(SERVER4, 80, { owner: { uid: 1001 } })), 'hold', 'another user');
    assert.equal(told({ ...LOOKUP, dnsQuestion: 'example.net' }), 'hold', 'another name of the same server');
  });

  test('a lookup that a rule allows covers nothing: the connection is asked about by its name', () => {
    const rig = Rig.with([rule('lookups', 'allow', ports(53))]);
    rig.ask(LOOKUP);
    resolveBoth(rig);
    rig.ask(to(SERVER4));
    assert.equal(destination(rig), 'example.org');
  });

  test('an address that another program got for the allowed name is not covered', async () => {
    const rig = Rig.with();
    rig.ask(LOOKUP);
    await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'once' });
    resolveBoth(rig, 'example.org', { uid: 101, executable: { device: 1, inode: 2n, generation: 3, ctimeSec: 4 } });
    assert.deepEqual(rig.dataPath.told(rig.ask(to(SERVER4))), ['hold']);
  });

  test('a rule that refuses the address goes before the answer about the lookup', async () => {
    const rig = Rig.with([rule('not-there', 'deny', { address: SERVER4 })]);
    rig.ask(LOOKUP);
    await rig.engine.answer(rig.nonce(), { action: 'allow', lifetime: 'once' });
    resolveBoth(rig);
    assert.deepEqual(rig.dataPath.told(rig.ask(to(SERVER4))), ['refuse']);
  });

  test('who refuses a name is not asked about its other addresses at once; a second try of one is a new question', async () => {
    const rig = Rig.with();
    resolveBoth(rig);
    rig.ask(to(SERVER6));
    await rig.engine.answer(rig.nonce(), { action: 'deny', lifetime: 'once' });
    assert.deepEqual(rig.dataPath.told(rig.ask(to(SERVER4))), ['refuse']);
    assert.deepEqual(rig.dataPath.told(rig.ask(to(SERVER4))), ['hold']);
    assert.deepEqual(rig.dataPath.told(rig.ask(to(SERVER6))), ['hold']);
  });
});
