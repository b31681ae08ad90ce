/** The windows' process: GTK, the pages and the prompt window. It has no name on any bus and ends with the one that started it. */
import { assetPath } from '../assets.ts';
import type { ToSession, ToWindow } from '../channel.ts';
import { InOrder } from '../client/in-order.ts';
import { Programs } from '../client/programs.ts';
import { HelperSession } from '../client/session.ts';
import { openSettings } from '../client/settings.ts';
import type { HelperClient } from '../../helper/contract/client.ts';
import { assertNever } from '../../helper/contract/errors.ts';
import { Adw, Gdk, Gio, GLib, Gtk } from '../gtk.ts';
import type { Application } from '../gtk.ts';
import { _, textDirection, wantedLanguages } from '../i18n.ts';
import { ACCELERATORS, pageAccelerator } from '../model/accelerators.ts';
import { isSettingKey, isSettingValue } from '../model/settings.ts';
import type { SettingKey } from '../model/settings.ts';
import { showAbout } from '../ui/about.ts';
import { MainWindow } from '../ui/main-window.ts';
import { PAGE_IDS } from '../ui/page.ts';
import type { PageTarget } from '../ui/page.ts';
import { PromptDesk } from './prompt-desk.ts';
import { AnswerRelay } from './relay.ts';
import { keepAccessible } from './toplevels.ts';

const APPLICATION_ID = 'org.bastionfirewall.Desktop';
/** Gio.ApplicationFlags.NON_UNIQUE: the name belongs to the process of the session. */
const NON_UNIQUE = 32;
/** Pause and "used 3 minutes ago" move on without news from the helper. */
const REFRESH_MS = 15_000;
/** Nothing is shown at two looks in a row: the process is not needed. */
const LOOK_MS = 10_000;

export interface WindowOptions {
  readonly version: string;
  /** How often it is looked whether anything is shown; 10 s when absent. */
  readonly lookMs?: number;
  /** Called once, inside the main loop. */
  connect(): HelperClient;
  send(message: ToSession): void;
}

export class WindowApplication {
  readonly #options: WindowOptions;
  readonly #application: Application;
  /** What came before the toolkit had started. */
  readonly #early: ToWindow[] = [];
  readonly #messages = new InOrder<ToWindow>((message) => { this.#obey(message); });
  #running: Running | null = null;

  constructor(options: WindowOptions) {
    this.#options = options;
    GLib.setPrgname(APPLICATION_ID);
    this.#application = new Adw.Application({ applicationId: APPLICATION_ID, flags: NON_UNIQUE });
  }

  /** Returns the exit status when the process that started this one has no need of it any more. */
  run(): number {
    this.#application.register(null);
    // Prompts go on as windows when the session's bus goes away; by default the toolkit would end the process.
    this.#application.getDbusConnection()?.setExitOnClose(false);
    this.#application.on('activate', () => {
      if (this.#running !== null) return;
      this.#application.hold();
      this.#running = this.#start();
      for (const message of this.#early.splice(0)) this.#messages.take(message);
    });
    return this.#application.run([]);
  }

  obey(message: ToWindow): void {
    if (this.#running === null) this.#early.push(message);
    else this.#messages.take(message);
  }

  quit(): void {
    this.#running?.stop();
    this.#application.quit();
  }

  #obey(message: ToWindow): void {
    if (message.do === 'quit') this.quit();
    else this.#running?.obey(message);
  }

  #start(): Running {
    GLib.setApplicationName(_('Bastion Firewall'));
    loadLook();
    keepAccessible();
    const running = new Running(this.#application, this.#options);
    this.#addAction('quit', () => { this.#options.send({ say: 'quit' }); });
    this.#addAction('about', () => {
      showAbout(this.#application.getActiveWindow(), this.#options.version, running.helperVersion);
    });
    for (const [name, keys] of Object.entries(ACCELERATORS)) this.#application.setAccelsForAction(name, keys);
    for (const page of PAGE_IDS.keys()) {
      const [action, key] = pageAccelerator(page);
      this.#application.setAccelsForAction(action, [key]);
    }
    return running;
  }

  #addAction(name: string, run: () => void): void {
    const action = new Gio.SimpleAction({ name });
    action.on('activate', run);
    this.#application.addAction(action);
  }
}

/** Style sheet and icons of the application. */
function loadLook(): void {
  const display = Gdk.Display.getDefault();
  if (display === null) return;
  if (textDirection() === 'rtl') Gtk.Widget.setDefaultDirection(Gtk.TextDirection.RTL);
  const provider = new Gtk.CssProvider();
  provider.loadFromPath(assetPath('style.css'));
  Gtk.StyleContext.addProviderForDisplay(display, provider, Gtk.STYLE_PROVIDER_PRIORITY_APPLICATION);
  Gtk.IconTheme.getForDisplay(display).addSearchPath(assetPath('icons'));
}

