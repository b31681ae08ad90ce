/** Messages that no honest client sends, as bytes. */
import { authenticate } from '../../helper/contract/transport-socket.ts';
import { BUS_NAME, INTERFACES, OBJECT_PATH } from '../../helper/contract/names.ts';
import { FLAG, MESSAGE, encodeMessage } from '../../helper/contract/transport-wire.ts';
import type { Duplex } from 'node:stream';

/** Completes the handshake and Hello on a raw socket, which is used without a library from then on. */
export async function helloRaw(socket: Duplex): Promise<void> {
  await authenticate(socket);
  socket.resume();
  socket.write(encodeMessage({
    type: MESSAGE.call, serial: 1, destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus',
    interface: 'org.freedesktop.DBus', member: 'Hello',
  }));
}

/** A call of the helper with these arguments, whatever it expects. */
export function helperCall(
  member: string, signature: string, body: readonly unknown[], options: { readonly noReply?: boolean; readonly interface?: string } = {},
): Buffer {
  return encodeMessage({
    type: MESSAGE.call, serial: 2, flags: options.noReply === true ? FLAG.noReply : 0, destination: BUS_NAME, path: OBJECT_PATH,
    interface: options.interface ?? INTERFACES.helper, member, signature, body,
  });
}

/** A call whose only argument is a file descriptor that was never sent. */
export function callWithMissingDescriptor(member: string): Buffer {
  const bytes = helperCall(member, 'u', [0]);
  bytes.write('h', bytes.indexOf(Buffer.from([1, 0x75, 0])) + 1);
  return bytes;
}
