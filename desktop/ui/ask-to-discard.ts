/** The question before a form is closed that was changed. */
import { Adw, Gtk } from '../gtk.ts';
import type { Window } from '../gtk.ts';
import { _ } from '../i18n.ts';

/** Nothing that was typed goes without a word. */
export function askToDiscard(window: Window, discard: () => void): void {
  const dialog = new Adw.MessageDialog({
    heading: _('Discard Changes?'), body: _('They have not been saved.'), transientFor: window, modal: true,
    accessibleRole: Gtk.AccessibleRole.WINDOW,
  });
  dialog.addResponse('keep', _('_Keep Editing'));
  dialog.addResponse('discard', _('_Discard'));
  dialog.setResponseAppearance('discard', Adw.ResponseAppearance.DESTRUCTIVE);
  dialog.setDefaultResponse('keep');
  dialog.setCloseResponse('keep');
  dialog.on('response', (response) => { if (response === 'discard') discard(); });
  dialog.present();
}
