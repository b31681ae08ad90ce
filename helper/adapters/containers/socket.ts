/** Whose socket it is, and the way to exactly the one that was looked at. */
import { constants } from 'node:fs';
import { lstat, open, readlink, realpath } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { dirname, resolve } from 'node:path';
import type { EngineView } from '../../ports.ts';
import { errorCodeOf, inUserNamespace } from '../trusted-file.ts';

/** Source: asm-generic/fcntl.h, which x86 and arm64 share. Node does not name it. */
const O_PATH = 0o10_000_000;
const GROUP_OR_WORLD_WRITABLE = 0o022;
const STICKY = 0o1000;
/** What an owner that is not mapped looks like. Source: linux/highuid.h, DEFAULT_OVERFLOWUID. */
const OVERFLOW_UID = 65_534;

/** Why an engine cannot be asked: a state of its view and a sentence for people. */
export class EngineFault extends Error {
  readonly state: Exclude<EngineView['state'], 'connected' | 'connecting'>;

  constructor(state: EngineFault['state'], message: string) {
    super(message);
    this.state = state;
  }
}

/** A socket that was looked at: `file` stands for it whatever is put at its path. To be closed. */
export interface FoundSocket {
  readonly file: FileHandle;
  readonly uid: number;
}

/**
 * Finds the socket at `path` without opening it, and without following a link. Everything that leads to it must belong to root or
 * to its owner, and nobody else may be able to put another in its place. Throws EngineFault; a link to `other` is as nothing there,
 * because the package podman-docker makes one and that socket is asked anyway.
 */
export async function findSocket(path: string, other: string): Promise<FoundSocket> {
  let file: FileHandle;
  try {
    file = await open(path, O_PATH | constants.O_NOFOLLOW);
  } catch (error: unknown) {
    throw openFault(path, error);
  }
  try {
    const stats = await file.stat();
    if (stats.isSymbolicLink() && resolve(dirname(path), await readlink(path)) === other) throw new EngineFault('absent', '');
    if (stats.isSymbolicLink()) throw new EngineFault('forbidden', `${path} is a link; links are not followed. Name the socket that it leads to.`);
    if (!stats.isSocket()) throw new EngineFault('forbidden', `${path} is no socket.`);
    const uid = stats.uid === process.geteuid?.() ? 0 : stats.uid;
    await requireTrustedWay(path, uid);
    return { file, uid };
  } catch (error: unknown) {
    await file.close();
    throw error instanceof EngineFault ? error : openFault(path, error);
  }
}

/** A connection to the very socket that was found. Fails with EngineFault. */
export function connectTo(path: string, { file }: FoundSocket, limitMs: number): Promise<Socket> {
  const { promise, resolve: connected, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ path: `/proc/self/fd/${String(file.fd)}` });
  const timer = setTimeout(() => {
    socket.destroy();
    reject(new EngineFault('failing', `${path} lets nobody in; its engine may hang.`));
  }, limitMs);
  socket.once('connect', () => { connected(socket); });
  // Stays: nobody else listens yet when the connection breaks at once.
  socket.on('error', (error) => { reject(connectFault(path, error)); });
  return promise.finally(() => { clearTimeout(timer); });
}

function openFault(path: string, error: unknown): EngineFault {
  const code = errorCodeOf(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') return new EngineFault('absent', '');
  return new EngineFault('forbidden', `${path} cannot be looked at (${code}).`);
}

function connectFault(path: string, error: unknown): EngineFault {
  const code = errorCodeOf(error);
  if (code === 'EACCES' || code === 'EPERM') {
    return new EngineFault('forbidden', `${path} may not be written to by root without further rights (${code}). For the socket of a user: `
      + 'systemctl --user edit podman.socket, and there [Socket] SocketMode=0666; its folder keeps others out.');
  }
  if (code === 'ENOENT') return new EngineFault('absent', '');
  if (code === 'ECONNREFUSED') return new EngineFault('failing', `Nobody listens on ${path}. Is the engine running?`);
  return new EngineFault('failing', `${path} cannot be connected to (${code}).`);
}

async function requireTrustedWay(path: string, uid: number): Promise<void> {
  const folder = dirname(path);
  for (const one of new Set([...waysTo(folder), ...waysTo(await realpath(folder))])) {
    const stats = await lstat(one);
    const known = stats.uid === 0 || stats.uid === uid || stats.uid === process.geteuid?.() || (stats.uid === OVERFLOW_UID && inUserNamespace());
    if (!known) throw new EngineFault('forbidden', `${one} belongs to user ${String(stats.uid)}, who could put another socket at ${path}.`);
    if (stats.isSymbolicLink() || (stats.mode & STICKY) !== 0) continue;
    if ((stats.mode & GROUP_OR_WORLD_WRITABLE) !== 0) throw new EngineFault('forbidden', `${one} can be written by others, who could put another socket at ${path}.`);
  }
}

/** The folder and all above it. */
function waysTo(folder: string): string[] {
  const found = [folder];
  for (let at = folder; dirname(at) !== at; at = dirname(at)) found.push(dirname(at));
  return found;
}
