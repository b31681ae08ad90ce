/** What was refused lately, each with what can be done about it. */
import type { OverviewFeed } from '../client/overview-feed.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { ActionRow, Button, Image } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { refusedRows } from '../model/refused.ts';
import type { RefusedRow } from '../model/refused.ts';
import { loadUi } from './load-ui.ts';
import type { Ui } from './load-ui.ts';
import { lockButton } from './needs-password.ts';
import type { PageContext } from './page.ts';
import { showIcon } from './show-icon.ts';

const ROWS = 5;
const ICON_PIXELS = 32;

interface RowView {
  readonly row: ActionRow;
  readonly icon: Image;
  readonly button: Button;
  content: RefusedRow | null;
}

export class OverviewRefused {
  readonly #context: PageContext;
  readonly #feed: OverviewFeed;
  readonly #ui: Ui;
  readonly #views: RowView[] = [];

  /** Fills `refused` of the page. */
  constructor(context: PageContext, feed: OverviewFeed, ui: Ui) {
    this.#context = context;
    this.#feed = feed;
    this.#ui = ui;
    feed.refusedChanged.on(() => { this.update(); });
    context.session.rulesChanged.on(() => { this.update(); });
  }

  update(): void {
    const { session, find } = this.#context;
    const rules = session.rules.kind === 'ready' ? session.rules.rules : [];
    const rows = session.knowledge.connected ? refusedRows(this.#feed.refused, rules, find, session.clocks.wallMs(), ROWS) : [];
    while (this.#views.length < rows.length) this.#add();
    for (const [index, view] of this.#views.entries()) {
      const content = rows[index];
      view.row.setVisible(content !== undefined);
      if (content !== undefined) this.#fill(view, content);
    }
    this.#ui.get('refused', Adw.PreferencesGroup).setVisible(rows.length > 0);
  }

  #fill(view: RowView, content: RefusedRow): void {
    const before = view.content?.remedy.kind ?? 'none';
    view.content = content;
    view.row.setTitle(content.title);
    view.row.setSubtitle(content.text);
    const { path } = content.flow;
    const known = path === '' ? null : this.#context.find(path);
    showIcon(view.icon, known?.icon ?? 'bastion-firewall-deny-symbolic', ICON_PIXELS);
    const { kind } = content.remedy;
    view.button.setVisible(kind !== 'none');
    if (kind !== 'none' && kind !== before) lockButton(view.button, kind === 'allow' ? _('Allow…') : _('Edit Rule…'));
  }

  #add(): void {
    const ui = loadUi('refused-row');
    const view: RowView = { row: ui.get('row', Adw.ActionRow), icon: ui.get('icon', Gtk.Image), button: ui.get('button', Gtk.Button), content: null };
    view.row.on('activated', () => {
      if (view.content !== null) this.#context.open({ page: 'activity', item: view.content.flow.id });
    });
    view.button.on('clicked', () => { if (view.content !== null) this.#mend(view.content); });
    this.#ui.get('refused', Adw.PreferencesGroup).add(view.row);
    this.#views.push(view);
  }

  #mend({ remedy }: RefusedRow): void {
    if (remedy.kind === 'allow') this.#context.editRule(null, remedy.draft);
    else if (remedy.kind === 'edit') this.#context.editRule(remedy.rule);
  }
}
