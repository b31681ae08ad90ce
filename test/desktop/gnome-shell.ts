/**
 * A real, headless GNOME Shell with the AppIndicator extension, seen and moved as a person does: a virtual pointer and keyboard
 * whose events take the way of real ones.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { connectBus } from '../../helper/contract/transport.ts';
import type { BusConnection } from '../../helper/contract/transport.ts';
import type { LabUser } from '../lab/user.ts';
import { SCREENSHOTS } from './desktop-session.ts';
import { killSession, makeGnomeHome, startAs, writeGnomeSettings } from './gnome-session.ts';
import type { GnomeSettings } from './gnome-session.ts';
import type { LineProcess } from './processes.ts';
import { buildStandIn, standInBundle } from './stand-in-build.ts';
import type { AreaName, Place, ShellArea, ShellNotification, ShellWindow } from './shell-looks.ts';

export { missingForShell } from './gnome-session.ts';

const run = promisify(execFile);
const SHELL = 'org.gnome.Shell';
const START_LIMIT_MS = 90_000;
const LIMIT_MS = 40_000;
const POLL_MS = 25;
/** Questions take no click sooner. */
const AWAKE_MS = 600;
/** A click that has done nothing by then was lost. */
const LOST_MS = 2000;
const SETTLED_MS = 400;
const IN_SHELL = join(import.meta.dirname, 'in-shell.js');

export interface ShellOptions {
  readonly user: LabUser;
  /** The tree where that user can read it. */
  readonly tree: string;
  /** Address of the bus that stands for the system's. */
  readonly systemBus: string;
  readonly settings?: GnomeSettings;
  readonly size?: string;
}

export class GnomeShell {
  readonly environment: NodeJS.ProcessEnv;
  readonly folder: string;
  readonly bus: BusConnection;
  readonly #options: ShellOptions;
  readonly #ends: (() => Promise<void>)[];

  private constructor(folder: string, environment: NodeJS.ProcessEnv, bus: BusConnection, options: ShellOptions, ends: (() => Promise<void>)[]) {
    this.folder = folder;
    this.environment = environment;
    this.bus = bus;
    this.#options = options;
    this.#ends = ends;
  }

  /** Up and empty: start-up messages are gone. Everything is ended and removed with the test. */
  static async start(t: Pick<TestContext, 'after'>, options: ShellOptions): Promise<GnomeShell> {
    const folder = await mkdtemp(join(tmpdir(), 'bastion-gnome-'));
    const ends: (() => Promise<void>)[] = [
      () => rm(folder, { recursive: true, force: true, maxRetries: 5 }),
      () => killSession(folder),
    ];
    t.after(async () => { for (const end of ends.reverse()) await end(); });
    const environment = await makeGnomeHome(folder, options.user, options.tree, options.systemBus, options.settings ?? {});
    const daemon = startAs(options.user, ['/usr/bin/dbus-daemon', '--config-file', join(folder, 'bus.conf'), '--nofork', '--nopidfile', '--print-address=1'], environment);
    ends.push(() => daemon.stop());
    await daemon.line();
    const shell = startAs(options.user, [
      '/usr/bin/gnome-shell', '--headless', '--virtual-monitor', options.size ?? '1280x900', '--wayland', '--no-x11', '--unsafe-mode',
    ], { ...environment, WAYLAND_DISPLAY: undefined, GDK_BACKEND: undefined, NO_AT_BRIDGE: '1' });
    ends.push(() => shell.stop('SIGKILL'));
    const bus = await connectBus({ address: environment['DBUS_SESSION_BUS_ADDRESS'], timeoutMs: LIMIT_MS });
    ends.push(() => { bus.close(); return Promise.resolve(); });
    const rig = new GnomeShell(folder, environment, bus, options, ends);
    await rig.#ready(shell);
    return rig;
  }

