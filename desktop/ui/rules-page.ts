/** The rules as sentences: in groups, searched and filtered, switched, edited, deleted, all of it with undo. */
import type { RuleInfo } from '../../helper/contract/types.ts';
import { RuleUse } from '../client/rule-use.ts';
import type { HelperSession } from '../client/session.ts';
import { Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { countText } from '../model/format.ts';
import { bulkDoneText, planBulk } from '../model/rule-bulk.ts';
import type { BulkAction } from '../model/rule-bulk.ts';
import { isFiltered } from '../model/rule-list.ts';
import type { RuleSummary } from '../model/rule-list.ts';
import { ruleMarks } from '../model/rule-marks.ts';
import { findingReason } from '../model/rule-review.ts';
import { ruleSubtitle } from '../model/rule-text.ts';
import { loadUi } from './load-ui.ts';
import type { Page, PageContext, PageTarget } from './page.ts';
import { PageStates } from './page-states.ts';
import type { RuleRowContent } from './rule-row.ts';
import { RuleChanges } from './rules-changes.ts';
import { exportRules } from './rules-export.ts';
import { PROGRAMS_LIMIT, RulesFilter } from './rules-filter.ts';
import { ImportDialog } from './rules-import.ts';
import { RulesList } from './rules-list.ts';
import { addRulesMenu } from './rules-menu.ts';
import { RulesReview } from './rules-review.ts';
import { RulesMessages } from './rules-messages.ts';
import { RulesRows } from './rules-rows.ts';
import { RuleSelection } from './rule-selection.ts';
import { SelectionBar } from './rules-selection.ts';

export class RulesPage implements Page {
  readonly #session: HelperSession;
  readonly #context: PageContext;
  readonly #ui = loadUi('rules-page');
  readonly #states = new PageStates(this.#ui.get('scroller', Gtk.ScrolledWindow));
  readonly #search = this.#ui.get('search', Gtk.SearchEntry);
  readonly #select = this.#ui.get('select', Gtk.ToggleButton);
  readonly #filter = new RulesFilter(() => { this.#refilter(true); });
  readonly #list: RulesList;
  readonly #bar: SelectionBar;
  readonly #selection: RuleSelection;
  readonly #messages: RulesMessages;
  readonly #changes: RuleChanges;
  readonly #review: RulesReview;
  readonly #use: RuleUse;
  readonly #rows: RulesRows;
  #isShown = false;
  /** What the rows were made of; another object asks for new ones. */
  #made: readonly RuleInfo[] | null = null;
  #connected = false;
  #profile = '';
  /** The rule that somebody came for: waits until it is there, then is marked. */
  #wanted = '';
  #marked = '';

  constructor(context: PageContext) {
    this.#session = context.session;
    this.#context = context;
    this.#rows = new RulesRows(context.find, PROGRAMS_LIMIT);
    this.#selection = new RuleSelection(this.#select, () => { this.#showSelection(); });
    this.#messages = new RulesMessages(this.#states, context, { retry: () => { this.#review.start(); }, showAll: () => { this.#showAll(); } });
    this.#list = new RulesList(this.#ui.get('list', Gtk.ListView), context.window, this.#listActions());
    this.#bar = new SelectionBar({
      run: (action) => { this.#bulk(action, this.#selection.ids); },
      all: () => { this.#selection.addAll(this.#rows.found); },
      done: () => { this.#selection.leave(); },
      stop: () => { this.#changes.stop(); },
      groups: () => this.#rows.groups,
    });
    this.#changes = new RuleChanges(context, {
      showProgress: (progress) => { this.#showProgress(progress); },
      settled: () => { this.#list.refresh(); },
    });
    this.#review = new RulesReview(context.session, () => { this.#onReviewed(); });
    this.#use = new RuleUse(context.session, () => { this.#list.refresh(); });
    this.#assemble();
    this.#session.rulesChanged.on(() => { this.#update(); });
    this.#session.changed.on(() => { this.#onChanged(); });
  }

  get widget(): Widget {
    return this.#ui.get('page', Gtk.Box);
  }

  get headerStart(): readonly Widget[] {
    return [this.#ui.get('add_rule', Gtk.Button)];
  }

  get headerEnd(): readonly Widget[] {
    return [this.#ui.get('menu_button', Gtk.MenuButton), this.#select];
  }

  /** Typing in the window opens the search while the page is shown. */
  shown({ search, item }: PageTarget): void {
    this.#isShown = true;
    this.#ui.get('search_bar', Gtk.SearchBar).setKeyCaptureWidget(this.#context.window);
    if (search !== undefined) this.#searchFor(search);
    if (item !== undefined) this.#comeFor(item);
    this.#update();
    this.#review.start();
    this.#use.start();
  }

  hidden(): void {
    this.#isShown = false;
    this.#marked = '';
    this.#review.stop();
    this.#use.stop();
    this.#ui.get('search_bar', Gtk.SearchBar).setKeyCaptureWidget(null);
  }

  setNarrow(narrow: boolean): void {
    this.#bar.setNarrow(narrow);
  }

  toggleSearch(): void {
    const bar = this.#ui.get('search_bar', Gtk.SearchBar);
    bar.setSearchMode(!bar.getSearchMode());
    if (bar.getSearchMode()) this.#search.grabFocus();
  }

  back(): boolean {
    return this.#selection.leave();
  }

  #assemble(): void {
    this.#ui.get('filter_place', Gtk.Box).append(this.#filter.widget);
    this.#ui.get('body', Gtk.Box).append(this.#states.widget);
    for (const widget of this.#bar.widgets) this.#ui.get('foot', Gtk.Box).append(widget);
    this.#ui.get('search_bar', Gtk.SearchBar).connectEntry(this.#search);
    this.#search.on('search-changed', () => { this.#refilter(true); });
    addRulesMenu(this.#ui.get('menu_button', Gtk.MenuButton), {
      sort: (sort) => { this.#rows.setSort(sort, () => { this.#refilter(true); }); },
      closeGroups: () => {
        this.#rows.collapseAll();
        this.#refilter(false);
      },
      openGroups: () => {
        this.#rows.collapse([]);
        this.#refilter(false);
      },
      importRules: () => { new ImportDialog(this.#context).present(); },
      exportRules: () => { exportRules(this.#context); },
    });
  }

  #listActions(): ConstructorParameters<typeof RulesList>[2] {
    return {
      content: (id) => this.#content(id),
      heading: (key) => this.#rows.heading(key),
      isConnected: () => this.#session.knowledge.connected,
      activated: (id, keys) => { this.#onActivated(id, keys); },
      toggled: (id) => { this.#selection.toggle(id); },
      deleted: (rule) => { this.#bulk({ do: 'delete' }, this.#selection.has(rule.id) ? this.#selection.ids : [rule.id]); },
      selectAll: () => this.#selection.addAll(this.#rows.found),
      leave: () => this.back(),
      setEnabled: (rule, enabled) => { this.#bulk({ do: enabled ? 'enable' : 'disable' }, [rule.id]); },
      remove: (rule) => { this.#bulk({ do: 'delete' }, [rule.id]); },
      select: (rule, selected) => { if (selected !== this.#selection.has(rule.id)) this.#selection.toggle(rule.id); },
      setCollapsed: (key, collapsed) => {
        this.#rows.setCollapsed(key, collapsed);
        this.#refilter(false);
      },
      setGroup: (group, enabled) => { this.#changes.setGroup(group, enabled); },
    };
  }

  #content(id: string): RuleRowContent | null {
    const row = this.#rows.row(id);
    if (row === undefined) return null;
    const nowMs = this.#session.clocks.wallMs();
    const { findings } = this.#review.reviewed;
    const finding = findings.get(id);
    const around = { nowMs, findings, changed: this.#review.changed, profile: this.#profile };
    return {
      rule: row.rule, sentence: row.sentence, subtitle: ruleSubtitle(this.#use.of(row.rule), nowMs, this.#filter.cleansUp || this.#rows.sort !== 'program'), marks: ruleMarks(row.rule, around),
      reason: this.#filter.cleansUp && finding !== undefined ? findingReason(finding, (other) => this.#rows.row(other)?.sentence ?? '', nowMs) : '',
      connected: this.#session.knowledge.connected && !this.#changes.isRunning,
      selected: this.#selection.isOn ? this.#selection.has(id) : null, isMarked: id === this.#marked,
    };
  }

  /** The counters change every second, and they concern no row. */
  #onChanged(): void {
    const { connected, status } = this.#session.knowledge;
    const profile = status?.profile ?? '';
    if (connected === this.#connected && profile === this.#profile) return;
    this.#connected = connected;
    this.#profile = profile;
    this.#update();
    if (this.#isShown && connected) this.#review.start();
    this.#list.refresh();
  }

  #update(): void {
    if (!this.#isShown || this.#changes.isRunning) return;
    const { rules } = this.#session;
    if (rules.kind !== 'ready') {
      this.#made = null;
      this.#messages.showNoRules(rules);
    } else if (rules.rules !== this.#made) {
      this.#setRules(rules.rules, rules.cut);
    }
  }

  #setRules(rules: readonly RuleInfo[], cut: boolean): void {
    this.#made = rules;
    this.#use.clear();
    const note = this.#ui.get('note', Gtk.Label);
    note.setVisible(cut);
    note.setLabel(fill(_('The first {number} rules are shown. bastionctl lists them all.'), { number: countText(rules.length) }));
    this.#rows.make(rules, this.#session.clocks.wallMs(), (summary) => { this.#onRows(summary); });
    this.#review.rulesChanged();
  }

  #onRows(summary: RuleSummary): void {
    this.#selection.keep((id) => summary.byId.has(id));
    this.#filter.setChoices(summary);
    this.#refilter(false);
  }

  /** `toTop`: the person asked for other rows. */
  #refilter(toTop: boolean): void {
    const filter = this.#filter.filter(this.#search.getText());
    this.#rows.look({ filter, findings: this.#review.reviewed.findings }, ({ entries, found }) => {
      this.#list.show(entries);
      if (toTop) this.#list.scrollToTop();
      this.#showState(found.length, isFiltered(filter));
      this.#showSelection();
      this.#arrive();
    });
  }

  #showState(found: number, isFilter: boolean): void {
    if (this.#session.rules.kind !== 'ready') return;
    if (found > 0) this.#states.showContent();
    else this.#messages.showNoRows({ isEmpty: this.#rows.isEmpty, cleansUp: this.#filter.cleansUp, isFilter, review: this.#review });
  }

  #showAll(): void {
    this.#search.setText('');
    this.#filter.reset();
    this.#refilter(true);
  }

  #onReviewed(): void {
    this.#filter.setFindings(this.#review.isDone ? this.#review.reviewed.findings.size : null);
    if (this.#filter.cleansUp) this.#refilter(false);
    else this.#list.refresh();
  }

  #searchFor(text: string): void {
    this.#filter.reset();
    this.#ui.get('search_bar', Gtk.SearchBar).setSearchMode(text !== '');
    this.#search.setText(text);
  }

  /** The filter is taken away, and the group opened, so that the rule can be seen. */
  #comeFor(id: string): void {
    this.#wanted = id;
    this.#searchFor('');
    this.#rows.collapse([]);
    this.#refilter(false);
  }

  #arrive(): void {
    const id = this.#wanted;
    if (id === '' || this.#rows.row(id) === undefined) return;
    this.#wanted = '';
    this.#marked = id;
    this.#list.scrollTo(id);
    this.#list.refresh();
  }

  #onActivated(id: string, keys: { readonly extend: boolean; readonly toggle: boolean }): void {
    if (keys.extend) this.#selection.extendTo(id, this.#list.entries);
    else if (keys.toggle || this.#selection.isOn) this.#selection.toggle(id);
    else this.#open(id);
  }

  #open(id: string): void {
    const rule = this.#rows.row(id)?.rule;
    if (rule === undefined) return;
    if (rule.editable) this.#context.editRule(rule);
    else if (rule.tier === 'built-in') this.#context.toast(_('This rule is built in and stays as it is.'));
    else this.#context.toast(_('This rule belongs to the administrator or to Bastion Firewall; you may switch it off.'));
  }

  #showSelection(): void {
    this.#bar.showSelected(this.#selection.isOn && !this.#changes.isRunning ? this.#selection.size : null);
    this.#list.refresh();
  }

  #bulk(action: BulkAction, ids: readonly string[]): void {
    const rules = ids.flatMap((id) => this.#rows.row(id)?.rule ?? []);
    const { changes, locked } = planBulk(action, rules, this.#session.clocks.wallMs());
    if (changes.length === 0) {
      this.#context.toast(locked > 0 ? _('These rules are locked: they belong to the administrator or to Bastion Firewall.') : _('Nothing to change: the rules are already like this.'));
    } else {
      this.#changes.run(changes, (count) => bulkDoneText(action, count));
      this.#selection.leave();
    }
    // A switch that is being moved must not be set to what the rule still says before it has come to rest.
    setTimeout(() => { this.#list.refresh(); }, 0);
  }

  #showProgress(progress: { readonly done: number; readonly total: number } | null): void {
    if (progress === null) this.#bar.hideProgress();
    else this.#bar.showProgress(progress.done, progress.total);
  }
}
