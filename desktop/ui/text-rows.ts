/** Rows of a title, a sentence and a value in a group. They are reused, because numbers change every second. */
import { Adw, Gtk } from '../gtk.ts';
import type { ActionRow, Label, PreferencesGroup, Widget } from '../gtk.ts';
import { loadUi } from './load-ui.ts';

export interface TextRow {
  readonly title: string;
  readonly text: string;
  readonly value: string;
}

interface Made {
  readonly row: ActionRow;
  readonly value: Label;
  shown: TextRow | null;
}

/** What rows are put into. */
export interface RowHolder {
  /** Puts a row at the end. */
  readonly add: (row: Widget) => void;
  readonly setVisible: (visible: boolean) => void;
}

export function groupHolder(group: PreferencesGroup): RowHolder {
  return { add: (row) => { group.add(row); }, setVisible: (visible) => { group.setVisible(visible); } };
}

export class TextRows {
  readonly #holder: RowHolder;
  readonly #rows: Made[] = [];

  /** The holder hides while there is nothing in it. */
  constructor(holder: RowHolder) {
    this.#holder = holder;
  }

  fill(contents: readonly TextRow[]): void {
    while (this.#rows.length < contents.length) this.#add();
    for (const [index, made] of this.#rows.entries()) {
      const content = contents[index];
      made.row.setVisible(content !== undefined);
      if (content !== undefined) put(made, content);
    }
    this.#holder.setVisible(contents.length > 0);
  }

  #add(): void {
    const ui = loadUi('text-row');
    const row = ui.get('row', Adw.ActionRow);
    this.#holder.add(row);
    this.#rows.push({ row, value: ui.get('value', Gtk.Label), shown: null });
  }
}

/** Text that is as it was is left alone: each change is told to a screen reader. */
function put(made: Made, { title, text, value }: TextRow): void {
  if (made.shown?.title !== title) made.row.setTitle(title);
  if (made.shown?.text !== text) made.row.setSubtitle(text);
  if (made.shown?.value !== value) {
    made.value.setLabel(value);
    made.value.setVisible(value !== '');
  }
  made.shown = { title, text, value };
}
