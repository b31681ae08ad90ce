/** Puts the desktop together: one instance for each session, with tray, prompts and, on demand, the window. */
import { assetPath } from './assets.ts';
import { Programs } from './client/programs.ts';
import { connectSessionBus, sessionBusAddress } from './client/session-bus.ts';
import { HelperSession } from './client/session.ts';
import type { HelperClient } from '../helper/contract/client.ts';
import { assertNever } from '../helper/contract/errors.ts';
import { Adw, Gdk, Gio, GLib, Gtk } from './gtk.ts';
import type { Application } from './gtk.ts';
import { _, wantedLanguages } from './i18n.ts';
import { errorText } from './model/error-text.ts';
import type { TrayCommand } from './model/tray-menu.ts';
import { Notifier } from './notify/notifier.ts';
import { NO_SERVER, NotificationServer } from './notify/server.ts';
import type { DesktopOptions } from './options.ts';
import { readSettings, settingsPath, writeSettings } from './settings.ts';
import { Tray } from './tray/tray.ts';
import { showAbout } from './ui/about.ts';
import { MainWindow } from './ui/main-window.ts';
import { PromptPresenter } from './ui/prompt-presenter.ts';

export const APPLICATION_ID = 'org.bastionfirewall.Desktop';
/** Pause and "used 3 minutes ago" move on without news from the helper. */
const REFRESH_MS = 15_000;
/** How long the first prompts wait for the session bus. */
const BUS_PATIENCE_MS = 500;

export class DesktopApplication {
  readonly #options: DesktopOptions;
  readonly #version: string;
  readonly #connect: () => HelperClient;
  readonly #application: Application;
  readonly #settingsPath = settingsPath(process.env);
  #settings = readSettings(this.#settingsPath);
  #running: Running | null = null;

  /** `connect` is called once, inside the main loop. */
  constructor(options: DesktopOptions, version: string, connect: () => HelperClient) {
    this.#options = options;
    this.#version = version;
    this.#connect = connect;
    GLib.setPrgname(APPLICATION_ID);
    this.#application = new Adw.Application({ applicationId: APPLICATION_ID });
  }

  /** Returns the exit status when the application has quit. */
  run(): number {
    this.#application.register(null);
    if (this.#application.getIsRemote()) {
      if (!this.#options.background) this.#application.activate();
      return 0;
    }
    // Prompts go on as windows when the session's bus goes away; by default the toolkit would end the process.
    this.#application.getDbusConnection()?.setExitOnClose(false);
    this.#application.on('activate', () => { this.#onActivate(); });
    return this.#application.run([]);
  }

  quit(): void {
    this.#running?.stop();
    this.#application.quit();
  }

  #onActivate(): void {
    if (this.#running === null) {
      this.#running = this.#start();
      if (this.#options.background) return;
    }
    this.#running.openWindow();
  }

  #start(): Running {
    GLib.setApplicationName(_('Bastion Firewall'));
    this.#application.hold();
    loadLook();
    this.#addActions();
    return new Running(this.#application, this.#connect(), {
      asksInWindow: () => this.#options.window || this.#settings.prompts === 'window',
      setAsksInWindow: (on) => { this.#setAsksInWindow(on); },
    }, () => { this.quit(); });
  }

  #setAsksInWindow(on: boolean): void {
    this.#settings = { ...this.#settings, prompts: on ? 'window' : 'notification' };
    try {
      writeSettings(this.#settingsPath, this.#settings);
    } catch (error: unknown) {
      process.stderr.write(`bastion-firewall-desktop: the settings were not saved: ${String(error)}\n`);
    }
  }

  #addActions(): void {
    const add = (name: string, accelerators: readonly string[], run: () => void): void => {
      const action = new Gio.SimpleAction({ name });
      action.on('activate', run);
      this.#application.addAction(action);
      this.#application.setAccelsForAction(`app.${name}`, accelerators);
    };
    add('quit', ['<Control>q'], () => { this.quit(); });
    add('about', [], () => {
      showAbout(this.#application.getActiveWindow(), this.#version, this.#running?.helperVersion ?? '');
    });
    this.#application.setAccelsForAction('win.search', ['<Control>f']);
    this.#application.setAccelsForAction('win.new-rule', ['<Control>n']);
    this.#application.setAccelsForAction('win.close', ['<Control>w']);
    this.#application.setAccelsForAction('win.show-help-overlay', ['<Control>question']);
  }
}

