/** What learning suggests: tick and add, edit first, or not this; and the step from learning to enforcing. */
import { hiddenPath, HiddenSuggestions } from '../client/hidden-suggestions.ts';
import { Suggestions } from '../client/suggestions.ts';
import type { AddedRules, SuggestionsState } from '../client/suggestions.ts';
import { Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { countText } from '../model/durations.ts';
import { errorText } from '../model/error-text.ts';
import { findingText, keptOrder, leftOutLines, leftOutTitle, suggestionsOf } from '../model/suggestion.ts';
import type { Suggestion } from '../model/suggestion.ts';
import { IdList } from './id-list.ts';
import { LearningPanel } from './learning-panel.ts';
import { loadUi } from './load-ui.ts';
import { lockButton } from './needs-password.ts';
import { PageStates } from './page-states.ts';
import type { Page, PageContext } from './page.ts';
import { SuggestionRowView } from './suggestion-row.ts';
import type { Note } from './suggestion-row.ts';

/** Ids of rows that are no suggestion; a key is JSON and begins with a bracket. */
const PANEL = 'panel';
/** Findings that are listed; the Rules page marks them all. */
const FINDING_ROWS = 20;

type Ready = Extract<SuggestionsState, { kind: 'ready' }>;

export class SuggestionsPage implements Page {
  readonly #context: PageContext;
  readonly #suggestions: Suggestions;
  readonly #hidden = new HiddenSuggestions(hiddenPath(process.env));
  readonly #ui = loadUi('suggestions-page');
  readonly #states = new PageStates(this.#ui.get('content', Gtk.Box));
  readonly #panel: LearningPanel;
  readonly #list: IdList<SuggestionRowView>;
  #byKey = new Map<string, Suggestion>();
  #notes = new Map<string, Note>();
  #order: readonly string[] = [];
  readonly #ticked = new Set<string>();
  #adding = false;
  #filling = false;

  constructor(context: PageContext) {
    this.#context = context;
    this.#suggestions = Suggestions.of(context.session);
    this.#panel = new LearningPanel(context, this.#ui);
    this.#list = new IdList({
      list: this.#ui.get('list', Gtk.ListView),
      make: () => new SuggestionRowView({
        tick: (key, on) => { this.#tick(key, on); },
        edit: (key) => { this.#edit(key); },
        hide: (key) => { this.#hide(key); },
      }),
      fill: (view, id) => { this.#fillRow(view, id); },
      unbound: (view) => { view.release(); },
      activated: (id) => { if (this.#byKey.has(id) && !this.#adding) this.#tick(id, !this.#ticked.has(id)); },
    });
    this.#ui.get('add', Gtk.Button).on('clicked', () => { this.#add(); });
    this.#ui.get('select_all', Gtk.CheckButton).on('toggled', () => { this.#selectAll(); });
    this.#suggestions.changed.on(() => { this.#update(); });
    context.session.changed.on(() => { this.#panel.update(); });
    this.#update();
  }

  get widget(): Widget {
    return this.#states.widget;
  }

  shown(): void {
    this.#suggestions.start();
  }

  /** Opened again, the most connections come first once more. */
  hidden(): void {
    this.#suggestions.stop();
    this.#order = [];
  }

  setNarrow(narrow: boolean): void {
    const { HORIZONTAL, VERTICAL } = Gtk.Orientation;
    for (const id of ['panel', 'bar_box']) this.#ui.get(id, Gtk.Box).setOrientation(narrow ? VERTICAL : HORIZONTAL);
  }

  #update(): void {
    const { state } = this.#suggestions;
    switch (state.kind) {
      case 'loading': this.#states.showLoading(_('Looking through recorded connections…')); return;
      case 'failed': this.#states.showError(state.error, () => { this.#suggestions.reload(); }); return;
      case 'ready': this.#fill(state); return;
      default: state satisfies never;
    }
  }

  #fill(state: Ready): void {
    const { session, find } = this.#context;
    const found = suggestionsOf(state.open, find, session.clocks.wallMs());
    const shown = found.filter(({ key }) => !this.#hidden.has(key));
    const hidden = found.filter(({ key }) => this.#hidden.has(key)).map(({ key }) => key);
    this.#byKey = new Map(shown.map((one) => [one.key, one]));
    this.#order = keptOrder(this.#order, [...this.#byKey.keys()]);
    for (const key of this.#ticked) if (!this.#byKey.has(key)) this.#ticked.delete(key);
    this.#notes = this.#notesOf(state, hidden);
    this.#panel.set({ open: state.open, all: state.all, hidden: new Set(hidden), shown: shown.length, findings: state.findings.length });
    this.#list.setIds([PANEL, ...this.#order, ...this.#notes.keys()]);
    this.#updateBar();
    this.#states.showContent();
  }

  #notesOf(state: Ready, hidden: readonly string[]): Map<string, Note> {
    const notes = new Map<string, Note>();
    const nowMs = this.#context.session.clocks.wallMs();
    for (const [index, finding] of state.findings.slice(0, FINDING_ROWS).entries()) {
      const title = findingText(finding, nowMs);
      const run = (): void => { this.#context.open({ page: 'rules', item: finding.rule_id }); };
      if (title !== '') notes.set(`finding ${String(index)}`, { title, text: '', button: { label: _('Show'), run } });
    }
    const lines = leftOutLines(state.open);
    if (lines.length > 0) notes.set('left-out', { title: leftOutTitle(state.open), text: lines.join('\n') });
    if (hidden.length > 0) {
      const title = fill(ngettext('{number} suggestion is hidden', '{number} suggestions are hidden', hidden.length), { number: countText(hidden.length) });
      notes.set('hidden', { title, text: _('You did not want it.'), button: { label: _('Show Again'), run: () => { this.#showAgain(hidden); } } });
    }
    return notes;
  }

  #fillRow(view: SuggestionRowView, id: string): void {
    const suggestion = this.#byKey.get(id);
    const note = this.#notes.get(id);
    if (id === PANEL) {
      // The list makes the new row before it lets the old one go.
      for (const other of this.#list.views) if (other !== view) other.release();
      view.showGuest(this.#panel.widget, this.#panel.spoken);
    } else if (suggestion !== undefined) {
      view.showSuggestion(suggestion, this.#ticked.has(id), !this.#adding);
    } else if (note !== undefined) {
      view.showNote(note);
    }
  }

  #tick(key: string, on: boolean): void {
    if (on) this.#ticked.add(key);
    else this.#ticked.delete(key);
    this.#list.refill();
    this.#updateBar();
  }

  #selectAll(): void {
    if (this.#filling) return;
    const on = this.#ui.get('select_all', Gtk.CheckButton).getActive();
    this.#ticked.clear();
    if (on) for (const { key, warning } of this.#byKey.values()) if (warning === '') this.#ticked.add(key);
    this.#list.refill();
    this.#updateBar();
  }

  #updateBar(): void {
    const number = this.#ticked.size;
    this.#ui.get('bar', Gtk.Revealer).setRevealChild(this.#byKey.size > 0 || this.#adding);
    const add = this.#ui.get('add', Gtk.Button);
    lockButton(add, number === 0 ? _('_Add Selected') : fill(ngettext('_Add {number} Rule', '_Add {number} Rules', number), { number: countText(number) }));
    add.setSensitive(number > 0 && !this.#adding);
    const all = this.#ui.get('select_all', Gtk.CheckButton);
    this.#filling = true;
    all.setActive(number > 0 && [...this.#byKey.values()].every(({ key, warning }) => warning !== '' || this.#ticked.has(key)));
    all.setSensitive(!this.#adding);
    this.#filling = false;
    this.#ui.get('progress', Gtk.Label).setVisible(this.#adding);
  }

  #edit(key: string): void {
    const suggestion = this.#byKey.get(key);
    if (suggestion !== undefined) this.#context.editRule(null, suggestion.rule);
  }

  #hide(key: string): void {
    this.#keep(() => { this.#hidden.hide(key); });
    this.#context.toast(_('The suggestion is hidden'), () => { this.#showAgain([key]); });
  }

  #showAgain(keys: readonly string[]): void {
    this.#keep(() => { this.#hidden.show(keys); });
  }

  /** A folder that cannot be written to keeps nobody from deciding. */
  #keep(change: () => void): void {
    try {
      change();
    } catch (error: unknown) {
      process.stderr.write(`bastion-firewall-desktop: hidden suggestions were not saved: ${String(error)}\n`);
    }
    this.#update();
  }

  #add(): void {
    const rules = this.#order.flatMap((key) => {
      const suggestion = this.#ticked.has(key) ? this.#byKey.get(key) : undefined;
      return suggestion === undefined ? [] : [suggestion.rule];
    });
    if (rules.length === 0) return;
    const say = (done: number): void => {
      this.#ui.get('progress', Gtk.Label).setLabel(fill(_('{done} of {all} added'), { done: countText(done), all: countText(rules.length) }));
    };
    this.#adding = true;
    this.#updateBar();
    this.#list.refill();
    say(0);
    void this.#suggestions.add(rules, say).then((added) => { this.#onAdded(added, rules.length); });
  }

  /** What was not added stays ticked. */
  #onAdded({ ids, error }: AddedRules, wanted: number): void {
    this.#adding = false;
    this.#context.session.loadRules();
    this.#suggestions.reload();
    this.#list.refill();
    this.#updateBar();
    const undo = ids.length === 0 ? undefined : (): void => { this.#undo(ids); };
    const number = { number: countText(ids.length), all: countText(wanted) };
    if (error === null) this.#context.toast(fill(ngettext('{number} rule added', '{number} rules added', ids.length), number), undo);
    else if (ids.length === 0) this.#context.toast(errorText(error));
    else this.#context.toast(fill(_('{number} of {all} rules were added: {problem}'), { ...number, problem: errorText(error) }), undo);
  }

  #undo(ids: readonly string[]): void {
    this.#suggestions.remove(ids).then(
      () => { this.#context.session.loadRules(); },
      (error: unknown) => {
        this.#context.session.loadRules();
        this.#context.toast(errorText(error));
      },
    );
  }
}
