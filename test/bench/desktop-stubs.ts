/**
 * A tray host and a notification server of the benchmark, run as the user whose session it is: answers every prompt with
 * "deny" and prints what came when, in us of CLOCK_MONOTONIC: `tray TIME`, `shown BODY TIME`, one line each. SESSION is the bus.
 */
import { NotificationStub, WatcherStub } from '../desktop/bus-services.ts';

const NANOSECONDS_PER_US = 1000n;
/** A question is not awake in its first moment. */
const AWAKE_MS = 700;

function tell(what: string): void {
  process.stdout.write(`${what} ${String(process.hrtime.bigint() / NANOSECONDS_PER_US)}\n`);
}

const address = process.env['SESSION'];
if (address === undefined) throw new Error('SESSION is not set');
const watcher = await WatcherStub.start(address);
const notifications = await NotificationStub.start(address);
tell('ready');

async function watchTray(): Promise<never> {
  for (;;) {
    await watcher.registered.next(() => true, Infinity);
    tell('tray');
  }
}

async function watchNotifications(): Promise<never> {
  for (;;) {
    const { id, body } = await notifications.shown.next(() => true, Infinity);
    tell(`shown ${JSON.stringify(body)}`);
    setTimeout(() => { notifications.press(id, 'deny'); }, AWAKE_MS);
  }
}

await Promise.race([watchTray(), watchNotifications()]);
