/** The list of the rules page: rows and headings in one virtualised list, keys and clicks. */
import type { RuleInfo } from '../../helper/contract/types.ts';
import { Gdk, Gtk } from '../gtk.ts';
import type { ListItem, ListView, Widget, Window } from '../gtk.ts';
import type { Heading } from '../model/rule-list.ts';
import { IdList } from './id-list.ts';
import { RuleHeadingView } from './rule-heading.ts';
import type { HeadingActions } from './rule-heading.ts';
import { RuleRowView } from './rule-row.ts';
import type { RuleRowActions, RuleRowContent } from './rule-row.ts';

export interface RulesListActions extends Omit<RuleRowActions, 'open'>, HeadingActions {
  /** What stands in the row of a rule; null for one that has gone. */
  content(id: string): RuleRowContent | null;
  heading(key: string): Heading | null;
  isConnected(): boolean;
  /** Enter, or a click. `extend`: with Shift, `toggle`: with Ctrl. */
  activated(id: string, keys: { readonly extend: boolean; readonly toggle: boolean }): void;
  /** Space, or Shift with an arrow key. */
  toggled(id: string): void;
  /** Delete on a row, which may be a selected one. */
  deleted(rule: RuleInfo): void;
  /** Ctrl+A, Escape. */
  selectAll(): boolean;
  leave(): boolean;
}

/** What one place of the list can hold; a part is made when it is first needed. */
interface Slot {
  readonly widget: Widget & { append(child: Widget): void };
  row: RuleRowView | null;
  heading: RuleHeadingView | null;
  entry: string;
  spoken: string;
}

export class RulesList {
  readonly #list: ListView;
  readonly #window: Window;
  readonly #actions: RulesListActions;
  readonly #rows: IdList<Slot>;
  #modifiers = 0;

