/** Who has a rule or has connected: search, order, whether each file is as it was, and a page for each. */
import { Applications } from '../client/applications.ts';
import { Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { APPLICATION_CHIPS, APPLICATION_ORDERS, applicationRow, countWords, shownApplications } from '../model/application-list.ts';
import type { ApplicationChip, ApplicationOrder, ApplicationRow } from '../model/application-list.ts';
import { countText } from '../model/durations.ts';
import { ApplicationDetail } from './application-detail.ts';
import { ApplicationRowView } from './application-row.ts';
import { IdList } from './id-list.ts';
import { loadUi } from './load-ui.ts';
import { lockButton } from './needs-password.ts';
import { PageStates } from './page-states.ts';
import type { Page, PageContext, PageTarget } from './page.ts';
import { RehashAllDialog } from './rehash-all-dialog.ts';
import { showStackPage } from './show-stack-page.ts';

export class ApplicationsPage implements Page {
  readonly #context: PageContext;
  readonly #applications: Applications;
  readonly #ui = loadUi('applications-page');
  readonly #pages = this.#ui.get('page', Gtk.Stack);
  readonly #search = this.#ui.get('search', Gtk.SearchEntry);
  readonly #states = new PageStates(this.#ui.get('content', Gtk.Box));
  readonly #list: IdList<ApplicationRowView>;
  readonly #detail: ApplicationDetail;
  #rows = new Map<string, ApplicationRow>();
  #narrow = false;
  #shown = false;

  constructor(context: PageContext) {
    this.#context = context;
    const { client, clocks } = context.session;
    this.#applications = new Applications(client, clocks.nowMs);
    this.#list = new IdList({
      list: this.#ui.get('list', Gtk.ListView), make: () => new ApplicationRowView(),
      fill: (view, id) => { this.#fillRow(view, id); }, activated: (id) => { this.#openDetail(id); },
    });
    this.#detail = new ApplicationDetail(context);
    this.#ui.get('list_box', Gtk.Box).append(this.#states.widget);
    this.#pages.addNamed(this.#detail.widget, 'detail');
    showStackPage(this.#pages, 'list');
    lockButton(this.#ui.get('rehash_all', Gtk.Button), _('_Rehash All…'));
    this.#connect();
    this.#states.showLoading(_('Reading the applications…'));
  }

  get widget(): Widget {
    return this.#pages;
  }

  get headerStart(): readonly Widget[] {
    return [this.#ui.get('back', Gtk.Button)];
  }

  get headerEnd(): readonly Widget[] {
    return [this.#ui.get('order', Gtk.MenuButton)];
  }

  shown(target: PageTarget): void {
    this.#shown = true;
    if (target.application !== undefined) this.#openDetail(target.application);
    else if (target.search !== undefined) this.#searchFor(target.search);
    this.#begin();
  }

  hidden(): void {
    this.#shown = false;
    this.#ui.get('search_bar', Gtk.SearchBar).setKeyCaptureWidget(null);
    this.#applications.stop();
    this.#detail.hidden();
  }

  setNarrow(narrow: boolean): void {
    this.#narrow = narrow;
    const { HORIZONTAL, VERTICAL } = Gtk.Orientation;
    this.#ui.get('toolbar', Gtk.Box).setOrientation(narrow ? VERTICAL : HORIZONTAL);
    this.#ui.get('count', Gtk.Label).setXalign(narrow ? 0 : 1);
    this.#detail.setNarrow(narrow);
    this.#list.refill();
    this.#updateHeader();
  }

  toggleSearch(): void {
    if (this.#detailShown) this.back();
    const bar = this.#ui.get('search_bar', Gtk.SearchBar);
    bar.setSearchMode(!bar.getSearchMode());
    if (bar.getSearchMode()) this.#search.grabFocus();
  }

  back(): boolean {
    if (!this.#detailShown) return false;
    showStackPage(this.#pages, 'list');
    this.#detail.hidden();
    this.#begin();
    return true;
  }

  get #detailShown(): boolean {
    return this.#pages.getVisibleChildName() === 'detail';
  }

  #begin(): void {
    const bar = this.#ui.get('search_bar', Gtk.SearchBar);
    bar.setKeyCaptureWidget(this.#detailShown ? null : this.#context.window);
    if (this.#detailShown) {
      this.#applications.stop();
      this.#detail.shown();
    } else {
      this.#applications.start();
    }
    this.#updateHeader();
  }

  /** The window has a button of its own for the way back where it is narrow. */
  #updateHeader(): void {
    this.#ui.get('back', Gtk.Button).setVisible(this.#detailShown && !this.#narrow);
    this.#ui.get('order', Gtk.MenuButton).setVisible(!this.#detailShown);
  }

  #connect(): void {
    this.#ui.get('search_bar', Gtk.SearchBar).connectEntry(this.#search);
    this.#search.on('search-changed', () => { this.#filter(); });
    for (const chip of APPLICATION_CHIPS) this.#ui.get(`chip_${chip}`, Gtk.ToggleButton).on('toggled', () => { this.#filter(); });
    for (const order of APPLICATION_ORDERS) this.#ui.get(`order_${order}`, Gtk.CheckButton).on('toggled', () => { this.#filter(); });
    this.#ui.get('back', Gtk.Button).on('clicked', () => { this.back(); });
    this.#ui.get('show_all', Gtk.Button).on('clicked', () => { this.#showAll(); });
    this.#ui.get('rehash_all', Gtk.Button).on('clicked', () => {
      const changed = [...this.#rows.values()].filter(({ info }) => info.state === 'changed');
      new RehashAllDialog(this.#context, this.#rows.size, changed).present();
    });
    this.#applications.changed.on(() => { this.#update(); });
  }

  #update(): void {
    const { state } = this.#applications;
    if (state.kind === 'loading') {
      this.#states.showLoading(_('Reading the applications…'));
      return;
    }
    if (state.kind === 'failed') {
      this.#states.showError(state.error, () => { this.#applications.reload(); });
      return;
    }
    this.#rows = new Map(state.applications.map((info) => [info.id, applicationRow(info, this.#context.find)]));
    const note = this.#ui.get('note', Gtk.Label);
    note.setVisible(state.cut);
    note.setLabel(fill(_('The first {number} applications are shown. bastionctl lists them all.'), { number: countText(this.#rows.size) }));
    this.#filter();
  }

  #filter(): void {
    if (this.#applications.state.kind !== 'ready') return;
    if (this.#rows.size === 0) {
      this.#states.showMessage({
        icon: 'view-app-grid-symbolic', title: _('No Applications Yet'),
        text: _('Programs appear here when they connect for the first time, or when a rule names them.'),
      });
      return;
    }
    const all = [...this.#rows.values()];
    const view = { query: this.#search.getText(), chips: this.#chips(), order: this.#order() };
    const shown = shownApplications(all, view, this.#context.session.clocks.wallMs());
    this.#ui.get('count', Gtk.Label).setLabel(countWords(shown, all));
    showStackPage(this.#ui.get('found', Gtk.Stack), shown.length === 0 ? 'nothing' : 'list');
    this.#list.setIds(shown.map(({ info }) => info.id));
    this.#states.showContent();
  }

  #chips(): ReadonlySet<ApplicationChip> {
    return new Set(APPLICATION_CHIPS.filter((chip) => this.#ui.get(`chip_${chip}`, Gtk.ToggleButton).getActive()));
  }

  #order(): ApplicationOrder {
    return APPLICATION_ORDERS.find((order) => this.#ui.get(`order_${order}`, Gtk.CheckButton).getActive()) ?? 'seen';
  }

  #fillRow(view: ApplicationRowView, id: string): void {
    const row = this.#rows.get(id);
    if (row !== undefined) view.fill(row, this.#context.session.clocks.wallMs(), this.#narrow);
  }

  #searchFor(text: string): void {
    this.back();
    this.#ui.get('search_bar', Gtk.SearchBar).setSearchMode(true);
    this.#search.setText(text);
  }

  #showAll(): void {
    for (const chip of APPLICATION_CHIPS) this.#ui.get(`chip_${chip}`, Gtk.ToggleButton).setActive(false);
    this.#search.setText('');
    this.#filter();
  }

  #openDetail(id: string): void {
    this.#detail.open(id, this.#rows.get(id)?.info ?? null);
    showStackPage(this.#pages, 'detail');
    if (this.#shown) this.#begin();
  }
}
