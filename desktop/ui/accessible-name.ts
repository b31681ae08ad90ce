/**
 * Names for screen readers that are known only while the program runs, and names of what the toolkit makes inside its own
 * widgets, where it leaves them out. node-gtk cannot pass the values of `gtk_accessible_update_property`, so the builder does
 * it: it takes a widget that is there already as if it were its template.
 */
import { GObject, Gtk } from '../gtk.ts';
import type { DropDown, EntryRow, ListItem, Widget } from '../gtk.ts';
import { escapeMarkup } from '../model/plain-text.ts';

const ANY_WIDGET = 'GtkWidget';

function setProperty(widget: Widget, property: 'label' | 'description', text: string): void {
  const xml = `<interface><template class="${ANY_WIDGET}"><accessibility><property name="${property}">${escapeMarkup(text)}</property></accessibility></template></interface>`;
  // The length is in bytes, and -1 lets GLib count them.
  new Gtk.Builder().extendWithTemplate(widget, GObject.typeFromName(ANY_WIDGET), xml, -1);
}

/** Also instead of the name that it has. */
export function setAccessibleName(widget: Widget, name: string): void {
  setProperty(widget, 'label', name);
}

/** What is said after the name; of rows, whose title names them. */
export function setAccessibleDescription(widget: Widget, text: string): void {
  setProperty(widget, 'description', text);
}

/** Names the row of a list view, which has the focus where nothing inside it can have it; it is bound already. */
export function nameListItem(item: ListItem, name: string): void {
  if (item.setAccessibleLabel !== undefined) {
    item.setAccessibleLabel(name);
    return;
  }
  const row = item.getChild()?.getParent() ?? null;
  if (row !== null) setAccessibleName(row, name);
}

/** What has the focus of a drop-down is a button inside it: it is called `title` and what is chosen. */
export function nameDropDown(dropDown: DropDown, title: string): void {
  const button = dropDown.getFirstChild();
  if (button === null) return;
  const update = (): void => {
    const chosen = dropDown.getSelectedItem()?.getString() ?? '';
    setAccessibleName(button, chosen === '' ? title : `${title}, ${chosen}`);
  };
  dropDown.on('notify::selected-item', update);
  update();
}

/** Since then a row of the toolkit with a field says itself that it has the focus. */
const MINOR_WITH_FOCUS = 10;

/**
 * Of a row with a field only the field has the focus, and the toolkit keeps it from screen readers: nothing was said when the
 * keyboard came to it. First called before the row is shown.
 */
export function nameField(row: EntryRow, title: string): void {
  const field = Gtk.MINOR_VERSION < MINOR_WITH_FOCUS ? row.getDelegate() : null;
  if (field === null) return;
  if (field.accessibleRole !== Gtk.AccessibleRole.TEXT_BOX) field.accessibleRole = Gtk.AccessibleRole.TEXT_BOX;
  setAccessibleName(field, title);
}
