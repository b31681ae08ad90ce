/** The tray on a session bus, seen as a panel sees it, and prompts as notifications. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import dbus from 'dbus-next';
import { BusError } from '../../helper/contract/transport.ts';
import { NotificationStub, PortalStub, WatcherStub, unpacked } from './bus-services.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { promptOf } from './samples.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
const ITEM = 'org.kde.StatusNotifierItem';
const MENU = 'com.canonical.dbusmenu';

interface MenuRow {
  readonly id: number;
  readonly label: string;
}

/** Every item of the menu, submenus included. */
async function menuRows(watcher: WatcherStub, sender: string): Promise<readonly MenuRow[]> {
  const [, layout] = await watcher.call(sender, '/MenuBar', MENU, 'GetLayout', 'iias', [0, -1, []]);
  const rows: MenuRow[] = [];
  const walk = (node: unknown): void => {
    const [id, properties, children] = node as [number, { readonly label?: string }, readonly unknown[]];
    rows.push({ id, label: properties.label ?? '' });
    children.forEach(walk);
  };
  walk(unpacked(layout));
  return rows;
}

async function property(watcher: WatcherStub, sender: string, name: string): Promise<unknown> {
  const [value] = await watcher.call(sender, '/StatusNotifierItem', 'org.freedesktop.DBus.Properties', 'Get', 'ss', [ITEM, name]);
  return unpacked(value);
}

async function pressed(watcher: WatcherStub, sender: string, label: string): Promise<void> {
  const row = (await menuRows(watcher, sender)).find((one) => one.label === label);
  assert.ok(row !== undefined, `the menu has no ${label}`);
  await watcher.call(sender, '/MenuBar', MENU, 'Event', 'isvu', [row.id, 'clicked', new dbus.Variant('i', 0), 0]);
}

test('tray: shows the state by icon and words, and its menu pauses, resumes and sets the mode', options, async (t) => {
  let watcher: WatcherStub | null = null;
  t.after(() => { watcher?.stop(); });
  const session = await DesktopSession.start(t, { before: async (address) => { watcher = await WatcherStub.start(address); } });
  const host = watcher as WatcherStub | null;
  assert.ok(host !== null);
  const { sender, path } = await host.registered.next();
  assert.equal(path, '/StatusNotifierItem');
  await session.connect();
  await host.signals.next((name) => name === 'NewIcon');
  assert.equal(await property(host, sender, 'IconName'), 'bastion-firewall-protecting-symbolic');
  assert.deepEqual((await menuRows(host, sender)).map((row) => row.label).filter((label) => label !== ''), [
    'Protecting', 'Mode', 'Enforcing', 'Learning', 'Pause', 'For 5 Minutes', 'For 30 Minutes', 'For 1 Hour', 'Open Bastion Firewall', 'Quit',
  ]);
  await pressed(host, sender, 'For 30 Minutes');
  assert.deepEqual((await session.call('pause')).args, [1800]);
  await host.signals.next((name) => name === 'NewIcon');
  assert.equal(await property(host, sender, 'IconName'), 'bastion-firewall-paused-symbolic');
  assert.equal(await property(host, sender, 'XAyatanaLabel'), '30');
  await pressed(host, sender, 'Resume (30 minutes left)');
  await session.call('resume');
  await host.signals.next((name) => name === 'LayoutUpdated');
  await pressed(host, sender, 'Learning');
  assert.deepEqual((await session.call('setMode')).args, ['learning']);
  await host.signals.next((name) => name === 'NewIcon');
  assert.equal(await property(host, sender, 'IconName'), 'bastion-firewall-learning-symbolic');
  session.say({ do: 'raise', prompt: promptOf() });
  await host.signals.next((name) => name === 'NewStatus');
  assert.equal(await property(host, sender, 'IconName'), 'bastion-firewall-prompt-symbolic');
  assert.equal(await property(host, sender, 'XAyatanaLabel'), '1');
  assert.equal(await property(host, sender, 'AttentionAccessibleDesc'), 'Bastion Firewall: Learning  ·  1 question waiting');
  await host.signals.next((name) => name === 'LayoutUpdated');
  assert.ok((await menuRows(host, sender)).some((row) => row.label === 'curl to example.org'));
  session.say({ do: 'connected', connected: false });
  await host.signals.next((name) => name === 'NewIcon');
  assert.equal(await property(host, sender, 'IconName'), 'bastion-firewall-off-symbolic');
  await host.call(sender, '/StatusNotifierItem', ITEM, 'Activate', 'ii', [0, 0]);
  await session.shown('label', 'Not connected');
  await pressed(host, sender, 'Quit');
  await session.app.ended();
  assert.equal(session.app.child.exitCode, 0, session.app.stderr);
});

