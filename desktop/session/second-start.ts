/** A second start: hands its activation on to the process that runs. */
import { connectSessionBus, sessionBusAddress } from '../client/session-bus.ts';
import { Variant } from '../../helper/contract/transport.ts';
import type { DesktopAction } from '../options.ts';
import { APPLICATION_ID } from './application.ts';

/**
 * Opens the window of the one that runs, or does `action` there; `token` lets the window come to the front. False when it could
 * not be reached.
 */
export async function activateOther(token: string, action: DesktopAction | '' = ''): Promise<boolean> {
  const bus = await connectSessionBus(sessionBusAddress(process.env));
  if (bus === null) return false;
  const data = token === '' ? {} : { 'activation-token': new Variant('s', token), 'desktop-startup-id': new Variant('s', token) };
  try {
    await bus.call({
      destination: APPLICATION_ID, path: `/${APPLICATION_ID.replaceAll('.', '/')}`, interface: 'org.freedesktop.Application',
      ...(action === '' ? { member: 'Activate', signature: 'a{sv}', body: [data] } : { member: 'ActivateAction', signature: 'sava{sv}', body: [action, [], data] }),
    });
    return true;
  } catch {
    return false;
  } finally {
    bus.close();
  }
}
