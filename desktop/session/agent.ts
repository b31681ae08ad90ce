/** Everything of the session's process that lives from the first activation to the end: agent, tray, notifications, windows. */
import type { HelperClient } from '../../helper/contract/client.ts';
import type { BusConnection } from '../../helper/contract/transport.ts';
import { assetPath } from '../assets.ts';
import type { OpenTarget } from '../channel.ts';
import { Programs } from '../client/programs.ts';
import { startWithSession } from '../client/portal.ts';
import { connectSessionBus, sessionBusAddress } from '../client/session-bus.ts';
import { SessionLock } from '../client/session-lock.ts';
import { HelperSession } from '../client/session.ts';
import { _, wantedLanguages } from '../i18n.ts';
import { errorText } from '../model/error-text.ts';
import type { Settings } from '../model/settings.ts';
import { Notifier } from '../notify/notifier.ts';
import { notificationRules } from '../notify/rules.ts';
import { NO_SERVER, NotificationServer } from '../notify/server.ts';
import { StateNotifier } from '../notify/state-notifier.ts';
import { inFlatpak, usesPortal } from '../sandbox.ts';
import { TrayFeed } from '../tray/tray-feed.ts';
import { Tray } from '../tray/tray.ts';
import { adaptNotice } from '../model/state-notices.ts';
import { Guide } from './guide.ts';
import { serveSearch } from './search-provider.ts';
import { PromptPresenter } from './prompt-presenter.ts';
import { Typing } from './typing.ts';
import { WindowLink } from './window-link.ts';

/** How long the first prompts wait for the session bus. */
const BUS_PATIENCE_MS = 2000;
/** What changes within this time is one change for the tray. */
const TRAY_MS = 50;

/** The overview, as it was left. */
export const HOME: OpenTarget = { page: '', application: '', search: '', item: '' };

export interface AgentOptions {
  /** Ask in a window, whatever the setting says. */
  readonly window: boolean;
}

export class Agent {
  readonly session: HelperSession;
  readonly windows: WindowLink;
  readonly #presenter: PromptPresenter;
  readonly #notifier: Notifier;
  readonly #notices: StateNotifier;
  readonly #feed: TrayFeed;
  readonly #guide: Guide;
  readonly #settings: Settings;
  #notifications: NotificationServer | null = null;
  #tray: Tray | null = null;
  #trayTimer: NodeJS.Timeout | null = null;
  #lock: SessionLock | null = null;
  #bus: BusConnection | null = null;
  readonly #typing = new Typing(() => this.#bus);
  #closeBus: () => void = () => undefined;
  #stopSearch: () => void = () => undefined;

