/**
 * com.canonical.dbusmenu: the tray's menu on the bus. Ids are given anew with every change; an event that names an id of an
 * older menu runs nothing, because ids are never used twice. While a host shows the menu it stays as it is: a row that moves
 * under the pointer would be clicked by accident.
 * Source: libdbusmenu, dbus-menu.xml, version 3.
 */
import type { MenuEntry, TrayCommand } from '../model/tray-menu.ts';
import { variant } from './dispatcher.ts';
import type { BusInterface, Variant } from './dispatcher.ts';

export const MENU_PATH = '/MenuBar';
export const MENU_INTERFACE = 'com.canonical.dbusmenu';
const LAYOUT = '(ia{sv}av)';
const ID_LIMIT = 0x7fff_ffff;
/** A menu that a host never says to be closed holds changes back no longer. */
const OPEN_LIMIT_MS = 60_000;
/** Some hosts tell of the click after they have told that the menu is closed. */
const CLICK_GRACE_MS = 300;

interface Node {
  readonly id: number;
  readonly properties: Readonly<Record<string, Variant>>;
  readonly command: TrayCommand | null;
  readonly children: readonly Node[];
}

/** An underscore in a label marks a mnemonic; ours are literal. */
function label(text: string): Variant {
  return variant('s', text.replaceAll('_', '__'));
}

function propertiesOf(entry: MenuEntry): Readonly<Record<string, Variant>> {
  switch (entry.kind) {
    case 'separator': return { type: variant('s', 'separator') };
    case 'text': return { label: label(entry.label), enabled: variant('b', false) };
    case 'submenu': return { label: label(entry.label), 'children-display': variant('s', 'submenu') };
    case 'command':
      return entry.chosen === undefined
        ? { label: label(entry.label) }
        : {
            label: label(entry.label), 'toggle-type': variant('s', 'radio'),
            'toggle-state': variant('i', entry.chosen ? 1 : 0),
          };
    default: return {};
  }
}

export class MenuObject implements BusInterface {
  readonly name = MENU_INTERFACE;
  readonly #run: (command: TrayCommand) => void;
  readonly #changed: () => void;
  readonly #direction: 'ltr' | 'rtl';
  #entries = '';
  #held: readonly MenuEntry[] | null = null;
  #open: NodeJS.Timeout | null = null;
  #root: Node = { id: 0, properties: {}, command: null, children: [] };
  #byId = new Map<number, Node>([[0, this.#root]]);
  #lastId = 0;
  revision = 1;

  /** `changed`: hosts have to be told of the new `revision`. */
  constructor(run: (command: TrayCommand) => void, changed: () => void, direction: 'ltr' | 'rtl') {
    this.#run = run;
    this.#changed = changed;
    this.#direction = direction;
  }

