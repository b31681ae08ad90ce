/**
 * The one door to the toolkit. node-gtk's holes decide how it is used everywhere: handlers never throw and are never async,
 * accessible names are set in the XML, style sheets come from a file, signals are connected in code.
 */
import gi from 'node-gtk';
import type {
  AdwNamespace, GdkNamespace, GioNamespace, GLibNamespace, GtkNamespace, NotifyNamespace,
} from './gtk-types.ts';

export type * from './gtk-types.ts';

export const GLib = gi.require('GLib', '2.0') as GLibNamespace;
export const Gio = gi.require('Gio', '2.0') as GioNamespace;
export const Gdk = gi.require('Gdk', '4.0') as GdkNamespace;
export const Gtk = gi.require('Gtk', '4.0') as GtkNamespace;
export const Adw = gi.require('Adw', '1') as AdwNamespace;

/** libnotify, or null where its typelib is not installed: prompts then come as windows. */
export function loadNotify(): NotifyNamespace | null {
  try {
    return gi.require('Notify', '0.7') as NotifyNamespace;
  } catch {
    return null;
  }
}
