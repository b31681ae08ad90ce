/** Connections, live and past: found, narrowed, grouped, explained. */
import type { FlowFilter, FlowInfo, HistoryState, TotalsInfo } from '../../helper/contract/types.ts';
import { FlowSource } from '../client/flow-source.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { wireFilter } from '../model/activity-filter.ts';
import type { ActivityFilter } from '../model/activity-filter.ts';
import { emptyWords, groupNote, listNote } from '../model/activity-notes.ts';
import { errorText } from '../model/error-text.ts';
import { flowTexts } from '../model/flow-text.ts';
import { countText } from '../model/format.ts';
import { ActivityChips } from './activity-chips.ts';
import type { Grouping } from './activity-chips.ts';
import { ActivityMenu } from './activity-menu.ts';
import { ExplainPanel } from './explain-panel.ts';
import { GroupView } from './group-view.ts';
import { ListHold } from './list-hold.ts';
import { loadUi } from './load-ui.ts';
import { askForRange } from './own-range.ts';
import { PageStates } from './page-states.ts';
import { showStackPage } from './show-stack-page.ts';
import type { Page, PageContext, PageTarget } from './page.ts';
import { PlaceList } from './place-list.ts';

const HOUR_MS = 3_600_000;

export class ActivityPage implements Page {
  readonly #context: PageContext;
  readonly #ui = loadUi('activity-page');
  readonly #states = new PageStates(this.#ui.get('content', Gtk.Box));
  readonly #leaflet = this.#ui.get('leaflet', Adw.Leaflet);
  readonly #search = this.#ui.get('search', Gtk.SearchEntry);
  readonly #live = this.#ui.get('live', Gtk.ToggleButton);
  readonly #fresh = this.#ui.get('fresh', Gtk.Button);
  readonly #hold = new ListHold(this.#ui.get('scroller', Gtk.ScrolledWindow), () => { this.#update(); });
  readonly #chips: ActivityChips;
  readonly #source: FlowSource;
  readonly #flows: PlaceList;
  readonly #groups: GroupView;
  readonly #panel: ExplainPanel;
  readonly #uid = process.getuid?.() ?? 0;
  #kept: HistoryState | null = null;
  #stopListening: () => void = () => undefined;
  #isShown = false;
  /** Whose live connections come. */
  #listensTo: 'nobody' | 'own' | 'everybody' = 'nobody';
  #shown = { length: 0, version: 0 };
  /** The person asked for other connections: the newest of them are shown first. */
  #beginsAtTop = false;
  /** Where the group view was left for its connections. */
  #cameFrom: Grouping = 'none';

