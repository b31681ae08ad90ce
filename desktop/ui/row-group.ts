/** Rows of a group, made once and filled again: what is read again does not flicker. */
import { Adw, Gtk } from '../gtk.ts';
import type { PreferencesGroup } from '../gtk.ts';
import type { Fact } from '../model/application-text.ts';
import { hashText } from '../model/application-text.ts';
import { loadUi } from './load-ui.ts';
import type { Ui } from './load-ui.ts';
import { lockButton } from './needs-password.ts';

export interface LinkRow {
  readonly title: string;
  readonly subtitle: string;
  /** At the row's end. */
  readonly value?: string;
  /** Icon name at the row's start; all rows of a group have one, or none has. */
  readonly icon?: string;
  /** A CSS class for the icon. */
  readonly look?: string;
  /** Leads somewhere; an arrow shows that. */
  readonly open?: () => void;
  /** Leads to something that needs a password. */
  readonly button?: { readonly label: string; readonly run: () => void };
}

const LOOKS = ['allow', 'deny', 'drop', 'ask', 'good', 'plain', 'changed', 'missing', 'unknown', 'warning', 'network'];

interface Made {
  readonly ui: Ui;
  content: LinkRow | null;
}

export class LinkRows {
  readonly #group: PreferencesGroup;
  readonly #made: Made[] = [];

  constructor(group: PreferencesGroup) {
    this.#group = group;
  }

  fill(contents: readonly LinkRow[]): void {
    while (this.#made.length < contents.length) this.#add(contents.some(({ icon }) => icon !== undefined));
    for (const [index, made] of this.#made.entries()) {
      made.content = contents[index] ?? null;
      made.ui.get('row', Adw.ActionRow).setVisible(made.content !== null);
      if (made.content !== null) show(made.ui, made.content);
    }
  }

  /** Gives the row at this place the keyboard. */
  focus(index: number): void {
    this.#made[index]?.ui.get('row', Adw.ActionRow).grabFocus();
  }

  /** A prefix that is not shown would still leave its place. */
  #add(withIcon: boolean): void {
    const made: Made = { ui: loadUi('link-row'), content: null };
    const row = made.ui.get('row', Adw.ActionRow);
    row.on('activated', () => { made.content?.open?.(); });
    if (withIcon) row.addPrefix(made.ui.get('icon', Gtk.Image));
    made.ui.get('button', Gtk.Button).on('clicked', () => { made.content?.button?.run(); });
    this.#group.add(row);
    this.#made.push(made);
  }
}

function show(ui: Ui, content: LinkRow): void {
  const row = ui.get('row', Adw.ActionRow);
  row.setTitle(content.title);
  row.setSubtitle(content.subtitle);
  row.setActivatable(content.open !== undefined);
  ui.get('next', Gtk.Image).setVisible(content.open !== undefined);
  const value = ui.get('value', Gtk.Label);
  value.setLabel(content.value ?? '');
  value.setVisible((content.value ?? '') !== '');
  const icon = ui.get('icon', Gtk.Image);
  icon.setVisible(content.icon !== undefined);
  icon.setFromIconName(content.icon ?? '');
  for (const look of LOOKS) icon.removeCssClass(look);
  if (content.look !== undefined) icon.addCssClass(content.look);
  const button = ui.get('button', Gtk.Button);
  button.setVisible(content.button !== undefined);
  if (content.button !== undefined) lockButton(button, content.button.label);
}

/** Titles with values that can be marked and copied. */
export class FactRows {
  readonly #group: PreferencesGroup;
  readonly #made: Ui[] = [];

  constructor(group: PreferencesGroup) {
    this.#group = group;
  }

  fill(facts: readonly Fact[]): void {
    while (this.#made.length < facts.length) {
      const ui = loadUi('fact-row');
      this.#group.add(ui.get('row', Gtk.ListBoxRow));
      this.#made.push(ui);
    }
    for (const [index, ui] of this.#made.entries()) {
      const fact = facts[index];
      ui.get('row', Gtk.ListBoxRow).setVisible(fact !== undefined);
      if (fact === undefined) continue;
      const value = ui.get('value', Gtk.Label);
      ui.get('title', Gtk.Label).setLabel(fact.title);
      value.setLabel(/^[0-9a-f]{64}$/u.test(fact.value) ? hashText(fact.value) : fact.value);
      if (fact.exact) value.addCssClass('monospace');
      else value.removeCssClass('monospace');
    }
  }
}
