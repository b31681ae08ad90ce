/** What the dispatcher refuses, in which words, and what it never lets happen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, string } from '../../helper/contract/codec.ts';
import { BastionError, errorName } from '../../helper/contract/errors.ts';
import { INTERFACES } from '../../helper/contract/names.ts';
import { BUS_ERRORS, Variant, connectBus } from '../../helper/contract/transport.ts';
import { MESSAGE } from '../../helper/contract/transport-wire.ts';
import type { IncomingMessage } from '../../helper/contract/transport-wire.ts';
import type { Authority } from '../../helper/ports.ts';
import { Dispatcher, MAX_BODY_BYTES, ProtocolError } from '../../helper/service/bus.ts';
import { Callers } from '../../helper/service/callers.ts';
import { Admission, CALL_LIMITS } from '../../helper/service/limits.ts';
import { method, property } from '../../helper/service/method.ts';
import type { Method } from '../../helper/service/method.ts';
import { peer, properties } from '../../helper/service/standard.ts';
import { BusStandIn } from './bus-stand-in.ts';

const ALICE = ':1.50';
const PROPERTIES = 'org.freedesktop.DBus.Properties';
const NO = errorName('NotAuthorized');
const INVALID = errorName('InvalidArgument');

interface Rig {
  readonly bus: BusStandIn;
  readonly log: { readonly level: string; readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[];
  readonly callers: Callers;
  /** Calls as a connection and waits for the answer. */
  readonly ask: (change: Partial<Wanted>) => Promise<IncomingMessage>;
  readonly send: (change: Partial<Wanted>) => number;
}

interface Wanted {
  readonly sender: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature: string;
  readonly body: readonly unknown[];
}

const yes: Authority = { isAuthorized: () => Promise.resolve(true) };

function credentials(uid = 1000): { readonly signature: string; readonly body: readonly unknown[] } {
  return { signature: 'a{sv}', body: [{ UnixUserID: new Variant('u', uid), ProcessID: new Variant('u', 50) }] };
}

/** The dispatcher on a connection, with an object that has these methods of the helper's interface. */
async function rig(methods: Readonly<Record<string, Method>> = {}, authority = yes, maxValues = 1000): Promise<Rig> {
  const bus = new BusStandIn();
  bus.answers.set('GetConnectionCredentials', () => credentials());
  bus.answers.set('NameHasOwner', () => ({ signature: 'b', body: [true] }));
  const connection = await connectBus({ stream: bus.near, maxValues });
  const log: Rig['log'] = [];
  const callers = await Callers.watch(connection);
  const helper = { name: INTERFACES.helper, methods, properties: { Version: property(string, () => '3.0.0') }, signals: {} };
  const dispatcher = new Dispatcher({
    bus: connection, callers, authority, admission: new Admission(),
    logger: { log: (level, message, fields = {}) => { log.push({ level, message, fields }); }, setLevel: () => undefined },
    onViewer: () => undefined,
    interfacesAt: (path) => (path === '/a' ? [helper, peer(), properties([helper])] : null),
  });
  connection.onCall((call) => { dispatcher.dispatch(call); });
  const send = (change: Partial<Wanted>): number => {
    bus.send({ type: MESSAGE.call, sender: ALICE, path: '/a', interface: INTERFACES.helper, member: 'Ping', ...change });
    return bus.lastSerial;
  };
  const ask = (change: Partial<Wanted>): Promise<IncomingMessage> => {
    const serial = send(change);
    return bus.next(({ type, replySerial }) => type !== MESSAGE.call && replySerial === serial);
  };
  return { bus, log, callers, ask, send };
}

function simple(run: () => unknown): Method {
  return method({ input: [], names: [], output: [], run: () => { run(); return []; } });
}

test('an object, interface or method that is not there is refused by its name, also one that every object inherits', async () => {
  const { ask } = await rig();
  const cases: readonly (readonly [Partial<Wanted>, string])[] = [
    [{ path: '/b' }, BUS_ERRORS.unknownObject],
    [{ interface: 'a.b' }, BUS_ERRORS.unknownInterface],
    [{ member: 'Nothing' }, BUS_ERRORS.unknownMethod],
    [{ member: 'toString' }, BUS_ERRORS.unknownMethod],
  ];
  for (const [change, name] of cases) assert.equal((await ask(change)).errorName, name);
});

test('a method that the table of actions does not have is denied, whoever calls', async () => {
  let ran = false;
  const { ask, bus } = await rig({ Secret: simple(() => { ran = true; }) });
  bus.answers.set('GetConnectionCredentials', () => credentials(0));
  assert.equal((await ask({ member: 'Secret' })).errorName, NO);
  assert.equal(ran, false);
});

