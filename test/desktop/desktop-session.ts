/** A desktop session for tests: X server, session bus, accessibility, and the application with a helper that the test plays. */
import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { becomeUser } from '../lab/user.ts';
import type { LabUser } from '../lab/user.ts';
import { NOON_ZONE } from './noon.ts';
import { LineProcess } from './processes.ts';
import { buildStandIn, standInBundle } from './stand-in-build.ts';
import type { StandInCall } from './stand-in-client.ts';
import type { StandInCommand } from './stand-in-main.ts';

const ROOT = join(import.meta.dirname, '../..');
const PYTHON = '/usr/bin/python3';
const SCREEN = '1000x960x24';
/** How long the keyboard may take to go on where nothing tells that a key was taken. */
const FOCUS_S = 1.5;
/** The same where it is told. */
const MOVED_S = 0.2;
export const SCREENSHOTS = join(ROOT, 'build/screenshots');
const run = promisify(execFile);

/** What is missing for these tests, '' if nothing. */
export async function missingForDesktop(): Promise<string> {
  const programs = ['/usr/bin/Xvfb', '/usr/bin/dbus-daemon', '/usr/bin/xdotool', '/usr/bin/import', '/usr/bin/convert', PYTHON, '/usr/libexec/at-spi-bus-launcher'];
  for (const program of programs) {
    if (!(await access(program).then(() => true, () => false))) return `${program} is not installed`;
  }
  const probe = 'import gi; gi.require_version("Atspi", "2.0"); from gi.repository import Atspi';
  return run(PYTHON, ['-c', probe]).then(() => '', () => 'python3-gi or gir1.2-atspi-2.0 is not installed');
}

