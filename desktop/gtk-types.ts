/**
 * The part of GTK 4.8, libadwaita 1.2, Gio and libnotify that the desktop uses, as node-gtk shows it: methods and
 * properties in camel case, enumerations as numbers, GError as Error.
 */

/** Signals and the arguments of their handlers. A handler never throws and is never async: either ends the process. */
export interface Signals {
  activate: (argument: unknown) => void;
  shutdown: () => void;
  clicked: () => void;
  show: () => void;
  changed: () => void;
  closed: () => void;
  apply: () => void;
  'entry-activated': () => void;
  'search-changed': () => void;
  'row-selected': (row: ListBoxRow | null) => void;
  'row-activated': (row: ListBoxRow) => void;
  'button-clicked': () => void;
  dismissed: () => void;
  response: (response: unknown) => void;
  /** True keeps the window. */
  'close-request': () => boolean;
  'state-set': (state: boolean) => boolean;
  'key-pressed': (keyval: number, keycode: number, state: number) => boolean;
  setup: (item: ListItem) => void;
  bind: (item: ListItem) => void;
  unbind: (item: ListItem) => void;
  'notify::is-active': () => void;
  'notify::active': () => void;
  'notify::selected': () => void;
  'notify::text': () => void;
  'notify::expanded': () => void;
  'notify::folded': () => void;
  'notify::dark': () => void;
}

export interface GObject {
  on<S extends keyof Signals>(signal: S, handler: Signals[S]): this;
}

/** A class of the toolkit: made with properties, tested with instanceof. */
export interface Class<T> {
  new (properties?: Readonly<Record<string, unknown>>): T;
  prototype: unknown;
}