test('properties are read by name and never set', async () => {
  const { ask } = await rig();
  const get = { interface: PROPERTIES, member: 'Get', signature: 'ss' };
  assert.deepEqual((await ask({ ...get, body: [INTERFACES.helper, 'Version'] })).body(), [new Variant('s', '3.0.0')]);
  assert.equal((await ask({ ...get, body: [INTERFACES.helper, 'constructor'] })).errorName, BUS_ERRORS.unknownProperty);
  assert.equal((await ask({ ...get, body: ['a.b', 'Version'] })).errorName, BUS_ERRORS.unknownInterface);
  const all = await ask({ interface: PROPERTIES, member: 'GetAll', signature: 's', body: [INTERFACES.helper] });
  assert.deepEqual({ ...(all.body()[0] as object) }, { Version: new Variant('s', '3.0.0') });
  const set = await ask({ interface: PROPERTIES, member: 'Set', signature: 'ssv', body: [INTERFACES.helper, 'Version', new Variant('s', '9')] });
  assert.equal(set.errorName, BUS_ERRORS.propertyReadOnly);
});

test('the machine’s id is 32 digits, or there is none', async () => {
  const { ask } = await rig();
  const answer = await ask({ interface: 'org.freedesktop.DBus.Peer', member: 'GetMachineId' });
  if (answer.type === MESSAGE.reply) assert.match(String(answer.body()[0]), /^[0-9a-f]{32}$/u);
  else assert.equal(answer.errorName, 'org.freedesktop.DBus.Error.Failed');
});

test('arguments of another form, too long or beyond the budget are refused before anybody is asked', async () => {
  let asked = 0;
  const take = method({ input: [string], names: [], output: [], run: () => [] });
  const { ask } = await rig({ Ping: take, Off: method({ input: [], names: [], output: [], run: () => [] }) }, {
    isAuthorized: () => {
      asked += 1;
      return Promise.resolve(true);
    },
  }, 20);
  assert.equal((await ask({ signature: 'u', body: [1] })).errorName, INVALID);
  assert.equal((await ask({ signature: 's', body: ['x'.repeat(MAX_BODY_BYTES)] })).errorName, INVALID);
  assert.match(String((await ask({ signature: 's', body: ['x'.repeat(5000)] })).body()[0]), /^argument: expected a text of at most/u);
  assert.equal(asked, 0);
  assert.equal((await ask({ signature: 's', body: ['x'] })).type, MESSAGE.reply);
  assert.equal(asked, 1);
});

test('a body that cannot be read is a wrong argument, and is not in the journal as a failure', async () => {
  const many = method({ input: [array(string)], names: [], output: [], run: () => [] });
  const { ask, log } = await rig({ Ping: many }, yes, 20);
  assert.equal((await ask({ signature: 'as', body: [Array.from({ length: 50 }, () => 'x')] })).errorName, INVALID);
  assert.deepEqual(log, []);
});

test('a bug’s own words are for the journal alone; what the disk refuses is told with a way out', async () => {
  const full = Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
  const methods: Readonly<Record<string, unknown>> = {
    Ping: new TypeError('the secret', { cause: full }),
    Reload: new BastionError('Failed', 'The rules could not be written.', { cause: full }),
    Profiles: 'not even an error',
  };
  const { ask, log } = await rig(Object.fromEntries(Object.entries(methods).map(([name, error]) => [name, simple(() => { throw error as Error; })])));
  const plain = 'The helper could not do this; its journal says why.';
  const way = 'The disk is full: make room, then try again. (ENOSPC)';
  assert.deepEqual((await ask({})).body(), [`${plain} ${way}`]);
  assert.deepEqual((await ask({ member: 'Reload' })).body(), [`The rules could not be written. ${way}`]);
  assert.deepEqual((await ask({ member: 'Profiles' })).body(), [plain]);
  assert.deepEqual(log.map(({ message, fields }) => [message, fields['member'], fields['cause']]), [
    ['a call failed', 'Ping', 'ENOSPC: no space left'], ['a call failed', 'Reload', 'ENOSPC: no space left'], ['a call failed', 'Profiles', undefined],
  ]);
  assert.match(String(log[0]?.fields['why']), /the secret/u);
});

test('a fault that the error tells already is not told twice', async () => {
  const full = Object.assign(new Error('full'), { code: 'ENOSPC' });
  const told = 'Nothing was written. The disk is full: make room, then try again. (ENOSPC)';
  const { ask } = await rig({ Ping: simple(() => { throw new BastionError('Failed', told, { cause: full }); }) });
  assert.deepEqual((await ask({})).body(), [told]);
});

test('an answer that cannot be sent is in the journal and ends nothing', async () => {
  const { ask, send, log, bus } = await rig({ Ping: simple(() => { throw new ProtocolError('no name', 'x'); }), Profiles: simple(() => undefined) });
  send({});
  await ask({ member: 'Profiles' });
  assert.deepEqual(log.map(({ message }) => message), ['an answer could not be sent']);
  assert.equal(bus.came.filter(({ type }) => type === MESSAGE.error).length, 0);
});

