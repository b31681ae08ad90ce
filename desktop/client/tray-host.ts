/**
 * Is there anything in this session that shows tray icons? Either process may ask on its own.
 * Source: freedesktop StatusNotifierWatcher draft.
 */
import type { BusConnection } from '../../helper/contract/transport.ts';
import { Emitter } from './emitter.ts';
import { hasOwner, watchName } from './session-bus.ts';

export const WATCHER_NAME = 'org.kde.StatusNotifierWatcher';
export const WATCHER_PATH = '/StatusNotifierWatcher';
const PROPERTIES = 'org.freedesktop.DBus.Properties';

export class TrayHost {
  readonly #bus: BusConnection;
  /** A panel shows items; null until that is known. */
  shows: boolean | null = null;
  readonly changed = new Emitter();
  /** A watcher appeared: items have to be registered with it. */
  readonly appeared = new Emitter();
  #owned = false;

  private constructor(bus: BusConnection) {
    this.#bus = bus;
  }

  /** Looks now and follows every change. Rejects only if the bus goes away. */
  static async watch(bus: BusConnection): Promise<TrayHost> {
    const host = new TrayHost(bus);
    bus.onSignal((signal) => {
      if (signal.interface === WATCHER_NAME && /^StatusNotifierHost(?:R|Unr)egistered$/u.test(signal.member)) host.#ask();
    });
    await bus.addMatch(`type='signal',sender='${WATCHER_NAME}',interface='${WATCHER_NAME}'`);
    await watchName(bus, WATCHER_NAME, (owner) => { host.#onOwner(owner !== ''); });
    host.#onOwner(await hasOwner(bus, WATCHER_NAME));
    return host;
  }

  #onOwner(owned: boolean): void {
    this.#owned = owned;
    if (!owned) {
      this.#set(false);
      return;
    }
    this.appeared.emit();
    this.#ask();
  }

  #ask(): void {
    const body = [WATCHER_NAME, 'IsStatusNotifierHostRegistered'];
    this.#bus.call({ destination: WATCHER_NAME, path: WATCHER_PATH, interface: PROPERTIES, member: 'Get', signature: 'ss', body }).then(
      ([value]) => { this.#set(isTrue(value)); },
      // A watcher that does not say is taken at its word that it is one.
      () => { this.#set(this.#owned); },
    );
  }

  #set(shows: boolean): void {
    if (shows === this.shows) return;
    this.shows = shows;
    this.changed.emit();
  }
}

/** A boolean in a variant. */
function isTrue(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'value' in value && value.value === true;
}
