/** The process of the session and the windows' process: who starts whom, what a kill of either loses, and that it is never an answer. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { Variant, connectBus } from '../../helper/contract/transport.ts';
import type { BusConnection } from '../../helper/contract/transport.ts';
import { NotificationStub } from './bus-services.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import type { SessionOptions } from './desktop-session.ts';
import { children, hasEnded, until, windowOf } from './process-tree.ts';
import { promptOf, statusOf } from './samples.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
const run = promisify(execFile);
const NAME = 'org.bastionfirewall.Desktop';
const PATH = '/org/bastionfirewall/Desktop';

function pidOf(session: DesktopSession): number {
  const { pid } = session.app.child;
  assert.ok(pid !== undefined);
  return pid;
}

async function call(bus: BusConnection, member: string, signature: string, body: readonly unknown[]): Promise<void> {
  await bus.call({ destination: NAME, path: PATH, interface: 'org.freedesktop.Application', member, signature, body });
}

async function busOf(t: TestContext, session: DesktopSession): Promise<BusConnection> {
  const bus = await connectBus({ address: session.busAddress });
  t.after(() => { bus.close(); });
  return bus;
}

/** A session whose notification server the test plays. */
async function withNotifications(t: TestContext, more: SessionOptions = {}): Promise<{ readonly session: DesktopSession; readonly server: NotificationStub }> {
  const servers: NotificationStub[] = [];
  t.after(() => { for (const server of servers) server.stop(); });
  const session = await DesktopSession.start(t, { ...more, before: async (address) => { servers.push(await NotificationStub.start(address)); } });
  const [server] = servers;
  assert.ok(server !== undefined);
  await session.connect();
  return { session, server };
}

/** What the test was told of answers, and nobody has asked for. */
function answers(session: DesktopSession): readonly string[] {
  return session.app.pending.filter((line) => line.startsWith('{"call":"answer"'));
}

test('window: it is a process of its own that ends when nothing is shown, and comes again', options, async (t) => {
  const session = await DesktopSession.start(t, { environment: { TEST_LOOK_MS: '100' } });
  const bus = await busOf(t, session);
  await session.connect();
  assert.deepEqual(children(pidOf(session)), [], 'in the background there is none');
  await call(bus, 'Activate', 'a{sv}', [{}]);
  await session.shown('label', 'Protecting');
  const first = await windowOf(pidOf(session));
  await session.focus('Bastion Firewall');
  await session.key('ctrl+w');
  await until('its end', () => hasEnded(first) && children(pidOf(session)).length === 0);
  await call(bus, 'Activate', 'a{sv}', [{}]);
  await session.shown('label', 'Protecting');
  session.say({ do: 'windows' });
  assert.deepEqual((await session.call('windows')).args, [{ starts: 2, crashes: 0, strange: 0 }]);
});

test('window: an editor with a rule that is not saved keeps it, also when the window behind is closed', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [], environment: { TEST_LOOK_MS: '50' } });
  await session.connect();
  await session.shown('label', 'Protecting');
  const pid = await windowOf(pidOf(session));
  await session.focus('Bastion Firewall');
  await session.key('ctrl+n');
  await session.type('text', 'Program, by its full path', '/usr/bin/curl');
  await session.type('text', 'Ports (empty: any port)', '443');
  await session.shown('label', 'curl may reach any host for encrypted web (443).');
  // Longer than it takes a window that shows nothing to leave.
  for (let looks = 0; looks < 8; looks += 1) await session.screenshot('rule-editor-kept');
  assert.equal(hasEnded(pid), false);
  await session.shown('label', 'curl may reach any host for encrypted web (443).');
});

test('window: kept and hidden where prompts come as windows, so that the next one need not wait for it', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: ['--background', '--window'], environment: { TEST_LOOK_MS: '50' } });
  await session.connect();
  const pid = await windowOf(pidOf(session));
  session.say({ do: 'raise', prompt: promptOf() });
  await session.shown('push button', 'Deny');
  session.say({ do: 'end', nonce: promptOf().nonce, why: 'withdrawn' });
  await session.gone('push button', 'Deny');
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'b' }) });
  await session.shown('push button', 'Deny');
  assert.deepEqual(children(pidOf(session)), [pid], 'the same process all the time');
});

