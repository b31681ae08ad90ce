/** The namespaces of the toolkit: classes, functions and numbers that the windows use. */
import type {
  AboutWindow, ActionRow, ComboRow, EntryRow, ExpanderRow, HeaderBar, Leaflet, MessageDialog, PreferencesGroup,
  StatusPage, StyleManager, Toast, ToastOverlay, WindowTitle,
} from './adw-types.ts';
import type {
  CairoContext, Class, EventController, GObject, PangoLayout, SimpleAction, SimpleActionGroup, Variant, VariantType,
  Widget,
} from './gtk-base-types.ts';
import type {
  Application, Box, Builder, Button, Calendar, CheckButton, CssProvider, Display, DrawingArea, DropDown, Entry,
  Expander, FileChooserNative, FlowBox, IconTheme, Image, Label, ListBox, ListBoxRow, ListView, MenuButton,
  NoSelection, Popover, ProgressBar, Revealer, ScrolledWindow, SearchBar, SearchEntry, SignalListItemFactory,
  SliceListModel, Spinner, Stack, StringList, Switch, ToggleButton, Window,
} from './gtk-types.ts';

/** `typeFromName` is the number of a type. */
export interface GObjectNamespace {
  typeFromName(name: string): bigint;
}
export interface GtkNamespace {
  readonly Settings: { getDefault(): { gtkXftDpi: number; gtkDecorationLayout: string } | null };
  readonly AccessibleRole: { readonly PRESENTATION: number; readonly WINDOW: number; readonly TEXT_BOX: number };
  readonly Align: { readonly START: number; readonly CENTER: number; readonly END: number; readonly FILL: number };
  readonly Orientation: { readonly HORIZONTAL: number; readonly VERTICAL: number };
  readonly ResponseType: { readonly ACCEPT: number };
  readonly FileChooserAction: { readonly OPEN: number; readonly SAVE: number };
  readonly PropagationPhase: { readonly CAPTURE: number; readonly BUBBLE: number };
  readonly STYLE_PROVIDER_PRIORITY_APPLICATION: number;
  readonly TextDirection: { readonly LTR: number; readonly RTL: number };
  readonly Widget: Class<Widget> & { setDefaultDirection(direction: number): void };
  readonly Label: Class<Label>;
  readonly Image: Class<Image>;
  readonly Button: Class<Button>;
  readonly MenuButton: Class<MenuButton>;
  readonly Popover: Class<Popover>;
  readonly CheckButton: Class<CheckButton>;
  readonly Switch: Class<Switch>;
  readonly DrawingArea: Class<DrawingArea>;
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
  readonly StringList: { new (properties?: Readonly<Record<string, unknown>>): StringList; prototype: unknown; new: (strings: readonly string[]) => StringList };
  readonly ListView: Class<ListView>;
  /** Since GTK 4.12. */
  readonly ListTabBehavior?: { readonly ITEM: number };
  readonly SignalListItemFactory: Class<SignalListItemFactory>;
  readonly NoSelection: { new: (model: StringList | SliceListModel) => NoSelection };
  readonly SliceListModel: { new: (model: StringList, offset: number, size: number) => SliceListModel };
  readonly EventControllerMotion: Class<GObject>;
  readonly EventControllerFocus: Class<GObject>;
  readonly ToggleButton: Class<ToggleButton>;
  readonly MINOR_VERSION: number;
  readonly Window: Class<Window> & { listToplevels(): readonly Widget[]; getToplevels(): GObject };
  readonly ShortcutsWindow: Class<Window>;
  readonly ShortcutsShortcut: Class<{ accelerator: string }>;
  readonly Builder: { new (): Builder; newFromString(text: string, length: number): Builder };
  readonly CssProvider: Class<CssProvider>;
  readonly StyleContext: { addProviderForDisplay(display: Display, provider: CssProvider, priority: number): void };
  readonly IconTheme: { getForDisplay(display: Display): IconTheme };
  readonly EventControllerKey: Class<EventController>;
  readonly GestureClick: Class<EventController>;
  readonly Calendar: Class<Calendar>;
  readonly FlowBox: Class<FlowBox>;
  readonly Entry: Class<Entry>;
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
  readonly PreferencesRow: Class<ListBoxRow>;
  readonly ActionRow: Class<ActionRow>;
  readonly ComboRow: Class<ComboRow>;
  readonly EntryRow: Class<EntryRow>;
  readonly ExpanderRow: Class<ExpanderRow>;
  readonly HeaderBar: Class<HeaderBar>;
  readonly Leaflet: Class<Leaflet>;
  readonly WindowTitle: Class<WindowTitle>;
  readonly StyleManager: { getDefault(): StyleManager };
}
export interface GioNamespace {
  readonly SimpleAction: Class<SimpleAction> & {
    newStateful: (name: string, parameterType: VariantType | null, state: Variant) => SimpleAction;
  };
  readonly SimpleActionGroup: Class<SimpleActionGroup>;
}
export interface GdkNamespace {
  readonly Display: { getDefault(): Display | null };
  readonly KEY_Escape: number;
  readonly KEY_space: number;
  readonly KEY_Delete: number;
  readonly KEY_Up: number;
  readonly KEY_Down: number;
  readonly KEY_a: number;
  readonly ModifierType: { readonly SHIFT_MASK: number; readonly CONTROL_MASK: number };
  readonly ContentProvider: { newForBytes(type: string, bytes: unknown): GObject };
}
export interface X11Surface extends GObject {
  /** In the X server's time, ms. */
  setUserTime(timestamp: number): void;
}
export interface X11Namespace {
  readonly X11Surface: Class<X11Surface>;
  x11GetServerTime(surface: X11Surface): number;
}
export interface PangoCairoNamespace {
  /** At the context's current point. */
  showLayout(context: CairoContext, layout: PangoLayout): void;
}
export interface GLibNamespace {
  readonly Variant: { readonly newString: (text: string) => Variant; readonly newUint32: (value: number) => Variant };
  readonly VariantType: { new: (text: string) => VariantType };
  setPrgname(name: string): void;
  setApplicationName(name: string): void;
  readonly Bytes: { new: (bytes: readonly number[]) => unknown };
}
