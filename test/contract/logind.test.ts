import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { createInterface } from 'node:readline';
import { LogindSessions } from '../../helper/adapters/logind.ts';
import { polkitAuthority } from '../../helper/adapters/polkit.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import { Variant, connectBus } from '../../helper/contract/transport.ts';
import type { BusConnection } from '../../helper/contract/transport.ts';
import type { Logger } from '../../helper/ports.ts';
import { which } from '../lab/process.ts';

const LOGIND = 'org.freedesktop.login1';
const MANAGER = '/org/freedesktop/login1';
const quiet: Logger = { log: () => undefined, setLevel: () => undefined };

interface FakeSession {
  readonly id: string;
  readonly uid: number;
  active: boolean;
  readonly remote: boolean;
  readonly seat: string;
}

function pathOf(session: FakeSession): string {
  return `${MANAGER}/session/${session.id}`;
}

/** The part of login1 that the adapter uses; a login manager cannot run here beside the machine's own. */
class FakeLogind {
  readonly sessions = new Map<string, FakeSession>();
  readonly pids = new Map<number, string>();
  readonly bus: BusConnection;

  constructor(bus: BusConnection) {
    this.bus = bus;
    bus.onCall((call) => {
      const argument = call.body()[0];
      if (call.member === 'ListSessions') {
        const rows = [...this.sessions.values()].map((one) => [one.id, one.uid, 'somebody', one.seat, pathOf(one)]);
        bus.reply(call, 'a(susso)', [rows]);
      } else if (call.member === 'GetSessionByPID' && this.pids.has(Number(argument))) {
        bus.reply(call, 'o', [this.pids.get(Number(argument))]);
      } else if (call.member === 'GetUserByPID' && argument === 77) {
        bus.reply(call, 'o', [`${MANAGER}/user/_1000`]);
      } else if (call.member === 'GetAll' && call.path === `${MANAGER}/user/_1000`) {
        bus.reply(call, 'a{sv}', [{ Display: new Variant('(so)', ['1', `${MANAGER}/session/1`]) }]);
      } else if (call.member === 'GetAll' && this.sessions.has(call.path)) {
        bus.reply(call, 'a{sv}', [this.#properties(call.path)]);
      } else bus.replyError(call, 'org.freedesktop.login1.NoSessionForPID', 'no');
    });
  }

  add(session: FakeSession): void {
    this.sessions.set(pathOf(session), session);
    this.#signal('SessionNew', session);
  }

  remove(session: FakeSession): void {
    this.sessions.delete(pathOf(session));
    this.#signal('SessionRemoved', session);
  }

  changed(session: FakeSession): void {
    this.bus.signal({
      path: pathOf(session), interface: 'org.freedesktop.DBus.Properties', member: 'PropertiesChanged', signature: 'sa{sv}as',
      body: [`${LOGIND}.Session`, { Active: new Variant('b', session.active) }, []],
    });
  }

  #signal(member: string, session: FakeSession): void {
    this.bus.signal({ path: MANAGER, interface: `${LOGIND}.Manager`, member, signature: 'so', body: [session.id, pathOf(session)] });
  }

  #properties(path: string): Record<string, InstanceType<typeof Variant>> {
    const session = this.sessions.get(path);
    assert.ok(session !== undefined);
    return {
      Id: new Variant('s', session.id),
      User: new Variant('(uo)', [session.uid, `${MANAGER}/user/_${String(session.uid)}`]),
      Seat: new Variant('(so)', [session.seat, '/']),
      Active: new Variant('b', session.active),
      Remote: new Variant('b', session.remote),
      LockedHint: new Variant('b', false),
      Class: new Variant('s', 'user'),
    };
  }
}

/** Resolves after the next change that leaves `test` true. */
function until(sessions: LogindSessions, holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop = sessions.onChanged(() => {
      if (!holds()) return;
      stop();
      resolve();
    });
  });
}

