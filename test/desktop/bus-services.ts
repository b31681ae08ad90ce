/** Session services that a test plays: a tray host's watcher and a notification server. */
import { connectBus } from '../../helper/contract/transport.ts';
import type { BusConnection, IncomingMessage } from '../../helper/contract/transport.ts';

const NOTIFICATIONS = 'org.freedesktop.Notifications';
const NOTIFICATIONS_PATH = '/org/freedesktop/Notifications';
export const WATCHER = 'org.kde.StatusNotifierWatcher';

/** Things that happened, each given out once. */
export class Arrivals<T> {
  readonly #items: T[] = [];
  #wake: () => void = () => undefined;

  push(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  /** The next one; rejects after 10 s. */
  async next(wanted: (item: T) => boolean = () => true): Promise<T> {
    const until = performance.now() + 10_000;
    for (;;) {
      for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) if (wanted(item)) return item;
      const left = until - performance.now();
      if (left <= 0) throw new Error('nothing arrived within 10 s');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
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

  press(id: number, action: string): void {
    this.#signal('ActionInvoked', 'us', [id, action]);
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

/** A tray host: takes registrations and looks at the item as a panel would. */
export class WatcherStub {
  readonly registered = new Arrivals<{ readonly sender: string; readonly path: string }>();
  readonly signals = new Arrivals<string>();
  readonly bus: BusConnection;

  private constructor(bus: BusConnection) {
    this.bus = bus;
    bus.onCall((call) => {
      const [path] = call.member === 'RegisterStatusNotifierItem' ? call.body() : [];
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
