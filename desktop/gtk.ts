/**
 * The one door to the toolkit, for the windows' process alone. node-gtk's holes decide how it is used everywhere: handlers
 * never throw and are never async, accessible names are set in the XML or by accessible-name.ts, style sheets come from a file,
 * signals are connected in code.
 */
import gi from 'node-gtk';
import type {
  AdwNamespace, GdkNamespace, GioNamespace, GLibNamespace, GObjectNamespace, GtkNamespace, PangoCairoNamespace, X11Namespace,
} from './gtk-namespaces.ts';
import type { Widget } from './gtk-base-types.ts';
import type { Window } from './gtk-types.ts';

export type * from './adw-types.ts';
export type * from './gtk-base-types.ts';
export type * from './gtk-namespaces.ts';
export type * from './gtk-types.ts';

export const GLib = gi.require('GLib', '2.0') as GLibNamespace;
export const GObject = gi.require('GObject', '2.0') as GObjectNamespace;
export const Gio = gi.require('Gio', '2.0') as GioNamespace;
export const Gdk = gi.require('Gdk', '4.0') as GdkNamespace;
export const Gtk = gi.require('Gtk', '4.0') as GtkNamespace;
export const PangoCairo = gi.require('PangoCairo', '1.0') as PangoCairoNamespace;
export const Adw = gi.require('Adw', '1') as AdwNamespace;

/** What only X11 has; null where the toolkit was built without it. */
export function loadX11(): X11Namespace | null {
  try {
    return gi.require('GdkX11', '4.0') as X11Namespace;
  } catch {
    return null;
  }
}

/**
 * `present` without its two traps on Wayland. It waits until the compositor has answered: what a promise or a message of the
 * other process continues runs while the toolkit is about to read, where that wait never ends, so it comes later in the same
 * turn. And it asks for the focus with a token of its own making, for which GNOME Shell denies a new window the focus that it
 * would get by being new: so without a click's own token a window is only shown, and asks if it has not got the focus by then.
 * Source: GTK 4.8, gdk_wayland_toplevel_focus; node-gtk, loop.cc: microtasks run in the prepare phase of GLib's loop; mutter 43,
 * window_state_on_map.
 */
const NEW_WINDOW_MS = 400;
function tamePresent(): void {
  const prototype = Gtk.Window.prototype as { present: (this: Window) => void; setStartupId: (this: Window, id: string) => void };
  const { present, setStartupId } = prototype;
  const given = new WeakSet<Window>();
  prototype.setStartupId = function (this: Window, id: string) {
    given.add(this);
    setStartupId.call(this, id);
  };
  prototype.present = function (this: Window) {
    const token = given.delete(this);
    if (token) {
      setImmediate(() => { present.call(this); });
      return;
    }
    if (!this.getVisible()) this.setVisible(true);
    setTimeout(() => { if (this.getVisible() && !this.isActive()) present.call(this); }, NEW_WINDOW_MS);
  };
}
tamePresent();

/** Of GtkWidget: on a window, `realize` and `unrealize` are those of GtkNative, which does a part of it. */
const ofWidget = Gtk.Widget.prototype as { readonly realize: (this: Widget) => void; readonly unrealize: (this: Widget) => void };

/** Gives a window its surface. */
export function realizeWidget(widget: Widget): void {
  ofWidget.realize.call(widget);
}

/** Takes the surface of a hidden window back. */
export function unrealizeWidget(widget: Widget): void {
  ofWidget.unrealize.call(widget);
}
