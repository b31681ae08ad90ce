/** A row that says once, where nothing shows the shield, how to get one; gone for good when it is put away. */
import { connectSessionBus, sessionBusAddress } from '../client/session-bus.ts';
import { TrayHost } from '../client/tray-host.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { Box } from '../gtk.ts';
import type { Settings } from '../model/settings.ts';
import { trayHint } from '../model/tray-hint.ts';
import { loadUi } from './load-ui.ts';

/** Fills `holder`, which stays hidden while there is nothing to say. */
export function addTrayHint(holder: Box, settings: Settings): void {
  holder.setVisible(false);
  if (!settings.get('tray-hint') || !settings.get('show-tray')) return;
  void watchHost().then((host) => {
    if (host !== null) new TrayHintRow(holder, settings, host);
  });
}

/** Null without a session bus: then there are no notifications either, and prompts are windows. */
async function watchHost(): Promise<TrayHost | null> {
  try {
    const bus = await connectSessionBus(sessionBusAddress(process.env));
    return bus === null ? null : await TrayHost.watch(bus);
  } catch {
    return null;
  }
}

class TrayHintRow {
  readonly #holder: Box;
  readonly #settings: Settings;
  readonly #host: TrayHost;
  readonly #ui = loadUi('tray-hint');

  constructor(holder: Box, settings: Settings, host: TrayHost) {
    this.#holder = holder;
    this.#settings = settings;
    this.#host = host;
    holder.append(this.#ui.get('group', Adw.PreferencesGroup));
    this.#ui.get('dismiss', Gtk.Button).on('clicked', () => {
      settings.set('tray-hint', false);
      this.#update();
    });
    host.changed.on(() => { this.#update(); });
    this.#update();
  }

  #update(): void {
    const wanted = this.#settings.get('tray-hint') && this.#settings.get('show-tray');
    const hint = wanted ? trayHint(this.#host.shows, process.env['XDG_CURRENT_DESKTOP'] ?? '') : null;
    const row = this.#ui.get('row', Adw.ActionRow);
    row.setTitle(hint?.title ?? '');
    row.setSubtitle(hint?.text ?? '');
    this.#holder.setVisible(hint !== null);
  }
}
