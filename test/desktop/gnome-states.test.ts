/** What a real GNOME Shell shows of every state, and what it keeps quiet: a helper that the test plays. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { noLab } from '../integration/support.ts';
import { Lab } from '../lab/lab.ts';
import { GnomeShell, missingForShell, pixels } from './gnome-shell.ts';
import type { LineProcess } from './processes.ts';
import { promptOf, statusOf } from './samples.ts';

const missing = await missingForShell();
const skip = noLab() || (missing === '' ? false : missing);
/** Grey levels of 255 that an eye tells apart, and how many pixels of an icon of 16 have to. */
const DIFFERENT_LEVEL = 60;
const DIFFERENT_PIXELS = 12;
const NORMAL = 1;
const CRITICAL = 3;

const ends: (() => unknown)[] = [];
let lab: Lab;
let shell: GnomeShell;
let app: LineProcess;

function differing(one: Buffer, other: Buffer): number {
  return one.reduce((count, level, index) => (Math.abs(level - (other[index] ?? 0)) > DIFFERENT_LEVEL ? count + 1 : count), 0);
}

describe('GNOME Shell states', { skip }, () => {
  before(async () => {
    lab = await Lab.create({ startHelper: false });
    shell = await GnomeShell.start({ after: (end: () => unknown) => { ends.push(end); } }, { user: lab.user, tree: lab.tree, systemBus: lab.busAddress });
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
    await lab.dispose();
  });
  beforeEach(async () => {
    await shell.settings({});
    await shell.move(100, 800);
    app = await shell.startStandIn();
    app.write({ do: 'connected', connected: true });
    await shell.trayIcon('protecting');
  });

  afterEach(async () => {
    await app.stop();
    await shell.noBanner();
    await shell.until('no icon', async () => await shell.look('tray') === null);
  });

  test('tray: every state has an icon of its own shape, told apart without colour, with its number and its words', async () => {
    const pictures = new Map<string, Buffer>();
    const states = [
      ['protecting', {}, [], 'Protecting'], ['learning', { mode: 'learning' }, [], 'Learning'],
      ['paused', { state: 'paused', pausedUntilMs: Date.now() + 290_000 }, ['5'], 'Paused, 5 min left'],
      ['degraded', { state: 'degraded', degradedReasons: [{ code: 'bpf', text: 'The kernel’s part is missing.', remedy: '' }] }, [], 'Limited protection'],
      ['safeguard', { state: 'safeguard' }, [], 'Safeguard Mode'],
    ] as const;
    const keep = async (name: string, texts: readonly string[]): Promise<void> => {
      await shell.trayIcon(name);
      const tray = await shell.until(`the label of ${name}`, async () => {
        const found = await shell.look('tray');
        return found?.texts.join() === texts.join() ? found : null;
      });
      const { x, y } = tray.place;
      // The icon alone, which stands at the start of the item.
      pictures.set(name, await pixels(await shell.screenshot(`tray-${name}`, { x: x + 8, y: y + 6, width: 22, height: 20 })));
    };
    for (const [name, change, texts, words] of states) {
      app.write({ do: 'status', status: statusOf(change) });
      await keep(name, texts);
      assert.equal((await shell.look('tray'))?.accessible, `Bastion Firewall: ${words}`);
    }
    app.write({ do: 'status', status: statusOf() });
    for (let index = 0; index < 12; index += 1) app.write({ do: 'raise', prompt: promptOf({ nonce: `n${String(index)}`, path: `/usr/bin/tool${String(index)}` }) });
    await keep('prompt', ['9+']);
    app.write({ do: 'connected', connected: false });
    await keep('off', []);
    for (const [name, picture] of pictures) {
      for (const [other, second] of pictures) {
        if (name !== other) assert.ok(differing(picture, second) >= DIFFERENT_PIXELS, `${name} looks like ${other}`);
      }
    }
  });

  test('state: what got worse is told once and taken back; the safeguard is critical and says its sentence', async () => {
    app.write({ do: 'status', status: statusOf({ state: 'degraded', degradedReasons: [{ code: 'bpf', text: 'The kernel’s part is missing.', remedy: '' }] }) });
    await shell.banner('Limited protection');
    assert.deepEqual((await shell.notifications()).map(({ urgency, body }) => [urgency, body]), [[NORMAL, 'The kernel’s part is missing.']]);
    app.write({ do: 'status', status: statusOf() });
    await shell.noBanner();
    app.write({ do: 'status', status: statusOf({ state: 'safeguard' }) });
    const banner = await shell.banner('Safeguard Mode');
    assert.ok(banner.texts.some((text) => text.startsWith('Bastion Firewall detected abnormal network activity')));
    assert.deepEqual((await shell.notifications()).map(({ urgency }) => urgency), [CRITICAL]);
    await shell.screenshot('shell-safeguard');
    await shell.decide('End');
    await app.line((line) => line.includes('"endSafeguard"'));
    await shell.noBanner();
  });

  test('Do Not Disturb: a prompt waits in the list and in the tray, the safeguard is shown all the same', async () => {
    await shell.settings({ doNotDisturb: true });
    await shell.until('Do Not Disturb', () => shell.eval('new imports.gi.Gio.Settings({ schema_id: "org.gnome.desktop.notifications" }).get_boolean("show-banners") === false') as Promise<boolean>);
    app.write({ do: 'raise', prompt: promptOf() });
    await shell.trayIcon('prompt');
    await shell.until('the prompt in the list', async () => (await shell.notifications()).some(({ title, urgency }) => title === 'curl wants to connect' && urgency === NORMAL));
    assert.equal(await shell.look('banner'), null);
    app.write({ do: 'status', status: statusOf({ state: 'safeguard' }) });
    await shell.banner('Safeguard Mode');
    app.write({ do: 'status', status: statusOf() });
    await shell.until('no banner', async () => await shell.look('banner') === null);
    await shell.settings({});
    const banner = await shell.banner('curl wants to connect');
    assert.ok(banner.controls.some(({ text }) => text === 'Details'), 'it comes to the front when Do Not Disturb ends');
  });

  test('a window that comes by itself waits until nobody types, and the text is whole', async () => {
    await app.stop();
    const writer = await shell.startWriter();
    await shell.move(100, 800);
    app = await shell.startStandIn({}, ['--background', '--window']);
    app.write({ do: 'connected', connected: true });
    await shell.trayIcon('protecting');
    await shell.giveKeyboard('Writer');
    const text = 'what is typed stays';
    for (const [index, letter] of Array.from(text).entries()) {
      await shell.keys(letter === ' ' ? 'space' : letter);
      if (index === 4) app.write({ do: 'raise', prompt: promptOf() });
    }
    await shell.keys('Return');
    await shell.says(writer, text);
    await shell.until('the prompt', async () => (await shell.windows()).some(({ title, focused }) => title === 'curl wants to connect' && focused));
    assert.ok(!app.pending.some((line) => line.includes('"answer"')), 'nothing was answered');
    await writer.stop();
  });

  test('without a tray host the overview says how to get one, until that is put away, and questions come all the same', async () => {
    await shell.setTrayHost(false);
    await shell.until('no icon', async () => await shell.look('tray') === null);
    app.write({ do: 'open', page: 'overview', item: '' });
    const reader = shell.startReader();
    await reader.ask({ do: 'wait', role: 'push button', name: 'Do not show this again' });
    await shell.screenshotWindow('shell-no-tray');
    app.write({ do: 'raise', prompt: promptOf() });
    await shell.banner('curl wants to connect');
    await reader.ask({ do: 'click', role: 'push button', name: 'Do not show this again' });
    await reader.ask({ do: 'gone', role: 'push button', name: 'Do not show this again', any_state: true });
    await shell.setTrayHost(true);
    await shell.trayIcon('prompt');
  });
});