const BUS_CONFIG = (folder: string): string => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=${folder}/bus</listen><servicedir>${folder}/services</servicedir>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow eavesdrop="false"/></policy>
</busconfig>`;

const A11Y_SERVICE = '[D-BUS Service]\nName=org.a11y.Bus\nExec=/usr/libexec/at-spi-bus-launcher\n';

export interface SessionOptions {
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Size of text against the usual, default 1. */
  readonly textScale?: number;
  /** Everything of the session is this user's; default: whoever runs the test. */
  readonly user?: LabUser;
  /** The tree where that user can read it; default: where it is. */
  readonly tree?: string;
  /** The shipped program, on a real helper; default: the stand-in that a test speaks for. */
  readonly program?: string;
  /** Runs when the bus is there and before the application starts. */
  readonly before?: (busAddress: string, environment: NodeJS.ProcessEnv) => Promise<void>;
}

/** Something that is shown, in pixels of its window. */
export interface Bounds {
  readonly role: string;
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Of the nearest thing around it that scrolls; 0 where nothing does. */
  readonly paneHeight: number;
}

/** One object as a screen reader finds it; of a text that stands for itself only role and name. */
export interface AccessibleNode {
  readonly id: string;
  readonly depth: number;
  readonly role: string;
  readonly name: string;
  readonly description?: string;
  readonly states?: readonly string[];
  /** x, y, width, height in its window. */
  readonly box?: readonly [number, number, number, number];
}

export class DesktopSession {
  readonly environment: NodeJS.ProcessEnv;
  readonly busAddress: string;
  readonly app: LineProcess;
  /** The session's bus. */
  readonly bus: LineProcess;
  readonly #reader: LineProcess;
  readonly #isStandIn: boolean;

  private constructor(environment: NodeJS.ProcessEnv, busAddress: string, app: LineProcess, bus: LineProcess, reader: LineProcess, isStandIn: boolean) {
    this.environment = environment;
    this.busAddress = busAddress;
    this.app = app;
    this.bus = bus;
    this.#reader = reader;
    this.#isStandIn = isStandIn;
  }

  /** Everything is ended and removed with the test. */
  static async start(t: Pick<TestContext, 'after'>, options: SessionOptions = {}): Promise<DesktopSession> {
    if (options.program === undefined) await buildStandIn();
    const folder = await mkdtemp(join(tmpdir(), 'bastion-desktop-'));
    const ends: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true, maxRetries: 5 })];
    t.after(async () => { for (const end of ends.reverse()) await end(); });
    const start = (command: string, args: readonly string[], environment: NodeJS.ProcessEnv): LineProcess => {
      const [program = command, ...rest] = [...(options.user === undefined ? [] : becomeUser(options.user)), command, ...args];
      const process = new LineProcess(program, rest, environment);
      ends.push(() => process.stop());
      return process;
    };
    const environment = await makeHome(folder, options.environment ?? {}, options.textScale ?? 1);
    if (options.user !== undefined) await run('chown', ['-R', `${String(options.user.uid)}:${String(options.user.gid)}`, folder]);
    // Without -noreset it starts anew when its last client leaves, and refuses the next one that comes at that moment.
    const display = start('/usr/bin/Xvfb', ['-noreset', '-displayfd', '1', '-screen', '0', SCREEN, '-nolisten', 'tcp', '-ac'], environment);
    environment['DISPLAY'] = `:${await display.line()}`;
    const bus = start('/usr/bin/dbus-daemon', ['--config-file', join(folder, 'bus.conf'), '--nofork', '--nopidfile', '--print-address=1'], environment);
    const busAddress = await bus.line();
    environment['DBUS_SESSION_BUS_ADDRESS'] = busAddress;
    await options.before?.(busAddress, environment);
    const script = options.program === undefined ? [join(ROOT, standInBundle)] : [];
    const app = start(options.program ?? process.execPath, [...script, ...(options.arguments ?? ['--background'])], environment);
    if (options.program === undefined) await app.line((line) => line.includes('"ready"'));
    const reader = start(PYTHON, [join(options.tree ?? ROOT, 'test/desktop/at_spi.py')], environment);
    return new DesktopSession(environment, busAddress, app, bus, reader, options.program === undefined);
  }

  /** The home of the person in the session. */
  get home(): string {
    return this.environment['HOME'] ?? '';
  }

  /** The bundle that runs, to be started once more. */
  get bundle(): string {
    return join(ROOT, standInBundle);
  }

  say(command: StandInCommand): void {
    this.app.write(command);
  }

  /** The next call of this name that the application makes to the helper; others before it are dropped. */
  async call(name: string): Promise<StandInCall> {
    const line = await this.app.line((text) => text.startsWith(`{"call":"${name}"`));
    return JSON.parse(line) as StandInCall;
  }

  /** Switches to the dark or the light style and waits until it is drawn. */
  async dark(on: boolean): Promise<void> {
    this.say({ do: 'dark', dark: on });
    await this.call('dark');
  }

  /** Connects the helper and waits until the application has registered. */
  async connect(): Promise<void> {
    this.say({ do: 'connected', connected: true });
    await this.call('registerAgent');
    await this.call('listPrompts');
  }

  async #ask(command: object): Promise<void> {
    this.#reader.write(command);
    const answer = JSON.parse(await this.#reader.line()) as { readonly ok: boolean; readonly lines?: readonly string[] };
    if (!answer.ok) throw new Error(`${JSON.stringify(command)} found nothing; shown are:\n${(answer.lines ?? []).join('\n')}\n${this.app.stderr}`);
  }

  /** Everything that is shown and has a name: `role: name`. */
  async dump(): Promise<readonly string[]> {
    this.#reader.write({ do: 'dump' });
    return (JSON.parse(await this.#reader.line()) as { readonly lines?: readonly string[] }).lines ?? [];
  }

  /** All that a screen reader can say of what is shown: role, then name, description and text, where there are any. */
  async words(): Promise<readonly { readonly role: string; readonly said: readonly string[] }[]> {
    this.#reader.write({ do: 'words' });
    const { lines } = JSON.parse(await this.#reader.line()) as { readonly lines: readonly string[] };
    return lines.map((line) => {
      const [role = '', ...said] = JSON.parse(line) as readonly string[];
      return { role, said: said.filter((text) => text !== '') };
    });
  }

  /** Where everything is that is shown, in pixels of its own window; without what GTK has not drawn. Of GTK 3 also on the screen. */
  async bounds(onScreen = false): Promise<readonly Bounds[]> {
    this.#reader.write({ do: 'bounds', on_screen: onScreen });
    const { lines } = JSON.parse(await this.#reader.line()) as { readonly lines: readonly string[] };
    return lines.map((line) => {
      const [role, name, x, y, width, height, paneHeight] = JSON.parse(line) as [string, string, number, number, number, number, number];
      return { role, name, x, y, width, height, paneHeight };
    });
  }

  /** Everything that is shown, in order, each below the one before it that has a smaller depth. */
  async tree(): Promise<readonly AccessibleNode[]> {
    this.#reader.write({ do: 'tree' });
    const { lines } = JSON.parse(await this.#reader.line()) as { readonly lines: readonly string[] };
    return lines.map((line) => JSON.parse(line) as AccessibleNode);
  }

  /** The id of what has the keyboard, in the window of this title where one is given, when the keys are taken that were pressed before; null where that is still `before`. */
  async focusAfter(before: string, title = ''): Promise<string | null> {
    this.#reader.write({ do: 'focus', before, title, limit: await this.#taken() ? MOVED_S : FOCUS_S });
    const { lines: [line = 'null'] } = JSON.parse(await this.#reader.line()) as { readonly lines: readonly string[] };
    return JSON.parse(line) as string | null;
  }

  /** Waits until the windows have taken every key so far; false for the shipped program, which cannot tell. */
  async #taken(): Promise<boolean> {
    if (!this.#isStandIn) return false;
    this.say({ do: 'taken' });
    await this.app.lineAmong((line) => line.startsWith('{"call":"taken"'));
    return true;
  }

  /** Waits until a control of this role and accessible name is shown and usable. */
  shown(role: string, name: string): Promise<void> { return this.#ask({ do: 'wait', role, name }); }
  /** Shown, usable or not. */
  visible(role: string, name: string): Promise<void> { return this.#ask({ do: 'wait', role, name, any_state: true }); }
  gone(role: string, name: string): Promise<void> { return this.#ask({ do: 'gone', role, name, any_state: true }); }
  click(role: string, name: string, index = 0): Promise<void> { return this.#ask({ do: 'click', role, name, index }); }
  focused(role: string, name: string): Promise<void> { return this.#ask({ do: 'focused', role, name }); }
  type(role: string, name: string, text: string): Promise<void> { return this.#ask({ do: 'type', role, name, text }); }

  /** `role: name` of everything that a screen reader finds, in order. */
  async texts(): Promise<readonly string[]> {
    this.#reader.write({ do: 'dump' });
    return (JSON.parse(await this.#reader.line()) as { readonly lines: readonly string[] }).lines;
  }

  /** Asks for windows that are not there, as a screen reader does whose list is a moment old. */
  askForWhatHasGone(): Promise<void> { return this.#ask({ do: 'ask-for-what-has-gone' }); }

  /** Gives the window with this title the keyboard, as a window manager would. */
  async focus(title: string): Promise<void> {
    await run('/usr/bin/xdotool', ['search', '--sync', '--onlyvisible', ...windowOf(title), 'windowfocus'], { env: this.environment });
  }

  /** Presses a key until the control of this role and name has the focus, at most `limit` times. */
  async focusInto(role: string, name: string, key: string, limit: number): Promise<void> {
    for (let press = 0; press < limit; press += 1) {
      await this.key(key);
      const timeout = await this.#taken() ? 0 : FOCUS_S;
      const there = await this.#ask({ do: 'focused', role, name, timeout }).then(() => true, () => false);
      if (there) return;
    }
    throw new Error(`${name} has no focus after ${String(limit)} times ${key}`);
  }

  /** Gives the toolkit's own file dialog this path. */
  async chooseFile(title: string, path: string): Promise<void> {
    await this.focus(title);
    // A proposed name is replaced, with its ending.
    await this.key('ctrl+a');
    await this.keys(path);
    await this.key('Return');
  }

  /** Types a text, a letter at a time. */
  async keys(text: string): Promise<void> {
    await run('/usr/bin/xdotool', ['type', '--delay', '12', text], { env: this.environment });
  }

  async key(...keys: readonly string[]): Promise<void> {
    await run('/usr/bin/xdotool', ['key', ...keys], { env: this.environment });
  }

  /** Presses a key every tenth of a second until the application makes this call: for when nothing can say that it is ready. */
  async keyUntil(key: string, call: string): Promise<StandInCall> {
    const timer = setInterval(() => { this.key(key).catch(() => undefined); }, 100);
    return this.call(call).finally(() => { clearInterval(timer); });
  }

  /** Presses the pointer's button there; 3 is the one for menus. */
  async press(x: number, y: number, button: 1 | 2 | 3 = 1): Promise<void> {
    await this.pointAt(x, y);
    await run('/usr/bin/xdotool', ['click', String(button)], { env: this.environment });
  }

  /** Presses the pointer's button in the middle of the control of this role and name, in a window that is at the screen's corner. */
  async pressOn(role: string, name: string): Promise<void> {
    await this.shown(role, name);
    const found = (await this.bounds()).find((one) => one.role === role && one.name === name);
    if (found === undefined) throw new Error(`${name} has no place`);
    await this.press(Math.round(found.x + found.width / 2), Math.round(found.y + found.height / 2));
  }

  /** Without a window manager the window under the pointer has the keyboard. */
  async pointAt(x: number, y: number): Promise<void> {
    await run('/usr/bin/xdotool', ['mousemove', '--sync', String(x), String(y)], { env: this.environment });
  }

  /** Turns the wheel below the pointer so many notches downwards. */
  async scroll(notches: number): Promise<void> {
    await run('/usr/bin/xdotool', ['click', '--delay', '5', '--repeat', String(notches), '5'], { env: this.environment });
  }

  async resize(title: string, width: number, height: number): Promise<void> {
    await run('/usr/bin/xdotool', ['search', '--sync', '--onlyvisible', ...windowOf(title), 'windowsize', '--sync', String(width), String(height)], { env: this.environment });
  }

  /** Keeps what is on the screen as build/screenshots/NAME.png. */
  async screenshot(name: string): Promise<void> {
    await mkdir(SCREENSHOTS, { recursive: true });
    await run('/usr/bin/import', ['-window', 'root', '-trim', '+repage', join(SCREENSHOTS, `${name}.png`)], { env: this.environment });
  }
}

/** By its title; '' is the one that is there, whatever its language. */
function windowOf(title: string): readonly string[] {
  return title === '' ? ['--class', 'bastionfirewall'] : ['--name', title];
}

/** Makes build/screenshots/NAME.png of one of a single window: without the frame, with round corners and a shadow, on nothing. */
export async function portrait(of: string, name: string): Promise<void> {
  const source = join(SCREENSHOTS, `${of}.png`);
  const { stdout: end } = await run('/usr/bin/convert', [source, '-format', '%[fx:w-11],%[fx:h-11]', 'info:']);
  const corners = ['(', '+clone', '-alpha', 'transparent', '-background', 'none', '-fill', 'white', '-draw', `roundrectangle 0,0 ${end} 12,12`, ')'];
  await run('/usr/bin/convert', [
    source, '-shave', '5x5', '+repage', '-alpha', 'set', ...corners, '-compose', 'DstIn', '-composite',
    '(', '+clone', '-background', 'black', '-shadow', '45x12+0+4', ')', '+swap', '-background', 'none', '-compose', 'Over', '-layers', 'merge',
    '+repage', '-strip', join(SCREENSHOTS, `${name}.png`),
  ]);
}

/** A home of its own, so that nothing of the machine's user is read or written. */
async function makeHome(folder: string, extra: Readonly<Record<string, string>>, textScale: number): Promise<NodeJS.ProcessEnv> {
  const config = join(folder, 'config');
  await mkdir(join(folder, 'runtime'), { mode: 0o700 });
  await mkdir(join(folder, 'services'));
  await mkdir(join(config, 'gtk-4.0'), { recursive: true });
  await writeFile(
    join(config, 'gtk-4.0/settings.ini'), `[Settings]\ngtk-font-name=Cantarell 11\ngtk-enable-animations=false\n`,
  );
  await writeFile(join(folder, 'bus.conf'), BUS_CONFIG(folder));
  await writeFile(join(folder, 'services/org.a11y.Bus.service'), A11Y_SERVICE);
  return {
    PATH: '/usr/bin:/bin', HOME: folder, XDG_RUNTIME_DIR: join(folder, 'runtime'), XDG_CONFIG_HOME: config,
    XDG_DATA_HOME: join(folder, 'data'), XDG_CACHE_HOME: join(folder, 'cache'), LANG: 'C.UTF-8', GDK_BACKEND: 'x11',
    GSK_RENDERER: 'cairo', GTK_A11Y: 'atspi', LIBGL_ALWAYS_SOFTWARE: '1', GSETTINGS_BACKEND: 'memory',
    TEST_TEXT_SCALE: String(textScale), TZ: NOON_ZONE, ...extra,
  };
}
