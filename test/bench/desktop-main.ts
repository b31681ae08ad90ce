/**
 * The process of the session with its real helper, which answers "deny, once" as soon as a prompt has been drawn and prints
 * when that was, in us of CLOCK_MONOTONIC. Bundled by the benchmark, never shipped.
 */
import { assetPath } from '../../desktop/assets.ts';
import { connectToHelper } from '../../desktop/client/connect.ts';
import { loadCatalogue } from '../../desktop/i18n.ts';
import { SessionApplication } from '../../desktop/session/application.ts';
import { keepHeapSmall } from '../../desktop/small-heap.ts';

const NANOSECONDS_PER_US = 1000n;

keepHeapSmall();
loadCatalogue(assetPath('locale'), process.env);
const application = new SessionApplication({ background: true, window: true, autostart: false, action: '' }, '', () => {
  const client = connectToHelper();
  setTimeout(() => {
    const agent = application.agent;
    agent?.windows.shown.on(() => {
      const { nonce } = agent.windows;
      if (nonce === null) return;
      process.stdout.write(`${String(process.hrtime.bigint() / NANOSECONDS_PER_US)}\n`);
      agent.session.answer(nonce, { action: 'deny', lifetime: 'once' }).catch(() => undefined);
    });
  }, 0);
  client.on('connected', (connected) => { if (connected) process.stdout.write('ready\n'); });
  return client;
});
process.once('SIGTERM', () => { application.quit(); });
if (application.register()) process.exit(application.run());
