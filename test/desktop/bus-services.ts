/** Session services that a test plays: a tray host's watcher and a notification server. */
import dbus from 'dbus-next';
import { Variant, connectBus } from '../../helper/contract/transport.ts';
import type { BusConnection, IncomingMessage } from '../../helper/contract/transport.ts';

const NOTIFICATIONS = 'org.freedesktop.Notifications';
const NOTIFICATIONS_PATH = '/org/freedesktop/Notifications';
/** Longer than the buttons of a question sleep. */
const LOOKED_AT_MS = 700;
export const WATCHER = 'org.kde.StatusNotifierWatcher';

const PRESS_MS = 100;

/** A value without its variants. */
export function unpacked(value: unknown): unknown {
  if (value instanceof dbus.Variant) return unpacked(value.value);
  if (Array.isArray(value)) return value.map(unpacked);
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, unpacked(one)]));
  return value;
}

/** Things that happened, each given out once. */
export class Arrivals<T> {
  readonly #items: T[] = [];
  #wake: () => void = () => undefined;

  push(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  /** The next one; rejects after 30 s, or after `limitMs`. */
  async next(wanted: (item: T) => boolean = () => true, limitMs = 30_000): Promise<T> {
    const until = performance.now() + limitMs;
    for (;;) {
      for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) if (wanted(item)) return item;
      const left = until - performance.now();
      if (left <= 0) throw new Error(`nothing arrived within ${String(limitMs / 1000)} s`);
      await new Promise<void>((resolve) => {
        const timer = left === Infinity ? undefined : setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

export interface ShownNotification {
  readonly id: number;
  readonly summary: string;
  readonly body: string;
  /** Labels by id. */
  readonly actions: ReadonlyMap<string, string>;
}

/** A notification server with buttons and markup. */
export class NotificationStub {
  readonly shown = new Arrivals<ShownNotification>();
  readonly closed = new Arrivals<number>();
  readonly #bus: BusConnection;
  readonly #shownAtMs = new Map<number, number>();
  #lastId = 0;

  private constructor(bus: BusConnection) {
    this.#bus = bus;
    bus.onCall((call) => { this.#onCall(call); });
  }

  static async start(address: string): Promise<NotificationStub> {
    const bus = await connectBus({ address });
    const stub = new NotificationStub(bus);
    await bus.requestName(NOTIFICATIONS);
    return stub;
  }

  /** As a person does it: not before the notification has been looked at, for its buttons sleep at first. */
  press(id: number, action: string): void {
    const wait = (this.#shownAtMs.get(id) ?? 0) + LOOKED_AT_MS - performance.now();
    setTimeout(() => { this.pressAtOnce(id, action); }, Math.max(0, wait));
  }

  pressAtOnce(id: number, action: string): void {
    this.#signal('ActionInvoked', 'us', [id, action]);
  }

  /**
   * Presses it, and what has come after it, until the returned function is called: a question is not awake in its first moment,
   * and asks again under another number.
   */
  pressing(id: number, action: string): () => void {
    const timer = setInterval(() => { for (let one = id; one <= this.#lastId; one += 1) this.press(one, action); }, PRESS_MS);
    return () => { clearInterval(timer); };
  }

  /** As a person swipes it away. */
  putAway(id: number): void {
    this.#signal('NotificationClosed', 'uu', [id, 2]);
  }

  stop(): void { this.#bus.close(); }

  #signal(member: string, signature: string, body: readonly unknown[]): void {
    this.#bus.signal({ path: NOTIFICATIONS_PATH, interface: NOTIFICATIONS, member, signature, body });
  }

  #onCall(call: IncomingMessage): void {
    switch (call.member) {
      case 'GetCapabilities': this.#bus.reply(call, 'as', [['actions', 'body', 'body-markup']]); return;
      case 'GetServerInformation': this.#bus.reply(call, 'ssss', ['stub', 'test', '1', '1.2']); return;
      case 'Notify': {
        const [, replaces, , summary, body, actions] = call.body();
        if (replaces === 0) this.#lastId += 1;
        const id = replaces === 0 ? this.#lastId : Number(replaces);
        this.#bus.reply(call, 'u', [id]);
        const list: readonly unknown[] = Array.isArray(actions) ? actions : [];
        const pairs = list.flatMap((id, index) => (index % 2 === 0 ? [[String(id), String(list[index + 1])] as const] : []));
        this.#shownAtMs.set(id, performance.now());
        this.shown.push({ id, summary: String(summary), body: String(body), actions: new Map(pairs) });
        return;
      }
      case 'CloseNotification': {
        const [id] = call.body();
        this.#bus.reply(call, '', []);
        this.#signal('NotificationClosed', 'uu', [id, 3]);
        this.closed.push(Number(id));
        return;
      }
      default: this.#bus.replyError(call, 'org.freedesktop.DBus.Error.UnknownMethod', call.member);
    }
  }
}

const PORTAL = 'org.freedesktop.portal.Desktop';
const PORTAL_PATH = '/org/freedesktop/portal/desktop';
const PORTAL_NOTIFICATION = 'org.freedesktop.portal.Notification';

export interface PortalNotification {
  readonly id: string;
  /** As the portal gets it; variants are unpacked. */
  readonly content: Readonly<Record<string, unknown>>;
}

/** The portal's notifications, as an application in Flatpak reaches them. */
export class PortalStub {
  readonly added = new Arrivals<PortalNotification>();
  readonly removed = new Arrivals<string>();
  /** What is asked for the start with the session. */
  readonly background = new Arrivals<Readonly<Record<string, unknown>>>();
  readonly #bus: BusConnection;
  /** Who wants to hear of the screen. */
  #session = '';
  readonly monitored = new Arrivals<string>();

  private constructor(bus: BusConnection) {
    this.#bus = bus;
    bus.onCall((call) => { this.#onCall(call); });
  }

  /** Says that the screen is locked, or is so no more. */
  cover(covered: boolean): void {
    const state = { 'screensaver-active': new dbus.Variant('b', covered) };
    this.#bus.signal({ path: PORTAL_PATH, interface: 'org.freedesktop.portal.Inhibit', member: 'StateChanged', signature: 'oa{sv}', body: [this.#session, state] });
  }

  static async start(address: string): Promise<PortalStub> {
    const bus = await connectBus({ address });
    const stub = new PortalStub(bus);
    await bus.requestName(PORTAL);
    return stub;
  }

  press(id: string, action: string): void {
    this.#bus.signal({ path: PORTAL_PATH, interface: PORTAL_NOTIFICATION, member: 'ActionInvoked', signature: 'ssav', body: [id, action, []] });
  }

  stop(): void { this.#bus.close(); }

  #onCall(call: IncomingMessage): void {
    const [first, second] = call.body();
    switch (call.member) {
      case 'Get': this.#bus.reply(call, 'v', [new dbus.Variant('u', 1)]); return;
      case 'GetAll': this.#bus.reply(call, 'a{sv}', [{ version: new dbus.Variant('u', 1) }]); return;
      case 'AddNotification':
        this.#bus.reply(call, '', []);
        this.added.push({ id: String(first), content: unpacked(second) as Readonly<Record<string, unknown>> });
        return;
      case 'RemoveNotification':
        this.#bus.reply(call, '', []);
        this.removed.push(String(first));
        return;
      case 'CreateMonitor': {
        const { session_handle_token: token } = unpacked(second) as Readonly<Record<string, unknown>>;
        this.#session = `${PORTAL_PATH}/session/one/${String(token)}`;
        this.#bus.reply(call, 'o', [`${PORTAL_PATH}/request/one/two`]);
        this.monitored.push(this.#session);
        return;
      }
      case 'RequestBackground':
        this.#bus.reply(call, 'o', [`${PORTAL_PATH}/request/one/three`]);
        this.background.push(unpacked(second) as Readonly<Record<string, unknown>>);
        return;
      default: this.#bus.replyError(call, 'org.freedesktop.DBus.Error.UnknownMethod', call.member);
    }
  }
}

/** A tray host: takes registrations and looks at the item as a panel would. */
export class WatcherStub {
  readonly registered = new Arrivals<{ readonly sender: string; readonly path: string }>();
  readonly signals = new Arrivals<string>();
  readonly bus: BusConnection;

  private constructor(bus: BusConnection) {
    this.bus = bus;
    bus.onCall((call) => {
      if (call.member !== 'RegisterStatusNotifierItem') {
        bus.reply(call, 'v', [new dbus.Variant('b', true)]);
        return;
      }
      const [path] = call.body();
      bus.reply(call, '', []);
      this.registered.push({ sender: call.sender, path: String(path) });
    });
    bus.onSignal((signal) => { this.signals.push(signal.member); });
  }

  static async start(address: string): Promise<WatcherStub> {
    const bus = await connectBus({ address });
    const stub = new WatcherStub(bus);
    await bus.addMatch("type='signal',interface='org.kde.StatusNotifierItem'");
    await bus.addMatch("type='signal',interface='com.canonical.dbusmenu'");
    await bus.requestName(WATCHER);
    return stub;
  }

  /** Calls the item or its menu. */
  call(sender: string, path: string, name: string, member: string, signature: string, body: readonly unknown[]): Promise<readonly unknown[]> {
    return this.bus.call({ destination: sender, path, interface: name, member, signature, body });
  }

  stop(): void { this.bus.close(); }
}

const LOGIND = 'org.freedesktop.login1';
const LOGIN_SESSION = '/org/freedesktop/login1/session/_37';

/** A login manager with one session, `7`. */
export class LogindStub {
  readonly #bus: BusConnection;
  #state = { LockedHint: false, Active: true };

  private constructor(bus: BusConnection) {
    this.#bus = bus;
    bus.onCall((call) => {
      const [first, second] = call.body();
      if (call.member === 'GetSession' && first === '7') bus.reply(call, 'o', [LOGIN_SESSION]);
      else if (call.member === 'Get' && call.path === LOGIN_SESSION && (second === 'LockedHint' || second === 'Active')) {
        bus.reply(call, 'v', [new Variant('b', this.#state[second])]);
      } else bus.replyError(call, `${LOGIND}.NoSuchSession`, 'no');
    });
  }

  static async start(address: string): Promise<LogindStub> {
    const bus = await connectBus({ address });
    const stub = new LogindStub(bus);
    await bus.requestName(LOGIND);
    return stub;
  }

  set(state: Partial<{ readonly LockedHint: boolean; readonly Active: boolean }>): void {
    this.#state = { ...this.#state, ...state };
    this.#bus.signal({
      path: LOGIN_SESSION, interface: 'org.freedesktop.DBus.Properties', member: 'PropertiesChanged', signature: 'sa{sv}as',
      body: [`${LOGIND}.Session`, {}, Object.keys(state)],
    });
  }

  stop(): void { this.#bus.close(); }
}

const SAVER = 'org.gnome.ScreenSaver';
const SAVER_PATH = '/org/gnome/ScreenSaver';

/** The lock screen of a desktop. */
export class ScreenSaverStub {
  readonly #bus: BusConnection;
  #active = false;

  private constructor(bus: BusConnection) {
    this.#bus = bus;
    bus.onCall((call) => { bus.reply(call, 'b', [this.#active]); });
  }

  static async start(address: string): Promise<ScreenSaverStub> {
    const bus = await connectBus({ address });
    const stub = new ScreenSaverStub(bus);
    await bus.requestName(SAVER);
    return stub;
  }

  set(active: boolean): void {
    this.#active = active;
    this.#bus.signal({ path: SAVER_PATH, interface: SAVER, member: 'ActiveChanged', signature: 'b', body: [active] });
  }

  stop(): void { this.#bus.close(); }
}