  /** Call inside the main loop. `quit` ends the program. */
  constructor(client: HelperClient, settings: Settings, options: AgentOptions, quit: () => void) {
    const nowMs = (): number => performance.now();
    this.#settings = settings;
    const asksInWindow = (): boolean => options.window || settings.get('prompts') === 'window';
    this.session = new HelperSession(client, { nowMs, wallMs: () => Date.now() });
    const programs = new Programs(wantedLanguages(process.env), nowMs);
    this.#notifier = new Notifier(() => this.#notifications?.capabilities ?? NO_SERVER, notificationRules(process.env));
    this.windows = new WindowLink({
      session: this.session, settings, keepsWarm: asksInWindow, warn, quit: () => { setTimeout(quit, 0); },
      crashed: (again) => { this.#onWindowLost(again); },
      usable: () => { this.#presenter.windowUsable(); },
    });
    this.#presenter = new PromptPresenter(this.session, programs.find, this.#notifier, this.windows, asksInWindow, {
      attention: () => this.#lock?.attention ?? 'here',
      openInbox: (token) => { this.open({ ...HOME, page: 'inbox' }, token); },
      whenQuiet: (show, meanwhile) => { this.#typing.whenQuiet(show, meanwhile); },
    });
    this.#notices = new StateNotifier(this.session, this.#notifier, {
      adapt: (notice) => adaptNotice(notice, settings),
      openWindow: (token, page) => { this.open({ ...HOME, page }, token); },
      failed: (error) => { warn(errorText(error)); },
    });
    this.#feed = new TrayFeed(this.session, programs.find, {
      openWindow: (token) => { this.open(HOME, token); },
      openPrompts: (token, nonce) => { this.showPrompts(token, nonce); },
      answerOnce: (nonce, action) => { this.#presenter.answerOnce(nonce, action); },
      hidden: () => !settings.get('show-tray'),
      quit: () => { setTimeout(quit, 0); },
      failed: (error) => { warn(errorText(error)); },
    });
    this.#guide = new Guide(this.session, this.#notifier, settings, (token, page) => { this.open({ ...HOME, page }, token); });
    this.session.changed.on(() => { this.#tellTray(); });
    settings.onChanged((key) => { if (key === 'show-tray') this.#tray?.update(); });
    // The answer whether notifications can carry buttons takes milliseconds, or seconds where no server can be started.
    const bus = this.#startBus().catch(() => undefined);
    const patience = new Promise<void>((resolve) => { setTimeout(resolve, BUS_PATIENCE_MS); });
    void Promise.race([bus, patience]).then(() => { this.session.start(this.#presenter); });
    this.windows.warm();
    void serveSearch(sessionBusAddress(process.env), {
      client, find: programs.find, nowMs, wallMs: () => Date.now(),
      open: (target) => { this.open({ ...HOME, ...target }, ''); },
      search: (words) => { this.open({ ...HOME, page: 'rules', search: words }, ''); },
    }).then((stop) => { this.#stopSearch = stop; });
  }

  /** `token`: what lets the window come to the front for the person's own click; '' for none. */
  open(target: OpenTarget, token: string): void {
    if (this.windows.open(target, token)) return;
    this.#notifier.tell(_('The window cannot be opened now'), _('It closed unexpectedly several times. Try again in a minute.'));
  }

  /** With this prompt, or with the one that waits longest. */
  showPrompts(token: string, nonce?: string): void {
    if (this.session.queue.pending().length > 0) this.#presenter.open(token, nonce);
    else this.open({ ...HOME, page: 'inbox' }, token);
  }

  /** Everything but denied programs may connect for that long. */
  pause(seconds: number): void {
    this.session.client.pause(seconds).catch((error: unknown) => { this.#notifier.tell(_('The firewall was not paused'), errorText(error)); });
  }

  stop(): void {
    this.#stopSearch();
    this.#guide.stop();
    this.#presenter.close();
    this.#notifier.closeAll();
    this.#notices.stop();
    if (this.#trayTimer !== null) clearTimeout(this.#trayTimer);
    this.#tray?.stop();
    this.windows.stop();
    this.session.client.close();
    this.#lock?.stop();
    this.#typing.stop();
    this.#closeBus();
  }

  /** Hundreds of prompts may come and go together: the tray hears of them once. */
  #tellTray(): void {
    this.#trayTimer ??= setTimeout(() => {
      this.#trayTimer = null;
      this.#tray?.update();
    }, TRAY_MS);
  }

  async #startBus(): Promise<void> {
    const bus = await connectSessionBus(sessionBusAddress(process.env));
    const locked = this.#startLock(bus);
    if (bus === null) {
      await locked;
      return;
    }
    this.#bus = bus;
    this.#closeBus = () => { bus.close(); };
    const portal = usesPortal(process.env);
    this.#notifications = new NotificationServer(bus, portal);
    const asked = this.#notifications.start();
    if (portal) this.#startWithSession(bus);
    // A folder of the sandbox means nothing to the panel.
    this.#tray = await Tray.start(bus, this.#feed.view, inFlatpak() ? '' : assetPath('icons'), this.#feed.run);
    this.#tray.update();
    await Promise.all([asked, locked]);
  }

  /** A package has files that start it; a Flatpak has to ask the desktop. */
  #startWithSession(bus: BusConnection): void {
    const tell = (): void => {
      startWithSession(bus, this.#settings.get('start-with-session'), _('Questions appear while no window is open.')).catch(() => undefined);
    };
    this.#settings.onChanged((key) => { if (key === 'start-with-session') tell(); });
    tell();
  }

  async #startLock(sessionBus: BusConnection | null): Promise<void> {
    this.#lock = await SessionLock.start({
      sessionBus, portal: usesPortal(process.env), pid: process.pid, uid: process.getuid?.() ?? -1, sessionId: process.env['XDG_SESSION_ID'] ?? '',
    });
    this.#lock.changed.on(() => { this.#onAttention(); });
    if (this.#lock.attention !== 'here') this.#onAttention();
  }

  #onAttention(): void {
    this.#notifier.setAway(this.#lock !== null && this.#lock.attention !== 'here');
    this.#presenter.attentionChanged();
  }

  #onWindowLost(again: boolean): void {
    this.#notifier.tell(
      _('The window closed unexpectedly'),
      again ? _('No question was answered by this. Open the window again from the tray.') : _('No question was answered by this. The window can be opened again in a minute.'),
    );
    this.#presenter.windowLost();
  }
}

/** Into the journal of the session. */
export function warn(line: string): void {
  process.stderr.write(`bastion-firewall-desktop: ${line}\n`);
}
