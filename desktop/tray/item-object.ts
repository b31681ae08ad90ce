/** org.kde.StatusNotifierItem: the tray's shield on the bus. Source: freedesktop StatusNotifierItem draft. */
import { iconOutside } from '../sandbox.ts';
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
  /** Hosts show nothing. */
  readonly hidden: boolean;
  /** A short text beside the icon where the host shows one; '' for none. */
  readonly label: string;
}

/** Hosts make tokens of a few dozen characters. */
const TOKEN_CHARACTERS = 256;

/** Source: freedesktop StatusNotifierItem draft, "Status". */
export function itemStatus({ hidden, attention }: ItemFace): 'Passive' | 'NeedsAttention' | 'Active' {
  if (hidden) return 'Passive';
  return attention ? 'NeedsAttention' : 'Active';
}

export class ItemObject implements BusInterface {
  readonly name = ITEM_INTERFACE;
  readonly #iconFolder: string;
  readonly #activate: (token: string) => void;
  #token = '';
  face: ItemFace;

  /** `iconFolder`: absolute, holds the hicolor theme's folder; '' where the system's theme has the icons. `activate`: see `takeToken`. */
  constructor(face: ItemFace, iconFolder: string, activate: (token: string) => void) {
    this.face = face;
    this.#iconFolder = iconFolder;
    this.#activate = activate;
  }

  readonly properties = (): Readonly<Record<string, Variant>> => ({
    Category: variant('s', 'SystemServices'),
    Id: variant('s', 'org.bastionfirewall.Desktop'),
    Title: variant('s', this.face.title),
    Status: variant('s', itemStatus(this.face)),
    WindowId: variant('i', 0),
    IconName: variant('s', iconOutside(this.face.icon)),
    IconAccessibleDesc: variant('s', this.#description()),
    IconThemePath: variant('s', this.#iconFolder),
    IconPixmap: variant('a(iiay)', []),
    OverlayIconName: variant('s', ''),
    OverlayIconPixmap: variant('a(iiay)', []),
    AttentionIconName: variant('s', iconOutside(this.face.icon)),
    AttentionAccessibleDesc: variant('s', this.#description()),
    AttentionIconPixmap: variant('a(iiay)', []),
    AttentionMovieName: variant('s', ''),
    ToolTip: variant('(sa(iiay)ss)', [iconOutside(this.face.icon), [], this.face.title, this.face.tooltip]),
    ItemIsMenu: variant('b', false),
    Menu: variant('o', MENU_PATH),
    XAyatanaLabel: variant('s', this.face.label),
    XAyatanaLabelGuide: variant('s', this.face.label === '' ? '' : '99'),
  });

  /** What lets a window come to the front for the last click, once; '' where the host gave none. Source: xdg-activation. */
  takeToken(): string {
    const token = this.#token;
    this.#token = '';
    return token;
  }

  readonly methods = {
    Activate: { in: 'ii', out: '', run: () => this.#open() },
    SecondaryActivate: { in: 'ii', out: '', run: () => this.#open() },
    ContextMenu: { in: 'ii', out: '', run: () => [] },
    Scroll: { in: 'is', out: '', run: () => [] },
    // Comes before the call that it is for. Source: KStatusNotifierItem; the AppIndicator extension of GNOME does the same.
    ProvideXdgActivationToken: { in: 's', out: '', run: ([token]: readonly unknown[]) => this.#provide(token) },
  };

  readonly xml = [
    `<interface name="${ITEM_INTERFACE}">`,
    ...[
      ['Category', 's'], ['Id', 's'], ['Title', 's'], ['Status', 's'], ['WindowId', 'i'], ['IconName', 's'],
      ['IconAccessibleDesc', 's'], ['AttentionAccessibleDesc', 's'], ['XAyatanaLabelGuide', 's'], ['IconThemePath', 's'], ['IconPixmap', 'a(iiay)'], ['OverlayIconName', 's'], ['OverlayIconPixmap', 'a(iiay)'],
      ['AttentionIconName', 's'], ['AttentionIconPixmap', 'a(iiay)'], ['AttentionMovieName', 's'],
      ['ToolTip', '(sa(iiay)ss)'], ['ItemIsMenu', 'b'], ['Menu', 'o'], ['XAyatanaLabel', 's'],
    ].map(([name = '', type = '']) => `<property name="${name}" type="${type}" access="read"/>`),
    ...['Activate', 'SecondaryActivate', 'ContextMenu'].map(
      (name) => `<method name="${name}"><arg type="i" direction="in"/><arg type="i" direction="in"/></method>`,
    ),
    '<method name="ProvideXdgActivationToken"><arg type="s" direction="in"/></method>',
    '<method name="Scroll"><arg type="i" direction="in"/><arg type="s" direction="in"/></method>',
    ...['NewTitle', 'NewIcon', 'NewAttentionIcon', 'NewOverlayIcon', 'NewToolTip'].map((name) => `<signal name="${name}"/>`),
    '<signal name="NewStatus"><arg type="s"/></signal>',
    '<signal name="XAyatanaNewLabel"><arg type="s"/><arg type="s"/></signal>',
    '</interface>',
  ].join('\n');

  #description(): string {
    return `${this.face.title}: ${this.face.tooltip}`;
  }

  #provide(token: unknown): readonly unknown[] {
    this.#token = typeof token === 'string' && token.length <= TOKEN_CHARACTERS ? token : '';
    return [];
  }

  #open(): readonly unknown[] {
    this.#activate(this.takeToken());
    return [];
  }
}
