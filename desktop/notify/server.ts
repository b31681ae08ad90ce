/** What the session's notification server can do, kept up to date. */
import type { BusConnection } from '../../helper/contract/transport.ts';
import { PORTAL } from '../client/portal.ts';
import { watchName } from '../client/session-bus.ts';

const NAME = 'org.freedesktop.Notifications';
const PATH = '/org/freedesktop/Notifications';

const TRIES = 5;
const AGAIN_MS = 500;

export interface Capabilities {
  /** A server answers. */
  readonly there: boolean;
  /** Buttons are shown. */
  readonly actions: boolean;
  /** The body is read as markup, so it has to be escaped. */
  readonly markup: boolean;
  /** A notification that is shown can get other buttons. */
  readonly replaces: boolean;
  /** The action for a click on the text has a button too. */
  readonly showsDefault: boolean;
}

export const NO_SERVER: Capabilities = { there: false, actions: false, markup: false, replaces: true, showsDefault: false };

const PORTAL_NOTIFICATION = 'org.freedesktop.portal.Notification';
const BEHIND_PORTAL: Capabilities = { there: true, actions: true, markup: false, replaces: true, showsDefault: true };

/**
 * GNOME Shell up to 45 shows a notification that is changed in its place without its buttons.
 * Source: gnome-shell 43, notificationDaemon.js: update() redraws the banner before the new actions are added.
 */
function replacesButtons(name: unknown, version: unknown): boolean {
  return name !== 'gnome-shell' || Number.parseInt(String(version), 10) >= 46;
}

/** Xfce's server makes a button of every action, as seen in 0.7. */
function showsDefault(name: unknown): boolean {
  return name === 'Xfce Notify Daemon';
}

export class NotificationServer {
  readonly #bus: BusConnection;
  readonly #portal: boolean;
  capabilities: Capabilities = NO_SERVER;

  /** `portal`: notifications go through the portal. */
  constructor(bus: BusConnection, portal = false) {
    this.#bus = bus;
    this.#portal = portal;
  }

  /** Asks now, starting the server if the session can, and again whenever another server takes over. */
  async start(): Promise<void> {
    this.#bus.onClosed(() => { this.capabilities = NO_SERVER; });
    await watchName(this.#bus, this.#portal ? PORTAL.name : NAME, (owner) => {
      this.capabilities = NO_SERVER;
      if (owner !== '') void this.#ask(TRIES);
    });
    await this.#ask(1);
  }

  /** Servers own their name before they answer to it: a new one is asked a few times. */
  async #ask(tries: number): Promise<void> {
    try {
      this.capabilities = this.#portal ? await this.#askPortal() : await this.#askServer();
    } catch {
      this.capabilities = NO_SERVER;
      if (tries > 1) setTimeout(() => void this.#ask(tries - 1), AGAIN_MS);
    }
  }

  async #askServer(): Promise<Capabilities> {
    const [found] = await this.#bus.call({ destination: NAME, path: PATH, interface: NAME, member: 'GetCapabilities' });
    const [name, , version] = await this.#bus.call({ destination: NAME, path: PATH, interface: NAME, member: 'GetServerInformation' });
    const known = new Set<unknown>(Array.isArray(found) ? found : []);
    return {
      there: true, actions: known.has('actions'), markup: known.has('body-markup'), replaces: replacesButtons(name, version),
      showsDefault: showsDefault(name),
    };
  }

  /** It does not say what it can do; that it has a version says that it is there. */
  async #askPortal(): Promise<Capabilities> {
    await this.#bus.call({
      destination: PORTAL.name, path: PORTAL.path, interface: 'org.freedesktop.DBus.Properties', member: 'Get', signature: 'ss', body: [PORTAL_NOTIFICATION, 'version'],
    });
    return BEHIND_PORTAL;
  }
}
