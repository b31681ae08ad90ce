/** Nobody in front of the screen: nothing is asked, nothing is answered, and what ran out meanwhile is told once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { LogindStub, NotificationStub, PortalStub, ScreenSaverStub } from './bus-services.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { promptOf } from './samples.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };

interface Desk {
  readonly session: DesktopSession;
  readonly logind: LogindStub;
  readonly saver: ScreenSaverStub;
  readonly notifications: NotificationStub;
}

async function desk(t: TestContext, locked = false): Promise<Desk> {
  const services: Omit<Desk, 'session'>[] = [];
  const session = await DesktopSession.start(t, {
    environment: { XDG_SESSION_ID: '7' },
    before: async (address, environment) => {
      environment['DBUS_SYSTEM_BUS_ADDRESS'] = address;
      const started = { logind: await LogindStub.start(address), saver: await ScreenSaverStub.start(address), notifications: await NotificationStub.start(address) };
      if (locked) started.logind.set({ LockedHint: true });
      services.push(started);
      t.after(() => { for (const one of Object.values(started)) one.stop(); });
    },
  });
  const [first] = services;
  assert.ok(first !== undefined);
  return { session, ...first };
}

test('locked screen: the notification is taken away, its buttons do nothing, and the question comes back with the person', options, async (t) => {
  const { session, logind, notifications } = await desk(t);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf() });
  const before = await notifications.shown.next();
  assert.deepEqual([...before.actions.values()].slice(0, 3), ['Deny', 'Allow Once', 'Details']);
  logind.set({ LockedHint: true });
  assert.equal(await notifications.closed.next(), before.id);
  notifications.pressAtOnce(before.id, 'allow');
  notifications.pressAtOnce(before.id, 'default');
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'b', path: '/usr/bin/git' }) });
  logind.set({ LockedHint: false });
  assert.equal((await notifications.shown.next()).summary, '2 programs are waiting');
  assert.deepEqual(session.app.pending.filter((line) => line.includes('"answer"')), []);
});

test('locked screen: the window closes without an answer; what ran out of time is told once, and leads to the inbox', options, async (t) => {
  const { session, saver, notifications } = await desk(t);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf() });
  notifications.press((await notifications.shown.next()).id, 'details');
  await session.shown('label', 'curl wants to connect');
  saver.set(true);
  await session.gone('label', 'curl wants to connect');
  for (const nonce of ['b', 'c']) session.say({ do: 'raise', prompt: promptOf({ nonce, path: `/usr/bin/${nonce}` }) });
  for (const nonce of [promptOf().nonce, 'b', 'c']) session.say({ do: 'end', nonce, why: 'expired' });
  saver.set(false);
  const told = await notifications.shown.next(({ summary }) => summary.includes('ran out'));
  assert.equal(told.summary, '3 questions ran out of time while the screen was locked');
  notifications.press(told.id, 'default');
  await session.shown('label', 'Inbox');
  saver.set(true);
  saver.set(false);
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'd', path: '/usr/bin/d' }) });
  assert.equal((await notifications.shown.next()).summary, 'd wants to connect', 'what was told is not told again');
});

test('locked screen: the word of Safeguard stays without the button that ends it, which is back with the person', options, async (t) => {
  const { session, logind, notifications } = await desk(t);
  session.say({ do: 'status', status: { state: 'safeguard' } });
  await session.connect();
  const told = await notifications.shown.next(({ summary }) => summary === 'Safeguard Mode');
  assert.deepEqual([...told.actions.values()], ['Show', 'End', 'Show']);
  logind.set({ LockedHint: true });
  const locked = await notifications.shown.next();
  assert.deepEqual([locked.id, locked.summary, [...locked.actions.values()]], [told.id, 'Safeguard Mode', ['Show', 'Show']]);
  // Of one that a server still shows as it was.
  notifications.pressAtOnce(told.id, 'end');
  logind.set({ LockedHint: false });
  const back = await notifications.shown.next();
  assert.deepEqual([...back.actions.values()], ['Show', 'End', 'Show']);
  assert.deepEqual(session.app.pending.filter((line) => line.includes('"endSafeguard"')), []);
  notifications.press(back.id, 'end');
  await session.call('endSafeguard');
  assert.equal(await notifications.closed.next(), back.id);
});

test('locked screen: a word of the state that was put away does not come back with the lock', options, async (t) => {
  const { session, logind, notifications } = await desk(t);
  session.say({ do: 'status', status: { state: 'safeguard' } });
  await session.connect();
  notifications.putAway((await notifications.shown.next(({ summary }) => summary === 'Safeguard Mode')).id);
  logind.set({ LockedHint: true });
  logind.set({ LockedHint: false });
  session.say({ do: 'raise', prompt: promptOf() });
  assert.equal((await notifications.shown.next()).summary, 'curl wants to connect');
});

test('another user’s turn, a screen that was locked from the start, and a login manager that goes away', options, async (t) => {
  const { session, logind, notifications } = await desk(t, true);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf() });
  logind.set({ LockedHint: false, Active: false });
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'b', path: '/usr/bin/git' }) });
  logind.set({ Active: true });
  assert.equal((await notifications.shown.next()).summary, '2 programs are waiting');
  logind.set({ LockedHint: true });
  await notifications.closed.next();
  logind.stop();
  // Who said that the screen is locked is gone: better asked than refused in silence.
  assert.equal((await notifications.shown.next()).summary, '2 programs are waiting');
});

test('locked screen: inside Flatpak the portal says so, and is asked for the start with the session', options, async (t) => {
  const portals: PortalStub[] = [];
  t.after(() => { portals.forEach((one) => { one.stop(); }); });
  const session = await DesktopSession.start(t, {
    environment: { NOTIFY_FORCE_PORTAL: '1' }, before: async (address) => { portals.push(await PortalStub.start(address)); },
  });
  const [portal] = portals;
  assert.ok(portal !== undefined);
  const { autostart, commandline } = await portal.background.next();
  assert.deepEqual({ autostart, commandline }, { autostart: true, commandline: ['bastion-firewall-desktop', '--autostart'] });
  await portal.monitored.next();
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf() });
  const before = await portal.added.next();
  portal.cover(true);
  assert.equal(await portal.removed.next(), before.id);
  portal.press(before.id, 'allow');
  portal.cover(false);
  assert.equal((await portal.added.next()).content['title'], 'curl wants to connect');
  assert.deepEqual(session.app.pending.filter((line) => line.includes('"answer"')), []);
});