export interface Widget extends GObject {
  visible: boolean;
  sensitive: boolean;
  getVisible(): boolean;
  setVisible(visible: boolean): void;
  setSensitive(sensitive: boolean): void;
  setTooltipText(text: string | null): void;
  addCssClass(name: string): void;
  removeCssClass(name: string): void;
  grabFocus(): boolean;
  addController(controller: GObject): void;
  getFirstChild(): Widget | null;
  getWidth(): number;
  insertActionGroup(name: string, group: SimpleActionGroup): void;
}
export interface Label extends Widget {
  setLabel(text: string): void;
  setMarkup(markup: string): void;
  getLabel(): string;
}
export interface Image extends Widget {
  setFromIconName(name: string): void;
  setFromFile(path: string): void;
  setPixelSize(pixels: number): void;
}
export interface Button extends Widget {
  setLabel(text: string): void;
}
export interface MenuButton extends Widget {
  setLabel(text: string): void;
  setPopover(popover: Popover | null): void;
  popdown(): void;
}
export interface Popover extends Widget {
  popdown(): void;
}
export interface Switch extends Widget {
  setActive(active: boolean): void;
  getActive(): boolean;
  setState(state: boolean): void;
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
  addNamed(child: Widget, name: string): void;
}
export interface HeaderBar extends Widget {
  setShowStartTitleButtons(show: boolean): void;
  setShowEndTitleButtons(show: boolean): void;
}
export interface Box extends Widget {
  setOrientation(orientation: number): void;
  append(child: Widget): void;
  remove(child: Widget): void;
}
export interface ScrolledWindow extends Widget {
  /** In pixels; -1 for none. */
  setMinContentHeight(height: number): void;
}
export interface Revealer extends Widget {
  setRevealChild(reveal: boolean): void;
}
export interface Expander extends Widget {
  setExpanded(expanded: boolean): void;
  getExpanded(): boolean;
}
export interface ListBoxRow extends Widget {
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
  setModel(model: StringList): void;
  getSelected(): number;
  setSelected(position: number): void;
}
export interface SpinButton extends Widget {
  getValueAsInt(): number;
  setValue(value: number): void;
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
export interface ListItem extends GObject {
  getItem(): StringObject | null;
  getChild(): Widget | null;
  setChild(child: Widget | null): void;
  setActivatable(activatable: boolean): void;
  setSelectable(selectable: boolean): void;
}
export type SignalListItemFactory = GObject;
export type SelectionModel = GObject;
export interface ListView extends Widget {
  setModel(model: SelectionModel): void;
  setFactory(factory: SignalListItemFactory): void;
}
export interface Window extends Widget {
  present(): void;
  close(): void;
  destroy(): void;
  isActive(): boolean;
  setTitle(title: string): void;
  setTransientFor(parent: Window | null): void;
  setApplication(application: Application | null): void;
  setDefaultWidget(widget: Widget | null): void;
  setDefaultSize(width: number, height: number): void;
  getFocus(): Widget | null;
  /** Of application windows: makes the action win.show-help-overlay. */
  setHelpOverlay(window: Window): void;
}
export interface Builder extends GObject {
  getObject(id: string): GObject | null;
}
export interface CssProvider extends GObject {
  loadFromPath(path: string): void;
}
export type Display = GObject;
export interface IconTheme extends GObject {
  addSearchPath(path: string): void;
  hasIcon(name: string): boolean;
}
export interface FileChooserNative extends GObject {
  show(): void;
  destroy(): void;
  getFile(): { getPath(): string | null } | null;
}
export interface SimpleAction extends GObject {
  setEnabled(enabled: boolean): void;
}
export interface SimpleActionGroup extends GObject {
  addAction(action: SimpleAction): void;
}
export interface Application extends GObject {
  register(cancellable: null): boolean;
  getIsRemote(): boolean;
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
  add(child: Widget): void;
  remove(child: Widget): void;
}
export interface ActionRow extends Widget {
  setTitle(title: string): void;
  setSubtitle(subtitle: string): void;
  addPrefix(child: Widget): void;
  addSuffix(child: Widget): void;
  setActivatableWidget(widget: Widget | null): void;
}
export interface ComboRow extends ActionRow {
  setModel(model: StringList): void;
  getSelected(): number;
  setSelected(position: number): void;
}
export interface EntryRow extends Editable {
  addSuffix(child: Widget): void;
}
export interface Leaflet extends Widget {
  folded: boolean;
  getFolded(): boolean;
  setVisibleChildName(name: string): void;
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
}
export interface StyleManager extends GObject {
  getDark(): boolean;
  setColorScheme(scheme: number): void;
}
export interface AboutWindow extends Window {
  setVersion(version: string): void;
}

export interface Notification extends GObject {
  setUrgency(urgency: number): void;
  setCategory(category: string): void;
  setTimeout(milliseconds: number): void;
  setAppName(name: string): void;
  clearActions(): void;
  addAction(id: string, label: string, callback: (notification: unknown, action: unknown) => void): void;
  update(summary: string, body: string | null, icon: string | null): boolean;
  show(): boolean;
  close(): boolean;
}

export interface GtkNamespace {
  readonly Settings: { getDefault(): { gtkXftDpi: number } | null };
  readonly Align: { readonly START: number; readonly CENTER: number; readonly END: number; readonly FILL: number };
  readonly Orientation: { readonly HORIZONTAL: number; readonly VERTICAL: number };
  readonly ResponseType: { readonly ACCEPT: number };
  readonly FileChooserAction: { readonly OPEN: number };
  readonly STYLE_PROVIDER_PRIORITY_APPLICATION: number;
  readonly Widget: Class<Widget>;
  readonly Label: Class<Label>;
  readonly Image: Class<Image>;
  readonly Button: Class<Button>;
  readonly MenuButton: Class<MenuButton>;
  readonly Popover: Class<Popover>;
  readonly Switch: Class<Switch>;
  readonly ProgressBar: Class<ProgressBar>;
  readonly Spinner: Class<Spinner>;
  readonly Stack: Class<Stack>;
  readonly Box: Class<Box>;
  readonly ScrolledWindow: Class<ScrolledWindow>;
  readonly Revealer: Class<Revealer>;
  readonly Expander: Class<Expander>;
  readonly ListBox: Class<ListBox>;
  readonly ListBoxRow: Class<ListBoxRow>;
  readonly SearchEntry: Class<SearchEntry>;
  readonly SearchBar: Class<SearchBar>;
  readonly DropDown: Class<DropDown>;
  readonly SpinButton: Class<SpinButton>;
  readonly StringList: { new (properties?: Readonly<Record<string, unknown>>): StringList; prototype: unknown; new: (strings: readonly string[]) => StringList };
  readonly ListView: Class<ListView>;
  readonly SignalListItemFactory: Class<SignalListItemFactory>;
  readonly NoSelection: { new: (model: StringList) => SelectionModel };
  readonly Window: Class<Window>;
  readonly ShortcutsWindow: Class<Window>;
  readonly Builder: { newFromString(text: string, length: number): Builder };
  readonly CssProvider: Class<CssProvider>;
  readonly StyleContext: { addProviderForDisplay(display: Display, provider: CssProvider, priority: number): void };
  readonly IconTheme: { getForDisplay(display: Display): IconTheme };
  readonly EventControllerKey: Class<GObject>;
  readonly FileChooserNative: Class<FileChooserNative>;
}
export interface AdwNamespace {
  readonly ColorScheme: { readonly FORCE_DARK: number; readonly FORCE_LIGHT: number; readonly DEFAULT: number };
  readonly ResponseAppearance: { readonly SUGGESTED: number; readonly DESTRUCTIVE: number };
  readonly Application: Class<Application>;
  readonly ApplicationWindow: Class<Window>;
  readonly Window: Class<Window>;
  readonly AboutWindow: Class<AboutWindow>;
  readonly MessageDialog: Class<MessageDialog>;
  readonly Toast: Class<Toast>;
  readonly ToastOverlay: Class<ToastOverlay>;
  readonly StatusPage: Class<StatusPage>;
  readonly PreferencesGroup: Class<PreferencesGroup>;
  readonly ActionRow: Class<ActionRow>;
  readonly ComboRow: Class<ComboRow>;
  readonly EntryRow: Class<EntryRow>;
  readonly ExpanderRow: Class<ActionRow>;
  readonly HeaderBar: Class<HeaderBar>;
  readonly Leaflet: Class<Leaflet>;
  readonly WindowTitle: Class<WindowTitle>;
  readonly StyleManager: { getDefault(): StyleManager };
}
export interface GioNamespace {
  readonly SimpleAction: Class<SimpleAction>;
  readonly SimpleActionGroup: Class<SimpleActionGroup>;
}
export interface GdkNamespace {
  readonly Display: { getDefault(): Display | null };
  readonly KEY_Escape: number;
}
export interface NotifyNamespace {
  readonly Urgency: { readonly LOW: number; readonly NORMAL: number; readonly CRITICAL: number };
  readonly EXPIRES_NEVER: number;
  readonly Notification: { new: (summary: string, body: string | null, icon: string | null) => Notification };
  init(name: string): boolean;
  uninit(): void;
}
export interface GLibNamespace {
  setPrgname(name: string): void;
  setApplicationName(name: string): void;
  getApplicationName(): string | null;
}
