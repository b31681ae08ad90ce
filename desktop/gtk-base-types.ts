/** What everything of the toolkit has in common, as node-gtk shows it: objects, signals, widgets, actions, drawing. */
import type { ListBoxRow, ListItem } from './gtk-types.ts';

/** Signals and the arguments of their handlers. A handler never throws and is never async: either ends the process. */
export interface Signals {
  activate: (argument: unknown) => void;
  activated: () => void;
  clicked: () => void;
  toggled: () => void;
  show: () => void;
  changed: () => void;
  closed: () => void;
  apply: () => void;
  'entry-activated': () => void;
  'search-changed': () => void;
  'stop-search': () => void;
  'value-changed': () => void;
  enter: () => void;
  leave: () => void;
  'row-activated': (row: ListBoxRow) => void;
  'row-selected': (row: ListBoxRow | null) => void;
  'button-clicked': () => void;
  dismissed: () => void;
  response: (response: unknown) => void;
  /** True keeps the window. */
  'close-request': () => boolean;
  'state-set': (state: boolean) => boolean;
  realize: () => void;
  'key-pressed': (keyval: number, keycode: number, state: number) => boolean;
  setup: (item: ListItem) => void;
  bind: (item: ListItem) => void;
  unbind: (item: ListItem) => void;
  'notify::is-active': () => void;
  'notify::active': () => void;
  'notify::selected': () => void;
  'notify::selected-item': () => void;
  'notify::transition-running': () => void;
  'notify::expanded': () => void;
  'notify::folded': () => void;
  pressed: (presses: number, x: number, y: number) => void;
  'day-selected': () => void;
  map: () => void;
  unmap: () => void;
  'items-changed': () => void;
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
  getVisible(): boolean;
  setVisible(visible: boolean): void;
  setSensitive(sensitive: boolean): void;
  setTooltipText(text: string | null): void;
  /** In pixels, on the side where a line of text begins. */
  setMarginStart(pixels: number): void;
  addCssClass(name: string): void;
  removeCssClass(name: string): void;
  hasCssClass(name: string): boolean;
  grabFocus(): boolean;
  getFocusable(): boolean;
  setFocusable(focusable: boolean): void;
  addController(controller: GObject): void;
  getFirstChild(): Widget | null;
  getNextSibling(): Widget | null;
  getLastChild(): Widget | null;
  /** Before each frame until it returns false. */
  addTickCallback(callback: () => boolean): number;
  insertActionGroup(name: string, group: SimpleActionGroup): void;
  getParent(): Widget | null;
  /** Of an action that the widget's class or an ancestor has. */
  activateAction(name: string, parameter: Variant | null): boolean;
  /** Would it be drawn? */
  getMapped(): boolean;
  /** Of a window: has it a surface? */
  getRealized(): boolean;
  queueDraw(): void;
  /** One of Gtk.TextDirection. */
  getDirection(): number;
  getStyleContext(): StyleContext;
  createPangoLayout(text: string): PangoLayout;
}
/** A boxed value of GLib. */
export interface Variant {
  getString(): readonly [string, number] | string;
}
/** 0 to 1. */
export interface Rgba {
  readonly red: number;
  readonly green: number;
  readonly blue: number;
  readonly alpha: number;
}
export interface StyleContext extends GObject {
  getColor(): Rgba;
  lookupColor(name: string): [found: boolean, colour: Rgba];
}
export interface PangoLayout extends GObject {
  getPixelSize(): [width: number, height: number];
}
/** The part of cairo_t that is used; its path ends with each fill and stroke. */
export interface CairoContext {
  setSourceRgba(red: number, green: number, blue: number, alpha: number): void;
  setLineWidth(width: number): void;
  newPath(): void;
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  closePath(): void;
  fill(): void;
  stroke(): void;
}
export interface Adjustment extends GObject {
  setValue(value: number): void;
  getValue(): number;
}
export interface EventController extends GObject {
  setPropagationPhase(phase: number): void;
  /** Modifier keys of the event that is handled now. */
  getCurrentEventState(): number;
}
export interface SimpleAction extends GObject {
  setState(state: Variant): void;
  setEnabled(enabled: boolean): void;
}
export interface SimpleActionGroup extends GObject {
  addAction(action: SimpleAction): void;
}
export interface VariantType {
  dupString(): string;
}
