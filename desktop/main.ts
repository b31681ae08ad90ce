/** Entry of the desktop application: reads the command line, then runs inside GLib's loop until it quits. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { assetPath } from './assets.ts';
import { DesktopApplication } from './application.ts';
import { connectToHelper } from './client/connect.ts';
import { loadCatalogue } from './i18n.ts';
import { parseOptions } from './options.ts';

/** Put in by the bundler. */
declare const BASTION_VERSION: string;

/** Source: wl_display_connect(3): without a name the socket wayland-0 is tried. */
function hasDisplay(environment: Readonly<Record<string, string | undefined>>): boolean {
  if ((environment['WAYLAND_DISPLAY'] ?? '') !== '' || (environment['DISPLAY'] ?? '') !== '') return true;
  return existsSync(join(environment['XDG_RUNTIME_DIR'] ?? '/nonexistent', 'wayland-0'));
}

function main(): void {
  const parsed = parseOptions(process.argv.slice(2), BASTION_VERSION);
  if (parsed.kind !== 'run') {
    (parsed.kind === 'print' ? process.stdout : process.stderr).write(parsed.text);
    process.exitCode = parsed.kind === 'print' ? 0 : 2;
    return;
  }
  if (!hasDisplay(process.env)) {
    process.stderr.write('bastion-firewall-desktop: there is no display; `bastionctl agent` asks in a terminal\n');
    process.exitCode = 1;
    return;
  }
  loadCatalogue(assetPath('locale'), process.env);
  const application = new DesktopApplication(parsed.options, BASTION_VERSION, connectToHelper);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => { application.quit(); });
  // A live socket would keep the process after the loop's end.
  process.exit(application.run());
}

main();
