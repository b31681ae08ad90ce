/** What a combo row or a drop-down opens: the toolkit's own rows have no names for screen readers up to GTK 4.8. */
import { Gtk } from '../gtk.ts';
import type { Image, Label, ListItem, SignalListItemFactory, Widget } from '../gtk.ts';
import { nameListItem } from './accessible-name.ts';

interface Choice {
  readonly label: Label;
  readonly mark: Image;
}

/** Rows with the text, and a mark beside what is chosen. */
export function nameChoices(combo: { setListFactory(factory: SignalListItemFactory): void }): void {
  const parts = new WeakMap<Widget, Choice>();
  const show = (item: ListItem): void => {
    const child = item.getChild();
    const choice = child === null ? undefined : parts.get(child);
    if (choice === undefined) return;
    const text = item.getItem()?.getString() ?? '';
    choice.label.setLabel(text);
    choice.mark.setVisible(item.getSelected());
    if (text !== '') nameListItem(item, text);
  };
  const factory = new Gtk.SignalListItemFactory();
  factory.on('setup', (item) => {
    const box = new Gtk.Box({ spacing: 12 });
    const label = new Gtk.Label({ xalign: 0, hexpand: true, wrap: true });
    const mark = new Gtk.Image({ iconName: 'object-select-symbolic', accessibleRole: Gtk.AccessibleRole.PRESENTATION });
    box.append(label);
    box.append(mark);
    parts.set(box, { label, mark });
    item.setChild(box);
    item.on('notify::selected', () => { show(item); });
  });
  factory.on('bind', show);
  combo.setListFactory(factory);
}