test('tray: switched off in the preferences, the shield tells its host to show nothing, and it is back when it is switched on', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  const host = await WatcherStub.start(session.busAddress);
  t.after(() => { host.stop(); });
  const { sender } = await host.registered.next();
  await session.connect();
  await session.focus('Bastion Firewall');
  await session.key('ctrl+8');
  const status = async (wanted: string): Promise<void> => {
    while (await property(host, sender, 'Status') !== wanted) await host.signals.next((name) => name === 'NewStatus');
  };
  await status('Active');
  await session.click('check box', 'Shield in the Tray');
  await status('Passive');
  session.say({ do: 'raise', prompt: promptOf() });
  await session.click('push button', 'Decide Later');
  assert.equal(await property(host, sender, 'Status'), 'Passive', 'a question does not bring it back');
  await session.click('check box', 'Shield in the Tray');
  await status('NeedsAttention');
});

test('tray: registers again when a host comes back, and works on without one', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  const first = await WatcherStub.start(session.busAddress);
  const { sender } = await first.registered.next();
  first.stop();
  const second = await WatcherStub.start(session.busAddress);
  t.after(() => { second.stop(); });
  assert.equal((await second.registered.next()).sender, sender);
});

test('tray: calls that it does not know are refused one by one and leave it alive', options, async (t) => {
  const session = await DesktopSession.start(t);
  const host = await WatcherStub.start(session.busAddress);
  t.after(() => { host.stop(); });
  const { sender } = await host.registered.next();
  const properties = 'org.freedesktop.DBus.Properties';
  const refused: readonly [string, string, string, string, readonly unknown[]][] = [
    ['/', ITEM, 'Activate', 'ii', [0, 0]], ['/StatusNotifierItem', ITEM, 'Activate', 's', ['x']],
    ['/StatusNotifierItem', ITEM, 'constructor', '', []], ['/StatusNotifierItem', 'org.example.X', 'Activate', 'ii', [0, 0]],
    ['/StatusNotifierItem', properties, 'Set', 'ssv', [ITEM, 'Title', new dbus.Variant('s', 'x')]],
    ['/StatusNotifierItem', properties, 'Get', 'ss', [ITEM, '__proto__']],
    ['/MenuBar', MENU, 'GetLayout', 'iias', [99_999, -1, []]],
    ['/MenuBar', MENU, 'Event', 'isvu', [99_999, 'clicked', new dbus.Variant('i', 0), 0]],
    ['/MenuBar', MENU, 'GetLayout', 'iias', [0, -1, ['x'.repeat(100_000)]]],
  ];
  for (const [path, name, member, signature, body] of refused) {
    await assert.rejects(host.call(sender, path, name, member, signature, body), BusError, `${name}.${member}`);
  }
  assert.equal(await property(host, sender, 'Title'), 'Bastion Firewall');
  const [xml] = await host.call(sender, '/MenuBar', 'org.freedesktop.DBus.Introspectable', 'Introspect', '', []);
  assert.match(String(xml), /<method name="GetLayout">(?:<arg [^>]*>){5}<\/method>/);
});

/** A session whose notification server the test plays. */
async function withNotifications(t: Parameters<typeof DesktopSession.start>[0]): Promise<{ session: DesktopSession; server: NotificationStub }> {
  const servers: NotificationStub[] = [];
  t.after(() => { servers.forEach((server) => { server.stop(); }); });
  const session = await DesktopSession.start(t, {
    before: async (address) => { servers.push(await NotificationStub.start(address)); },
  });
  const [server] = servers;
  assert.ok(server !== undefined);
  await session.connect();
  return { session, server };
}