test('session bus: the shell’s activation opens a page, and a strange one does no harm', options, async (t) => {
  const session = await DesktopSession.start(t);
  const bus = await busOf(t, session);
  await session.connect();
  await call(bus, 'ActivateAction', 'sava{sv}', ['open-page', [new Variant('s', 'rules')], {}]);
  await session.shown('label', 'No Rules Yet');
  await call(bus, 'ActivateAction', 'sava{sv}', ['open-page', [new Variant('s', '../../etc'.repeat(1000))], { 'activation-token': new Variant('u', 7) }]);
  await call(bus, 'ActivateAction', 'sava{sv}', ['open-page', [new Variant('i', 3)], {}]).catch(() => undefined);
  await call(bus, 'ActivateAction', 'sava{sv}', ['constructor', [], {}]).catch(() => undefined);
  await call(bus, 'ActivateAction', 'sava{sv}', ['open-page', [new Variant('s', 'overview')], {}]);
  await session.shown('label', 'Protecting');
});

test('session bus: the token of a click reaches the window that it opens', options, async (t) => {
  const session = await DesktopSession.start(t);
  const bus = await busOf(t, session);
  await session.connect();
  await call(bus, 'Activate', 'a{sv}', [{ 'desktop-startup-id': new Variant('s', 'bastion-test_TIME1') }]);
  await session.shown('label', 'Protecting');
  const { stdout: id } = await run('/usr/bin/xdotool', ['search', '--sync', '--onlyvisible', '--name', 'Bastion Firewall'], { env: session.environment });
  const { stdout } = await run('/usr/bin/xprop', ['-id', id.trim(), '_NET_STARTUP_ID'], { env: session.environment });
  assert.match(stdout, /"bastion-test_TIME1"/u);
});

test('session bus: starts the program when somebody calls it by its name', options, async (t) => {
  const session = await DesktopSession.start(t, {
    before: async (_address, environment) => {
      const program = join(import.meta.dirname, '../../build/bin/bastion-firewall-desktop');
      await writeFile(
        join(environment['HOME'] ?? '', `services/${NAME}.service`), `[D-BUS Service]\nName=${NAME}\nExec=${program} --gapplication-service\n`,
      );
    },
    environment: { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent/bus' },
  });
  const bus = await busOf(t, session);
  await session.app.stop();
  await bus.callBus('ReloadConfig', '', []);
  await call(bus, 'Activate', 'a{sv}', [{}]);
  const [pid] = await bus.callBus('GetConnectionUnixProcessID', 's', [NAME]);
  await session.shown('label', 'Not connected');
  await call(bus, 'ActivateAction', 'sava{sv}', ['quit', [], {}]);
  await until('its end', () => hasEnded(Number(pid)));
});

test('window killed: with its prompt open nothing is answered, it is said, and the prompt comes back as a notification', options, async (t) => {
  const { session, server } = await withNotifications(t, { arguments: ['--background', '--window'] });
  session.say({ do: 'raise', prompt: promptOf() });
  await session.shown('push button', 'Deny');
  process.kill(await windowOf(pidOf(session)), 'SIGKILL');
  await server.shown.next((one) => one.summary === 'The window closed unexpectedly');
  const again = await server.shown.next((one) => one.summary === 'curl wants to connect');
  assert.deepEqual(answers(session), []);
  t.after(server.pressing(again.id, 'deny'));
  assert.deepEqual((await session.call('answer')).args, [promptOf().nonce, { action: 'deny', lifetime: 'once', scope: 'host' }]);
});

test('window killed: where notifications have no buttons the prompt comes back as a window', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf() });
  await session.shown('push button', 'Deny');
  const killed = await windowOf(pidOf(session));
  process.kill(killed, 'SIGKILL');
  await until('its end', () => hasEnded(killed));
  await session.shown('push button', 'Deny');
  assert.deepEqual(answers(session), []);
  await session.click('push button', 'Allow');
  assert.deepEqual((await session.call('answer')).args, [promptOf().nonce, { action: 'allow', lifetime: 'once', scope: 'host' }]);
});

