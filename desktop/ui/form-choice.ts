/** A row of a form with one choice out of several. */
import { Adw, Gtk } from '../gtk.ts';
import type { ComboRow, ListBox } from '../gtk.ts';
import { nameChoices } from './choice-list.ts';

export class FormChoice<T extends string> {
  readonly row: ComboRow;
  #values: readonly T[];
  #filling = false;

  /** Stands at the end of `list`; `title` names it. */
  constructor(list: ListBox, title: string, choices: readonly (readonly [T, string])[], changed: () => void) {
    this.row = new Adw.ComboRow({ title });
    nameChoices(this.row);
    this.#values = choices.map(([value]) => value);
    this.row.setModel(Gtk.StringList.new(choices.map(([, label]) => label)));
    this.row.on('notify::selected', () => { if (!this.#filling) changed(); });
    list.append(this.row);
  }

  /** undefined where there is nothing to choose. */
  get value(): T | undefined {
    return this.#values[this.row.getSelected()];
  }

  /** Chooses `value`; what is no choice leaves the first one. Tells nobody. */
  select(value: T): void {
    this.#filling = true;
    this.row.setSelected(Math.max(0, this.#values.indexOf(value)));
    this.#filling = false;
  }

  /** Other choices; the one that is chosen stays where it is still there. */
  setChoices(choices: readonly (readonly [T, string])[]): void {
    const before = this.value;
    this.#filling = true;
    this.#values = choices.map(([value]) => value);
    this.row.setModel(Gtk.StringList.new(choices.map(([, label]) => label)));
    this.#filling = false;
    if (before !== undefined) this.select(before);
  }

  setVisible(visible: boolean): void {
    this.row.setVisible(visible);
  }
}
