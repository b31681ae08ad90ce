/** The about window. */
import { Adw } from '../gtk.ts';
import type { Window } from '../gtk.ts';
import { _ } from '../i18n.ts';

/** `helperVersion`: '' while the helper has not said it. */
export function showAbout(parent: Window | null, version: string, helperVersion: string): void {
  const about = new Adw.AboutWindow({
    applicationName: _('Bastion Firewall'), applicationIcon: 'org.bastionfirewall.Desktop', version,
    developerName: _('The Bastion Firewall developers'),
    comments: _('Asks before a program connects for the first time, and remembers the answer.'),
    copyright: '© The Bastion Firewall developers',
    debugInfo: `desktop ${version}\nservice ${helperVersion === '' ? '?' : helperVersion}\n`,
    licenseType: GPL_3_0,
  });
  about.setTransientFor(parent);
  about.present();
}

/** Gtk.License.GPL_3_0: version 3 or later. */
const GPL_3_0 = 3;
