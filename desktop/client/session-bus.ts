/** The session's bus: the tray and the question whether notifications can carry buttons. */
import { isAbsolute, join } from 'node:path';
import { BUS, connectBus } from '../../helper/contract/transport.ts';
import type { BusConnection } from '../../helper/contract/transport.ts';

/** The bus's address, '' where the session has none. Source: D-Bus Specification, "Well-known message bus instances". */
export function sessionBusAddress(environment: Readonly<Record<string, string | undefined>>): string {
  const named = environment['DBUS_SESSION_BUS_ADDRESS'];
  if (named !== undefined && named !== '') return named;
  const runtime = environment['XDG_RUNTIME_DIR'];
  return runtime !== undefined && isAbsolute(runtime) ? `unix:path=${join(runtime, 'bus')}` : '';
}

/** null where there is no session bus: the application then works without tray and notifications. */
export async function connectSessionBus(address: string): Promise<BusConnection | null> {
  if (address === '') return null;
  try {
    return await connectBus({ address, timeoutMs: 5000 });
  } catch {
    return null;
  }
}

/** Calls `changed` whenever a well-known name gets another owner ('' for none). */
export async function watchName(bus: BusConnection, name: string, changed: (owner: string) => void): Promise<void> {
  bus.onSignal((signal) => {
    if (signal.sender !== BUS.name || signal.member !== 'NameOwnerChanged' || signal.signature !== 'sss') return;
    const [which, , owner] = signal.body();
    if (which === name && typeof owner === 'string') changed(owner);
  });
  await bus.addMatch(
    `type='signal',sender='${BUS.name}',interface='${BUS.interface}',member='NameOwnerChanged',arg0='${name}'`,
  );
}

export async function hasOwner(bus: BusConnection, name: string): Promise<boolean> {
  const [owned] = await bus.callBus('NameHasOwner', 's', [name]);
  return owned === true;
}
