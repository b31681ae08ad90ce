/** Windows that come by themselves, without taking the keyboard from what is being typed; and those that a person asked for. */
import { loadX11 } from '../gtk.ts';
import type { Window, X11Namespace, X11Surface } from '../gtk.ts';

/** Source: Extended Window Manager Hints, _NET_WM_USER_TIME: a window with time 0 is not given the focus when it appears. */
const NO_USER_TIME = 0;

const x11: X11Namespace | null = loadX11();

function surfaceOf(window: Window): X11Surface | null {
  const surface = window.getSurface();
  return x11 !== null && surface instanceof (x11.X11Surface as unknown as new () => X11Surface) ? surface : null;
}

/**
 * Prepares a window for `showQuietly`. On Wayland the compositor decides by itself: a window without an activation token has
 * nothing to ask the focus with.
 */
export function keepQuiet(window: Window): void {
  window.on('realize', () => { surfaceOf(window)?.setUserTime(NO_USER_TIME); });
}

/** Shows it where it is not shown yet. */
export function showQuietly(window: Window): void {
  if (window.getVisible()) return;
  surfaceOf(window)?.setUserTime(NO_USER_TIME);
  window.setVisible(true);
}

/** Brings it to the front with the keyboard: the person has just asked for it. `token`: of that click, '' for none. */
export function bringForward(window: Window, token: string): void {
  if (token !== '') window.setStartupId(token);
  if (!window.getVisible()) window.setVisible(true);
  const surface = surfaceOf(window);
  if (surface !== null && x11 !== null) surface.setUserTime(x11.x11GetServerTime(surface));
  window.present();
}
