/**
 * Many connections of one user to the bus, each with match rules for everything that the helper says and calls of it that
 * wait: `crowd.ts SOCKET UID CONNECTIONS RULES`. Prints how many the bus let in, and stays until its standard input ends.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { BUS_NAME } from '../../helper/contract/names.ts';
import { MESSAGE, encodeMessage } from '../../helper/contract/transport-wire.ts';
import { helloRaw, helperCall } from './hostile-bytes.ts';

const CALLS = 64;
const [path = '', uid = '65534', connections = '1', rules = '1'] = process.argv.slice(2);
process.setgroups?.([]);
process.setgid?.(Number(uid));
process.setuid?.(Number(uid));

function matchRule(serial: number): Buffer {
  return encodeMessage({
    type: MESSAGE.call, serial, destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus',
    member: 'AddMatch', signature: 's', body: [`type='signal',sender='${BUS_NAME}',arg${String(serial % 60)}path='/${String(serial)}/'`],
  });
}

/** null where the bus does not take it. */
async function join(): Promise<Socket | null> {
  const socket = connect({ path });
  socket.on('error', () => undefined);
  try {
    await once(socket, 'connect');
    await helloRaw(socket);
  } catch {
    return null;
  }
  for (let rule = 0; rule < Number(rules); rule += 1) socket.write(matchRule(10 + rule));
  for (let call = 0; call < CALLS; call += 1) socket.write(helperCall('Ping', '', []));
  return socket;
}

const joined: Socket[] = [];
for (let count = 0; count < Number(connections); count += 1) {
  const socket = await join();
  if (socket === null) break;
  joined.push(socket);
}
process.stdout.write(`${String(joined.length)}\n`);
await once(process.stdin.resume(), 'end');
for (const socket of joined) socket.destroy();
