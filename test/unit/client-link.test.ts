/** The client's end of the bus: the handshake, what failed calls mean to people, and whom it believes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ClientEvents } from '../../helper/contract/client-events.ts';
import { HelperLink, NotConnectedError, clientError } from '../../helper/contract/client-link.ts';
import { string, u32 } from '../../helper/contract/codec.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import { BUS_NAME, OBJECT_PATH } from '../../helper/contract/names.ts';
import { BUS_ERRORS, BusError, BusUnreachableError, connectBus } from '../../helper/contract/transport.ts';
import { MESSAGE } from '../../helper/contract/transport-wire.ts';
import { openSocket, systemBusAddress } from '../../helper/contract/transport-socket.ts';
import { BusStandIn } from './bus-stand-in.ts';

const HELPER = ':1.7';
const CALL = { interface: 'org.bastionfirewall.Helper1', member: 'Ask', input: [string], values: ['a'], output: [u32] } as const;

/** A link to a stand-in on which the helper has `owner`; resolves when presence was told. */
async function linked(bus: BusStandIn, owner: string | null = HELPER): Promise<{ link: HelperLink; told: boolean[]; signals: string[] }> {
  bus.answers.set('GetNameOwner', () => (owner === null ? { error: BUS_ERRORS.nameHasNoOwner } : { signature: 's', body: [owner] }));
  const told: boolean[] = [];
  const signals: string[] = [];
  const link = await new Promise<HelperLink>((resolve) => {
    const made = new HelperLink({ stream: () => bus.near, interactive: false }, {
      presence: (there) => {
        told.push(there);
        queueMicrotask(() => { resolve(made); });
      },
      signal: ({ member }) => signals.push(member),
    });
  });
  return { link, told, signals };
}

function ownerChanged(bus: BusStandIn, owner: string, change: object = {}): void {
  bus.send({
    type: MESSAGE.signal, path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus', member: 'NameOwnerChanged', signature: 'sss',
    body: [BUS_NAME, '', owner], ...change,
  });
}

test('clientError: a helper that has gone is not connected, whichever way it went', () => {
  for (const name of [BUS_ERRORS.disconnected, BUS_ERRORS.noReply, BUS_ERRORS.nameHasNoOwner, BUS_ERRORS.serviceUnknown]) {
    assert.ok(clientError(new BusError(name, 'gone')) instanceof NotConnectedError, name);
  }
  assert.ok(clientError(new BusUnreachableError('no bus')) instanceof NotConnectedError);
  const same = new NotConnectedError('already');
  assert.equal(clientError(same), same);
});

test('clientError: every other failure is one of the registry, and the helper’s own words are kept', () => {
  const codeOf = (error: unknown): readonly unknown[] => {
    const told = clientError(error);
    assert.ok(told instanceof BastionError);
    return [told.code, told.message];
  };
  const failed = ['Failed', 'The helper could not do this; its journal says why.'];
  assert.deepEqual(codeOf(new BusError('org.bastionfirewall.Error.NotFound', 'No rule has this id.')), ['NotFound', 'No rule has this id.']);
  assert.deepEqual(codeOf(new BusError('org.bastionfirewall.Error.NotFound', '')), ['NotFound', 'There is nothing with this id.']);
  assert.deepEqual(codeOf(new BusError('org.bastionfirewall.Error.toString', '')), failed);
  assert.equal(codeOf(new BusError(BUS_ERRORS.accessDenied, 'policy'))[0], 'NotAuthorized');
  for (const name of [BUS_ERRORS.unknownMethod, BUS_ERRORS.unknownInterface, BUS_ERRORS.unknownObject]) {
    assert.equal(codeOf(new BusError(name, 'older helper'))[0], 'NotSupported', name);
  }
  assert.deepEqual(codeOf(new BusError('com.example.Error', 'text of a stranger')), failed);
  assert.deepEqual(codeOf(new TypeError('a bug')), failed);
  assert.deepEqual(codeOf(new BastionError('InvalidArgument', 'Rows')), ['Failed', 'The helper’s answer cannot be read.']);
});