test('window killed again and again: it is not started for a while, and prompts stay where they can be answered', options, async (t) => {
  const { session, server } = await withNotifications(t);
  const bus = await busOf(t, session);
  for (let time = 0; time < 3; time += 1) {
    await call(bus, 'Activate', 'a{sv}', [{}]);
    process.kill(await windowOf(pidOf(session)), 'SIGKILL');
    await server.shown.next((one) => one.summary === 'The window closed unexpectedly');
  }
  await call(bus, 'Activate', 'a{sv}', [{}]);
  await server.shown.next((one) => one.summary === 'The window cannot be opened now');
  session.say({ do: 'raise', prompt: promptOf() });
  const asked = await server.shown.next((one) => one.summary === 'curl wants to connect');
  // Details has no window to open: the notification stays.
  const release = server.pressing(asked.id, 'details');
  await server.shown.next();
  release();
  session.say({ do: 'windows' });
  assert.deepEqual((await session.call('windows')).args, [{ starts: 3, crashes: 3, strange: 0 }]);
  t.after(server.pressing(asked.id, 'allow'));
  assert.deepEqual((await session.call('answer')).args, [promptOf().nonce, { action: 'allow', lifetime: 'once', scope: 'host' }]);
});

test('window that hangs: what it does not take is bounded, and it is ended', options, async (t) => {
  const { session, server } = await withNotifications(t, { arguments: [] });
  await session.shown('label', 'Protecting');
  const hung = await windowOf(pidOf(session));
  process.kill(hung, 'SIGSTOP');
  // Flows that join a prompt are news of it; the pipe takes a few hundred.
  for (let count = 1; count < 3000; count += 1) session.say({ do: 'raise', prompt: promptOf({ nonce: 'many', count }) });
  await until('its end', () => hasEnded(hung));
  await server.shown.next((one) => one.summary === 'The window closed unexpectedly');
  session.say({ do: 'raise', prompt: promptOf({ path: '/usr/bin/git' }) });
  await server.shown.next((one) => one.summary === '2 programs are waiting');
  assert.match(session.app.stderr, /does not answer and is ended/u);
});

test('session killed: the window ends with it, and a new start shows what waits', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf() });
  await session.shown('push button', 'Deny');
  const window = await windowOf(pidOf(session));
  await session.app.stop('SIGKILL');
  await until('the window’s end', () => hasEnded(window));
  assert.deepEqual(answers(session), []);
});

test('tray and window: what one learns of the helper the other knows too', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  await session.connect();
  session.say({ do: 'status', status: statusOf({ mode: 'learning' }) });
  await session.shown('label', 'Learning');
  session.say({ do: 'connected', connected: false });
  await session.shown('label', 'Not connected');
});

test('window: a screen reader that asks for a window which has just closed ends nothing', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: ['--background', '--window'], environment: { TEST_LOOK_MS: '50' } });
  await session.connect();
  const windows = await windowOf(pidOf(session));
  session.say({ do: 'raise', prompt: promptOf() });
  await session.shown('push button', 'Deny');
  await call(await busOf(t, session), 'Activate', 'a{sv}', [{}]);
  await session.shown('label', 'Protecting');
  // The last window of GTK's list is now the one of the shortcuts, which is hidden.
  await session.askForWhatHasGone();
  session.say({ do: 'end', nonce: promptOf().nonce, why: 'withdrawn' });
  await session.gone('push button', 'Deny');
  await session.focus('Bastion Firewall');
  await session.key('ctrl+w');
  await session.gone('label', 'Protecting');
  await session.askForWhatHasGone();
  assert.equal(hasEnded(windows), false);
  assert.deepEqual(children(pidOf(session)), [windows]);
});
