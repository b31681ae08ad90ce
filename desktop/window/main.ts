/** Entry of the windows' process, which bastion-firewall-desktop starts; by itself it does nothing. */
import { assetPath } from '../assets.ts';
import { readToWindow } from '../channel.ts';
import { connectToHelper } from '../client/connect.ts';
import { Gtk } from '../gtk.ts';
import { loadCatalogue } from '../i18n.ts';
import { WindowApplication } from './application.ts';
import { drawingVariables } from './drawing.ts';

/** Put in by the bundler. */
declare const BASTION_VERSION: string;

function main(): void {
  if (process.send === undefined) {
    process.stderr.write('bastion-firewall-desktop starts this program when it shows a window; start that one\n');
    process.exitCode = 2;
    return;
  }
  Object.assign(process.env, drawingVariables(process.env, Gtk.MINOR_VERSION));
  loadCatalogue(assetPath('locale'), process.env);
  const application = new WindowApplication({
    version: BASTION_VERSION, connect: connectToHelper, send: (message) => { process.send?.(message); },
  });
  process.on('message', (received) => {
    const message = readToWindow(received);
    if (message !== null) application.obey(message);
  });
  // The process of the session has ended, or wants this one to: whatever is open, nobody would hear its answer.
  process.once('disconnect', () => { application.quit(); });
  process.on('SIGTERM', () => { application.quit(); });
  // A terminal's Ctrl+C reaches both; the other one decides.
  process.on('SIGINT', () => undefined);
  process.exit(application.run());
}

main();
