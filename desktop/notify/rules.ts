/**
 * What the person has said about notifications: Do Not Disturb, and this application's own switches in the desktop's settings.
 * Source: gnome-shell, messageTray.js: a critical notification is shown whatever those say, so the sender has to heed them.
 */
import { Gio } from '../glib.ts';
import type { GSettings } from '../glib.ts';
import { inFlatpak } from '../sandbox.ts';

const SCHEMA = 'org.gnome.desktop.notifications';
const APPLICATION_SCHEMA = `${SCHEMA}.application`;
const APPLICATION_PATH = '/org/gnome/desktop/notifications/application/org-bastionfirewall-desktop/';

export interface NotificationRules {
  /** Only what cannot wait may come to the front. */
  readonly quiet: boolean;
  /** The person wants none of this application's notifications. */
  readonly refused: boolean;
  /** Calls back when either may have changed. */
  onChanged(listener: () => void): void;
}

/** For desktops whose notification server heeds its own rules. */
export const NO_RULES: NotificationRules = { quiet: false, refused: false, onChanged: () => undefined };

/**
 * For a sandbox in such a desktop, which reads settings of its own only: what is not known to be wanted does not break through
 * Do Not Disturb. The desktop's switches for this application hold all the same, because the portal heeds them.
 */
const UNREADABLE_RULES: NotificationRules = { ...NO_RULES, quiet: true };

/** GNOME's settings where the session is one of its kind, else NO_RULES. */
export function notificationRules(environment: Readonly<Record<string, string | undefined>>, sandboxed = inFlatpak()): NotificationRules {
  const desktops = (environment['XDG_CURRENT_DESKTOP'] ?? '').toUpperCase().split(':');
  if (!desktops.some((name) => name === 'GNOME' || name === 'UNITY' || name === 'ZORIN')) return NO_RULES;
  if (sandboxed) return UNREADABLE_RULES;
  const source = Gio.SettingsSchemaSource.getDefault();
  const general = source?.lookup(SCHEMA, true) ?? null;
  const own = source?.lookup(APPLICATION_SCHEMA, true) ?? null;
  if (general === null || own === null) return NO_RULES;
  // A key that a schema lacks would end the process at the first look.
  if (!general.hasKey('show-banners') || !own.hasKey('show-banners') || !own.hasKey('enable')) return NO_RULES;
  return new GnomeRules(Gio.Settings.newFull(general, null, null), Gio.Settings.newFull(own, null, APPLICATION_PATH));
}

class GnomeRules implements NotificationRules {
  readonly #general: GSettings;
  readonly #own: GSettings;

  constructor(general: GSettings, own: GSettings) {
    this.#general = general;
    this.#own = own;
  }

  get quiet(): boolean {
    return !this.#general.getBoolean('show-banners') || !this.#own.getBoolean('show-banners');
  }

  get refused(): boolean {
    return !this.#own.getBoolean('enable');
  }

  onChanged(listener: () => void): void {
    for (const settings of [this.#general, this.#own]) settings.on('changed', () => { listener(); });
  }
}