/** Style sheet and icons of the application. */
function loadLook(): void {
  const display = Gdk.Display.getDefault();
  if (display === null) return;
  const provider = new Gtk.CssProvider();
  provider.loadFromPath(assetPath('style.css'));
  Gtk.StyleContext.addProviderForDisplay(display, provider, Gtk.STYLE_PROVIDER_PRIORITY_APPLICATION);
  Gtk.IconTheme.getForDisplay(display).addSearchPath(assetPath('icons'));
}

/** Everything that lives from the first activation to the end. */
class Running {
  readonly #application: Application;
  readonly #session: HelperSession;
  readonly #programs: Programs;
  readonly #presenter: PromptPresenter;
  readonly #settings: { asksInWindow(): boolean; setAsksInWindow(on: boolean): void };
  readonly #quit: () => void;
  readonly #refresh: NodeJS.Timeout;
  #notifications: NotificationServer | null = null;
  #tray: Tray | null = null;
  #window: MainWindow | null = null;
  #closeBus: () => void = () => undefined;

  constructor(
    application: Application, client: HelperClient, settings: { asksInWindow(): boolean; setAsksInWindow(on: boolean): void },
    quit: () => void,
  ) {
    this.#application = application;
    this.#settings = settings;
    this.#quit = quit;
    const nowMs = (): number => performance.now();
    this.#session = new HelperSession(client, { nowMs, wallMs: () => Date.now() });
    this.#programs = new Programs(wantedLanguages(process.env), nowMs);
    const notifier = new Notifier(() => this.#notifications?.capabilities ?? NO_SERVER);
    this.#presenter = new PromptPresenter(this.#session, this.#programs.find, notifier, () => settings.asksInWindow());
    this.#session.changed.on(() => { this.#updateTray(); });
    this.#refresh = setInterval(() => { this.#session.changed.emit(); }, REFRESH_MS);
    // The answer whether notifications can carry buttons takes milliseconds, or seconds where no server can be started.
    const bus = this.#startBus().catch(() => undefined);
    const patience = new Promise<void>((resolve) => { setTimeout(resolve, BUS_PATIENCE_MS); });
    void Promise.race([bus, patience]).then(() => { this.#session.start(this.#presenter); });
  }

  get helperVersion(): string {
    return this.#session.knowledge.status?.version ?? '';
  }

  openWindow(): void {
    this.#window ??= new MainWindow(this.#application, this.#session, this.#programs.find, this.#settings);
    this.#window.present();
  }

  stop(): void {
    clearInterval(this.#refresh);
    this.#presenter.close();
    this.#session.client.close();
    this.#closeBus();
  }

  async #startBus(): Promise<void> {
    const bus = await connectSessionBus(sessionBusAddress(process.env));
    if (bus === null) return;
    this.#closeBus = () => { bus.close(); };
    this.#notifications = new NotificationServer(bus);
    const asked = this.#notifications.start();
    this.#tray = await Tray.start(bus, this.#session.knowledge, Date.now(), assetPath('icons'), (command) => { this.#onTray(command); });
    this.#updateTray();
    await asked;
  }

  #updateTray(): void {
    this.#tray?.update(this.#session.knowledge, Date.now());
  }

  #onTray(command: TrayCommand): void {
    const { client } = this.#session;
    const told = (call: Promise<void>): void => {
      call.catch((error: unknown) => { process.stderr.write(`bastion-firewall-desktop: ${errorText(error)}\n`); });
    };
    switch (command.do) {
      case 'open': this.openWindow(); return;
      case 'prompts': this.#presenter.open(); return;
      case 'quit': setTimeout(this.#quit, 0); return;
      case 'resume': told(client.resume()); return;
      case 'pause': told(client.pause(command.seconds)); return;
      case 'mode': told(client.setMode(command.mode)); return;
      default: assertNever(command);
    }
  }
}
