/** The tray: one shield and its menu on the session bus, with or without a host that shows them. */
import type { BusConnection } from '../../helper/contract/transport.ts';
import { TrayHost, WATCHER_NAME, WATCHER_PATH } from '../client/tray-host.ts';
import { _, textDirection } from '../i18n.ts';
import { shieldIcon, trayShield, trayTooltip } from '../model/status-text.ts';
import type { Knowledge } from '../model/status-text.ts';
import { trayMenu } from '../model/tray-menu.ts';
import type { TrayCommand, TrayView } from '../model/tray-menu.ts';
import { serveObjects } from './dispatcher.ts';
import type { BusInterface } from './dispatcher.ts';
import { ITEM_INTERFACE, ITEM_PATH, ItemObject, itemStatus } from './item-object.ts';
import type { ItemFace } from './item-object.ts';
import { MENU_INTERFACE, MENU_PATH, MenuObject } from './menu-object.ts';

/** What the label says at most: it is beside an icon of 16 pixels. */
const COUNT_LIMIT = 9;
const MINUTE_MS = 60_000;

function faceOf({ known, nowMs, hidden = false }: TrayView): ItemFace {
  const attention = known.connected && known.waiting > 0;
  return {
    icon: shieldIcon(trayShield(known, nowMs)), title: _('Bastion Firewall'), tooltip: trayTooltip(known, nowMs), attention, hidden,
    label: attention ? countLabel(known.waiting) : pausedLabel(known, nowMs),
  };
}

function countLabel(waiting: number): string {
  return waiting > COUNT_LIMIT ? `${String(COUNT_LIMIT)}+` : String(waiting);
}

/** Minutes left. */
function pausedLabel({ connected, status }: Knowledge, nowMs: number): string {
  if (!connected || status?.state !== 'paused') return '';
  return String(Math.max(1, Math.ceil((status.pausedUntilMs - nowMs) / MINUTE_MS)));
}

export class Tray {
  readonly #bus: BusConnection;
  readonly #view: () => TrayView;
  readonly #item: ItemObject;
  readonly #menu: MenuObject;
  /** Runs only while minutes are counted down. */
  #clock: NodeJS.Timeout | null = null;
  readonly host: TrayHost;

  private constructor(bus: BusConnection, view: () => TrayView, host: TrayHost, iconFolder: string, run: TrayRun) {
    this.#bus = bus;
    this.#view = view;
    this.host = host;
    this.#item = new ItemObject(faceOf(view()), iconFolder, (token) => { run({ do: this.#item.face.attention ? 'prompts' : 'open' }, token); });
    this.#menu = new MenuObject(
      (command) => { run(command, this.#item.takeToken()); },
      () => { this.#tellMenu(); },
      textDirection(),
    );
    this.#menu.set(trayMenu(view()));
  }

  /**
   * Serves the item and registers it now and whenever a watcher appears. `view` is asked for every update; `run` gets what
   * lets a window come to the front for this click, '' where the host gave nothing. Rejects only if the bus goes away.
   */
  static async start(bus: BusConnection, view: () => TrayView, iconFolder: string, run: TrayRun): Promise<Tray> {
    const host = await TrayHost.watch(bus);
    const tray = new Tray(bus, view, host, iconFolder, run);
    serveObjects(bus, new Map<string, BusInterface>([[ITEM_PATH, tray.#item], [MENU_PATH, tray.#menu]]));
    host.appeared.on(() => { tray.#register(); });
    if (host.shows !== false) tray.#register();
    return tray;
  }

  /** Tells hosts what changed, and nothing when nothing did. */
  update(): void {
    const view = this.#view();
    const before = this.#item.face;
    const face = faceOf(view);
    this.#item.face = face;
    if (face.icon !== before.icon || face.tooltip !== before.tooltip) this.#emit('NewIcon');
    if (face.icon !== before.icon || face.tooltip !== before.tooltip) this.#emit('NewAttentionIcon');
    if (face.tooltip !== before.tooltip) this.#emit('NewToolTip');
    if (itemStatus(face) !== itemStatus(before)) this.#emit('NewStatus', 's', [itemStatus(face)]);
    if (face.label !== before.label) this.#emit('XAyatanaNewLabel', 'ss', [face.label, '99']);
    this.#menu.set(trayMenu(view));
    this.#countDown(view);
  }

  /** No timer is left behind. */
  stop(): void {
    if (this.#clock !== null) clearTimeout(this.#clock);
    this.#clock = null;
    this.#menu.close();
  }

  /** Once a minute while paused: the minutes left stand in label, tooltip and menu. */
  #countDown({ known, nowMs }: TrayView): void {
    if (this.#clock !== null) clearTimeout(this.#clock);
    this.#clock = null;
    if (!known.connected || known.status?.state !== 'paused') return;
    const left = known.status.pausedUntilMs - nowMs;
    if (left <= 0) return;
    this.#clock = setTimeout(() => { this.update(); }, (left % MINUTE_MS) + 100);
  }

  #emit(member: string, signature = '', body: readonly unknown[] = []): void {
    this.#bus.signal({ path: ITEM_PATH, interface: ITEM_INTERFACE, member, signature, body });
  }

  #tellMenu(): void {
    this.#bus.signal({ path: MENU_PATH, interface: MENU_INTERFACE, member: 'LayoutUpdated', signature: 'ui', body: [this.#menu.revision, 0] });
  }

  /** By object path: the watcher then uses this connection's own name, and no well-known name is needed. */
  #register(): void {
    this.#menu.close();
    this.#bus
      .call({
        destination: WATCHER_NAME, path: WATCHER_PATH, interface: WATCHER_NAME, member: 'RegisterStatusNotifierItem',
        signature: 's', body: [ITEM_PATH],
      })
      // A watcher that refuses has said so in its own log; the next one is asked again.
      .catch(() => undefined);
  }
}

export type TrayRun = (command: TrayCommand, token: string) => void;
