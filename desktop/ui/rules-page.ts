/** The rules as sentences: search, switch, edit, delete with undo. */
import type { HelperSession } from '../client/session.ts';
import type { RuleInfo } from '../../helper/contract/types.ts';
import { assertNever } from '../../helper/contract/errors.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { ListItem, Widget } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { countText } from '../model/durations.ts';
import { errorText } from '../model/error-text.ts';
import type { FindProgram } from '../model/prompt-text.ts';
import { restoreOf } from '../model/rule-form.ts';
import { ruleRow, searchRows, sortRows } from '../model/rule-list.ts';
import type { RuleRow } from '../model/rule-list.ts';
import { ruleSubtitle, ruleText } from '../model/rule-text.ts';
import { loadUi } from './load-ui.ts';
import { RuleRowView } from './rule-row.ts';

/** A reading that is faster than this shows no spinner. */
const SPINNER_AFTER_MS = 300;
/** The list makes widgets for its first rows, which costs milliseconds each, and none for those far below. */
const WIDGET_ROWS = 240;
const FIRST_CHUNK_ROWS = 30;
const LATER_CHUNK_ROWS = 500;

export interface RulesPageActions {
  edit(rule: RuleInfo): void;
  /** A short message; `undo` adds a button. */
  toast(text: string, undo?: () => void): void;
}

export class RulesPage {
  readonly #session: HelperSession;
  readonly #find: FindProgram;
  readonly #actions: RulesPageActions;
  readonly #ui = loadUi('rules-page');
  readonly #stack = this.#ui.get('stack', Gtk.Stack);
  readonly #search = this.#ui.get('search', Gtk.SearchEntry);
  readonly #model = Gtk.StringList.new([]);
  /** Row widgets by the list's child; the list keeps a few dozen and reuses them. */
  readonly #views = new WeakMap<Widget, RuleRowView>();
  #rows: readonly RuleRow[] = [];
  #byId = new Map<string, RuleRow>();
  #shownIds: readonly string[] = [];
  readonly #bound = new Set<RuleRowView>();
  #connected = false;
  #rest: NodeJS.Timeout | null = null;
  #spinnerTimer: NodeJS.Timeout | null = null;

