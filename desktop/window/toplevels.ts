/** Hidden windows, which a screen reader may ask for. */
import { Gtk, realizeWidget, unrealizeWidget } from '../gtk.ts';
import type { Widget } from '../gtk.ts';

/**
 * Keeps an accessible path on every window that is hidden. GTK answers for a window that has just gone with the last one that it
 * has, and the process ends where that one has no path: before it is first mapped, and again when it is unmapped.
 * Source: GTK 4.8, gtkatspiroot.c, GetChildAtIndex; gtkwindow.c, gtk_window_map and gtk_window_unmap.
 */
export function keepAccessible(): void {
  const known = new WeakSet<Widget>();
  const meetAll = (): void => {
    for (const window of Gtk.Window.listToplevels()) {
      if (known.has(window)) continue;
      known.add(window);
      givePath(window);
      window.on('unmap', () => { setImmediate(() => { if (isThere(window)) givePath(window); }); });
    }
  };
  meetAll();
  // In a turn of its own: a window enters the list while it is being made, and one that is asked then has no role for ever.
  Gtk.Window.getToplevels().on('items-changed', () => { setImmediate(meetAll); });
}

/** Not destroyed. */
function isThere(window: Widget): boolean {
  return Gtk.Window.listToplevels().includes(window);
}

/**
 * A change of what can have the focus gives a path. The window must have no surface then: with one, the hidden state that is
 * told along with it says to screen readers that the whole application has gone.
 * Source: GTK 4.8, gtkatcontext.c, gtk_at_context_platform_changed; gtkatspicontext.c, gtk_at_spi_context_state_change.
 */
function givePath(window: Widget): void {
  if (window.getVisible()) return;
  const hadSurface = window.getRealized();
  unrealizeWidget(window);
  const focusable = window.getFocusable();
  window.setFocusable(!focusable);
  window.setFocusable(focusable);
  if (hadSurface) realizeWidget(window);
}
