/** The front end as a Flatpak on a real screen, with the lab's helper: what it can do in its sandbox, and what it cannot. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TestContext } from 'node:test';
import { DesktopSession, missingForDesktop } from '../desktop/desktop-session.ts';
import { copyInto, noLab } from '../integration/support.ts';
import { Lab } from '../lab/lab.ts';
import { tool } from '../lab/process.ts';
import { FlatpakInstallation, ID } from './flatpak/installation.ts';
import { noFlatpak } from './flatpak/runtime.ts';

const missing = await missingForDesktop();
const skip = noFlatpak() || noLab() || (missing === '' ? false : missing);
const INSTALL = 'sudo apt install ./bastion-firewall_*.deb';

let installed: FlatpakInstallation | null = null;
before(async () => { if (skip === false) installed = await FlatpakInstallation.make(); });
after(() => { installed?.remove(); });

function flatpak(): FlatpakInstallation {
  if (installed === null) throw new Error('the Flatpak is not installed');
  return installed;
}

async function start(t: TestContext, startHelper = true): Promise<{ readonly lab: Lab; readonly session: DesktopSession }> {
  const lab = await Lab.create({ settings: 'prompt_timeout_s = 120', startHelper });
  t.after(() => lab.dispose());
  const session = await DesktopSession.start(t, {
    tree: lab.tree, program: '/usr/bin/flatpak', arguments: ['run', ID, '--window'], user: lab.user,
    environment: { ...flatpak().environment, DBUS_SYSTEM_BUS_ADDRESS: lab.busAddress },
  });
  return { lab, session };
}

test('Flatpak: its permissions are the display, the helper and the tray, and nothing else', { skip }, () => {
  assert.equal(flatpak().permissions().trim(), [
    '[Context]', 'shared=ipc;', 'sockets=x11;wayland;fallback-x11;', '',
    '[Session Bus Policy]', 'org.kde.StatusNotifierWatcher=talk', '',
    '[System Bus Policy]', 'org.bastionfirewall.Helper1=talk',
  ].join('\n'));
});

test('Flatpak: the system gets its menu entry, its activation, its search and every icon that it names outside', { skip }, () => {
  const shared = flatpak().exports;
  const read = (path: string): string => readFileSync(join(shared, path), 'utf8');
  const entry = join(shared, `applications/${ID}.desktop`);
  tool('desktop-file-validate', ['--no-hints', entry]);
  assert.match(read(`applications/${ID}.desktop`), new RegExp(`^Exec=\\S*flatpak run .*${ID.replaceAll('.', '\\.')}`, 'mu'));
  assert.match(read(`dbus-1/services/${ID}.service`), /^Exec=\S*flatpak run .*--command=\/app\/bin\/bastion-firewall-desktop .*--gapplication-service$/mu);
  assert.match(read(`gnome-shell/search-providers/${ID}.search-provider.ini`), /^BusName=org\.bastionfirewall\.Desktop\.SearchProvider$/mu);
  // The builder of Debian 12 gives it its older ending.
  const [description = ''] = readdirSync(join(shared, 'metainfo'));
  assert.match(description, /^org\.bastionfirewall\.Desktop\.(?:metainfo|appdata)\.xml$/u);
  tool('appstreamcli', ['validate', '--no-net', '--pedantic', join(shared, 'metainfo', description)]);
  const icons = readdirSync(join(shared, 'icons/hicolor/symbolic/apps'));
  for (const state of ['protecting', 'learning', 'prompt', 'degraded', 'paused', 'safeguard', 'off']) {
    assert.ok(icons.includes(`${ID}-${state}-symbolic.svg`), state);
  }
});

test('Flatpak: its window is connected to the helper, says that its answers are limited, and a held connection obeys it', { skip }, async (t) => {
  const { lab, session } = await start(t);
  await session.shown('label', 'Answers are limited');
  const visitor = copyInto(lab, '/usr/bin/curl', 'visitor');
  const held = lab.run([visitor, '--silent', '--max-time', '50', `http://${lab.peer4}/`]);
  await session.shown('label', 'visitor wants to connect');
  await session.screenshot('flatpak-prompt');
  await session.shown('push button', 'Allow');
  await session.click('push button', 'Allow');
  assert.equal((await held).status, 0);
});

/** What a program inside finds, as JSON. */
const LOOK = `
const { readFileSync, readdirSync, existsSync } = require('node:fs');
const [secret, home] = process.argv.slice(1);
const names = (path) => { try { return readdirSync(path); } catch { return []; } };
const socket = require('node:net').connect({ host: '127.0.0.1', port: 9 });
socket.on('error', (error) => {
  let text = '';
  try { text = readFileSync(secret, 'utf8'); } catch {}
  console.log(JSON.stringify({
    text, home: names(home).filter((name) => !name.startsWith('.')), homes: names('/home'), etc: existsSync('/etc/bastion'),
    host: existsSync('/run/host/usr'), interfaces: Object.keys(require('node:os').networkInterfaces()), refused: error.code,
    others: names('/proc').filter((name) => /^\\d+$/.test(name)).length,
  }));
});
`;

test('Flatpak: no file of the person, no network and no other service can be reached from inside', { skip }, async (t) => {
  const { lab, session } = await start(t);
  await session.shown('label', 'Answers are limited');
  const secret = join(session.home, 'secret');
  writeFileSync(secret, 'a letter', { mode: 0o644 });
  const seen = await flatpak().run(lab, session.environment, ['/app/lib/bastion/bin/node', '-e', LOOK, secret, session.home]);
  assert.equal(seen.status, 0, seen.stderr);
  const { others, ...found } = JSON.parse(seen.stdout) as { readonly others: number };
  assert.deepEqual(found, { text: '', home: [], homes: [], etc: false, host: false, interfaces: ['lo'], refused: 'ECONNREFUSED' });
  assert.ok(others < 10, 'only processes of its own');

  const call = (name: string, path: string): string[] => ['gdbus', 'call', '--system', '--dest', name, '--object-path', path, '--method', 'org.freedesktop.DBus.Peer.Ping'];
  const helper = call('org.bastionfirewall.Helper1', '/org/bastionfirewall/Helper1');
  const polkit = call('org.freedesktop.PolicyKit1', '/org/freedesktop/PolicyKit1/Authority');
  assert.equal((await flatpak().run(lab, session.environment, helper)).status, 0);
  const refused = await flatpak().run(lab, session.environment, polkit);
  assert.notEqual(refused.status, 0);
  assert.match(refused.stderr, /ServiceUnknown|AccessDenied/u);
  // Outside, the same call has its answer.
  assert.equal((await lab.run(polkit)).status, 0);
});

test('Flatpak: without the helper the window says how to get it, and goes on when it is there', { skip }, async (t) => {
  const { lab, session } = await start(t, false);
  await session.shown('label', 'Not connected');
  await session.visible('label', 'If the firewall is not installed');
  await session.visible('label', INSTALL);
  await session.screenshot('flatpak-without-helper');
  await lab.startHelper();
  await session.shown('label', 'Answers are limited');
  await session.gone('label', INSTALL);
});
