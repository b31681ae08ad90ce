/** One line of a form: a field, the mistake below it, and what could stand in it. */
import { Adw, Gtk } from '../gtk.ts';
import type { EntryRow, ListBox } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { isPlain, visible } from '../model/plain-text.ts';
import { nameField } from './accessible-name.ts';
import { loadUi } from './load-ui.ts';
import { offer } from './offer.ts';
import type { OfferChoice } from './offer.ts';

/** Of what is spelled out below a field. */
const SPELLED_LIMIT = 256;

export class FormEntry {
  readonly #ui = loadUi('form-entry');
  readonly row: EntryRow = this.#ui.get('entry', Adw.EntryRow);
  readonly #errorRow = this.#ui.get('error_row', Gtk.ListBoxRow);
  #isVisible = true;
  #mistake = '';

  /** Stands at the end of `list`; `title` names the field. */
  constructor(list: ListBox, title: string, changed: () => void, activated: () => void) {
    this.setTitle(title);
    list.append(this.row);
    list.append(this.#errorRow);
    this.row.on('changed', () => {
      this.#showBelow();
      changed();
    });
    this.row.on('entry-activated', activated);
  }

  get text(): string {
    return this.row.getText();
  }

  set text(text: string) {
    if (this.row.getText() !== text) this.row.setText(text);
  }

  setTitle(title: string): void {
    this.row.setTitle(title);
    nameField(this.row, title);
  }

  setVisible(shown: boolean): void {
    this.#isVisible = shown;
    this.row.setVisible(shown);
    this.#showBelow();
  }

  get isVisible(): boolean {
    return this.#isVisible;
  }

  /** '' for none. */
  setError(message: string): void {
    this.#mistake = message;
    this.#showBelow();
    if (message === '') this.row.removeCssClass('error');
    else this.row.addCssClass('error');
  }

  /** The mistake; without one, a text that is not what it looks like, spelled out: the field itself holds what is edited. */
  #showBelow(): void {
    const spelled = isPlain(this.text) ? '' : fill(_('Spelled out: {text}'), { text: visible(this.text, SPELLED_LIMIT) });
    const below = this.#mistake || spelled;
    const label = this.#ui.get('error', Gtk.Label);
    label.setLabel(below);
    if (this.#mistake === '') label.removeCssClass('error');
    else label.addCssClass('error');
    this.#errorRow.setVisible(below !== '' && this.#isVisible);
  }

  /** A button with what there is already. */
  setOffer(choices: () => readonly OfferChoice[]): void {
    const button = this.#ui.get('offer', Gtk.MenuButton);
    button.setVisible(true);
    offer(button, { choices, picked: (value) => { this.row.setText(value); } });
  }
}
