/** A list of choices behind a button: what is there already, to be taken instead of typed. */
import { Adw, Gtk } from '../gtk.ts';
import type { MenuButton } from '../gtk.ts';
import { escapeMarkup, visible } from '../model/plain-text.ts';
import { loadUi } from './load-ui.ts';

/** More is not read; whoever has more knows what to type. */
const CHOICES_LIMIT = 200;

export interface OfferChoice {
  readonly value: string;
  /** Absent: the value itself. */
  readonly label?: string;
  readonly detail?: string;
}

export interface OfferOptions {
  /** Read each time that the list opens. */
  readonly choices: () => readonly OfferChoice[];
  readonly picked: (value: string) => void;
  /** With a field for a new one. */
  readonly canBeNew?: boolean;
}

/** Makes the choices of a menu button, which has its accessible name from its own XML. */
export function offer(button: MenuButton, { choices, picked, canBeNew = false }: OfferOptions): void {
  const ui = loadUi('offer');
  const popover = ui.get('popover', Gtk.Popover);
  const list = ui.get('list', Gtk.ListBox);
  const entry = ui.get('entry', Gtk.Entry);
  let shown: readonly OfferChoice[] = [];
  entry.setVisible(canBeNew);
  const pick = (value: string): void => {
    popover.popdown();
    picked(value);
  };
  entry.on('activate', () => { if (entry.getText().trim() !== '') pick(entry.getText().trim()); });
  list.on('row-activated', (row) => {
    const choice = shown[row.getIndex()];
    if (choice !== undefined) pick(choice.value);
  });
  popover.on('show', () => {
    for (let row = list.getRowAtIndex(0); row !== null; row = list.getRowAtIndex(0)) list.remove(row);
    shown = choices().slice(0, CHOICES_LIMIT);
    entry.setText('');
    for (const { value, label = value, detail = '' } of shown) {
      list.append(new Adw.ActionRow({ title: escapeMarkup(visible(label, 128)), subtitle: escapeMarkup(visible(detail, 200)), activatable: true }));
    }
  });
  button.setPopover(popover);
}
