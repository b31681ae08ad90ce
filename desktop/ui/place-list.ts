/**
 * A list view of places: it knows how many rows there are, and asks for the content of those that it shows. Its model holds
 * empty texts, so that another content costs nothing but the rows in view.
 */
import { Gtk } from '../gtk.ts';
import type { ListItem, ListView, Widget } from '../gtk.ts';
import { FlowRowView } from './flow-row.ts';

/** The list makes widgets for its first rows, which costs a millisecond each, and none for those far below. */
const WIDGET_ROWS = 210;
const FIRST_ROWS = 16;

export interface PlaceListActions {
  fill(view: FlowRowView, item: ListItem, position: number): void;
  activate(position: number): void;
}

export class PlaceList {
  readonly #view: ListView;
  readonly #places = Gtk.StringList.new([]);
  readonly #model = Gtk.SliceListModel.new(this.#places, 0, 0);
  readonly #actions: PlaceListActions;
  readonly #views = new WeakMap<Widget, FlowRowView>();
  readonly #bound = new Map<FlowRowView, ListItem>();
  #length = 0;
  /** Rows that the list has made widgets for at least once. */
  #grown = 0;
  #growing: NodeJS.Timeout | null = null;

  constructor(view: ListView, actions: PlaceListActions) {
    this.#view = view;
    this.#actions = actions;
    const factory = new Gtk.SignalListItemFactory();
    factory.on('setup', (item) => {
      const row = new FlowRowView();
      this.#views.set(row.widget, row);
      item.setChild(row.widget);
    });
    factory.on('bind', (item) => { this.#bind(item); });
    factory.on('unbind', (item) => {
      const row = this.#viewOf(item);
      if (row !== undefined) this.#bound.delete(row);
    });
    // Where it can be had, one press of Tab leaves the list, however long it is.
    if (Gtk.ListTabBehavior !== undefined) this.#view.setTabBehavior?.(Gtk.ListTabBehavior.ITEM);
    this.#view.setFactory(factory);
    this.#view.setModel(Gtk.NoSelection.new(this.#model));
    this.#view.on('activate', (position) => { if (typeof position === 'number') this.#actions.activate(position); });
  }

  /** Another number of rows, or the same with another content. */
  setLength(length: number): void {
    const missing = length - this.#places.getNItems();
    if (missing > 0) this.#places.splice(this.#places.getNItems(), 0, new Array<string>(missing).fill(''));
    this.#length = length;
    this.#grow();
    this.refill();
  }

  /** Fills the rows in view again. */
  refill(): void {
    for (const [row, item] of this.#bound) this.#actions.fill(row, item, item.getPosition());
  }

  /** Nothing goes on any more. */
  stop(): void {
    if (this.#growing !== null) clearTimeout(this.#growing);
    this.#growing = null;
  }

  /** The first widgets come in pieces, so that typing goes on meanwhile; once they are there the length is set at once. */
  #grow(): void {
    this.stop();
    if (this.#grown < WIDGET_ROWS) {
      this.#grown += FIRST_ROWS;
      if (this.#grown < WIDGET_ROWS && this.#grown < this.#length) this.#growing = setTimeout(() => { this.#grow(); }, 0);
    }
    this.#model.setSize(this.#grown < WIDGET_ROWS ? Math.min(this.#grown, this.#length) : this.#length);
  }

  #viewOf(item: ListItem): FlowRowView | undefined {
    const child = item.getChild();
    return child === null ? undefined : this.#views.get(child);
  }

  #bind(item: ListItem): void {
    const row = this.#viewOf(item);
    if (row === undefined) return;
    this.#bound.set(row, item);
    this.#actions.fill(row, item, item.getPosition());
  }
}
