/**
 * The part of GTK 4.8 that the windows use, as node-gtk shows it: methods and properties in camel case, enumerations as
 * numbers, GError as Error.
 */
import type { Adjustment, CairoContext, GObject, SimpleAction, Widget } from './gtk-base-types.ts';

export interface Label extends Widget {
  getLabel(): string;
  setLabel(text: string): void;
  /** 0 for the start of the text's direction, 1 for its end. */
  setXalign(xalign: number): void;
  setMnemonicWidget(widget: Widget | null): void;
}
export interface Image extends Widget {
  setFromIconName(name: string): void;
  setFromFile(path: string): void;
  setPixelSize(pixels: number): void;
}
export interface Button extends Widget {
  setLabel(text: string): void;
  setIconName(name: string): void;
  setChild(child: Widget | null): void;
}
export interface ToggleButton extends Button {
  getActive(): boolean;
  setActive(active: boolean): void;
}
export interface MenuButton extends Widget {
  setLabel(text: string): void;
  setPopover(popover: Popover | null): void;
  popdown(): void;
}
export interface Popover extends Widget {
  popdown(): void;
}
export interface CheckButton extends Widget {
  getActive(): boolean;
  setActive(active: boolean): void;
}
/** A day in the local calendar. */
export interface Calendar extends Widget {
  getDate(): { format(pattern: string): string };
}
export interface Switch extends Widget {
  setActive(active: boolean): void;
  getActive(): boolean;
  setState(state: boolean): void;
}
export interface DrawingArea extends Widget {
  setDrawFunc(draw: (area: unknown, context: CairoContext, width: number, height: number) => void): void;
  setContentHeight(height: number): void;
}
export interface ProgressBar extends Widget {
  /** 0 to 1. */
  setFraction(fraction: number): void;
}
export interface Spinner extends Widget {
  setSpinning(spinning: boolean): void;
}
export interface Stack extends Widget {
  setVisibleChildName(name: string): void;
  getVisibleChildName(): string | null;
  getVisibleChild(): Widget | null;
  getChildByName(name: string): Widget | null;
  getTransitionRunning(): boolean;
  addNamed(child: Widget, name: string): void;
}
export interface Box extends Widget {
  setOrientation(orientation: number): void;
  append(child: Widget): void;
  remove(child: Widget): void;
}
export interface ScrolledWindow extends Widget {
  /** In pixels; -1 for none. */
  setMinContentHeight(height: number): void;
  getVadjustment(): Adjustment;
}
export interface Revealer extends Widget {
  setRevealChild(reveal: boolean): void;
}
export interface Expander extends Widget {
  setExpanded(expanded: boolean): void;
  getExpanded(): boolean;
}
export interface FlowBox extends Widget {
  setMaxChildrenPerLine(count: number): void;
}
export interface ListBoxRow extends Widget {
  setActivatable(activatable: boolean): void;
  getIndex(): number;
}
export interface ListBox extends Widget {
  append(child: Widget): void;
  remove(child: Widget): void;
  getRowAtIndex(index: number): ListBoxRow | null;
  selectRow(row: ListBoxRow | null): void;
}
export interface Editable extends Widget {
  getText(): string;
  setText(text: string): void;
  /** The field inside it. */
  getDelegate(): (Widget & { accessibleRole: number }) | null;
}
export type Entry = Editable;
export interface SearchEntry extends Editable {
  setKeyCaptureWidget(widget: Widget | null): void;
}
export interface SearchBar extends Widget {
  setSearchMode(on: boolean): void;
  getSearchMode(): boolean;
  connectEntry(entry: Widget): void;
  setKeyCaptureWidget(widget: Widget | null): void;
}
export interface DropDown extends Widget {
  /** Makes the rows of what it opens. */
  setListFactory(factory: SignalListItemFactory): void;
  getSelectedItem(): StringObject | null;
  setModel(model: StringList): void;
  getSelected(): number;
  setSelected(position: number): void;
}
export interface StringObject extends GObject {
  getString(): string;
}
export interface StringList extends GObject {
  /** `additions` null adds nothing. */
  splice(position: number, removals: number, additions: readonly string[] | null): void;
  getNItems(): number;
  getString(position: number): string | null;
}
export interface SliceListModel extends GObject {
  setSize(size: number): void;
  getNItems(): number;
}
export interface Clipboard extends GObject {
  setContent(provider: GObject): boolean;
}
export interface ListItem extends GObject {
  getSelected(): boolean;
  getPosition(): number;
  /** Since GTK 4.12. */
  setAccessibleLabel?(label: string): void;
  getItem(): StringObject | null;
  getChild(): Widget | null;
  setChild(child: Widget | null): void;
  setActivatable(activatable: boolean): void;
}
export type SignalListItemFactory = GObject;
export type SelectionModel = GObject;
export interface NoSelection extends GObject {
  setModel(model: StringList): void;
}
export interface ListView extends Widget {
  /** Since GTK 4.12. */
  setTabBehavior?(behavior: number): void;
  setModel(model: SelectionModel): void;
  setFactory(factory: SignalListItemFactory): void;
}
export interface Window extends Widget {
  /** null before it is realized. */
  getSurface(): GObject | null;
  /** `forSize`: its size in the other direction, -1 for any. */
  measure(orientation: number, forSize: number): unknown;
  present(): void;
  /** A token of xdg-activation, or of startup notification: the next `present` may take the front with it. */
  setStartupId(token: string): void;
  close(): void;
  destroy(): void;
  isActive(): boolean;
  setTitle(title: string): void;
  setTransientFor(parent: Window | null): void;
  setModal(modal: boolean): void;
  setApplication(application: Application | null): void;
  setDefaultWidget(widget: Widget | null): void;
  setDefaultSize(width: number, height: number): void;
  getFocus(): Widget | null;
  /** Of application windows: makes the action win.show-help-overlay. */
  setHelpOverlay(window: Window): void;
  addAction(action: SimpleAction): void;
}
export interface Builder extends GObject {
  /** Sets on `object`, of the type or below it, what its `template` says. */
  extendWithTemplate(object: GObject, type: bigint, text: string, length: number): boolean;
  getObject(id: string): GObject | null;
}
export interface CssProvider extends GObject {
  loadFromPath(path: string): void;
}
export interface Display extends GObject {
  getClipboard(): Clipboard;
}
export interface IconTheme extends GObject {
  addSearchPath(path: string): void;
}
export interface FileChooserNative extends GObject {
  setCurrentName(name: string): void;
  show(): void;
  destroy(): void;
  getFile(): { getPath(): string | null } | null;
}
export interface Application extends GObject {
  register(cancellable: null): boolean;
  /** null without a session bus. */
  getDbusConnection(): { setExitOnClose(exit: boolean): void } | null;
  activate(): void;
  hold(): void;
  quit(): void;
  run(argv: readonly string[]): number;
  addAction(action: SimpleAction): void;
  setAccelsForAction(action: string, accelerators: readonly string[]): void;
  getActiveWindow(): Window | null;
}
