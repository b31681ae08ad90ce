/** What the portals do for a program in a sandbox: who sees the screen, and the start with the session. */
import { randomBytes } from 'node:crypto';
import { Variant } from '../../helper/contract/transport.ts';
import type { BusConnection } from '../../helper/contract/transport.ts';
import { watchName } from './session-bus.ts';

export const PORTAL = { name: 'org.freedesktop.portal.Desktop', path: '/org/freedesktop/portal/desktop' } as const;
const INHIBIT = 'org.freedesktop.portal.Inhibit';
const BACKGROUND = 'org.freedesktop.portal.Background';
const CALL_MS = 5000;

/** Names of requests and sessions have to be unique in a connection, and hard to guess. */
function token(): string {
  return `bastion_${randomBytes(8).toString('hex')}`;
}

/**
 * Calls `changed` with whether the screen is locked or its saver is shown, whenever the portal says so, and with null when it
 * has gone. Source: XDG Desktop Portal, org.freedesktop.portal.Inhibit, CreateMonitor.
 */
export async function watchScreen(bus: BusConnection, changed: (covered: boolean | null) => void): Promise<void> {
  let session = '';
  const ask = (): void => {
    const mine = token();
    session = mine;
    const options = { handle_token: new Variant('s', token()), session_handle_token: new Variant('s', mine) };
    bus.call({ destination: PORTAL.name, path: PORTAL.path, interface: INHIBIT, member: 'CreateMonitor', signature: 'sa{sv}', body: ['', options], timeoutMs: CALL_MS })
      .catch(() => { if (session === mine) session = ''; });
  };
  bus.onSignal((signal) => {
    if (signal.interface !== INHIBIT || signal.member !== 'StateChanged' || signal.signature !== 'oa{sv}') return;
    const [handle, state] = signal.body() as readonly [string, Readonly<Record<string, { readonly value: unknown } | undefined>>];
    if (session === '' || !handle.endsWith(`/${session}`)) return;
    const active = state['screensaver-active']?.value;
    if (typeof active === 'boolean') changed(active);
  });
  await bus.addMatch(`type='signal',sender='${PORTAL.name}',interface='${INHIBIT}',member='StateChanged'`);
  await watchName(bus, PORTAL.name, (owner) => {
    changed(null);
    if (owner !== '') ask();
  });
  ask();
}

/**
 * Has the session start this program, or start it no more. The desktop asks the person at the first time; what comes of it is
 * seen in the desktop's settings. Source: XDG Desktop Portal, org.freedesktop.portal.Background.
 */
export async function startWithSession(bus: BusConnection, wanted: boolean, reason: string): Promise<void> {
  const options = {
    handle_token: new Variant('s', token()), reason: new Variant('s', reason), autostart: new Variant('b', wanted),
    commandline: new Variant('as', ['bastion-firewall-desktop', '--autostart']), 'dbus-activatable': new Variant('b', false),
  };
  await bus.call({
    destination: PORTAL.name, path: PORTAL.path, interface: BACKGROUND, member: 'RequestBackground', signature: 'sa{sv}', body: ['', options], timeoutMs: CALL_MS,
  });
}