  constructor(session: HelperSession, find: FindProgram, actions: RulesPageActions) {
    this.#session = session;
    this.#find = find;
    this.#actions = actions;
    this.#setUpList();
    this.#search.on('search-changed', () => { this.#filter(); });
    this.#ui.get('retry', Gtk.Button).on('clicked', () => { this.#session.loadRules(); });
    session.rulesChanged.on(() => { this.update(); });
    session.changed.on(() => { this.#onChanged(); });
    this.update();
  }

  get widget(): Widget {
    return this.#ui.get('page', Gtk.Box);
  }

  /** Shows or hides the search; typing in the window opens it. */
  setUpSearch(window: Widget): void {
    const bar = this.#ui.get('search_bar', Gtk.SearchBar);
    bar.connectEntry(this.#search);
    bar.setKeyCaptureWidget(window);
  }

  setSearch(on: boolean): void {
    this.#ui.get('search_bar', Gtk.SearchBar).setSearchMode(on);
    if (on) this.#search.grabFocus();
  }

  get searching(): boolean {
    return this.#ui.get('search_bar', Gtk.SearchBar).getSearchMode();
  }

  /** The counters change every second, and sorting thousands of sentences takes longer than a frame. */
  #onChanged(): void {
    const { connected } = this.#session.knowledge;
    if (connected === this.#connected) return;
    this.#connected = connected;
    this.update();
  }

  update(): void {
    const { rules } = this.#session;
    const { connected } = this.#session.knowledge;
    this.#stopSpinner();
    switch (rules.kind) {
      case 'ready':
        this.#setRules(rules.rules, rules.cut);
        return;
      case 'loading':
        if (connected) this.#startSpinner();
        else this.#problem(_('Not connected'), _('The rules appear when the firewall service is back.'), '');
        return;
      case 'not-allowed':
        this.#problem(_('Not allowed'), _('Only people who may see the firewall’s rules can open this page.'), _('Unlock…'));
        return;
      case 'failed':
        this.#problem(_('The rules could not be read'), rules.message, connected ? _('Try again') : '');
        return;
      default:
        assertNever(rules);
    }
  }

  #setUpList(): void {
    const list = this.#ui.get('list', Gtk.ListView);
    const factory = new Gtk.SignalListItemFactory();
    factory.on('setup', (item) => {
      const view = new RuleRowView({
        setEnabled: (rule, enabled) => { this.#setEnabled(rule, enabled); },
        remove: (rule) => { this.#remove(rule); },
      });
      this.#views.set(view.widget, view);
      item.setChild(view.widget);
    });
    factory.on('bind', (item) => { this.#bind(item); });
    factory.on('unbind', (item) => {
      const child = item.getChild();
      const view = child === null ? undefined : this.#views.get(child);
      if (view !== undefined) this.#bound.delete(view);
    });
    list.setFactory(factory);
    list.setModel(Gtk.NoSelection.new(this.#model));
    list.on('activate', (position) => {
      const row = typeof position === 'number' ? this.#byId.get(this.#model.getString(position) ?? '') : undefined;
      if (row === undefined) return;
      if (row.rule.editable) this.#actions.edit(row.rule);
      else this.#actions.toast(_('This rule belongs to the administrator or to Bastion Firewall; you may switch it off.'));
    });
  }

  #bind(item: ListItem): void {
    const child = item.getChild();
    const view = child === null ? undefined : this.#views.get(child);
    const row = this.#byId.get(item.getItem()?.getString() ?? '');
    if (view === undefined || row === undefined) return;
    this.#bound.add(view);
    this.#fillView(view, row);
  }

  #fillView(view: RuleRowView, row: RuleRow): void {
    view.fill(row.rule, row.sentence, ruleSubtitle(row.rule, this.#session.clocks.wallMs()), this.#session.knowledge.connected);
  }

  #setRules(rules: readonly RuleInfo[], cut: boolean): void {
    const now = this.#session.clocks.wallMs();
    this.#rows = sortRows(rules.map((rule) => ruleRow(rule, ruleText(rule, this.#find, now))));
    this.#byId = new Map(this.#rows.map((row) => [row.rule.id, row]));
    const note = this.#ui.get('note', Gtk.Label);
    note.setVisible(cut);
    note.setLabel(fill(_('The first {number} rules are shown. bastionctl lists them all.'), { number: countText(rules.length) }));
    this.#filter();
  }

  #filter(): void {
    const found = searchRows(this.#rows, this.#search.getText());
    const ids = found.map((row) => row.rule.id);
    if (ids.length !== this.#shownIds.length || ids.some((id, index) => id !== this.#shownIds[index])) {
      this.#shownIds = ids;
      this.#model.splice(0, this.#model.getNItems(), ids.slice(0, FIRST_CHUNK_ROWS));
      this.#appendRest();
    }
    for (const view of this.#bound) {
      const row = this.#byId.get(view.ruleId);
      if (row !== undefined) this.#fillView(view, row);
    }
    const empty = this.#rows.length === 0 ? 'empty' : 'nothing-found';
    if (this.#session.rules.kind === 'ready') this.#stack.setVisibleChildName(ids.length === 0 ? empty : 'list');
  }

  /** What lies below the first screens comes in pieces, so that typing goes on meanwhile. */
  #appendRest(): void {
    if (this.#rest !== null) clearTimeout(this.#rest);
    this.#rest = null;
    const there = this.#model.getNItems();
    if (there >= this.#shownIds.length) return;
    this.#rest = setTimeout(() => {
      const chunk = there < WIDGET_ROWS ? FIRST_CHUNK_ROWS : LATER_CHUNK_ROWS;
      this.#model.splice(there, 0, this.#shownIds.slice(there, there + chunk));
      this.#appendRest();
    }, 0);
  }

  #problem(title: string, text: string, button: string): void {
    const page = this.#ui.get('problem', Adw.StatusPage);
    const retry = this.#ui.get('retry', Gtk.Button);
    page.setTitle(title);
    page.setDescription(text);
    retry.setVisible(button !== '');
    retry.setLabel(button);
    this.#stack.setVisibleChildName('problem');
  }

  #startSpinner(): void {
    this.#stack.setVisibleChildName('blank');
    this.#spinnerTimer = setTimeout(() => {
      this.#ui.get('spinner', Gtk.Spinner).setSpinning(true);
      this.#stack.setVisibleChildName('loading');
    }, SPINNER_AFTER_MS);
  }

  #stopSpinner(): void {
    if (this.#spinnerTimer !== null) clearTimeout(this.#spinnerTimer);
    this.#spinnerTimer = null;
    this.#ui.get('spinner', Gtk.Spinner).setSpinning(false);
  }

  #setEnabled(rule: RuleInfo, enabled: boolean): void {
    this.#session.client.updateRule(rule.id, { enabled }).then(
      () => { this.#session.loadRules(); },
      (error: unknown) => {
        this.#actions.toast(errorText(error));
        this.update();
      },
    );
  }

  #remove(rule: RuleInfo): void {
    this.#session.client.removeRule(rule.id).then(
      () => {
        this.#session.loadRules();
        this.#actions.toast(_('Rule deleted'), () => { this.#restore(rule); });
      },
      (error: unknown) => { this.#actions.toast(errorText(error)); },
    );
  }

  #restore(rule: RuleInfo): void {
    this.#session.client.addRule(restoreOf(rule)).then(
      () => { this.#session.loadRules(); },
      (error: unknown) => { this.#actions.toast(errorText(error)); },
    );
  }
}
