/**
 * A virtualised list: the toolkit holds ids, and makes widgets for what is near the view only. What has not changed stays where
 * it is, so that a list that is read again keeps its place.
 */
import { GLib, Gtk } from '../gtk.ts';
import type { ListItem, ListView, Widget } from '../gtk.ts';
import { runInSlices } from '../model/stepwise.ts';
import { nameListItem } from './accessible-name.ts';
import { loadUi } from './load-ui.ts';
import type { Ui } from './load-ui.ts';
import { LongIds } from './long-ids.ts';

export interface RowView {
  readonly widget: Widget;
  /** What a screen reader says of the row where nothing in it can have the focus. */
  readonly spoken: string;
}

/** A row without a class of its own. */
export interface LoadedRow extends RowView {
  readonly ui: Ui;
  spoken: string;
}

/** Builds `ui/<name>.ui`, whose box `row` is the row. */
export function loadRow(name: string): LoadedRow {
  const ui = loadUi(name);
  return { ui, widget: ui.get('row', Gtk.Box), spoken: '' };
}

export interface IdListOptions<V extends RowView> {
  readonly list: ListView;
  readonly make: () => V;
  /** Shows the row of this id; `item` is its place in the list. */
  readonly fill: (view: V, id: string, item: ListItem) => void;
  /** The row of this view is not near any more. */
  readonly unbound?: (view: V) => void;
  /** A click, or Enter. */
  readonly activated?: (id: string) => void;
}

interface Place {
  readonly id: string;
  readonly item: ListItem;
  spoken: string;
}

export class IdList<V extends RowView> {
  readonly #options: IdListOptions<V>;
  readonly #ids = new LongIds();
  /** By the list's child; the list keeps a few dozen and reuses them. */
  readonly #views = new WeakMap<Widget, V>();
  readonly #bound = new Map<V, Place>();
  #stopRefill: () => void = () => undefined;

  constructor(options: IdListOptions<V>) {
    this.#options = options;
    const factory = new Gtk.SignalListItemFactory();
    factory.on('setup', (item) => {
      const view = options.make();
      this.#views.set(view.widget, view);
      item.setChild(view.widget);
    });
    factory.on('bind', (item) => { this.#bind(item); });
    factory.on('unbind', (item) => {
      const view = this.viewOf(item.getChild());
      if (view === undefined) return;
      this.#bound.delete(view);
      options.unbound?.(view);
    });
    options.list.setFactory(factory);
    options.list.setModel(this.#ids.selection);
    options.list.on('activate', (position) => {
      const id = typeof position === 'number' ? this.ids[position] : undefined;
      if (id !== undefined) options.activated?.(id);
    });
  }

  /** What the list shows, or will in a moment. */
  get ids(): readonly string[] {
    return this.#ids.ids;
  }

  /** Widgets that stand for a row now. */
  get views(): IterableIterator<V> {
    return this.#bound.keys();
  }

  /** The row that this widget is; undefined for any other. */
  viewOf(widget: Widget | null): V | undefined {
    return widget === null ? undefined : this.#views.get(widget);
  }

  /** Shows these ids, each of them once, in this order; rows that are there already are filled again. */
  setIds(ids: readonly string[]): void {
    this.#ids.show(ids);
    this.refill();
  }

  /** Fills what is shown again, a few rows at a time: times go on, and rows change under the same id. */
  refill(): void {
    this.#stopRefill();
    this.#stopRefill = runInSlices(this.#refillInSteps(), () => undefined);
  }

  /** Brings a row into view; false where the list has none of this id. */
  scrollTo(id: string): boolean {
    const at = this.#ids.reach(id);
    if (at !== -1) this.#options.list.activateAction('list.scroll-to-item', GLib.Variant.newUint32(at));
    return at !== -1;
  }

  /** A row that comes into view meanwhile was filled when it did. */
  * #refillInSteps(): Generator<void, void> {
    for (const [view, place] of [...this.#bound]) {
      if (this.#bound.get(view) === place) this.#fill(view, place);
      yield;
    }
  }

  #bind(item: ListItem): void {
    const view = this.viewOf(item.getChild());
    const id = item.getItem()?.getString();
    if (view === undefined || id === undefined) return;
    const place: Place = { id, item, spoken: '' };
    this.#bound.set(view, place);
    this.#fill(view, place);
  }

  #fill(view: V, place: Place): void {
    this.#options.fill(view, place.id, place.item);
    if (place.spoken === view.spoken) return;
    place.spoken = view.spoken;
    nameListItem(place.item, place.spoken);
  }
}
