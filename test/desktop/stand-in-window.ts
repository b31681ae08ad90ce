/** The windows' process with a helper that a test plays, which lives in the process of the session. Bundled by the test, never shipped. */
import { assetPath } from '../../desktop/assets.ts';
import { readToWindow } from '../../desktop/channel.ts';
import { GLib } from '../../desktop/glib.ts';
import { Adw, Gdk, Gtk } from '../../desktop/gtk.ts';
import { loadCatalogue } from '../../desktop/i18n.ts';
import { WindowApplication } from '../../desktop/window/application.ts';
import { drawingVariables } from '../../desktop/window/drawing.ts';
import type { StandInCall } from './stand-in-client.ts';
import { remoteClient } from './stand-in-socket.ts';
import type { WindowCommand } from './stand-in-socket.ts';
import { Stalls } from './stalls.ts';

const DRAWN_MS = 250;

/** As the desktop's own setting for large text does it: every text grows, whatever size its style gives it. */
function scaleText(factor: number): void {
  const settings = Gtk.Settings.getDefault();
  if (settings !== null && factor !== 1) settings.gtkXftDpi = Math.round(96 * 1024 * factor);
}

/** Of GLib and GDK what only a test needs. */
const idle = GLib as unknown as { idleAdd(priority: number, callback: () => boolean): number };
const PRIORITY_LOW = 300;

/** Calls back when every key has been taken that was pressed by now: the X server's events are fetched, and all else comes before the callback. */
function whenTaken(taken: () => void): void {
  (Gdk.Display.getDefault() as unknown as { sync(): void } | null)?.sync();
  idle.idleAdd(PRIORITY_LOW, () => {
    taken();
    return false;
  });
}

Object.assign(process.env, drawingVariables(process.env, Gtk.MINOR_VERSION));
loadCatalogue(assetPath('locale'), process.env);
const lookMs = Number(process.env['TEST_LOOK_MS'] ?? '0');
const application = new WindowApplication({
  version: '3.0.0', ...(lookMs > 0 ? { lookMs } : {}),
  connect: () => {
    const stalls = new Stalls();
    scaleText(Number(process.env['TEST_TEXT_SCALE'] ?? '1'));
    return remoteClient((command: WindowCommand, tell: (line: StandInCall) => void) => {
      if (command.do === 'stall') {
        stalls.take((longestMs) => { tell({ call: 'stall', args: [longestMs] }); });
        return;
      }
      if (command.do === 'taken') {
        whenTaken(() => { tell({ call: 'taken', args: [] }); });
        return;
      }
      const { FORCE_DARK, FORCE_LIGHT } = Adw.ColorScheme;
      Adw.StyleManager.getDefault().setColorScheme(command.dark ? FORCE_DARK : FORCE_LIGHT);
      // Told when it has been drawn, which takes a few frames.
      setTimeout(() => { tell({ call: 'dark', args: [command.dark] }); }, DRAWN_MS);
    });
  },
  send: (message) => { process.send?.(message); },
});
process.on('message', (received) => {
  const message = readToWindow(received);
  if (message !== null) application.obey(message);
});
process.once('disconnect', () => { application.quit(); });
process.exit(application.run());