/** Where the channel's target leads; null for a page that there is not. */
function targetOf(message: Extract<ToWindow, { readonly do: 'open' }>): PageTarget | null {
  const page = PAGE_IDS.find((id) => id === message.page);
  if (page === undefined) return null;
  const { application, search, item } = message;
  return { page, ...(application === '' ? {} : { application }), ...(search === '' ? {} : { search }), ...(item === '' ? {} : { item }) };
}

/** Everything that lives from the first activation to the end. */
class Running {
  readonly #application: Application;
  readonly #options: WindowOptions;
  readonly #session: HelperSession;
  readonly #programs: Programs;
  readonly #relay: AnswerRelay;
  readonly #prompts: PromptDesk;
  readonly #settings = openSettings(() => undefined);
  #window: MainWindow | null = null;
  #look: NodeJS.Timeout | null = null;
  #emptyLooks = 0;
  #refreshedMs = 0;
  #demands = 0;

  constructor(application: Application, options: WindowOptions) {
    this.#application = application;
    this.#options = options;
    const nowMs = (): number => performance.now();
    this.#relay = new AnswerRelay((message) => { options.send(message); });
    this.#session = new HelperSession(options.connect(), { nowMs, wallMs: () => Date.now() }, this.#relay);
    this.#programs = new Programs(wantedLanguages(process.env), nowMs);
    this.#prompts = new PromptDesk(this.#session, this.#programs.find, (message) => { options.send(message); });
    this.#settings.onChanged((key) => { options.send({ say: 'setting', key, value: this.#settings.get(key) }); });
    this.#session.start(null);
    this.#watch();
  }

  get helperVersion(): string {
    return this.#session.knowledge.status?.version ?? '';
  }

  obey(message: Exclude<ToWindow, { readonly do: 'quit' }>): void {
    switch (message.do) {
      case 'open': this.#open(targetOf(message), message.token); return;
      case 'put': this.#session.reflectPut(message.prompt, message.leftMs, message.expired); return;
      case 'gone': this.#session.reflectGone(message.nonce); return;
      case 'agent': this.#session.reflectAgent(message.problem); return;
      case 'warm': this.#prompts.warm(); return;
      case 'show': this.#demanded(); this.#prompts.show(message.nonce); return;
      case 'raise': this.#demanded(); this.#prompts.raise(message.token); return;
      case 'list': this.#prompts.showList(); return;
      case 'inbox': this.#session.reflectInbox(); return;
      case 'hide': this.#prompts.hide(); return;
      case 'fail': this.#prompts.fail(message.message); return;
      case 'tell': this.#prompts.tell(message.message); return;
      case 'answered': this.#relay.answered(message.number, message.result); return;
      case 'held': this.#relay.held(message.number); return;
      case 'listed': this.#relay.listed(message.number, { rows: message.prompts, next: message.next }); return;
      case 'dismissed': this.#relay.dismissed(message.number, message.count); return;
      case 'refused': this.#relay.refused(message.number, message.code, message.message); return;
      case 'setting': this.#set(message.key, message.value); return;
      default: assertNever(message);
    }
  }

  stop(): void {
    if (this.#look !== null) clearInterval(this.#look);
    this.#session.client.close();
  }

  #open(target: PageTarget | null, token: string): void {
    this.#demanded();
    this.#window ??= new MainWindow(this.#application, this.#session, this.#programs.find, this.#settings);
    if (target !== null) this.#window.open(target);
    this.#window.present(token);
  }

  #set(key: string, value: string | boolean): void {
    if (isSettingKey(key) && isSettingValue<SettingKey>(key, value)) this.#settings.set(key, value);
  }

  #demanded(): void {
    this.#demands += 1;
    this.#watch();
  }

  /** Looks every few seconds while anything is shown; says once when nothing is any more, and stops looking. */
  #watch(): void {
    this.#emptyLooks = 0;
    this.#look ??= setInterval(() => { this.#onLook(); }, this.#options.lookMs ?? LOOK_MS);
  }

  #onLook(): void {
    if (this.#showsAnything()) {
      this.#emptyLooks = 0;
      this.#refresh();
      return;
    }
    this.#emptyLooks += 1;
    if (this.#emptyLooks < 2 || this.#look === null) return;
    clearInterval(this.#look);
    this.#look = null;
    this.#options.send({ say: 'idle', demands: this.#demands });
  }

  /** A dialog whose edits are not saved is a window too, also when the one behind it has been closed. */
  #showsAnything(): boolean {
    return Gtk.Window.listToplevels().some((widget) => widget.getVisible());
  }

  #refresh(): void {
    const now = this.#session.clocks.nowMs();
    if (now - this.#refreshedMs < REFRESH_MS) return;
    this.#refreshedMs = now;
    this.#session.changed.emit();
  }
}