test('a call reaches the owner of the name, and its answer must have the types of the contract', async () => {
  const bus = new BusStandIn();
  bus.answers.set('Ask', () => ({ signature: 'u', body: [7] }));
  const { link, told } = await linked(bus);
  assert.deepEqual(told, [true]);
  assert.deepEqual(await link.call(CALL), [7]);
  const asked = await bus.next(({ member }) => member === 'Ask');
  assert.deepEqual([asked.destination, asked.path, asked.body()], [HELPER, OBJECT_PATH, ['a']]);
  bus.answers.set('Ask', () => ({ signature: 's', body: ['seven'] }));
  await assert.rejects(link.call(CALL), { code: 'Failed', message: 'The helper’s answer cannot be read.' });
  bus.answers.set('Ask', () => ({ error: 'org.bastionfirewall.Error.Busy', text: 'Later.' }));
  await assert.rejects(link.call(CALL), { code: 'Busy', message: 'Later.' });
  link.close();
  await assert.rejects(link.call(CALL), NotConnectedError);
});

test('signals count from the owner of the name alone, and from its object', async () => {
  const bus = new BusStandIn();
  const { link, signals } = await linked(bus);
  const signal = { type: MESSAGE.signal, path: OBJECT_PATH, interface: CALL.interface, signature: '', body: [] };
  bus.send({ ...signal, sender: ':1.66', member: 'False' });
  bus.send({ ...signal, sender: HELPER, path: '/elsewhere', member: 'Elsewhere' });
  bus.send({ ...signal, sender: HELPER, member: 'True' });
  await link.call({ ...CALL, output: [] });
  assert.deepEqual(signals, ['True']);
  link.close();
});

test('a helper that comes, is followed by another without a gap and goes is told each time; nobody else can say so', async () => {
  const bus = new BusStandIn();
  const { link, told } = await linked(bus, null);
  assert.equal(link.connected, false);
  await assert.rejects(link.call(CALL), NotConnectedError);
  ownerChanged(bus, HELPER, { sender: ':1.66' });
  ownerChanged(bus, HELPER, { body: ['org.example.Other', '', HELPER] });
  ownerChanged(bus, HELPER, { signature: 'ss', body: [BUS_NAME, HELPER] });
  ownerChanged(bus, HELPER);
  ownerChanged(bus, HELPER);
  ownerChanged(bus, ':1.8');
  // What is answered after the signals was sent after them.
  const later = await connectedAfter(bus, () => told.length === 4);
  assert.deepEqual(told, [false, true, false, true]);
  assert.equal(later, true);
  ownerChanged(bus, '');
  await connectedAfter(bus, () => told.length === 5);
  assert.deepEqual(told, [false, true, false, true, false]);
  link.close();
});

/** Waits until `done`, a turn of the event loop at a time; false when it never comes. */
async function connectedAfter(bus: BusStandIn, done: () => boolean): Promise<boolean> {
  for (let turn = 0; turn < 1000 && !done(); turn += 1) await new Promise((resolve) => { setImmediate(resolve); });
  return bus.came.length > 0 && done();
}

test('a bus that ends the connection is a helper that has gone, and the link comes back by itself', async () => {
  const buses = [new BusStandIn(), new BusStandIn()];
  for (const bus of buses) bus.answers.set('GetNameOwner', () => ({ signature: 's', body: [HELPER] }));
  const [first, second] = buses;
  assert.ok(first !== undefined && second !== undefined);
  const told: boolean[] = [];
  let streams = 0;
  await new Promise<void>((resolve) => {
    const link = new HelperLink({ stream: () => (streams === 0 ? first : second).near, interactive: false }, {
      presence: (there) => {
        told.push(there);
        streams += 1;
        if (told.length === 1) first.end();
        if (told.length < 3) return;
        link.close();
        resolve();
      },
      signal: () => undefined,
    });
  });
  assert.deepEqual(told, [true, false, true]);
});

test('a bus that refuses a match or knows no owner for another reason is tried again, not believed', async () => {
  for (const member of ['AddMatch', 'GetNameOwner']) {
    const bus = new BusStandIn();
    bus.answers.set(member, () => ({ error: 'org.freedesktop.DBus.Error.AccessDenied' }));
    const told: boolean[] = [];
    await new Promise<void>((resolve) => {
      const link = new HelperLink({ stream: () => bus.near, interactive: false }, {
        presence: (there) => {
          told.push(there);
          queueMicrotask(() => {
            link.close();
            resolve();
          });
        },
        signal: () => undefined,
      });
    });
    assert.deepEqual(told, [false], member);
  }
});

