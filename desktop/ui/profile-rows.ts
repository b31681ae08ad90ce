/** Profiles, one of which is in use: by the network, or the one that is chosen here. */
import type { ProfileInfo } from '../../helper/contract/types.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { PreferencesGroup, Widget } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { errorText } from '../model/error-text.ts';
import { profileRows } from '../model/profiles.ts';
import { loadUi } from './load-ui.ts';
import type { Ui } from './load-ui.ts';
import { lockButton } from './needs-password.ts';
import type { PageContext } from './page.ts';
import { TextRows, groupHolder } from './text-rows.ts';

interface Made {
  readonly ui: Ui;
  readonly row: Widget;
  /** What is chosen by it; '' goes by the network. */
  id: string;
}

export class ProfileRows {
  readonly #context: PageContext;
  readonly #group: PreferencesGroup;
  readonly #empty: TextRows;
  readonly #rows: Made[] = [];

  constructor(context: PageContext, group: PreferencesGroup) {
    this.#context = context;
    this.#group = group;
    const { add } = groupHolder(group);
    this.#empty = new TextRows({ add, setVisible: () => undefined });
  }

  fill(profiles: readonly ProfileInfo[]): void {
    this.#empty.fill(profiles.length > 0 ? [] : [{ title: _('No Profiles Yet'), text: _('To make one, add a [[profile]] to bastion.toml.'), value: '' }]);
    const contents = profileRows(profiles);
    while (this.#rows.length < contents.length) this.#add();
    for (const [index, made] of this.#rows.entries()) {
      const content = contents[index];
      made.row.setVisible(content !== undefined);
      if (content === undefined) continue;
      made.id = content.id;
      made.ui.get('title', Gtk.Label).setLabel(content.title);
      made.ui.get('text', Gtk.Label).setLabel(content.text);
      made.ui.get('mark', Gtk.Image).setVisible(content.inUse);
      made.ui.get('use', Gtk.Button).setVisible(!content.chosen);
    }
  }

  #add(): void {
    const ui = loadUi('profile-row');
    const made: Made = { ui, row: ui.get('row', Adw.PreferencesRow), id: '' };
    const use = ui.get('use', Gtk.Button);
    lockButton(use, _('Use'));
    use.on('clicked', () => {
      this.#context.session.client.setProfile(made.id).catch((error: unknown) => { this.#context.toast(errorText(error)); });
    });
    this.#group.add(made.row);
    this.#rows.push(made);
  }
}
