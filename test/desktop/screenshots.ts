/**
 * Takes pictures of the whole interface in a real GNOME Shell, with sample data: build/screenshots/NAME.png for each page in
 * light, dark and at 360 pixels, the prompt and a notification; with --publish also those of data/desktop/screenshots and
 * docs/images.
 * Run by hand: node test/desktop/screenshots.ts [--publish]
 */
import { execFile } from 'node:child_process';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PAGE_IDS } from '../../desktop/ui/page.ts';
import { Lab } from '../lab/lab.ts';
import { ROOT } from '../lab/process.ts';
import { ordinaryUser } from '../lab/user.ts';
import { sampleApplications, sampleProposals } from './application-samples.ts';
import { SCREENSHOTS } from './desktop-session.ts';
import { sampleFlows } from './flow-samples.ts';
import { GnomeShell, missingForShell } from './gnome-shell.ts';
import type { LineProcess } from './processes.ts';
import { SAMPLE_NETWORK, promptOf, sampleRules, statusOf, trafficOf } from './samples.ts';
import type { StandInCommand } from './stand-in-main.ts';

const run = promisify(execFile);
const TITLE = 'Bastion Firewall';
const WIDE = { width: 1000, height: 720 };
const NARROW = { width: 360, height: 720 };
type Size = typeof WIDE;
/** Pictures that people see before they install. */
const PUBLISHED = { prompt: 'prompt', 'overview-light': 'overview', 'rules-light': 'rules', 'activity-light': 'activity' } as const;
const PUBLISHED_BYTES = 200_000;
/** What the user guide shows besides. */
const GUIDE = {
  'applications-light': 'applications', 'suggestions-learning': 'suggestions', 'network-light': 'network', 'inbox-light': 'inbox',
  'preferences-light': 'preferences',
} as const;
/** Fewer colours take a third of the space, and nobody sees it. */
const GUIDE_COLOURS = '128';
/** Of the whole screen: where notifications and the tray's menu are. */
const TRAY_PLACE = '920x390+360+0';
const GRAPH_SECONDS = 25;
/** So many looks in a row are the same before a picture is kept, with this time between them. */
const LOOKS = 3;
const LOOK_MS = 150;
/** Of a place in the header bar, where nothing else is in either size. */
const HEADER_LIGHTNESS = '%[fx:p{w*0.272,h*0.1}.lightness]';

function sampleMinutes(nowMs: number): readonly ReturnType<typeof trafficOf>[] {
  return Array.from({ length: 60 }, (_one, minute) => trafficOf(
    '/usr/bin/curl', Math.round(400_000 + 350_000 * Math.sin(minute / 5)), Math.round(60_000 + 40_000 * Math.cos(minute / 3)),
    { time_ms: nowMs - (60 - minute) * 60_000 },
  ));
}

/** `received` and `sent` of the most active one grow. */
function programs(received: number, sent: number): readonly ReturnType<typeof trafficOf>[] {
  return [
    trafficOf('/usr/bin/firefox-esr', 84_000_000 + received, 3_100_000 + sent), trafficOf('/usr/bin/git', 12_400_000, 220_000),
    trafficOf('/usr/bin/thunderbird', 5_100_000, 410_000), trafficOf('/usr/bin/ssh', 730_000, 690_000), trafficOf('/usr/bin/curl', 90_000, 8000),
  ];
}

/** Of the user who looks: the page shows nobody else's at first. */
function ownFlows(nowMs: number): ReturnType<typeof sampleFlows> {
  return sampleFlows(nowMs).map((flow) => ({ ...flow, uid: ordinaryUser(false).uid }));
}

function commands(nowMs: number): readonly StandInCommand[] {
  return [
    { do: 'status', status: statusOf() }, { do: 'rules', rules: sampleRules(nowMs) }, { do: 'flows', flows: ownFlows(nowMs) },
    { do: 'traffic', traffic: programs(0, 0), minutes: sampleMinutes(nowMs) }, { do: 'network', network: SAMPLE_NETWORK },
    { do: 'answer', call: 'listApplications', value: sampleApplications(nowMs) },
    { do: 'answer', call: 'proposeRules', value: sampleProposals(nowMs) },
    { do: 'keep', prompt: promptOf({ id: 'p7', nonce: 'kept', path: '/usr/bin/backup', application: 'backup', destination: 'store.example.net', status: 'expired', expires_in_ms: 0 }) },
    { do: 'connected', connected: true },
  ];
}

class Photographer {
  readonly #shell: GnomeShell;
  readonly #app: LineProcess;
  /** What the last kept picture looked like: the next one is of something else. */
  #last = '';

  constructor(shell: GnomeShell, app: LineProcess) {
    this.#shell = shell;
    this.#app = app;
  }

