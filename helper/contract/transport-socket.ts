/** Finding the bus and proving who we are. Source: D-Bus Specification, "Server Addresses" and "Authentication Protocol". */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

const SYSTEM_BUS = 'unix:path=/run/dbus/system_bus_socket';
/** The server's lines of the handshake are shorter than 100 bytes. */
const LINE_BYTES = 1024;

/** The bus cannot be reached or does not take us. */
export class BusUnreachableError extends Error {
  override readonly name = 'BusUnreachableError';
}

/** The system bus as libdbus finds it. */
export function systemBusAddress(): string {
  const named = process.env['DBUS_SYSTEM_BUS_ADDRESS'] ?? '';
  return named === '' ? SYSTEM_BUS : named;
}

function unescape(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw new BusUnreachableError('the bus address has a wrong escape');
  }
}

/**
 * Socket paths of an address, in the order to try; an abstract one begins with NUL. Other transports than unix sockets are
 * refused: the helper's bus is never reached over a network.
 */
export function socketPaths(address: string): readonly string[] {
  const paths: string[] = [];
  for (const one of address.split(';')) {
    if (!one.startsWith('unix:')) continue;
    for (const pair of one.slice('unix:'.length).split(',')) {
      const value = unescape(pair.slice(pair.indexOf('=') + 1));
      if (pair.startsWith('path=')) paths.push(value);
      if (pair.startsWith('abstract=')) paths.push(`\0${value}`);
    }
  }
  if (paths.length === 0) throw new BusUnreachableError('the bus address names no unix socket');
  return paths;
}

function open(path: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    const failed = (error: Error): void => {
      socket.destroy();
      reject(new BusUnreachableError(`cannot connect to the bus: ${error.message}`, { cause: error }));
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      resolve(socket);
    });
  });
}

/** Connects to the first socket that answers. Throws BusUnreachableError. */
export async function openSocket(address: string): Promise<Duplex> {
  let last: unknown;
  for (const path of socketPaths(address)) {
    try {
      return await open(path);
    } catch (error: unknown) {
      last = error;
    }
  }
  throw last;
}

function nextLine(stream: Duplex): Promise<string> {
  return new Promise((resolve, reject) => {
    let collected = Buffer.alloc(0);
    const stop = (): void => {
      stream.off('data', onData);
      stream.off('close', onClose);
      stream.off('error', onClose);
      stream.pause();
    };
    const onClose = (): void => {
      stop();
      reject(new BusUnreachableError('the bus closed the connection while it was being made'));
    };
    const onData = (chunk: Buffer): void => {
      collected = Buffer.concat([collected, chunk]);
      const end = collected.indexOf('\r\n');
      if (end < 0 && collected.length <= LINE_BYTES) return;
      stop();
      if (end < 0) {
        reject(new BusUnreachableError('this is no D-Bus server'));
        return;
      }
      if (collected.length > end + 2) stream.unshift(collected.subarray(end + 2));
      resolve(collected.subarray(0, end).toString('latin1'));
    };
    stream.on('close', onClose);
    stream.on('error', onClose);
    stream.on('data', onData);
    stream.resume();
  });
}

/**
 * The EXTERNAL handshake without naming a uid: the server takes it from the socket's credentials, which is right also inside
 * a user namespace and through a bridge. File descriptors are not negotiated, so none can ever be received.
 */
export async function authenticate(stream: Duplex): Promise<void> {
  stream.write('\0AUTH EXTERNAL\r\n');
  let line = await nextLine(stream);
  if (line.startsWith('DATA')) {
    stream.write('DATA\r\n');
    line = await nextLine(stream);
  }
  if (!line.startsWith('OK ')) throw new BusUnreachableError('the bus does not accept this user');
  stream.write('BEGIN\r\n');
}
