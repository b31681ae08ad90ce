/** Entry of the desktop application: reads the command line, then runs inside GLib's loop until it quits. */
import { assetPath } from './assets.ts';
import { DesktopApplication } from './application.ts';
import { connectToHelper } from './client/connect.ts';
import { loadCatalogue } from './i18n.ts';
import { parseOptions } from './options.ts';

/** Put in by the bundler. */
declare const BASTION_VERSION: string;

function main(): void {
  const parsed = parseOptions(process.argv.slice(2), BASTION_VERSION);
  if (parsed.kind !== 'run') {
    (parsed.kind === 'print' ? process.stdout : process.stderr).write(parsed.text);
    process.exitCode = parsed.kind === 'print' ? 0 : 2;
    return;
  }
  loadCatalogue(assetPath('locale'), process.env);
  const application = new DesktopApplication(parsed.options, BASTION_VERSION, connectToHelper);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => { application.quit(); });
  // A live socket would keep the process after the loop's end.
  process.exit(application.run());
}

main();
