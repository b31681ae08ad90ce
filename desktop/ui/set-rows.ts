/** The address sets of a zone: state and live content, and for one that is missing the command that makes it. */
import type { NetworkSet } from '../../helper/contract/types.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { PreferencesGroup } from '../gtk.ts';
import { setText } from '../model/zone-text.ts';
import type { SetText } from '../model/zone-text.ts';
import { CopyRow } from './copy-row.ts';
import { loadUi } from './load-ui.ts';
import type { Ui } from './load-ui.ts';

interface Made {
  readonly ui: Ui;
  readonly command: CopyRow;
}

export class SetRows {
  readonly #group: PreferencesGroup;
  readonly #toast: (text: string) => void;
  readonly #made: Made[] = [];

  constructor(group: PreferencesGroup, toast: (text: string) => void) {
    this.#group = group;
    this.#toast = toast;
  }

  fill(sets: readonly NetworkSet[]): void {
    while (this.#made.length < sets.length) this.#add();
    for (const [index, made] of this.#made.entries()) {
      const set = sets[index];
      made.ui.get('row', Adw.PreferencesRow).setVisible(set !== undefined);
      if (set === undefined) made.command.setText('');
      else show(made, setText(set));
    }
  }

  #add(): void {
    const made = { ui: loadUi('set-row'), command: new CopyRow(this.#toast) };
    this.#group.add(made.ui.get('row', Adw.PreferencesRow));
    this.#group.add(made.command.widget);
    this.#made.push(made);
  }
}

function show({ ui, command }: Made, { icon, title, state, content, command: mend, isWrong }: SetText): void {
  const image = ui.get('icon', Gtk.Image);
  image.setFromIconName(icon);
  if (isWrong) image.addCssClass('warning');
  else image.removeCssClass('warning');
  ui.get('title', Gtk.Label).setLabel(title);
  ui.get('state', Gtk.Label).setLabel(state);
  const lines = ui.get('content', Gtk.Label);
  lines.setVisible(content !== '');
  lines.setLabel(content);
  command.setText(mend);
}
