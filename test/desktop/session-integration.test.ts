/** What a desktop session asks of the program: its search, its actions, its start, and what it tells at first. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { connectBus } from '../../helper/contract/transport.ts';
import type { BusConnection } from '../../helper/contract/transport.ts';
import { SEARCH_INTERFACE, SEARCH_NAME, SEARCH_PATH } from '../../desktop/session/search-provider.ts';
import { buildDesktop } from '../../tools/build-desktop.ts';
import { NotificationStub } from './bus-services.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { LineProcess } from './processes.ts';
import { sampleRules } from './samples.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = join(ROOT, 'build/bin/bastion-firewall-desktop');
const APPLICATION = 'org.bastionfirewall.Desktop';
const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };

before(async () => { if (missing === '') await buildDesktop({ root: ROOT, log: () => undefined }); });

function search(bus: BusConnection, member: string, signature: string, body: readonly unknown[]): Promise<readonly unknown[]> {
  return bus.call({ destination: SEARCH_NAME, path: SEARCH_PATH, interface: SEARCH_INTERFACE, member, signature, body });
}

test('search provider: finds rules as the shell asks, opens the page of a result, and refuses what is no call of the shell', options, async (t) => {
  const session = await DesktopSession.start(t);
  session.say({ do: 'rules', rules: sampleRules(Date.now()) });
  await session.connect();
  const bus = await connectBus({ address: session.busAddress });
  t.after(() => { bus.close(); });
  assert.deepEqual(await search(bus, 'GetInitialResultSet', 'as', [['s']]), [[]]);
  const [ids] = await search(bus, 'GetInitialResultSet', 'as', [['stea']]);
  assert.deepEqual(ids, ['rule:steam']);
  assert.deepEqual(await search(bus, 'GetSubsearchResultSet', 'asas', [ids, ['steam', '27000']]), [[]]);
  const [metas] = (await search(bus, 'GetResultMetas', 'as', [['rule:steam', 'rule:gone']])) as readonly (readonly Record<string, { readonly value: unknown }>[])[];
  assert.equal(metas?.length, 1);
  assert.equal(metas[0]?.['name']?.value, 'steam may reach any host on ports 27000-27050 (UDP).');
  assert.equal(metas[0]['description']?.value, 'Firewall rule, switched off');
  await assert.rejects(search(bus, 'GetInitialResultSet', 's', ['steam']));
  await assert.rejects(search(bus, 'Quit', '', []));
  await search(bus, 'ActivateResult', 'sasu', ['rule:gone', ['x'], 0]);
  await search(bus, 'ActivateResult', 'sasu', ['rule:steam', ['steam'], 0]);
  await session.shown('label', 'steam may reach any host on ports 27000-27050 (UDP).');
});

test('actions of the icon: a page by the bus, a pause by the command line of a second start, and nothing else', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  const bus = await connectBus({ address: session.busAddress });
  t.after(() => { bus.close(); });
  const activate = (name: string): Promise<readonly unknown[]> => bus.call({
    destination: APPLICATION, path: '/org/bastionfirewall/Desktop', interface: 'org.freedesktop.Application', member: 'ActivateAction',
    signature: 'sava{sv}', body: [name, [], {}],
  });
  await activate('rules');
  await session.shown('label', 'No Rules Yet');
  await activate('pause');
  assert.deepEqual((await session.call('pause')).args, [300]);
  const second = new LineProcess(PROGRAM, ['--action=pause'], session.environment);
  await second.ended();
  assert.equal(second.child.exitCode, 0, second.stderr);
  assert.deepEqual((await session.call('pause')).args, [300]);
});

test('start with the session: it ends at once where the person does not want it, and starts when it is opened', options, async (t) => {
  const session = await DesktopSession.start(t, { environment: { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent/bus', GSETTINGS_BACKEND: 'keyfile' } });
  // The stand-in has the application's name; only one of the two can have it.
  await session.app.stop();
  const folder = join(session.environment['XDG_CONFIG_HOME'] ?? '', 'glib-2.0/settings');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'keyfile'), '[org/bastionfirewall/Desktop]\nstart-with-session=false\n');
  const unwanted = new LineProcess(PROGRAM, ['--autostart'], session.environment);
  await unwanted.ended();
  assert.equal(unwanted.child.exitCode, 0, unwanted.stderr);
  const opened = new LineProcess(PROGRAM, [], session.environment);
  t.after(() => opened.stop());
  await session.shown('label', 'Not connected');
});

test('first start: a notification offers the first steps once', options, async (t) => {
  const servers: NotificationStub[] = [];
  const session = await DesktopSession.start(t, { before: async (address) => { servers.push(await NotificationStub.start(address)); } });
  const [server] = servers;
  assert.ok(server);
  t.after(() => { server.stop(); });
  session.say({ do: 'status', status: { mode: 'learning' } });
  await session.connect();
  const shown = await server.shown.next((one) => one.summary === 'Bastion Firewall is learning');
  assert.ok(shown.actions.has('show'));
  server.press(shown.id, 'show');
  await session.shown('label', 'Your Programs, Your Decision');
});
