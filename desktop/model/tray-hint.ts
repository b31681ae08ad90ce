/** What to say where nothing shows the shield. Pure. */
import { _ } from '../i18n.ts';

export interface TrayHint {
  readonly title: string;
  readonly text: string;
}

/**
 * Null where there is nothing to say. `shows`: a panel shows tray icons, null while that is not known. `desktops`:
 * XDG_CURRENT_DESKTOP, names between colons.
 */
export function trayHint(shows: boolean | null, desktops: string): TrayHint | null {
  if (shows !== false) return null;
  const gnome = desktops.toUpperCase().split(':').some((name) => name === 'GNOME' || name === 'GNOME-CLASSIC');
  const how = gnome
    ? _('For the shield, install the extension “AppIndicator and KStatusNotifierItem Support” (package gnome-shell-extension-appindicator) and log in again.')
    : _('For the shield, add a status tray (StatusNotifier) to the panel of your desktop.');
  return {
    title: _('This desktop shows no tray icons'),
    text: [_('Questions still appear, even after this window is closed. Open it again from your applications.'), how].join(' '),
  };
}
