/** org.kde.StatusNotifierItem: the tray's shield on the bus. Source: freedesktop StatusNotifierItem draft. */
import { variant } from './dispatcher.ts';
import type { BusInterface, Variant } from './dispatcher.ts';
import { MENU_PATH } from './menu-object.ts';

export const ITEM_PATH = '/StatusNotifierItem';
export const ITEM_INTERFACE = 'org.kde.StatusNotifierItem';

/** What the shield shows now. */
export interface ItemFace {
  readonly icon: string;
  readonly title: string;
  readonly tooltip: string;
  /** Prompts wait: hosts then never hide the item. */
  readonly attention: boolean;
  /** A short text beside the icon where the host shows one; '' for none. */
  readonly label: string;
}

export class ItemObject implements BusInterface {
  readonly name = ITEM_INTERFACE;
  readonly #iconFolder: string;
  readonly #activate: () => void;
  face: ItemFace;

  /** `iconFolder`: absolute, holds the hicolor theme's folder. */
  constructor(face: ItemFace, iconFolder: string, activate: () => void) {
    this.face = face;
    this.#iconFolder = iconFolder;
    this.#activate = activate;
  }

  readonly properties = (): Readonly<Record<string, Variant>> => ({
    Category: variant('s', 'SystemServices'),
    Id: variant('s', 'org.bastionfirewall.Desktop'),
    Title: variant('s', this.face.title),
    Status: variant('s', this.face.attention ? 'NeedsAttention' : 'Active'),
    WindowId: variant('i', 0),
    IconName: variant('s', this.face.icon),
    IconThemePath: variant('s', this.#iconFolder),
    IconPixmap: variant('a(iiay)', []),
    OverlayIconName: variant('s', ''),
    OverlayIconPixmap: variant('a(iiay)', []),
    AttentionIconName: variant('s', this.face.icon),
    AttentionIconPixmap: variant('a(iiay)', []),
    AttentionMovieName: variant('s', ''),
    ToolTip: variant('(sa(iiay)ss)', [this.face.icon, [], this.face.title, this.face.tooltip]),
    ItemIsMenu: variant('b', false),
    Menu: variant('o', MENU_PATH),
    XAyatanaLabel: variant('s', this.face.label),
  });

  readonly methods = {
    Activate: { in: 'ii', out: '', run: () => this.#open() },
    SecondaryActivate: { in: 'ii', out: '', run: () => this.#open() },
    ContextMenu: { in: 'ii', out: '', run: () => [] },
    Scroll: { in: 'is', out: '', run: () => [] },
  };

  readonly xml = [
    `<interface name="${ITEM_INTERFACE}">`,
    ...[
      ['Category', 's'], ['Id', 's'], ['Title', 's'], ['Status', 's'], ['WindowId', 'i'], ['IconName', 's'],
      ['IconThemePath', 's'], ['IconPixmap', 'a(iiay)'], ['OverlayIconName', 's'], ['OverlayIconPixmap', 'a(iiay)'],
      ['AttentionIconName', 's'], ['AttentionIconPixmap', 'a(iiay)'], ['AttentionMovieName', 's'],
      ['ToolTip', '(sa(iiay)ss)'], ['ItemIsMenu', 'b'], ['Menu', 'o'], ['XAyatanaLabel', 's'],
    ].map(([name = '', type = '']) => `<property name="${name}" type="${type}" access="read"/>`),
    ...['Activate', 'SecondaryActivate', 'ContextMenu'].map(
      (name) => `<method name="${name}"><arg type="i" direction="in"/><arg type="i" direction="in"/></method>`,
    ),
    '<method name="Scroll"><arg type="i" direction="in"/><arg type="s" direction="in"/></method>',
    ...['NewTitle', 'NewIcon', 'NewAttentionIcon', 'NewOverlayIcon', 'NewToolTip'].map((name) => `<signal name="${name}"/>`),
    '<signal name="NewStatus"><arg type="s"/></signal>',
    '<signal name="XAyatanaNewLabel"><arg type="s"/><arg type="s"/></signal>',
    '</interface>',
  ].join('\n');

  #open(): readonly unknown[] {
    this.#activate();
    return [];
  }
}
