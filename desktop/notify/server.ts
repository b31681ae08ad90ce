/** What the session's notification server can do, kept up to date. */
import type { BusConnection } from '../../helper/contract/transport.ts';
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
}

export const NO_SERVER: Capabilities = { there: false, actions: false, markup: false };

export class NotificationServer {
  readonly #bus: BusConnection;
  capabilities: Capabilities = NO_SERVER;

  constructor(bus: BusConnection) {
    this.#bus = bus;
  }

  /** Asks now, starting the server if the session can, and again whenever another server takes over. */
  async start(): Promise<void> {
    this.#bus.onClosed(() => { this.capabilities = NO_SERVER; });
    await watchName(this.#bus, NAME, (owner) => {
      this.capabilities = NO_SERVER;
      if (owner !== '') void this.#ask(TRIES);
    });
    await this.#ask(1);
  }

  /** Servers own their name before they answer to it: a new one is asked a few times. */
  async #ask(tries: number): Promise<void> {
    try {
      const [found] = await this.#bus.call({ destination: NAME, path: PATH, interface: NAME, member: 'GetCapabilities' });
      const known = new Set<unknown>(Array.isArray(found) ? found : []);
      this.capabilities = { there: true, actions: known.has('actions'), markup: known.has('body-markup') };
    } catch {
      this.capabilities = NO_SERVER;
      if (tries > 1) setTimeout(() => void this.#ask(tries - 1), AGAIN_MS);
    }
  }
}
