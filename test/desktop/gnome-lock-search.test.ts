/** A real GNOME Shell's lock screen and its own search, with a helper that the test plays. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { noLab } from '../integration/support.ts';
import { Lab } from '../lab/lab.ts';
import { GnomeShell, missingForShell } from './gnome-shell.ts';
import type { LineProcess } from './processes.ts';
import { promptOf, sampleRules } from './samples.ts';

const missing = await missingForShell();
const skip = noLab() || (missing === '' ? false : missing);
const SAVER = 'org.gnome.ScreenSaver';

const ends: (() => unknown)[] = [];
let lab: Lab;
let shell: GnomeShell;
let app: LineProcess;

describe('GNOME Shell lock screen and search', { skip }, () => {
  before(async () => {
    lab = await Lab.create({ startHelper: false });
    shell = await GnomeShell.start({ after: (end: () => unknown) => { ends.push(end); } }, { user: lab.user, tree: lab.tree, systemBus: lab.busAddress });
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
    await lab.dispose();
  });
  beforeEach(async () => {
    app = await shell.startStandIn();
    app.write({ do: 'rules', rules: sampleRules(Date.now()) });
    app.write({ do: 'connected', connected: true });
    await shell.trayIcon('protecting');
  });
  afterEach(async () => {
    await app.stop();
    await shell.until('no icon', async () => await shell.look('tray') === null);
  });

  test('search: what is typed in the overview finds a rule, and Enter opens it in the window', async () => {
    await shell.keys('Super_L');
    await shell.until('the overview', async () => await shell.look('overview') !== null);
    await shell.keys('s', 't', 'e', 'a', 'm');
    const found = await shell.until('the rule among the results', async () => {
      const overview = await shell.look('overview');
      return overview?.texts.includes('steam may reach any host on ports 27000-27050 (UDP).') === true ? overview : null;
    });
    assert.ok(found.texts.includes('Firewall rule, switched off'), found.texts.join('\n'));
    assert.ok(found.texts.includes('Bastion Firewall'), 'the results stand below the name of the program');
    await shell.screenshot('shell-search');
    await shell.keys('Return');
    const window = await shell.until('the window in front', async () => (await shell.windows()).find(({ focused, app: id }) => focused && id.includes('bastionfirewall')));
    assert.equal(window.title, 'Bastion Firewall');
    const reader = shell.startReader();
    await reader.ask({ do: 'wait', role: 'label', name: 'steam may reach any host on ports 27000-27050 (UDP).' });
  });

  test('lock: nothing is asked on the lock screen, and the question comes back with the person, whoever had it locked', async () => {
    await shell.addLockScreen();
    const ways = [
      () => shell.setLocked(true),
      () => shell.bus.call({ destination: SAVER, path: '/org/gnome/ScreenSaver', interface: SAVER, member: 'Lock' }),
    ];
    for (const [index, lock] of ways.entries()) {
      const prompt = promptOf({ nonce: `n${String(index)}`, path: `/usr/bin/tool${String(index)}` });
      app.write({ do: 'raise', prompt });
      await shell.banner(`tool${String(index)} wants to connect`);
      await lock();
      await shell.until('the lock screen', () => shell.eval('Main.screenShield.locked') as Promise<boolean>);
      await shell.until('no notification', async () => (await shell.notifications()).length === 0);
      await shell.setLocked(false);
      await shell.banner(`tool${String(index)} wants to connect`);
      app.write({ do: 'end', nonce: prompt.nonce, why: 'withdrawn' });
      await shell.noBanner();
    }
    assert.ok(!app.pending.some((line) => line.includes('"answer"')), 'nothing was answered');
  });
});