  /** Starts a program in the session, as its user; it ends with the test. */
  spawn(argv: readonly string[], environment: Readonly<Record<string, string>> = {}): LineProcess {
    const process = startAs(this.#options.user, argv, { ...this.environment, ...environment });
    this.#ends.push(() => process.stop());
    return process;
  }

  /** The application as it is shipped. */
  startDesktop(args: readonly string[] = ['--background']): LineProcess {
    return this.spawn([join(this.#options.tree, 'build/bin/bastion-firewall-desktop'), ...args]);
  }

  /** The application with a helper that the test plays. */
  async startStandIn(environment: Readonly<Record<string, string>> = {}, args: readonly string[] = ['--background']): Promise<LineProcess> {
    await buildStandIn();
    const app = this.spawn([process.execPath, join(this.#options.tree, standInBundle), ...args], environment);
    await app.line((line) => line.includes('"ready"'));
    return app;
  }

  /** Reads and presses what windows have, by accessible names; see at_spi.py. */
  startReader(): { readonly ask: (command: object) => Promise<void> } {
    const reader = this.spawn(['/usr/bin/python3', join(this.#options.tree, 'test/desktop/at_spi.py')]);
    return {
      ask: async (command) => {
        reader.write(command);
        const answer = JSON.parse(await reader.line()) as { readonly ok: boolean; readonly lines?: readonly string[] };
        if (!answer.ok) throw new Error(`${JSON.stringify(command)} found nothing; shown are:\n${(answer.lines ?? []).join('\n')}`);
      },
    };
  }

  /** A window with one entry, which has the keyboard; every change of its text is a line. */
  async startWriter(): Promise<LineProcess> {
    await this.#settle(0);
    const writer = this.spawn(['/usr/bin/gjs', join(this.#options.tree, 'test/desktop/writer.js')]);
    await this.giveKeyboard('Writer');
    await this.says(writer, 'active');
    return writer;
  }

  /** A window that nobody asked for need not get the keyboard, and the overview takes it away: a person clicks into it. */
  async giveKeyboard(title: string): Promise<void> {
    const { x, y, width, height } = await this.window(title);
    await this.until(`${title} to have the keyboard`, async () => {
      await this.#settle(SETTLED_MS);
      if ((await this.windows()).some((one) => one.title === title && one.focused)) return true;
      await this.click(x + width / 2, y + height / 2);
      return false;
    });
  }

  /** Waits until the program has printed this line. */
  async says(program: LineProcess, line: string): Promise<void> {
    await this.until(`the line "${line}" in ${JSON.stringify(program.pending)}`, () => Promise.resolve(program.pending.includes(line)));
  }

  /** Waits until the tray shows `bastion-firewall-NAME-symbolic`. */
  async trayIcon(name: string): Promise<void> {
    await this.until(`the tray icon ${name}`, async () => await this.#ask('trayIcon') === `bastion-firewall-${name}-symbolic.svg`);
  }

  /** Runs JavaScript in the shell; throws what it throws. */
  async eval(code: string): Promise<unknown> {
    const [done, result] = await this.bus.call({ destination: SHELL, path: '/org/gnome/Shell', interface: SHELL, member: 'Eval', signature: 's', body: [code] });
    if (done !== true) throw new Error(`the shell: ${String(result)}`);
    return result === '' ? null : JSON.parse(String(result));
  }

  #ask(name: string, ...args: readonly unknown[]): Promise<unknown> {
    return this.eval(`global.bastionRig.${name}(${args.map((one) => JSON.stringify(one)).join(', ')})`);
  }

  async look(area: AreaName): Promise<ShellArea | null> { return await this.#ask('look', area) as ShellArea | null; }
  async windows(): Promise<readonly ShellWindow[]> { return await this.#ask('windows') as readonly ShellWindow[]; }
  async notifications(): Promise<readonly ShellNotification[]> { return await this.#ask('notifications') as readonly ShellNotification[]; }
  async click(x: number, y: number): Promise<void> {
    await this.#ask('move', x, y);
    await this.#ask('button', true);
    await this.#ask('button', false);
  }
  async move(x: number, y: number): Promise<void> { await this.#ask('move', x, y); }
  async setTrayHost(on: boolean): Promise<void> { await this.#ask('setTrayHost', on); }
  async addLockScreen(): Promise<void> { await this.#ask('addLockScreen'); }
  async setLocked(on: boolean): Promise<void> { await this.#ask('setLocked', on); }
  async settings(settings: GnomeSettings): Promise<void> { await writeGnomeSettings(this.folder, this.#options.user, settings); }
  async resize(title: string, width: number, height: number): Promise<void> { assert.equal(await this.#ask('resize', title, width, height), true); }

  /** Presses keys by name (`Return`, `Escape`), character, or together (`Control_L+w`), on what has the keyboard. */
  async keys(...presses: readonly string[]): Promise<void> {
    for (const press of presses) {
      const keys = press.length === 1 ? [press] : press.split('+');
      for (const key of keys) await this.#ask('key', key, true);
      for (const key of keys.reverse()) await this.#ask('key', key, false);
    }
  }

  /** Polls until `look` gives something; throws after 40 s, with what there is instead. */
  async until<T>(what: string, look: () => Promise<T | null | undefined | false>): Promise<T> {
    const end = performance.now() + LIMIT_MS;
    for (;;) {
      const found = await look();
      if (found !== null && found !== undefined && found !== false) return found;
      if (performance.now() > end) throw new Error(`waited in vain for ${what}; ${await this.#describe()}`);
      await pause();
    }
  }

  /** Waits for the banner of a notification with this title. */
  banner(title: string): Promise<ShellArea> {
    return this.until(`a notification "${title}"`, async () => {
      const shown = await this.look('banner');
      return shown?.texts.includes(title) === true ? shown : null;
    });
  }

  async noBanner(): Promise<void> {
    await this.until('no notification', async () => await this.look('banner') === null && (await this.notifications()).length === 0);
  }

  window(title: string): Promise<ShellWindow> {
    return this.until(`a window "${title}"`, async () => (await this.windows()).find((one) => one.title === title));
  }

  /**
   * Clicks a control with the pointer once it rests in one place. A click that the busy shell has lost changes nothing and is
   * made again.
   */
  async press(area: AreaName, text: string): Promise<void> {
    const look = async (): Promise<{ readonly x: number; readonly y: number } | undefined> => (
      (await this.look(area))?.controls.find((one) => one.text === text && one.usable)
    );
    const found = await this.#resting(`"${text}" in the ${area}`, look);
    const before = await this.look(area);
    await this.click(found.x, found.y);
    let again = performance.now() + LOST_MS;
    await this.until(`a click on "${text}" to do something`, async () => {
      const now = await this.look(area);
      if (now === null || before === null || now.ageMs < before.ageMs || now.texts.join('\n') !== before.texts.join('\n')) return true;
      const point = performance.now() > again ? await look() : undefined;
      if (point !== undefined) {
        again = performance.now() + LOST_MS;
        await this.click(point.x, point.y);
      }
      return false;
    });
  }

  /** A point, once it is the same at two looks. */
  #resting(what: string, look: () => Promise<{ readonly x: number; readonly y: number } | null | undefined>): Promise<{ readonly x: number; readonly y: number }> {
    let before = '';
    return this.until(what, async () => {
      const point = await look();
      if (point === null || point === undefined) return null;
      const here = `${String(point.x)} ${String(point.y)}`;
      const rests = here === before;
      before = here;
      return rests ? point : null;
    });
  }

  /** Clicks a button of the question that is shown, as a person does who has read it: not in its first moment. */
  async decide(text: string): Promise<void> {
    await this.until('the question to be awake', async () => ((await this.look('banner'))?.ageMs ?? 0) > AWAKE_MS);
    await this.press('banner', text);
  }

  /** Opens the tray's menu; its labels. */
  async openMenu(): Promise<readonly string[]> {
    const open = await this.look('menu');
    if (open !== null) return open.texts;
    await this.until('the rows of the menu', async () => await this.#ask('menuReady') === true);
    const icon = await this.#resting('the tray icon', async () => {
      const found = await this.look('tray');
      return found === null ? null : { x: found.place.x + found.place.width / 2, y: found.place.y + found.place.height / 2 };
    });
    await this.click(icon.x, icon.y);
    return (await this.until('the menu', async () => {
      const menu = await this.look('menu');
      return menu !== null && menu.texts.length > 0 ? menu : null;
    })).texts;
  }

  async closeMenu(): Promise<void> {
    if (await this.look('menu') === null) return;
    await this.keys('Escape');
    await this.until('the menu to close', async () => await this.look('menu') === null);
  }

  /** Keeps the screen, or a part of it, as build/screenshots/NAME.png. */
  screenshot(name: string, part?: Place): Promise<string> {
    if (part === undefined) return this.#shoot(name, 'Screenshot', 'bb', [false, false]);
    return this.#shoot(name, 'ScreenshotArea', 'iiiib', [part.x, part.y, part.width, part.height, false]);
  }

  /** The window that has the focus, with its shadow on nothing. */
  screenshotWindow(name: string): Promise<string> {
    return this.#shoot(name, 'ScreenshotWindow', 'bbb', [true, false, false]);
  }

  async #shoot(name: string, member: string, signature: string, body: readonly unknown[]): Promise<string> {
    const path = join(this.folder, 'shots', `${name}.png`);
    const service = `${SHELL}.Screenshot`;
    const [done] = await this.bus.call({
      destination: service, path: '/org/gnome/Shell/Screenshot', interface: service, member, signature: `${signature}s`, body: [...body, path],
    });
    assert.equal(done, true, `the shell took no screenshot ${name}`);
    await mkdir(SCREENSHOTS, { recursive: true });
    const kept = join(SCREENSHOTS, `${name}.png`);
    await copyFile(path, kept);
    return kept;
  }

  async #ready(shell: LineProcess): Promise<void> {
    const end = performance.now() + START_LIMIT_MS;
    const script = await readFile(IN_SHELL, 'utf8');
    for (;;) {
      if (shell.child.exitCode !== null) throw new Error(`GNOME Shell ended: ${shell.stderr}`);
      const up = await this.eval('Main.layoutManager._startingUp === false').catch(() => false);
      if (up === true) break;
      if (performance.now() > end) throw new Error(`GNOME Shell did not start within 40 s: ${shell.stderr}`);
      await pause();
    }
    await this.eval(script);
    // A session begins with the overview, and with notices about what the machine lacks.
    await this.move(100, 800);
    await this.#settle(SETTLED_MS);
    await this.#ask('closeBanners');
  }

  /** A busy session shows its overview late: the plain desktop has to stay for so long. */
  async #settle(forMs: number): Promise<void> {
    let since = performance.now();
    await this.until('the plain desktop', async () => {
      if (await this.#ask('settle') !== true) since = performance.now();
      return performance.now() - since >= forMs;
    });
  }

  async #describe(): Promise<string> {
    const parts = { keyboard: await this.#ask('keyboard'), windows: await this.windows(), notifications: await this.notifications(), banner: await this.look('banner'), menu: await this.look('menu') };
    const kept = await this.screenshot('failed').catch(String);
    return `there is ${JSON.stringify(parts)}; ${kept}`;
  }
}

/** Grey levels, row by row, of an image scaled to nothing but itself. */
export async function pixels(path: string): Promise<Buffer> {
  const { stdout } = await run('/usr/bin/convert', [path, '-colorspace', 'Gray', '-depth', '8', 'gray:-'], { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

function pause(): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
}
