/** The bar below the rules list while rules are selected, and while many are changed. */
import { Gtk } from '../gtk.ts';
import type { Revealer, Widget } from '../gtk.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { countText } from '../model/durations.ts';
import { visible } from '../model/plain-text.ts';
import type { BulkAction } from '../model/rule-bulk.ts';
import { loadUi } from './load-ui.ts';
import { lockButton } from './needs-password.ts';
import { offer } from './offer.ts';

export interface SelectionActions {
  run(action: BulkAction): void;
  all(): void;
  done(): void;
  stop(): void;
  /** Names of the groups that there are. */
  groups(): readonly string[];
}

export class SelectionBar {
  readonly #ui = loadUi('rules-selection');
  readonly #bar = this.#ui.get('bar', Gtk.Revealer);
  readonly #progress = this.#ui.get('progress_bar', Gtk.Revealer);

  constructor(actions: SelectionActions) {
    const button = (id: string, label: string, action: BulkAction): void => {
      const widget = this.#ui.get(id, Gtk.Button);
      lockButton(widget, label);
      widget.on('clicked', () => { actions.run(action); });
    };
    button('enable', _('Switch O_n'), { do: 'enable' });
    button('disable', _('Switch O_ff'), { do: 'disable' });
    button('delete', _('_Delete'), { do: 'delete' });
    const group = this.#ui.get('group', Gtk.MenuButton);
    offer(group, {
      canBeNew: true,
      choices: () => [{ value: '', label: _('No group') }, ...actions.groups().map((value) => ({ value, label: visible(value, 64) }))],
      picked: (name) => { actions.run({ do: 'group', group: name }); },
    });
    this.#ui.get('all', Gtk.Button).on('clicked', () => { actions.all(); });
    this.#ui.get('done', Gtk.Button).on('clicked', () => { actions.done(); });
    this.#ui.get('stop', Gtk.Button).on('clicked', () => { actions.stop(); });
  }

  get widgets(): readonly Widget[] {
    return [this.#bar, this.#progress];
  }

  /** Two buttons beside each other, or all of them. */
  setNarrow(narrow: boolean): void {
    this.#ui.get('buttons', Gtk.FlowBox).setMaxChildrenPerLine(narrow ? 2 : 4);
  }

  /** null hides the bar. */
  showSelected(count: number | null): void {
    reveal(this.#bar, count !== null);
    if (count === null) return;
    const text = count === 0 ? _('Select Rules') : fill(ngettext('{number} rule selected', '{number} rules selected', count), { number: countText(count) });
    this.#ui.get('count', Gtk.Label).setLabel(text);
    for (const id of ['enable', 'disable', 'delete']) this.#ui.get(id, Gtk.Button).setSensitive(count > 0);
    this.#ui.get('group', Gtk.MenuButton).setSensitive(count > 0);
  }

  showProgress(done: number, total: number): void {
    reveal(this.#progress, true);
    this.#ui.get('progress', Gtk.ProgressBar).setFraction(total === 0 ? 1 : done / total);
    const text = fill(_('{done} of {total} rules changed'), { done: countText(done), total: countText(total) });
    this.#ui.get('progress_text', Gtk.Label).setLabel(text);
  }

  hideProgress(): void {
    reveal(this.#progress, false);
  }
}

/** What is folded away is not there for a screen reader either. */
function reveal(revealer: Revealer, shown: boolean): void {
  revealer.setVisible(shown);
  revealer.setRevealChild(shown);
}
