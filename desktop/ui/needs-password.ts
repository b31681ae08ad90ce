/** Says before the click that an administrator's password will be asked for. */
import { Gtk } from '../gtk.ts';
import type { ActionRow, Button, Label, Widget } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { loadUi } from './load-ui.ts';

/** A small lock with a tooltip and an accessible name, to stand in a row or beside a control. */
export function lockIcon(): Widget {
  return loadUi('needs-password').get('lock', Gtk.Image);
}

/** Puts the lock at the end of a row. */
export function lockRow(row: ActionRow): void {
  row.addSuffix(lockIcon());
}

/** What was put into a button before: its text changes with the state. */
const made = new WeakMap<Button, { readonly text: Label; readonly content: Widget }>();

/** Gives a button its label (plain, `_` before the letter for the keyboard) with the lock beside it, and the tooltip. */
export function lockButton(button: Button, label: string): void {
  const { text, content } = made.get(button) ?? make(button);
  text.setLabel(label);
  button.setChild(content);
  button.setTooltipText(_('Needs an administrator’s password'));
}

function make(button: Button): { readonly text: Label; readonly content: Widget } {
  const ui = loadUi('needs-password');
  const parts = { text: ui.get('label', Gtk.Label), content: ui.get('content', Gtk.Box) };
  // The button takes its accessible name from the label that names it.
  parts.text.setMnemonicWidget(button);
  made.set(button, parts);
  return parts;
}
