/** Asks for a time of one's own. */
import { Adw, Gtk } from '../gtk.ts';
import type { Window } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { parseTime, timeField } from '../model/activity-filter.ts';
import { nameField } from './accessible-name.ts';
import { loadUi } from './load-ui.ts';

export interface TimeSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

/** `done` is called with null when the person thought better of it. `nowMs`: wall time. */
export function askForRange(parent: Window, span: TimeSpan, nowMs: number, done: (span: TimeSpan | null) => void): void {
  const ui = loadUi('own-range');
  const dialog = ui.get('dialog', Adw.MessageDialog);
  const [from, to, problem] = [ui.get('from', Adw.EntryRow), ui.get('to', Adw.EntryRow), ui.get('problem', Gtk.Label)];
  const read = (): TimeSpan | null => {
    const [fromMs, toMs] = [parseTime(from.getText(), nowMs), parseTime(to.getText(), nowMs)];
    return fromMs === null || toMs === null || fromMs >= toMs ? null : { fromMs, toMs };
  };
  const check = (): void => {
    const isRight = read() !== null;
    const isBackwards = parseTime(from.getText(), nowMs) !== null && parseTime(to.getText(), nowMs) !== null && !isRight;
    dialog.setResponseEnabled('show', isRight);
    problem.setVisible(!isRight);
    problem.setLabel(isBackwards ? _('The end must be after the beginning.') : _('Enter both times, like 2026-03-12 14:05.'));
  };
  dialog.addResponse('cancel', _('_Cancel'));
  dialog.addResponse('show', _('_Show'));
  dialog.setResponseAppearance('show', Adw.ResponseAppearance.SUGGESTED);
  dialog.setDefaultResponse('show');
  dialog.setCloseResponse('cancel');
  dialog.setTransientFor(parent);
  for (const [entry, title] of [[from, _('From')], [to, _('To')]] as const) {
    nameField(entry, title);
    entry.on('changed', check);
  }
  from.setText(timeField(span.fromMs));
  to.setText(timeField(span.toMs));
  check();
  dialog.on('response', (response) => { done(response === 'show' ? read() : null); });
  dialog.present();
}
