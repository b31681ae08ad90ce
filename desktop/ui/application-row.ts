/** One row of the list of applications; reused for others as the list scrolls. */
import { Gtk } from '../gtk.ts';
import type { Box, Widget } from '../gtk.ts';
import type { ApplicationRow } from '../model/application-list.ts';
import { useText } from '../model/application-text.ts';
import type { StateLook, StateWords } from '../model/application-text.ts';
import { loadUi } from './load-ui.ts';
import type { Ui } from './load-ui.ts';
import { showIcon } from './show-icon.ts';

const LOOKS: readonly StateLook[] = ['good', 'plain', 'changed', 'missing', 'unknown'];

/** Shows a state in `<prefix>`, `<prefix>_icon` and `<prefix>_word` of a builder file. */
export function showState(ui: Ui, prefix: string, words: StateWords): void {
  const box: Box = ui.get(prefix, Gtk.Box);
  for (const look of LOOKS) box.removeCssClass(look);
  box.addCssClass(words.look);
  ui.get(`${prefix}_icon`, Gtk.Image).setFromIconName(words.icon);
  ui.get(`${prefix}_word`, Gtk.Label).setLabel(words.word);
}

export class ApplicationRowView {
  readonly #ui = loadUi('application-row');
  readonly widget: Widget = this.#ui.get('row', Gtk.Box);
  spoken = '';

  fill(row: ApplicationRow, nowMs: number, narrow: boolean): void {
    const { info } = row;
    showIcon(this.#ui.get('icon', Gtk.Image), row.icon, 32);
    this.spoken = [row.name, row.state.word, row.place].join(', ');
    this.#ui.get('name', Gtk.Label).setLabel(row.name);
    this.#ui.get('place', Gtk.Label).setLabel(row.place);
    this.#ui.get('use', Gtk.Label).setLabel(useText(info, nowMs));
    this.widget.setTooltipText(info.path === '' ? null : row.state.sentence);
    for (const prefix of ['narrow_state', 'wide_state']) showState(this.#ui, prefix, row.state);
    this.#ui.get('narrow_state', Gtk.Box).setVisible(narrow);
    this.#ui.get('wide_state', Gtk.Box).setVisible(!narrow);
  }
}
