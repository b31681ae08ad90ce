/** The window that lists the keys. */
import { Gtk } from '../gtk.ts';
import type { Widget, Window } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { mnemonicAccelerator } from '../model/accelerators.ts';
import { setAccessibleName } from './accessible-name.ts';
import { loadUi } from './load-ui.ts';

/** Hidden until it is asked for. */
export function shortcutsWindow(): Window {
  const ui = loadUi('shortcuts');
  const window = ui.get('shortcuts', Gtk.ShortcutsWindow);
  for (const [id, label] of [['deny', _('_Deny')], ['allow', _('_Allow')]] as const) {
    ui.get(id, Gtk.ShortcutsShortcut).accelerator = mnemonicAccelerator(label);
  }
  nameSearch(window);
  return window;
}

/** The toolkit gives its own button and field for the search an icon and no name. */
function nameSearch(widget: Widget): void {
  const isSearch = [Gtk.ToggleButton, Gtk.SearchEntry].some((type) => widget instanceof (type as unknown as new () => object));
  if (isSearch) setAccessibleName(widget, _('Search'));
  for (let child = widget.getFirstChild(); child !== null; child = child.getNextSibling()) nameSearch(child);
}