test('who is denied, and who has left while the question was open, sets nothing off', async () => {
  let ran = 0;
  let allowed = false;
  const methods = { Off: simple(() => { ran += 1; }), Ping: simple(() => undefined) };
  const { ask, send, bus, log } = await rig(methods, { isAuthorized: () => Promise.resolve(allowed) });
  assert.equal((await ask({ member: 'Off' })).errorName, NO);
  assert.deepEqual(log.map(({ level }) => level), ['debug']);
  allowed = true;
  bus.answers.set('NameHasOwner', () => ({ signature: 'b', body: [false] }));
  send({ member: 'Off' });
  await ask({});
  assert.equal(ran, 0);
  bus.answers.set('NameHasOwner', () => ({ signature: 'b', body: [true] }));
  await ask({ member: 'Off' });
  assert.equal(ran, 1);
});

test('a method that asks whether more is allowed takes a failing polkit for a no', async () => {
  let answer: boolean | null = null;
  let calls = 0;
  const curious = method({
    input: [], names: [], output: [],
    run: async (call) => {
      answer = await call.allows('org.bastionfirewall.edit-rules' as Parameters<typeof call.allows>[0]);
      return [];
    },
  });
  const { ask } = await rig({ Ping: curious }, {
    isAuthorized: () => {
      calls += 1;
      return calls === 1 ? Promise.resolve(true) : Promise.reject(new Error('polkit is gone'));
    },
  });
  assert.equal((await ask({})).type, MESSAGE.reply);
  assert.equal(answer, false);
});

test('a caller of whom the bus says nothing, or nothing that names a user, gets no answer and is not remembered', async () => {
  const { send, ask, bus, callers } = await rig({ Ping: simple(() => undefined) });
  const answers = [
    { error: BUS_ERRORS.nameHasNoOwner }, { signature: 's', body: ['nonsense'] }, { signature: 'a{sv}', body: [{}] },
    { signature: 'a{sv}', body: [{ UnixUserID: new Variant('s', '0') }] },
  ];
  for (const [index, answer] of answers.entries()) {
    const sender = `:1.${String(70 + index)}`;
    bus.answers.set('GetConnectionCredentials', () => answer);
    send({ sender });
    await bus.next((call) => call.member === 'GetConnectionCredentials' && call.body()[0] === sender);
  }
  bus.answers.set('GetConnectionCredentials', () => ({ signature: 'a{sv}', body: [{ UnixUserID: new Variant('u', 1000) }] }));
  assert.equal((await ask({ sender: ':1.61' })).type, MESSAGE.reply);
  assert.deepEqual(answers.map((_, index) => callers.has(`:1.${String(70 + index)}`)), [false, false, false, false]);
  assert.equal(bus.came.filter(({ destination }) => destination.startsWith(':1.7')).length, 0);
  assert.ok(callers.has(':1.61'));
  // The bus does not know the process: it is none.
  assert.equal((await callers.get(':1.61'))?.pid, 0);
});

test('a caller is forgotten when the bus says that it has left, and when nobody else does', async () => {
  const { ask, bus, callers } = await rig({ Ping: simple(() => undefined) });
  const gone: string[] = [];
  callers.onGone((name) => gone.push(name));
  assert.equal(await callers.isThere(ALICE), false);
  await ask({});
  const left = {
    type: MESSAGE.signal, path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus', member: 'NameOwnerChanged', signature: 'sss', body: [ALICE, ALICE, ''],
  };
  bus.send({ ...left, sender: ':1.66' });
  bus.send({ ...left, signature: 'ss', body: [ALICE, ALICE] });
  bus.send({ ...left, body: ['org.example.Name', ALICE, ''] });
  await ask({});
  assert.deepEqual([callers.size, gone], [1, []]);
  bus.send(left);
  await ask({ sender: ':1.51' });
  assert.deepEqual([callers.has(ALICE), gone], [false, [ALICE]]);
});

test('a connection that has too many calls waiting is told to wait, and nobody else', async () => {
  const waits: (() => void)[] = [];
  const slow = method({ input: [], names: [], output: [], run: () => new Promise<[]>((resolve) => { waits.push(() => { resolve([]); }); }) });
  const { ask, send, bus } = await rig({ UnregisterAgent: slow, Ping: slow, Profiles: simple(() => undefined) });
  const serials = Array.from({ length: CALL_LIMITS.waitingPerSender }, () => send({}));
  assert.equal((await ask({})).errorName, errorName('Busy'));
  assert.equal((await ask({ sender: ':1.51', member: 'Profiles' })).type, MESSAGE.reply);
  for (const go of waits) go();
  await bus.next(({ replySerial }) => replySerial === serials.at(-1));
  assert.equal((await ask({ member: 'Profiles' })).type, MESSAGE.reply);
});
