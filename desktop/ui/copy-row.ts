/** A command, or lines for a file, with a button that copies them. */
import { Adw, Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { copyText } from './copy-text.ts';
import { loadUi } from './load-ui.ts';

export class CopyRow {
  readonly #ui = loadUi('copy-row');
  #text = '';

  /** `toast` says that it was copied. */
  constructor(toast: (text: string) => void) {
    this.#ui.get('copy', Gtk.Button).on('clicked', () => {
      copyText(this.#text);
      toast(_('Copied'));
    });
  }

  get widget(): Widget {
    return this.#ui.get('row', Adw.PreferencesRow);
  }

  /** '' hides the row. */
  setText(text: string): void {
    this.widget.setVisible(text !== '');
    if (text === this.#text) return;
    this.#text = text;
    this.#ui.get('text', Gtk.Label).setLabel(text);
  }
}
