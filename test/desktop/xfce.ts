/** Xfce's panel with its status tray, its window manager and its notification server on an X server, moved by a pointer. */
import { execFile } from 'node:child_process';
import { access, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { becomeUser } from '../lab/user.ts';
import type { LabUser } from '../lab/user.ts';
import type { DesktopSession } from './desktop-session.ts';
import { LineProcess } from './processes.ts';

const run = promisify(execFile);
const LIBRARIES = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/xfce4`;
const PROGRAMS = {
  settings: `${LIBRARIES}/xfconf/xfconfd`, windows: '/usr/bin/xfwm4', notifications: `${LIBRARIES}/notifyd/xfce4-notifyd`, panel: '/usr/bin/xfce4-panel',
} as const;
const LIMIT_MS = 40_000;
const POLL_MS = 50;
/** Questions take no click sooner. */
const AWAKE_MS = 600;
const SMALLEST_ICON = 16;
const ASIDE = [300, 700] as const;

/** What is missing for a session of Xfce, '' if nothing. */
export async function missingForXfce(): Promise<string> {
  for (const program of [...Object.values(PROGRAMS), '/usr/bin/gdbus', '/usr/bin/convert']) {
    if (!(await access(program).then(() => true, () => false))) return `${program} is not installed`;
  }
  return '';
}

/** A panel at the top with nothing but the status tray. */
const PANEL = `<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array"><value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="30"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty"><property name="plugin-1" type="string" value="systray"/></property>
</channel>
`;

export interface Pixels { readonly x: number; readonly y: number; readonly width: number; readonly height: number }

export class Xfce {
  readonly #session: DesktopSession;

  constructor(session: DesktopSession) {
    this.#session = session;
  }

  /** Starts its parts one after the other, each once the one before has its name on the bus; they end with the test. */
  static async startIn(t: Pick<TestContext, 'after'>, environment: NodeJS.ProcessEnv, tree: string, user?: LabUser): Promise<void> {
    const config = environment['XDG_CONFIG_HOME'] ?? '';
    const channels = join(config, 'xfce4/xfconf/xfce-perchannel-xml');
    const icons = join(environment['XDG_DATA_HOME'] ?? '', 'icons');
    await mkdir(channels, { recursive: true });
    await mkdir(icons, { recursive: true });
    await symlink(join(tree, 'data/icons/hicolor'), join(icons, 'hicolor'));
    await writeFile(join(channels, 'xfce4-panel.xml'), PANEL);
    if (user !== undefined) await run('chown', ['-R', `${String(user.uid)}:${String(user.gid)}`, config, environment['XDG_DATA_HOME'] ?? '']);
    const as = user === undefined ? [] : becomeUser(user);
    const start = async (program: string, name: string): Promise<void> => {
      const process = new LineProcess('/usr/bin/env', [...as, program], { ...environment, XDG_CURRENT_DESKTOP: 'XFCE' });
      t.after(() => process.stop());
      if (name !== '') await run('/usr/bin/env', [...as, '/usr/bin/gdbus', 'wait', '--session', '--timeout', '15', name], { env: environment });
    };
    await start(PROGRAMS.settings, 'org.xfce.Xfconf');
    await start(PROGRAMS.windows, '');
    await start(PROGRAMS.notifications, 'org.freedesktop.Notifications');
    await start(PROGRAMS.panel, 'org.kde.StatusNotifierWatcher');
  }

  /** Where the shield is, once it rests there: the plugin is a window in the panel, and has nothing else to show. */
  icon(): Promise<Pixels> {
    return this.#resting('the tray icon', async () => {
      const [icon] = await this.#pluginWindows();
      return icon !== undefined && icon.width >= SMALLEST_ICON ? icon : undefined;
    });
  }

  /**
   * Opens the shield's menu with the pointer and goes through it by keyboard, because accessibility does not always reach into a
   * plugin: so many rows down that can be chosen, and for each number more into the submenu there.
   */
  async choose(...rows: readonly number[]): Promise<void> {
    const { x, y, width, height } = await this.icon();
    // A pointer that is there already would be waited for.
    await this.#session.pointAt(...ASIDE);
    await this.#session.press(x + Math.round(width / 2), y + Math.round(height / 2), 3);
    await this.#resting('the menu', async () => (await this.#pluginWindows())[1]);
    for (const [level, row] of rows.entries()) {
      // A submenu opens with its first row chosen.
      const down = level === 0 ? row : row - 1;
      if (level > 0) await this.#session.key('Right');
      if (down > 0) await this.#session.key(...Array.from({ length: down }, () => 'Down'));
    }
  }

  /** Clicks a button of a notification. */
  async press(name: string): Promise<void> {
    const look = async (): Promise<Pixels | undefined> => (await this.#session.bounds(true)).find((one) => /^(?:push )?button$/u.test(one.role) && one.name === name);
    const { x, y, width, height } = await this.#resting(`"${name}"`, look);
    await this.#session.pointAt(...ASIDE);
    await this.#session.press(x + Math.round(width / 2), y + Math.round(height / 2));
  }

  /** The first is the plugin itself, the others are its menus. */
  async #pluginWindows(): Promise<readonly Pixels[]> {
    const { stdout } = await run('/usr/bin/xdotool', ['search', '--onlyvisible', '--class', 'wrapper', 'getwindowgeometry', '--shell', '%@'], { env: this.#session.environment });
    const windows = [...stdout.matchAll(/^X=(\d+)\nY=(\d+)\nWIDTH=(\d+)\nHEIGHT=(\d+)$/gmu)].map(([, ...numbers]) => {
      const [x = 0, y = 0, width = 0, height = 0] = numbers.map(Number);
      return { x, y, width, height };
    });
    return windows.sort((one, other) => one.height - other.height);
  }

  /** Grey levels of the shield, row by row. */
  async picture(): Promise<Buffer> {
    const { x, y, width, height } = await this.icon();
    const area = `${String(width)}x${String(height)}+${String(x)}+${String(y)}`;
    const { stdout } = await run('/usr/bin/import', ['-window', 'root', '-crop', area, '-colorspace', 'Gray', '-depth', '8', 'gray:-'], {
      env: this.#session.environment, encoding: 'buffer', maxBuffer: 1024 * 1024,
    });
    return stdout;
  }

  /** Clicks a button of the notification with this title until that goes: in its first moment it takes no click, and is asked again. */
  async answer(title: string, button: string): Promise<void> {
    const end = performance.now() + LIMIT_MS;
    while ((await this.#session.dump()).includes(`label: ${title}`)) {
      if (performance.now() > end) throw new Error(`"${button}" does nothing`);
      await this.press(button).catch(() => undefined);
      await new Promise((resolve) => { setTimeout(resolve, AWAKE_MS); });
    }
  }

  async #resting(what: string, look: () => Promise<Pixels | undefined>): Promise<Pixels> {
    const end = performance.now() + LIMIT_MS;
    let before = '';
    for (;;) {
      const found = await look().catch(() => undefined);
      const here = JSON.stringify(found ?? '');
      if (found !== undefined && here === before) return found;
      before = here;
      if (performance.now() > end) throw new Error(`waited in vain for ${what}; there is\n${(await this.#session.dump()).join('\n')}`);
      await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
    }
  }
}
