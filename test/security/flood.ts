/**
 * Sends to the helper as fast as the bus takes it, as another user, until SIGTERM or the end of its time: `flood.ts SOCKET UID MS`.
 * Prints "begun" with its first messages, and at the end how many it sent.
 */
import { connect } from 'node:net';
import { once } from 'node:events';
import { Variant } from '../../helper/contract/transport.ts';
import { INTERFACES } from '../../helper/contract/names.ts';
import { callWithMissingDescriptor, helloRaw, helperCall } from './hostile-bytes.ts';

const [path = '', uid = '65534', durationMs = '1000'] = process.argv.slice(2);
process.setgroups?.([]);
process.setgid?.(Number(uid));
process.setuid?.(Number(uid));

const socket = connect({ path });
await once(socket, 'connect');
await helloRaw(socket);

const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`key${String(index)}`, new Variant('s', 'x'.repeat(80))]));
const round = Buffer.concat([
  ...Array.from({ length: 40 }, () => helperCall('Ping', '', [])),
  helperCall('Ping', '', [], { noReply: true }),
  helperCall('Add', 'a{sv}', [wide], { interface: INTERFACES.rules }),
  helperCall('Introspect', '', [], { interface: 'org.freedesktop.DBus.Introspectable' }),
  helperCall('NoSuchMethod', 's', ['x'.repeat(4096)]),
  callWithMissingDescriptor('Ping'),
]);
const end = performance.now() + Number(durationMs);
const closed = once(socket, 'close');
const stopped = new AbortController();
process.once('SIGTERM', () => { stopped.abort(); });
let rounds = 0;
while (!stopped.signal.aborted && performance.now() < end && socket.writable) {
  rounds += 1;
  if (rounds === 1) process.stdout.write('begun\n');
  if (socket.write(round)) continue;
  const drained = new AbortController();
  await Promise.race([once(socket, 'drain', { signal: drained.signal }), closed]);
  drained.abort();
}
process.stdout.write(`${String(rounds * 45)}\n`);
socket.destroy();
