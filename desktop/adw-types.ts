/** The part of libadwaita 1.2 that the windows use. */
import type { GObject, Widget } from './gtk-base-types.ts';
import type { SignalListItemFactory, Editable, ListBoxRow, StringList, Window } from './gtk-types.ts';

export interface HeaderBar extends Widget {
  /** As the setting gtk-decoration-layout; null follows that. */
  setDecorationLayout(layout: string | null): void;
  packStart(child: Widget): void;
  packEnd(child: Widget): void;
  remove(child: Widget): void;
  setShowStartTitleButtons(show: boolean): void;
  setShowEndTitleButtons(show: boolean): void;
}
export interface Toast extends GObject {
  setButtonLabel(label: string): void;
  setTimeout(seconds: number): void;
  dismiss(): void;
}
export interface ToastOverlay extends Widget {
  addToast(toast: Toast): void;
}
export interface StatusPage extends Widget {
  setTitle(title: string): void;
  setDescription(text: string | null): void;
  setIconName(name: string): void;
}
export interface PreferencesGroup extends Widget {
  setHeaderSuffix(suffix: Widget | null): void;
  setTitle(title: string): void;
  setDescription(text: string | null): void;
  add(child: Widget): void;
  remove(child: Widget): void;
}
export interface ActionRow extends ListBoxRow {
  setTitle(title: string): void;
  setSubtitle(subtitle: string): void;
  addPrefix(child: Widget): void;
  addSuffix(child: Widget): void;
}
export interface ExpanderRow extends ActionRow {
  getExpanded(): boolean;
  addRow(child: Widget): void;
}
export interface ComboRow extends ActionRow {
  /** Makes the rows of what it opens. */
  setListFactory(factory: SignalListItemFactory): void;
  setModel(model: StringList): void;
  getSelected(): number;
  setSelected(position: number): void;
}
export interface EntryRow extends Editable {
  setTitle(title: string): void;
  addSuffix(child: Widget): void;
}
export interface Leaflet extends Widget {
  folded: boolean;
  getFolded(): boolean;
  setVisibleChildName(name: string): void;
  setVisibleChild(child: Widget): void;
  append(child: Widget): unknown;
}
export interface WindowTitle extends Widget {
  setTitle(title: string): void;
  setSubtitle(subtitle: string): void;
}
export interface MessageDialog extends Window {
  addResponse(id: string, label: string): void;
  setResponseAppearance(id: string, appearance: number): void;
  setDefaultResponse(id: string): void;
  setCloseResponse(id: string): void;
  setResponseEnabled(id: string, enabled: boolean): void;
}
export interface StyleManager extends GObject {
  getHighContrast(): boolean;
  setColorScheme(scheme: number): void;
}
export interface AboutWindow extends Window {
  setVersion(version: string): void;
}
