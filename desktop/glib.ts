/**
 * The small door to node-gtk: GLib, Gio and libnotify, without the toolkit. The process of the session uses nothing else, so
 * that it stays light; the windows' process reaches the toolkit through gtk.ts.
 */
import gi from 'node-gtk';
import type { GioNamespace, GLibNamespace, NotifyNamespace } from './glib-types.ts';

export type * from './glib-types.ts';

export const GLib = gi.require('GLib', '2.0') as GLibNamespace;
export const Gio = gi.require('Gio', '2.0') as GioNamespace;

/** Tells the toolkit of a class with methods of its own (`virtual_name` for its function `name`). Once for each class. */
export function registerClass(type: object): void {
  gi.registerClass(type);
}

/** libnotify, or null where its typelib is not installed: prompts then come as windows. */
export function loadNotify(): NotifyNamespace | null {
  try {
    return gi.require('Notify', '0.7') as NotifyNamespace;
  } catch {
    return null;
  }
}
