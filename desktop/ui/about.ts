/** The about window. */
import { Adw, Gtk } from '../gtk.ts';
import type { Widget, Window } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { setAccessibleName } from './accessible-name.ts';

/** On the toolkit's pages behind the first. */
const BACK_ICON = 'go-previous-symbolic';

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
  nameButtons(about, version);
  about.setTransientFor(parent);
  about.present();
}

/** The toolkit leaves its own buttons with an icon, and the one with the version, without names. */
function nameButtons(widget: Widget, version: string): void {
  if (widget.hasCssClass('app-version')) setAccessibleName(widget, version);
  else if (isButton(widget) && widget.getIconName() === BACK_ICON) setAccessibleName(widget, _('Back'));
  for (let child = widget.getFirstChild(); child !== null; child = child.getNextSibling()) nameButtons(child, version);
}

function isButton(widget: Widget): widget is Widget & { getIconName(): string | null } {
  return widget instanceof (Gtk.Button as unknown as new () => object);
}

/** Gtk.License.GPL_3_0: version 3 or later. */
const GPL_3_0 = 3;