  /** A window that has just come takes no size yet. */
  async resize(size: Size): Promise<void> {
    await this.#shell.until(`${TITLE} to be ${String(size.width)} pixels wide`, async () => {
      await this.#shell.resize(TITLE, size.width, size.height);
      await pause(LOOK_MS);
      return (await this.#shell.windows()).some((one) => one.title === TITLE && one.width === size.width);
    });
  }

  /** Every page in the size and the colours that are set, as PAGE-SUFFIX. */
  async pages(suffix: string): Promise<void> {
    for (const page of PAGE_IDS) {
      this.#app.write({ do: 'open', page, item: '' });
      if (page === 'overview') await pause();
      await this.window(TITLE, `${page}-${suffix}`, page === 'overview' ? 1 : LOOKS);
    }
  }

  /** The style reaches the window by way of the session's settings, in its own time. */
  async dark(on: boolean): Promise<void> {
    await this.#shell.settings({ dark: on });
    await this.#front(TITLE);
    await this.#shell.until(on ? 'the dark style' : 'the light style', async () => {
      const { stdout } = await run('/usr/bin/convert', [await this.#shell.screenshotWindow('style'), '-format', HEADER_LIGHTNESS, 'info:']);
      return (Number(stdout) < 0.5) === on;
    });
  }

  /** The window with this title, which has the focus. The overview's graph moves each second: on a busy machine no two looks are the same. */
  async window(title: string, name: string, looks = LOOKS): Promise<void> {
    await this.#front(title);
    await this.#steady(name, () => this.#shell.screenshotWindow(name), looks);
  }

  async #front(title: string): Promise<void> {
    await this.#shell.until(`${title} in front`, async () => (await this.#shell.windows()).some((one) => one.title === title && one.focused));
  }

  /** The whole screen. */
  screen(name: string): Promise<void> {
    return this.#steady(name, () => this.#shell.screenshot(name));
  }

  /** Something else than before, and the same at several looks: a page that comes late is not taken for the one before it. */
  async #steady(name: string, shoot: () => Promise<string>, looks = LOOKS): Promise<void> {
    let before = '';
    let same = 0;
    await this.#shell.until(`${name} to be drawn`, async () => {
      const path = await shoot();
      const { stdout } = await run('/usr/bin/convert', [path, '-format', '%#', 'info:']);
      same = stdout === before ? same + 1 : 1;
      before = stdout;
      await pause(LOOK_MS);
      return same >= looks && stdout !== this.#last;
    });
    this.#last = before;
    process.stdout.write(`${name}\n`);
  }
}

async function shrink(name: string, cut: readonly string[], path: string): Promise<void> {
  await run('/usr/bin/convert', [
    join(SCREENSHOTS, `${name}.png`), ...cut, '+repage', '-strip', '+dither', '-colors', GUIDE_COLOURS, '-define', 'png:compression-level=9', path,
  ]);
}

async function publish(): Promise<void> {
  const folder = join(ROOT, 'data/desktop/screenshots');
  await mkdir(folder, { recursive: true });
  for (const [from, to] of Object.entries(PUBLISHED)) {
    const path = join(folder, `${to}.png`);
    await run('/usr/bin/convert', [join(SCREENSHOTS, `${from}.png`), '-strip', '-define', 'png:compression-level=9', path]);
    const { size } = await stat(path);
    if (size > PUBLISHED_BYTES) throw new Error(`${path} has ${String(size)} bytes, more than ${String(PUBLISHED_BYTES)}`);
  }
  const images = join(ROOT, 'docs/images');
  for (const [from, to] of Object.entries(GUIDE)) await shrink(from, ['-shave', '36x30'], join(images, `${to}.png`));
  await shrink('tray-menu', ['-crop', TRAY_PLACE], join(images, 'tray.png'));
  const windows = ['rules-light', 'prompt'].flatMap((name) => ['(', join(SCREENSHOTS, `${name}.png`), '-shave', '36x30', '+repage', ')']);
  const path = join(images, 'desktop.png');
  await run('/usr/bin/convert', ['-background', 'none', '-gravity', 'center', ...windows, '+append', '-strip', '-define', 'png:compression-level=9', path]);
}

function pause(ms = 1000): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms); });
}

/** Some seconds of traffic, for the overview's graph. */
async function traffic(app: LineProcess): Promise<void> {
  for (let second = 1; second <= GRAPH_SECONDS; second += 1) {
    const received = Math.round(2_000_000 * (second + Math.sin(second / 2)));
    app.write({ do: 'traffic', traffic: programs(received, Math.round(received / 9)) });
    await pause();
  }
}

/** The suggestions as somebody sees them who learns. */
async function learning(app: LineProcess, photographer: Photographer): Promise<void> {
  app.write({ do: 'status', status: statusOf({ mode: 'learning' }) });
  app.write({ do: 'open', page: 'suggestions', item: '' });
  await photographer.window(TITLE, 'suggestions-learning');
  app.write({ do: 'status', status: statusOf() });
}

async function takeAll(shell: GnomeShell): Promise<void> {
  const app = await shell.startStandIn();
  const photographer = new Photographer(shell, app);
  for (const command of commands(Date.now())) app.write(command);
  await shell.trayIcon('protecting');
  app.write({ do: 'raise', prompt: promptOf() });
  await shell.banner('curl wants to connect');
  await shell.trayIcon('prompt');
  await photographer.screen('notification-shell');
  await shell.openMenu();
  await photographer.screen('tray-menu');
  await shell.closeMenu();
  await shell.decide('Details');
  // Its buttons wake after a moment.
  await pause();
  await photographer.window('curl wants to connect', 'prompt');
  app.write({ do: 'end', nonce: promptOf().nonce, why: 'withdrawn' });
  for (const [suffix, dark, size] of [['light', false, WIDE], ['dark', true, WIDE], ['360', false, NARROW], ['360-dark', true, NARROW]] as const) {
    app.write({ do: 'open', page: 'overview', item: '' });
    await shell.window(TITLE);
    await photographer.dark(dark);
    await photographer.resize(size);
    if (suffix === 'light') await traffic(app);
    await photographer.pages(suffix);
    if (suffix === 'light') await learning(app, photographer);
  }
}

const missing = await missingForShell();
if (missing !== '') throw new Error(missing);
const lab = await Lab.create({ startHelper: false });
const ends: (() => unknown)[] = [];
try {
  await takeAll(await GnomeShell.start({ after: (end: () => unknown) => { ends.push(end); } }, { user: lab.user, tree: lab.tree, systemBus: lab.busAddress }));
  if (process.argv.includes('--publish')) await publish();
} finally {
  for (const end of ends.reverse()) await end();
  await lab.dispose();
}