test('connectBus: a server that asks for data gets an empty one; a refusal, an end and what is no bus have their errors', async () => {
  const bus = await connectBus({ stream: new BusStandIn('DATA\r\n').near });
  assert.equal(bus.uniqueName, ':1.1');
  bus.close();
  await assert.rejects(bus.callBus('GetId'), { errorName: BUS_ERRORS.disconnected });
  assert.equal(bus.signal({ path: '/a', interface: 'a.b', member: 'S', signature: '', body: [] }), false);
  await assert.rejects(connectBus({ stream: new BusStandIn('REJECTED EXTERNAL\r\n').near }), /does not accept this user/u);
  await assert.rejects(connectBus({ stream: new BusStandIn('x'.repeat(2000)).near }), /no D-Bus server/u);
  const gone = new BusStandIn('');
  gone.end();
  await assert.rejects(connectBus({ stream: gone.near }), /closed the connection/u);
});

test('connectBus: a refused Hello is the bus’s own error, an answer that cannot be read is one too', async () => {
  const refusing = new BusStandIn();
  refusing.answers.set('Hello', () => ({ error: BUS_ERRORS.limitsExceeded, text: 'too many' }));
  await assert.rejects(connectBus({ stream: refusing.near }), { errorName: BUS_ERRORS.limitsExceeded, message: 'too many' });
  const flooding = new BusStandIn();
  flooding.answers.set('Hello', () => ({ signature: 'au', body: [Array.from({ length: 50 }, () => 1)] }));
  await assert.rejects(connectBus({ stream: flooding.near, maxValues: 10 }), { errorName: BUS_ERRORS.limitsExceeded });
});

test('a name that somebody else has is told so; a call where nobody serves is refused', async () => {
  const stand = new BusStandIn();
  const bus = await connectBus({ stream: stand.near });
  for (const [result, taken] of [[1, true], [3, false]] as const) {
    stand.answers.set('RequestName', () => ({ signature: 'u', body: [result] }));
    assert.equal(await bus.requestName(BUS_NAME), taken);
  }
  stand.send({ type: MESSAGE.call, sender: ':1.9', path: '/a', interface: 'a.b', member: 'C' });
  const refused = await stand.next(({ type }) => type === MESSAGE.error);
  assert.deepEqual([refused.errorName, refused.destination], [BUS_ERRORS.unknownObject, ':1.9']);
  bus.close();
});

test('openSocket: takes the first socket of the address that answers, and says why none did', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-link-'));
  chmodSync(folder, 0o700);
  const server = createServer((socket) => { socket.end(); });
  try {
    server.listen(join(folder, 'bus'));
    await once(server, 'listening');
    const socket = await openSocket(`unix:path=${folder}/none;unix:path=${folder}/bus`);
    socket.destroy();
    await assert.rejects(openSocket(`unix:path=${folder}/none`), BusUnreachableError);
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
});

test('the system bus is the one that the environment names, or the usual one', () => {
  const name = 'DBUS_SYSTEM_BUS_ADDRESS';
  const before = process.env[name];
  try {
    process.env[name] = 'unix:path=/tmp/bus';
    assert.equal(systemBusAddress(), 'unix:path=/tmp/bus');
    process.env[name] = '';
    assert.equal(systemBusAddress(), 'unix:path=/run/dbus/system_bus_socket');
    Reflect.deleteProperty(process.env, name);
    assert.equal(systemBusAddress(), 'unix:path=/run/dbus/system_bus_socket');
  } finally {
    if (before === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = before;
  }
});

test('a listener that throws is told as a warning, and those beside it hear all the same', async () => {
  for (const [thrown, told] of [[new Error('a bug'), 'a bug'], ['a text', 'a text']] as const) {
    const events = new ClientEvents();
    const warned = once(process, 'warning');
    let heard = 0;
    events.on('rulesChanged', () => { throw thrown as Error; });
    events.on('rulesChanged', () => { heard += 1; });
    events.emit('rulesChanged');
    const [warning] = await warned as [Error];
    assert.deepEqual([warning.message, heard], [told, 1]);
  }
});
