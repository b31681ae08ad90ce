/**
 * Waits until nobody types before a window comes by itself. On Wayland a program cannot show a window without being given the
 * keyboard: GNOME Shell focuses every new one, and what is typed at that moment would be lost or taken for an answer.
 * Source: mutter 43, window_state_on_map; org.gnome.Mutter.IdleMonitor.
 */
import type { BusConnection } from '../../helper/contract/transport.ts';

const NAME = 'org.gnome.Mutter.IdleMonitor';
const PATH = '/org/gnome/Mutter/IdleMonitor/Core';
/** A pause that is longer than those between the letters of a word. */
const QUIET_MS = 1200;
const LOOK_MS = 200;

export class Typing {
  readonly #bus: () => BusConnection | null;
  #waiting: NodeJS.Timeout | null = null;
  #show: (() => void) | null = null;

  /** `bus`: the session's, null while there is none. */
  constructor(bus: () => BusConnection | null) {
    this.#bus = bus;
  }

  /**
   * Calls `show` once nobody has touched keyboard or pointer for a moment, and before that `meanwhile` if it takes longer than
   * one look. A newer call replaces an older one. At once where the desktop does not say.
   */
  whenQuiet(show: () => void, meanwhile: () => void): void {
    const first = this.#show === null;
    this.#show = show;
    if (first) this.#look(meanwhile);
    else meanwhile();
  }

  stop(): void {
    if (this.#waiting !== null) clearTimeout(this.#waiting);
    this.#waiting = null;
    this.#show = null;
  }

  #look(meanwhile: (() => void) | null): void {
    this.#waiting = null;
    const bus = this.#bus();
    if (bus === null) {
      this.#done();
      return;
    }
    bus.call({ destination: NAME, path: PATH, interface: NAME, member: 'GetIdletime', timeoutMs: 1000 }).then(
      ([idle]) => {
        if (Number(idle) >= QUIET_MS) {
          this.#done();
          return;
        }
        if (this.#show === null) return;
        meanwhile?.();
        this.#waiting = setTimeout(() => { this.#look(null); }, LOOK_MS);
      },
      () => { this.#done(); },
    );
  }

  #done(): void {
    const show = this.#show;
    this.#show = null;
    show?.();
  }
}