  /** `window` is asked what has the focus. */
  constructor(list: ListView, window: Window, actions: RulesListActions) {
    this.#list = list;
    this.#window = window;
    this.#actions = actions;
    this.#rows = new IdList<Slot>({
      list, make: () => ({ widget: new Gtk.Box(), row: null, heading: null, entry: '', spoken: '' }),
      fill: (slot, entry, item) => { this.#fill(slot, entry, item); }, activated: (entry) => { this.#onActivate(entry); },
    });
    this.#listen();
  }

  get entries(): readonly string[] {
    return this.#rows.ids;
  }

  show(entries: readonly string[]): void {
    this.#rows.setIds(entries);
  }

  /** Fills the rows near the view again, a few at a time: something that they tell has changed. */
  refresh(): void {
    this.#rows.refill();
  }

  /** Brings a rule into view; false where the list has none of this id. */
  scrollTo(id: string): boolean {
    return this.#rows.scrollTo(id);
  }

  scrollToTop(): void {
    const [first] = this.entries;
    if (first !== undefined) this.#rows.scrollTo(first);
  }

  #fill(slot: Slot, entry: string, item: ListItem): void {
    const isHeading = entry.startsWith('#');
    slot.entry = entry;
    slot.row?.widget.setVisible(!isHeading);
    slot.heading?.widget.setVisible(isHeading);
    if (isHeading) this.#fillHeading(slot);
    else this.#fillRow(slot);
    this.#shape(slot, item, isHeading);
  }

  #fillHeading(slot: Slot): void {
    const heading = this.#actions.heading(slot.entry.slice(1));
    if (heading === null) return;
    if (slot.heading === null) {
      slot.heading = new RuleHeadingView(this.#actions);
      slot.widget.append(slot.heading.widget);
    }
    slot.spoken = heading.title;
    slot.heading.fill(heading, this.#actions.isConnected());
  }

  #fillRow(slot: Slot): void {
    const content = this.#actions.content(slot.entry);
    if (content === null) return;
    if (slot.row === null) {
      slot.row = new RuleRowView({ ...this.#actions, open: (rule) => { this.#openRule(rule.id); } });
      slot.widget.append(slot.row.widget);
    }
    slot.spoken = content.sentence;
    slot.row.fill(content);
  }

  /** Rules between two headings look like one card. */
  #shape({ widget }: Slot, item: ListItem, isHeading: boolean): void {
    const row = widget.getParent();
    if (row === null) return;
    const at = item.getPosition();
    const { ids } = this.#rows;
    const ends = (entry: string | undefined): boolean => entry === undefined || entry.startsWith('#');
    const classes = { 'heading-row': isHeading, 'first': !isHeading && ends(ids[at - 1]), 'last': !isHeading && ends(ids[at + 1]) };
    for (const [name, on] of Object.entries(classes)) {
      if (on) row.addCssClass(name);
      else row.removeCssClass(name);
    }
  }

  #openRule(id: string): void {
    const { SHIFT_MASK, CONTROL_MASK } = Gdk.ModifierType;
    const keys = { extend: (this.#modifiers & SHIFT_MASK) !== 0, toggle: (this.#modifiers & CONTROL_MASK) !== 0 };
    this.#modifiers = 0;
    this.#actions.activated(id, keys);
  }

  #onActivate(entry: string): void {
    if (!entry.startsWith('#')) {
      this.#openRule(entry);
      return;
    }
    const heading = this.#actions.heading(entry.slice(1));
    if (heading !== null) this.#actions.setCollapsed(heading.key, !heading.collapsed);
  }

  /** The row that has the focus, itself or by its words or check mark; another control in it keeps its keys. */
  #focusedRow(): { readonly id: string; readonly isCheck: boolean } | null {
    const focus = this.#window.getFocus();
    // Arrow keys go to the list's own row, which holds our slot.
    const whole = this.#rows.viewOf(focus?.getFirstChild() ?? null);
    if (whole !== undefined) return whole.entry.startsWith('#') ? null : { id: whole.entry, isCheck: false };
    for (let widget = focus; focus !== null && widget !== null; widget = widget.getParent()) {
      const slot = this.#rows.viewOf(widget);
      if (slot === undefined) continue;
      return slot.row?.ownsKeys(focus) === true ? { id: slot.entry, isCheck: slot.row.isCheck(focus) } : null;
    }
    return null;
  }

  #listen(): void {
    const click = new Gtk.GestureClick();
    click.setPropagationPhase(Gtk.PropagationPhase.CAPTURE);
    click.on('pressed', () => { this.#modifiers = click.getCurrentEventState(); });
    this.#list.addController(click);
    const keys = new Gtk.EventControllerKey();
    keys.setPropagationPhase(Gtk.PropagationPhase.CAPTURE);
    keys.on('key-pressed', (keyval, _keycode, state) => {
      this.#modifiers = 0;
      return this.#onKey(keyval, state);
    });
    this.#list.addController(keys);
  }

  #onKey(keyval: number, state: number): boolean {
    const { SHIFT_MASK, CONTROL_MASK } = Gdk.ModifierType;
    if (keyval === Gdk.KEY_Escape) return this.#actions.leave();
    if (keyval === Gdk.KEY_a && (state & CONTROL_MASK) !== 0) return this.#actions.selectAll();
    const row = this.#focusedRow();
    if (row === null) return false;
    const { id } = row;
    if (keyval === Gdk.KEY_space && !row.isCheck) {
      this.#actions.toggled(id);
      return true;
    }
    if (keyval === Gdk.KEY_Delete) {
      const content = this.#actions.content(id);
      if (content !== null) this.#actions.deleted(content.rule);
      return true;
    }
    if ((keyval === Gdk.KEY_Up || keyval === Gdk.KEY_Down) && (state & SHIFT_MASK) !== 0) this.#extend(id, keyval === Gdk.KEY_Up ? -1 : 1);
    return false;
  }

  /** The list moves the focus by itself; the row that it leaves and the one that it comes to are both selected. */
  #extend(id: string, step: number): void {
    this.#actions.activated(id, { extend: true, toggle: false });
    const next = this.entries[this.entries.indexOf(id) + step];
    if (next !== undefined && !next.startsWith('#')) this.#actions.activated(next, { extend: true, toggle: false });
  }
}