  /** Calls `changed` when the menu differs from the one before, or once it is closed. */
  set(entries: readonly MenuEntry[]): void {
    if (this.#open !== null) {
      this.#held = entries;
      return;
    }
    const key = JSON.stringify(entries);
    if (key === this.#entries) return;
    this.#entries = key;
    this.#byId = new Map();
    if (this.#lastId > ID_LIMIT / 2) this.#lastId = 0;
    const children = entries.map((entry) => this.#node(entry));
    this.#root = { id: 0, properties: { 'children-display': variant('s', 'submenu') }, command: null, children };
    this.#byId.set(0, this.#root);
    this.revision += 1;
    this.#changed();
  }

  /** Forgets that a host shows the menu: it has gone. */
  close(): void {
    if (this.#open !== null) clearTimeout(this.#open);
    this.#open = null;
    const held = this.#held;
    this.#held = null;
    if (held !== null) this.set(held);
  }

  readonly properties = (): Readonly<Record<string, Variant>> => ({
    Version: variant('u', 3),
    TextDirection: variant('s', this.#direction),
    Status: variant('s', 'normal'),
    IconThemePath: variant('as', []),
  });

  readonly methods = {
    GetLayout: {
      in: 'iias', out: `u${LAYOUT}`,
      run: ([id, depth]: readonly unknown[]) => [this.revision, this.#layout(this.#find(id), Number(depth))],
    },
    GetGroupProperties: {
      in: 'aias', out: 'a(ia{sv})',
      run: ([ids]: readonly unknown[]) => [this.#group(ids)],
    },
    GetProperty: {
      in: 'is', out: 'v',
      run: ([id, key]: readonly unknown[]) => [this.#property(this.#find(id), key)],
    },
    Event: { in: 'isvu', out: '', run: ([id, kind]: readonly unknown[]) => this.#event(id, kind) },
    EventGroup: {
      in: 'a(isvu)', out: 'ai',
      run: ([events]: readonly unknown[]) => [this.#eventGroup(events)],
    },
    AboutToShow: { in: 'i', out: 'b', run: () => [false] },
    AboutToShowGroup: { in: 'ai', out: 'aiai', run: () => [[], []] },
  };

  readonly xml = [
    `<interface name="${MENU_INTERFACE}">`,
    '<property name="Version" type="u" access="read"/><property name="TextDirection" type="s" access="read"/>',
    '<property name="Status" type="s" access="read"/><property name="IconThemePath" type="as" access="read"/>',
    ...Object.entries(this.methods).map(([name, method]) => `<method name="${name}">${argumentsXml(method)}</method>`),
    '<signal name="LayoutUpdated"><arg type="u"/><arg type="i"/></signal>',
    '<signal name="ItemsPropertiesUpdated"><arg type="a(ia{sv})"/><arg type="a(ias)"/></signal>',
    '</interface>',
  ].join('\n');

  #node(entry: MenuEntry): Node {
    this.#lastId += 1;
    const id = this.#lastId;
    const children = entry.kind === 'submenu' ? entry.entries.map((child) => this.#node(child)) : [];
    const node: Node = { id, properties: propertiesOf(entry), command: entry.kind === 'command' ? entry.command : null, children };
    this.#byId.set(id, node);
    return node;
  }

  #find(id: unknown): Node {
    const node = typeof id === 'number' ? this.#byId.get(id) : undefined;
    if (node === undefined) throw new RangeError('no such item');
    return node;
  }

  /** `depth` -1: everything below. */
  #layout(node: Node, depth: number): readonly unknown[] {
    const children = depth === 0 ? [] : node.children.map((child) => variant(LAYOUT, this.#layout(child, depth < 0 ? -1 : depth - 1)));
    return [node.id, node.properties, children];
  }

  #group(ids: unknown): readonly unknown[] {
    const wanted = Array.isArray(ids) && ids.length > 0 ? ids : [...this.#byId.keys()];
    return wanted.flatMap((id: unknown) => {
      const node = typeof id === 'number' ? this.#byId.get(id) : undefined;
      return node === undefined ? [] : [[node.id, node.properties]];
    });
  }

  #property(node: Node, key: unknown): Variant {
    const found = typeof key === 'string' && Object.hasOwn(node.properties, key) ? node.properties[key] : undefined;
    if (found === undefined) throw new RangeError('no such property');
    return found;
  }

  #event(id: unknown, kind: unknown): readonly unknown[] {
    const { command } = this.#find(id);
    if (kind === 'clicked' && command !== null) this.#run(command);
    if (id === 0 && kind === 'opened') this.#hold(OPEN_LIMIT_MS);
    if (id === 0 && kind === 'closed' && this.#open !== null) this.#hold(CLICK_GRACE_MS);
    return [];
  }

  #hold(ms: number): void {
    if (this.#open !== null) clearTimeout(this.#open);
    this.#open = setTimeout(() => { this.close(); }, ms);
  }

  /** Returns the ids that are not there. */
  #eventGroup(events: unknown): readonly number[] {
    const unknown: number[] = [];
    const list: readonly unknown[] = Array.isArray(events) ? events : [];
    for (const event of list) {
      const parts: readonly unknown[] = Array.isArray(event) ? event : [];
      const [id, kind] = parts;
      if (typeof id !== 'number') continue;
      if (this.#byId.has(id)) this.#event(id, kind);
      else unknown.push(id);
    }
    return unknown;
  }
}

/** One `<arg>` for each complete type of the two signatures, all of which are simple enough to be split here. */
function argumentsXml(method: { readonly in: string; readonly out: string }): string {
  const split = (signature: string): readonly string[] => signature.match(/a*(?:\{[^}]*\}|\((?:[^()]|\([^()]*\))*\)|[a-z])/g) ?? [];
  const xml = (direction: string) => (type: string): string => `<arg type="${type}" direction="${direction}"/>`;
  return [...split(method.in).map(xml('in')), ...split(method.out).map(xml('out'))].join('');
}
