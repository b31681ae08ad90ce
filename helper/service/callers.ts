/** Who calls: the bus's word for it, remembered for as long as the connection lives. Unique names are never given twice. */
import { BUS, Variant } from '../contract/transport.ts';
import type { BusConnection, IncomingMessage } from '../contract/transport.ts';

/** A connection and the process that made it. */
export interface Caller {
  /** Unique bus name. */
  readonly name: string;
  readonly uid: number;
  /** 0 when the bus does not know it. */
  readonly pid: number;
}

/** dbus-daemon has at most 2048 connections by default. */
const MOST_CALLERS = 4096;

function numberOf(credentials: unknown, key: string): number | null {
  if (typeof credentials !== 'object' || credentials === null) return null;
  const found = (credentials as Readonly<Record<string, unknown>>)[key];
  return found instanceof Variant && typeof found.value === 'number' ? found.value : null;
}

/** The connections that have called and are still there. */
export class Callers {
  readonly #bus: BusConnection;
  readonly #known = new Map<string, Promise<Caller | null>>();
  readonly #goneListeners = new Set<(name: string) => void>();

  private constructor(bus: BusConnection) {
    this.#bus = bus;
    bus.onSignal((signal) => {
      this.#onSignal(signal);
    });
  }

  /** Starts listening for connections that end. */
  static async watch(bus: BusConnection): Promise<Callers> {
    const callers = new Callers(bus);
    await bus.addMatch(
      `type='signal',sender='${BUS.name}',path='${BUS.path}',interface='${BUS.interface}',member='NameOwnerChanged'`,
    );
    return callers;
  }

  /** How many are known and connected. */
  get size(): number {
    return this.#known.size;
  }

  /** Has it called, and has it not ended as far as the bus has told? */
  has(name: string): boolean {
    return this.#known.has(name);
  }

  /** Credentials of a connection; null when it has gone. */
  get(name: string): Promise<Caller | null> {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    if (this.#known.size >= MOST_CALLERS) return Promise.resolve(null);
    const asked = this.#ask(name);
    this.#known.set(name, asked);
    return asked;
  }

  /**
   * Is the connection still there? Asks the bus, because polkit's answer comes over another connection and may overtake the
   * news that the caller has left.
   */
  async isThere(name: string): Promise<boolean> {
    if (!this.#known.has(name)) return false;
    const [owned] = await this.#bus.callBus('NameHasOwner', 's', [name]);
    return owned === true;
  }

  /** Called with the unique name of every known connection that ends. */
  onGone(listener: (name: string) => void): void {
    this.#goneListeners.add(listener);
  }

  async #ask(name: string): Promise<Caller | null> {
    try {
      const [credentials] = await this.#bus.callBus('GetConnectionCredentials', 's', [name]);
      const uid = numberOf(credentials, 'UnixUserID');
      if (uid === null) throw new Error('the bus does not know the user of a connection');
      return { name, uid, pid: numberOf(credentials, 'ProcessID') ?? 0 };
    } catch {
      this.#known.delete(name);
      return null;
    }
  }

  #onSignal(signal: IncomingMessage): void {
    if (signal.sender !== BUS.name || signal.interface !== BUS.interface || signal.member !== 'NameOwnerChanged') return;
    if (signal.signature !== 'sss') return;
    const [name, , newOwner] = signal.body();
    if (typeof name !== 'string' || newOwner !== '' || !this.#known.delete(name)) return;
    for (const listener of this.#goneListeners) listener(name);
  }
}