  constructor(context: PageContext) {
    this.#context = context;
    const { session } = context;
    this.#source = new FlowSource(session.client);
    this.#chips = new ActivityChips(this.#ui, {
      find: context.find, nowMs: () => this.#nowMs(), changed: () => { this.#onChosen(); }, wantsOwnRange: () => { this.#askRange(); },
    });
    this.#flows = new PlaceList(this.#ui.get('list', Gtk.ListView), {
      fill: (view, item, at) => {
        const flow = this.#source.rowAt(at);
        view.setExplained(flow !== null && flow.id === this.#panel.id);
        if (flow === null) view.clear();
        else view.fillFlow(item, flowTexts(flow, this.#texts()), flow.action);
      },
      activate: (at) => { this.#explain(this.#source.list.idAt(at), this.#source.rowAt(at)); },
    });
    this.#groups = new GroupView(session.client, this.#ui.get('groups', Gtk.ListView), {
      texts: () => this.#texts(),
      open: (row) => { this.#openGroup(row); },
      loaded: (count, sinceMs) => { this.#showGroups(count, sinceMs); },
      failed: (error) => { this.#fail(error); },
    });
    this.#panel = new ExplainPanel(session, context.find, {
      close: () => { this.#closePanel(); },
      makeRule: (draft) => { context.editRule(null, draft); },
      showRule: (id) => { context.open({ page: 'rules', item: id }); },
      onlyProgram: (program) => { this.#narrow({ program }); },
      onlyDestination: (destination) => { this.#narrow({ destination }); },
      toast: (text) => { context.toast(text); },
    });
    new ActivityMenu(this.#ui, context, { filter: () => this.#wire(), cleared: () => { this.#reload(); } });
    this.#build();
  }

  get widget(): Widget {
    return this.#ui.get('page', Gtk.Box);
  }

  get headerEnd(): readonly Widget[] {
    return [this.#ui.get('more', Gtk.MenuButton)];
  }

  shown({ application, search, item }: PageTarget): void {
    this.#begin();
    this.#ui.get('search_bar', Gtk.SearchBar).setKeyCaptureWidget(this.#context.window);
    if (search !== undefined) this.#chips.set({ destination: search, program: '', search: '' }, 'none');
    if (application !== undefined) this.#showApplication(application, search ?? '');
    else this.#start();
    if (item !== undefined) this.#explain(item, null);
  }

  hidden(): void {
    this.#isShown = false;
    this.#listensTo = 'nobody';
    this.#ui.get('search_bar', Gtk.SearchBar).setKeyCaptureWidget(null);
    this.#stopListening();
    this.#stopListening = () => undefined;
    this.#source.stop();
    this.#flows.stop();
    this.#groups.stop();
    this.#context.session.client.unsubscribe().catch(() => undefined);
  }

  setNarrow(): void {
    return;
  }

  toggleSearch(): void {
    const bar = this.#ui.get('search_bar', Gtk.SearchBar);
    bar.setSearchMode(!bar.getSearchMode());
    if (bar.getSearchMode()) this.#search.grabFocus();
  }

  /** From the details to the list, from the connections of a group to the groups. */
  back(): boolean {
    if (this.#panel.id !== '' && this.#leaflet.getFolded()) {
      this.#closePanel();
      return true;
    }
    if (this.#cameFrom === 'none') return false;
    this.#chips.set({ program: '', destination: '' }, this.#cameFrom);
    this.#cameFrom = 'none';
    this.#reload();
    return true;
  }

  #nowMs(): number {
    return this.#context.session.clocks.wallMs();
  }

  #texts(): Parameters<typeof flowTexts>[1] {
    return { find: this.#context.find, nowMs: this.#nowMs(), uid: this.#uid };
  }

  #wire(): FlowFilter {
    return wireFilter(this.#chips.filter, this.#uid, this.#nowMs());
  }

  #build(): void {
    this.#ui.get('list_box', Gtk.Box).append(this.#states.widget);
    this.#leaflet.append(this.#panel.widget);
    this.#panel.widget.setVisible(false);
    this.#leaflet.on('notify::folded', () => { this.#showPanelAlone(); });
    this.#ui.get('search_bar', Gtk.SearchBar).connectEntry(this.#search);
    this.#search.on('search-changed', () => {
      if (this.#search.getText() === this.#chips.filter.search) return;
      this.#chips.set({ search: this.#search.getText() });
      this.#beginsAtTop = true;
      this.#reload();
    });
    this.#source.changed.on(() => { this.#update(); });
    this.#source.filled.on(() => { if (this.#isShown) this.#flows.refill(); });
    this.#live.on('toggled', () => { this.#update(); });
    this.#fresh.on('clicked', () => { this.#showFresh(); });
    this.#context.session.changed.on(() => { this.#onConnection(); });
  }

  /** Listens while the page is looked at. */
  #begin(): void {
    if (this.#isShown) return;
    this.#isShown = true;
    const { client } = this.#context.session;
    this.#stopListening = client.on('flows', (flows) => { this.#source.observe(flows); });
    client.historyState().then((state) => { this.#kept = state; }, () => { this.#kept = null; });
  }

  /**
   * Subscribes and reads. Everybody's connections cost a password: it is asked for once, by the first call, and the others go on
   * when it was given. A refusal goes back to one's own.
   */
  #start(): void {
    const { client } = this.#context.session;
    const wanted = this.#chips.filter.everybody ? 'everybody' : 'own';
    if (wanted === this.#listensTo || wanted === 'own') {
      if (wanted !== this.#listensTo) client.subscribe({ packets: false }).catch(() => undefined);
      this.#listensTo = wanted;
      this.#reload();
      return;
    }
    client.subscribe({ packets: false, everybody: true }).then(
      () => {
        if (!this.#isShown) return;
        this.#listensTo = wanted;
        this.#reload();
      },
      (error: unknown) => {
        this.#context.toast(errorText(error));
        this.#chips.set({ everybody: false });
        if (this.#isShown) this.#start();
      },
    );
  }

  #wasConnected = true;
  #onConnection(): void {
    const { connected } = this.#context.session.knowledge;
    if (connected === this.#wasConnected) return;
    this.#wasConnected = connected;
    if (this.#isShown) this.#start();
  }

  #showApplication(id: string, destination: string): void {
    this.#context.session.client.listApplications({ id }, 1, '').then(
      ({ rows: [found] }) => {
        const program = found === undefined ? '' : found.flatpak !== '' ? `flatpak:${found.flatpak}` : found.snap !== '' ? `snap:${found.snap}` : `path:${found.path}`;
        this.#chips.set({ program, destination, search: '', range: 'month' }, 'none');
        this.#start();
      },
      () => { this.#start(); },
    );
  }

  #narrow(change: Partial<ActivityFilter>): void {
    this.#chips.set(change, 'none');
    this.#cameFrom = 'none';
    this.#beginsAtTop = true;
    if (this.#leaflet.getFolded()) this.#closePanel();
    this.#reload();
  }

  #onChosen(): void {
    this.#cameFrom = 'none';
    this.#beginsAtTop = true;
    this.#start();
  }

  #askRange(): void {
    const nowMs = this.#nowMs();
    const { filter } = this.#chips;
    const span = filter.toMs > 0 ? filter : { fromMs: nowMs - HOUR_MS, toMs: nowMs };
    askForRange(this.#context.window, span, nowMs, (chosen) => {
      this.#chips.set(chosen === null ? {} : { range: 'own', ...chosen });
      if (chosen !== null) this.#reload();
    });
  }

  #openGroup(row: TotalsInfo): void {
    this.#cameFrom = this.#chips.grouping;
    this.#chips.set(row.destination === undefined ? { program: row.program ?? '' } : { destination: row.destination }, 'none');
    this.#beginsAtTop = true;
    this.#reload();
  }

  /** Reads what the filter asks for; what is shown stays until the answer, if that is quick. */
  #reload(): void {
    if (this.#search.getText() !== this.#chips.filter.search) this.#search.setText(this.#chips.filter.search);
    if (!this.#states.showsContent) this.#states.showLoading(_('Reading the connections…'));
    const { grouping } = this.#chips;
    // Sums stand still.
    this.#live.setSensitive(grouping === 'none');
    this.#groups.stop();
    if (grouping === 'none') {
      this.#source.load(this.#wire());
      return;
    }
    this.#source.stop();
    this.#groups.load(this.#wire(), grouping);
  }

  #showGroups(count: number, sinceMs: number): void {
    this.#fresh.setVisible(false);
    if (count === 0) {
      this.#showEmpty();
      return;
    }
    showStackPage(this.#ui.get('views', Gtk.Stack), 'groups');
    this.#ui.get('note', Gtk.Label).setLabel(groupNote(count, sinceMs, this.#nowMs()));
    this.#states.showContent();
  }

  #fail(error: unknown): void {
    this.#states.showError(error, () => { this.#start(); });
  }

  #showFresh(): void {
    this.#hold.toTop();
    if (this.#source.hasLost) {
      this.#reload();
      return;
    }
    this.#source.list.release();
    this.#update();
  }

  #update(): void {
    if (!this.#isShown || this.#chips.grouping !== 'none') return;
    const { state, list } = this.#source;
    if (state.kind === 'loading') return;
    if (state.kind === 'failed') {
      this.#fail(state.error);
      return;
    }
    const released = (this.#live.getActive() && this.#hold.mayMove) || list.length === 0 ? list.release() : 0;
    if (list.length === 0) {
      this.#showEmpty();
      return;
    }
    if (released > 0 || list.length !== this.#shown.length || this.#source.version !== this.#shown.version || !this.#states.showsContent) this.#showFlows();
    this.#showWaiting();
  }

  #showFlows(): void {
    const { list, version } = this.#source;
    if (this.#beginsAtTop && version !== this.#shown.version) {
      this.#beginsAtTop = false;
      this.#hold.toTop();
    }
    this.#shown = { length: list.length, version };
    this.#flows.setLength(list.length);
    showStackPage(this.#ui.get('views', Gtk.Stack), 'flows');
    this.#ui.get('note', Gtk.Label).setLabel(listNote(list.length, list.isCut, this.#kept));
    this.#states.showContent();
  }

  #showWaiting(): void {
    const { waiting } = this.#source.list;
    this.#fresh.setVisible(waiting > 0);
    if (waiting > 0) this.#ui.get('fresh_text', Gtk.Label).setLabel(fill(ngettext('{number} new', '{number} new', waiting), { number: countText(waiting) }));
  }

  #showEmpty(): void {
    const { remedy, ...words } = emptyWords(this.#chips.filter, this.#kept);
    const runs = {
      'show-all': () => { this.#narrow({ verdict: 'all', protocol: '', program: '', destination: '', search: '' }); },
      preferences: () => { this.#context.open({ page: 'preferences' }); },
      'any-time': () => { this.#narrow({ range: 'all' }); },
    };
    this.#states.showMessage(remedy === null ? words : { ...words, button: { label: remedy.label, run: runs[remedy.do] } });
  }

  #explain(id: string, row: FlowInfo | null): void {
    if (id === '') return;
    this.#panel.widget.setVisible(true);
    this.#panel.show(id, row);
    this.#flows.refill();
    this.#showPanelAlone();
  }

  /** Where both do not fit the details are a page of their own. */
  #showPanelAlone(): void {
    if (!this.#leaflet.getFolded() || this.#panel.id === '') return;
    this.#leaflet.setVisibleChild(this.#panel.widget);
    this.#panel.focus();
  }

  #closePanel(): void {
    this.#panel.clear();
    this.#leaflet.setVisibleChildName('list');
    this.#panel.widget.setVisible(false);
    this.#flows.refill();
  }
}
