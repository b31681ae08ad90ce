/** Entry of the desktop: reads the command line, then runs inside GLib's loop until it quits. */
import { assetPath } from '../assets.ts';
import { connectToHelper } from '../client/connect.ts';
import { openSettings } from '../client/settings.ts';
import { loadCatalogue } from '../i18n.ts';
import { parseOptions } from '../options.ts';
import { keepHeapSmall } from '../small-heap.ts';
import { hasDisplay, takeStartToken } from './surroundings.ts';
import { SessionApplication } from './application.ts';
import { activateOther } from './second-start.ts';

/** Put in by the bundler. */
declare const BASTION_VERSION: string;

function fail(line: string): void {
  process.stderr.write(`bastion-firewall-desktop: ${line}\n`);
  process.exitCode = 1;
}

function main(): void {
  keepHeapSmall();
  const parsed = parseOptions(process.argv.slice(2), BASTION_VERSION);
  if (parsed.kind !== 'run') {
    (parsed.kind === 'print' ? process.stdout : process.stderr).write(parsed.text);
    process.exitCode = parsed.kind === 'print' ? 0 : 2;
    return;
  }
  if (!hasDisplay(process.env)) {
    fail('there is no display; `bastionctl agent` asks in a terminal');
    return;
  }
  const { background, autostart, action } = parsed.options;
  if (autostart && !openSettings(() => undefined).get('start-with-session')) return;
  loadCatalogue(assetPath('locale'), process.env);
  const token = takeStartToken(process.env);
  const application = new SessionApplication(parsed.options, token, connectToHelper);
  if (!application.register()) {
    if (background && action === '') return;
    void activateOther(token, action).then((reached) => { if (!reached) fail('the one that runs already does not answer'); });
    return;
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => { application.quit(); });
  // A live socket would keep the process after the loop's end.
  process.exit(application.run());
}

main();
