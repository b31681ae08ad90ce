/** One row of the suggestions: a rule with its check box, a note, or a widget of the page's own. */
import { Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import type { Suggestion } from '../model/suggestion.ts';
import { loadUi } from './load-ui.ts';

export interface SuggestionActions {
  tick(key: string, on: boolean): void;
  edit(key: string): void;
  hide(key: string): void;
}

export interface Note {
  readonly title: string;
  readonly text: string;
  readonly button?: { readonly label: string; readonly run: () => void };
}

const PARTS = ['suggestion', 'note', 'slot'] as const;

export class SuggestionRowView {
  readonly #ui = loadUi('suggestion-row');
  readonly widget: Widget = this.#ui.get('row', Gtk.Box);
  spoken = '';
  readonly #check = this.#ui.get('check', Gtk.CheckButton);
  #key = '';
  #note: Note | null = null;
  #guest: Widget | null = null;
  #filling = false;

  constructor(actions: SuggestionActions) {
    this.#check.on('toggled', () => { if (!this.#filling) actions.tick(this.#key, this.#check.getActive()); });
    this.#ui.get('edit', Gtk.Button).on('clicked', () => { actions.edit(this.#key); });
    this.#ui.get('hide', Gtk.Button).on('clicked', () => { actions.hide(this.#key); });
    this.#ui.get('note_button', Gtk.Button).on('clicked', () => { this.#note?.button?.run(); });
  }

  showSuggestion(suggestion: Suggestion, ticked: boolean, usable: boolean): void {
    this.#showPart('suggestion');
    this.#key = suggestion.key;
    this.spoken = suggestion.sentence;
    this.#filling = true;
    this.#check.setActive(ticked);
    this.#check.setSensitive(usable);
    this.#filling = false;
    this.#ui.get('sentence', Gtk.Label).setLabel(suggestion.sentence);
    this.#ui.get('detail', Gtk.Label).setLabel(suggestion.detail);
    this.#ui.get('warning', Gtk.Label).setLabel(suggestion.warning);
    this.#ui.get('warning_box', Gtk.Box).setVisible(suggestion.warning !== '');
  }

  showNote(note: Note): void {
    this.#showPart('note');
    this.#note = note;
    this.spoken = [note.title, note.text].filter((text) => text !== '').join(' ');
    this.#ui.get('note_title', Gtk.Label).setLabel(note.title);
    this.#ui.get('note_text', Gtk.Label).setLabel(note.text);
    this.#ui.get('note_text', Gtk.Label).setVisible(note.text !== '');
    const button = this.#ui.get('note_button', Gtk.Button);
    button.setVisible(note.button !== undefined);
    button.setLabel(note.button?.label ?? '');
  }

  /** Takes the widget in until the row stands for something else; it has one place at a time. */
  showGuest(guest: Widget, spoken: string): void {
    this.#showPart('slot');
    this.spoken = spoken;
    if (this.#guest === guest) return;
    this.#guest = guest;
    this.#ui.get('slot', Gtk.Box).append(guest);
  }

  /** Gives the page's widget back. */
  release(): void {
    if (this.#guest !== null) this.#ui.get('slot', Gtk.Box).remove(this.#guest);
    this.#guest = null;
  }

  #showPart(part: (typeof PARTS)[number]): void {
    if (part !== 'slot') this.release();
    const row = this.widget.getParent();
    if (part === 'slot') row?.addCssClass('plain-row');
    else row?.removeCssClass('plain-row');
    for (const one of PARTS) this.#ui.get(one, Gtk.Box).setVisible(one === part);
  }
}
