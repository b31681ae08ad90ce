/** The tray: one shield and its menu on the session bus, with or without a host that shows them. */
import type { BusConnection } from '../../helper/contract/transport.ts';
import { hasOwner, watchName } from '../client/session-bus.ts';
import { _ } from '../i18n.ts';
import { shieldIcon, trayShield, trayTooltip } from '../model/status-text.ts';
import type { Knowledge } from '../model/status-text.ts';
import { trayMenu } from '../model/tray-menu.ts';
import type { TrayCommand } from '../model/tray-menu.ts';
import { serveObjects } from './dispatcher.ts';
import type { BusInterface } from './dispatcher.ts';
import { ITEM_INTERFACE, ITEM_PATH, ItemObject } from './item-object.ts';
import type { ItemFace } from './item-object.ts';
import { MENU_INTERFACE, MENU_PATH, MenuObject } from './menu-object.ts';

export const WATCHER_NAME = 'org.kde.StatusNotifierWatcher';
const WATCHER_PATH = '/StatusNotifierWatcher';

function faceOf(known: Knowledge, nowMs: number): ItemFace {
  const attention = known.connected && known.waiting > 0;
  return {
    icon: shieldIcon(trayShield(known, nowMs)), title: _('Bastion Firewall'), tooltip: trayTooltip(known, nowMs), attention,
    label: attention ? String(known.waiting) : '',
  };
}

export class Tray {
  readonly #bus: BusConnection;
  readonly #item: ItemObject;
  readonly #menu: MenuObject;
  /** A host shows the item, as far as the watcher has said. */
  registered = false;

  private constructor(bus: BusConnection, item: ItemObject, menu: MenuObject) {
    this.#bus = bus;
    this.#item = item;
    this.#menu = menu;
  }

  /** Serves the item and registers it now and whenever a watcher appears. Rejects only if the bus goes away. */
  static async start(
    bus: BusConnection, known: Knowledge, nowMs: number, iconFolder: string, run: (command: TrayCommand) => void,
  ): Promise<Tray> {
    const item = new ItemObject(faceOf(known, nowMs), iconFolder, () => { run({ do: item.face.attention ? 'prompts' : 'open' }); });
    const menu = new MenuObject(run);
    menu.set(trayMenu(known, nowMs));
    serveObjects(bus, new Map<string, BusInterface>([[ITEM_PATH, item], [MENU_PATH, menu]]));
    const tray = new Tray(bus, item, menu);
    await watchName(bus, WATCHER_NAME, (owner) => {
      tray.registered = false;
      if (owner !== '') tray.#register();
    });
    if (await hasOwner(bus, WATCHER_NAME)) tray.#register();
    return tray;
  }

  /** Tells hosts what changed, and nothing when nothing did. */
  update(known: Knowledge, nowMs: number): void {
    const before = this.#item.face;
    const face = faceOf(known, nowMs);
    this.#item.face = face;
    if (face.icon !== before.icon) {
      this.#emit('NewIcon');
      this.#emit('NewAttentionIcon');
    }
    if (face.tooltip !== before.tooltip) this.#emit('NewToolTip');
    if (face.attention !== before.attention) this.#emit('NewStatus', 's', [face.attention ? 'NeedsAttention' : 'Active']);
    if (face.label !== before.label) this.#emit('XAyatanaNewLabel', 'ss', [face.label, '99']);
    if (this.#menu.set(trayMenu(known, nowMs))) {
      this.#bus.signal({
        path: MENU_PATH, interface: MENU_INTERFACE, member: 'LayoutUpdated', signature: 'ui', body: [this.#menu.revision, 0],
      });
    }
  }

  #emit(member: string, signature = '', body: readonly unknown[] = []): void {
    this.#bus.signal({ path: ITEM_PATH, interface: ITEM_INTERFACE, member, signature, body });
  }

  /** By object path: the watcher then uses this connection's own name, and no well-known name is needed. */
  #register(): void {
    this.#bus
      .call({
        destination: WATCHER_NAME, path: WATCHER_PATH, interface: WATCHER_NAME, member: 'RegisterStatusNotifierItem',
        signature: 's', body: [ITEM_PATH],
      })
      .then(
        () => { this.registered = true; },
        () => { this.registered = false; },
      );
  }
}
