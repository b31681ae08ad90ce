/** A desktop session for tests: X server, session bus, accessibility, and the application with a helper that the test plays. */
import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { buildDesktop } from '../../tools/build-desktop.ts';
import { becomeUser } from '../lab/user.ts';
import type { LabUser } from '../lab/user.ts';
import { LineProcess } from './processes.ts';
import type { StandInCall } from './stand-in-client.ts';
import type { StandInCommand } from './stand-in-main.ts';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = 'build/test-desktop';
const PYTHON = '/usr/bin/python3';
const SCREEN = '1000x960x24';
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

let built: Promise<void> | null = null;
function buildOnce(): Promise<void> {
  built ??= buildDesktop({ root: ROOT, log: () => undefined, variant: { entry: 'test/desktop/stand-in-main.ts', folder: FOLDER } });
  return built;
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

export class DesktopSession {
  readonly environment: NodeJS.ProcessEnv;
  readonly busAddress: string;
  readonly app: LineProcess;
  /** The session's bus. */
  readonly bus: LineProcess;
  readonly #reader: LineProcess;

  private constructor(environment: NodeJS.ProcessEnv, busAddress: string, app: LineProcess, bus: LineProcess, reader: LineProcess) {
    this.environment = environment;
    this.busAddress = busAddress;
    this.app = app;
    this.bus = bus;
    this.#reader = reader;
  }

  /** Everything is ended and removed with the test. */
  static async start(t: TestContext, options: SessionOptions = {}): Promise<DesktopSession> {
    if (options.program === undefined) await buildOnce();
    const folder = await mkdtemp(join(tmpdir(), 'bastion-desktop-'));
    const ends: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
    t.after(async () => { for (const end of ends.reverse()) await end(); });
    const start = (command: string, args: readonly string[], environment: NodeJS.ProcessEnv): LineProcess => {
      const [program = command, ...rest] = [...(options.user === undefined ? [] : becomeUser(options.user)), command, ...args];
      const process = new LineProcess(program, rest, environment);
      ends.push(() => process.stop());
      return process;
    };
    const environment = await makeHome(folder, options.environment ?? {}, options.textScale ?? 1);
    if (options.user !== undefined) await run('chown', ['-R', `${String(options.user.uid)}:${String(options.user.gid)}`, folder]);
    const display = start('/usr/bin/Xvfb', ['-displayfd', '1', '-screen', '0', SCREEN, '-nolisten', 'tcp', '-ac'], environment);
    environment['DISPLAY'] = `:${await display.line()}`;
    const bus = start('/usr/bin/dbus-daemon', ['--config-file', join(folder, 'bus.conf'), '--nofork', '--nopidfile', '--print-address=1'], environment);
    const busAddress = await bus.line();
    environment['DBUS_SESSION_BUS_ADDRESS'] = busAddress;
    await options.before?.(busAddress, environment);
    const script = options.program === undefined ? [join(ROOT, FOLDER, 'main.cjs')] : [];
    const app = start(options.program ?? process.execPath, [...script, ...(options.arguments ?? ['--background'])], environment);
    if (options.program === undefined) await app.line((line) => line.includes('"ready"'));
    const reader = start(PYTHON, [join(options.tree ?? ROOT, 'test/desktop/at_spi.py')], environment);
    return new DesktopSession(environment, busAddress, app, bus, reader);
  }

  /** The bundle that runs, to be started once more. */
  get bundle(): string {
    return join(ROOT, FOLDER, 'main.cjs');
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
    await this.call('listRules');
  }

  async #ask(command: object): Promise<void> {
    this.#reader.write(command);
    const answer = JSON.parse(await this.#reader.line()) as { readonly ok: boolean; readonly lines?: readonly string[] };
    if (!answer.ok) throw new Error(`${JSON.stringify(command)} found nothing; shown are:\n${(answer.lines ?? []).join('\n')}\n${this.app.stderr}`);
  }

  /** Waits until a control of this role and accessible name is shown and usable. */
  shown(role: string, name: string): Promise<void> { return this.#ask({ do: 'wait', role, name }); }
  /** Shown, usable or not. */
  visible(role: string, name: string): Promise<void> { return this.#ask({ do: 'wait', role, name, any_state: true }); }
  gone(role: string, name: string): Promise<void> { return this.#ask({ do: 'gone', role, name, any_state: true }); }
  click(role: string, name: string, index = 0): Promise<void> { return this.#ask({ do: 'click', role, name, index }); }
  focused(role: string, name: string): Promise<void> { return this.#ask({ do: 'focused', role, name }); }
  type(role: string, name: string, text: string): Promise<void> { return this.#ask({ do: 'type', role, name, text }); }

  /** Gives the window with this title the keyboard, as a window manager would. */
  async focus(title: string): Promise<void> {
    await run('/usr/bin/xdotool', ['search', '--sync', '--onlyvisible', '--name', title, 'windowfocus'], { env: this.environment });
  }

  async key(...keys: readonly string[]): Promise<void> {
    await run('/usr/bin/xdotool', ['key', ...keys], { env: this.environment });
  }

  /** Presses a key every tenth of a second until the application makes this call: for when nothing can say that it is ready. */
  async keyUntil(key: string, call: string): Promise<StandInCall> {
    const timer = setInterval(() => { this.key(key).catch(() => undefined); }, 100);
    return this.call(call).finally(() => { clearInterval(timer); });
  }

  /** Without a window manager the window under the pointer has the keyboard. */
  async pointAt(x: number, y: number): Promise<void> {
    await run('/usr/bin/xdotool', ['mousemove', '--sync', String(x), String(y)], { env: this.environment });
  }

  async resize(title: string, width: number, height: number): Promise<void> {
    await run('/usr/bin/xdotool', ['search', '--sync', '--onlyvisible', '--name', title, 'windowsize', '--sync', String(width), String(height)], { env: this.environment });
  }

  /** Keeps what is on the screen as build/screenshots/NAME.png. */
  async screenshot(name: string): Promise<void> {
    await mkdir(SCREENSHOTS, { recursive: true });
    await run('/usr/bin/import', ['-window', 'root', '-trim', '+repage', join(SCREENSHOTS, `${name}.png`)], { env: this.environment });
  }
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
    TEST_TEXT_SCALE: String(textScale), ...extra,
  };
}