describe('logind, polkit: on a private bus', { skip: which('dbus-daemon') === null ? 'needs dbus-daemon' : false, timeout: 300_000 }, () => {
  let daemon: ChildProcess;
  let address = '';
  const connections: BusConnection[] = [];
  const connect = async (): Promise<BusConnection> => {
    const bus = await connectBus({ address });
    connections.push(bus);
    return bus;
  };
  before(async () => {
    const child = spawn('dbus-daemon', ['--session', '--nofork', '--nopidfile', '--print-address=1'], { stdio: ['ignore', 'pipe', 'ignore'] });
    daemon = child;
    const [line] = await once(createInterface({ input: child.stdout }), 'line') as [string];
    address = line;
  });
  after(async () => {
    for (const bus of connections) bus.close();
    daemon.kill();
    await once(daemon, 'exit');
  });

  test('without a login manager there are no sessions, and one that appears later is followed', async () => {
    const sessions = await LogindSessions.open(await connect(), quiet);
    assert.deepEqual(sessions.list(), []);
    assert.equal(sessions.activeLocal(), null);
    assert.equal(await sessions.ofProcess(process.pid), null);

    const logind = new FakeLogind(await connect());
    const local: FakeSession = { id: '1', uid: 1000, active: true, remote: false, seat: 'seat0' };
    const remote: FakeSession = { id: '2', uid: 1001, active: true, remote: true, seat: '' };
    logind.add(remote);
    logind.add(local);
    const appeared = until(sessions, () => sessions.list().length === 2);
    assert.ok(await logind.bus.requestName(LOGIND));
    await appeared;
    assert.deepEqual(sessions.activeLocal(), { id: '1', uid: 1000, active: true, remote: false, locked: false });

    const left = until(sessions, () => sessions.activeLocal() === null);
    local.active = false;
    logind.changed(local);
    await left;

    logind.pids.set(55, pathOf(remote));
    assert.equal((await sessions.ofProcess(55))?.id, '2');
    assert.equal((await sessions.ofProcess(77))?.id, '1', 'a program of the user’s service manager belongs to the display');
    assert.equal(await sessions.ofProcess(99), null);

    const forger = await connect();
    forger.signal({ path: MANAGER, interface: `${LOGIND}.Manager`, member: 'SessionRemoved', signature: 'so', body: ['2', pathOf(remote)] });
    await forger.callBus('GetId');
    const gone = until(sessions, () => sessions.list().length === 1);
    logind.remove(local);
    await gone;
    assert.deepEqual(sessions.list().map((one) => one.id), ['2']);
    logind.bus.close();
  });

  test('a login manager that goes away: nobody is active; what it told stays known until it is back, and then is as it tells', async () => {
    const first = new FakeLogind(await connectBus({ address }));
    // The one before may be on its way out still.
    while ((await first.bus.callBus('NameHasOwner', 's', [LOGIND]))[0] === true);
    const stays: FakeSession = { id: '7', uid: 1000, active: true, remote: false, seat: 'seat0' };
    const ends: FakeSession = { id: '8', uid: 1001, active: false, remote: true, seat: '' };
    for (const session of [stays, ends]) first.add(session);
    const sessions = await LogindSessions.open(await connect(), quiet);
    const told = until(sessions, () => sessions.activeLocal()?.id === '7');
    assert.ok(await first.bus.requestName(LOGIND));
    await told;

    const left = until(sessions, () => sessions.activeLocal() === null);
    first.bus.close();
    await left;
    assert.deepEqual(sessions.list().map(({ id, active }) => [id, active]), [['7', false], ['8', false]]);

    const second = new FakeLogind(await connect());
    second.add(stays);
    const back = until(sessions, () => sessions.activeLocal()?.id === '7' && sessions.list().length === 1);
    assert.ok(await second.bus.requestName(LOGIND));
    await back;
  });

  test('polkit that is not there refuses, and says why', async () => {
    const authority = polkitAuthority(await connect(), { connect, logger: quiet });
    for (const interactive of [false, true]) {
      await assert.rejects(authority.isAuthorized(':1.1', 'org.bastionfirewall.helper1.view', {}, interactive), (error) =>
        error instanceof BastionError && error.code === 'Failed' && error.message.startsWith('polkit did not answer'));
    }
  });
});