test('notification: asks with Deny, Allow and Details, escapes what is markup, and Allow means this once', options, async (t) => {
  const { session, server } = await withNotifications(t);
  session.say({ do: 'raise', prompt: promptOf({ destination: 'a<b>.example', default_lifetime: 'always' }) });
  const shown = await server.shown.next();
  assert.equal(shown.summary, 'curl wants to connect');
  assert.equal(shown.body, 'a&lt;b&gt;.example, encrypted web (443)');
  assert.deepEqual([...shown.actions.values()], ['Deny', 'Allow Once', 'Details', 'Details']);
  server.press(shown.id, 'allow');
  assert.deepEqual((await session.call('answer')).args, [promptOf().nonce, { action: 'allow', lifetime: 'once', scope: 'host' }]);
  await server.closed.next();
});

test('notification: a second click before it is taken away answers nothing more, and nothing is complained of', options, async (t) => {
  const { session, server } = await withNotifications(t);
  session.say({ do: 'raise', prompt: promptOf() });
  const shown = await server.shown.next();
  server.press(shown.id, 'allow');
  server.press(shown.id, 'allow');
  await session.call('answer');
  await server.closed.next();
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'b', path: '/usr/bin/git' }) });
  assert.equal((await server.shown.next()).summary, 'git wants to connect');
  assert.deepEqual(session.app.pending.filter((line) => line.includes('"answer"')), []);
});

test('notification: Details opens the window and takes the notification away', options, async (t) => {
  const { session, server } = await withNotifications(t);
  session.say({ do: 'raise', prompt: promptOf() });
  const shown = await server.shown.next();
  const release = server.pressing(shown.id, 'details');
  t.after(release);
  await session.shown('label', 'curl wants to connect');
  await server.closed.next((id) => id === shown.id);
});

test('notification: several prompts are one notification, and a withdrawn prompt takes its own away', options, async (t) => {
  const { session, server } = await withNotifications(t);
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'a' }) });
  const first = await server.shown.next();
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'b', path: '/usr/bin/git' }) });
  const both = await server.shown.next();
  assert.equal(both.id, first.id, 'it changes in its place');
  assert.equal(both.summary, '2 programs are waiting');
  assert.equal(both.body, 'curl, git');
  assert.deepEqual([...both.actions.values()], ['Show', 'Show']);
  session.say({ do: 'end', nonce: 'a', why: 'withdrawn' });
  const last = await server.shown.next();
  assert.equal(last.summary, 'git wants to connect');
  session.say({ do: 'end', nonce: 'b', why: 'expired' });
  await server.closed.next((id) => id === last.id);
});

test('notification: when the server goes away the next prompt comes as a window', options, async (t) => {
  const { session, server } = await withNotifications(t);
  server.stop();
  session.say({ do: 'raise', prompt: promptOf() });
  await session.shown('push button', 'Deny');
});

test('notification: inside Flatpak the portal shows it, with buttons that answer', options, async (t) => {
  const portals: PortalStub[] = [];
  t.after(() => { portals.forEach((portal) => { portal.stop(); }); });
  const session = await DesktopSession.start(t, {
    environment: { NOTIFY_FORCE_PORTAL: '1' }, before: async (address) => { portals.push(await PortalStub.start(address)); },
  });
  const [portal] = portals;
  assert.ok(portal !== undefined);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf({ destination: 'a<b>.example' }) });
  const { id, content } = await portal.added.next();
  assert.equal(content['title'], 'curl wants to connect');
  assert.equal(content['body'], 'a<b>.example, encrypted web (443)', 'the portal takes no markup');
  assert.equal(content['priority'], 'urgent');
  assert.deepEqual(content['buttons'], [
    { action: 'deny', label: 'Deny' }, { action: 'allow', label: 'Allow Once' }, { action: 'default', label: 'Details' },
  ]);
  portal.press(id, 'default');
  await session.shown('label', 'curl wants to connect');
});
