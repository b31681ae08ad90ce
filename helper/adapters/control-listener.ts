/**
 * A socket at a path that a person chose: made where only root can put files, given its name when it is ready, never in the place
 * of anything else, and taken away again. What an earlier helper left there is known by its inode, which the run folder keeps.
 */
import { randomBytes } from 'node:crypto';
import { chmod, link, lstat, mkdir, rm, unlink } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { faultSentence } from '../contract/system-faults.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { checkTrustedFolder, errorCodeOf, readTrustedFile } from './trusted-file.ts';

/** In the run folder: what is ours at which path. */
const RECORD_FILE = 'control-socket.json';
/** It has two paths. */
const RECORD_BYTES = 64 * 1024;
/** The folder in which it is made ready, beside its place. */
const READY_FOLDER = /^\.bastion-[0-9a-f]{6}$/;
const MODE = 0o600;
/** A listener on this machine takes the connection at once, or is stuck; then somebody has it. */
const PROBE_MS = 2000;

interface Inode {
  readonly device: string;
  readonly inode: string;
}

/** What may be left of this helper when it is killed. */
interface Recorded {
  readonly path: string;
  /** Name of the folder in which it is made ready. */
  readonly ready: string;
  /** null before there is a socket. */
  readonly inode: Inode | null;
}

/** It cannot listen there; the message is for people. */
export class PlaceRefused extends Error {
  override readonly name = 'PlaceRefused';
}

/** A socket that takes connections. */
export interface ControlListener {
  readonly path: string;
  /** Its name is still there, and still its own. */
  isThere(): Promise<boolean>;
  /** Takes no more connections, and its name away if it is still its own. Those that are open go on. */
  close(): Promise<void>;
}

/** Removes what an earlier helper left, wherever that was. */
export async function sweepControlSocket(runDir: string): Promise<void> {
  const record = await readRecord(runDir);
  if (record === null) return;
  if ((await checkTrustedFolder(dirname(record.path))).ok) {
    await rm(join(dirname(record.path), record.ready), { recursive: true, force: true }).catch(() => undefined);
    if (isRecorded(record, await look(record.path)) && await isDeaf(record.path)) await unlink(record.path).catch(() => undefined);
  }
  await forget(runDir);
}

/** Listens at `path`, for root alone. Rejects with PlaceRefused where something is in the way; nothing is changed then. */
export async function listenForControl(path: string, runDir: string, onConnection: (socket: Socket) => void): Promise<ControlListener> {
  await sweepControlSocket(runDir);
  const folder = await checkTrustedFolder(dirname(path));
  if (!folder.ok) throw new PlaceRefused(folder.refusal.code === 'missing' ? folder.refusal.message : `${folder.refusal.message} A socket is made only where root alone can put files.`);
  await refuseTaken(path);
  const ready = `.bastion-${randomBytes(3).toString('hex')}`;
  const readyFolder = join(dirname(path), ready);
  const server = createServer({ allowHalfOpen: true }, onConnection);
  try {
    await record(runDir, { path, ready, inode: null });
    // Nobody else reaches it in here, whatever the umask, until its mode is right.
    await mkdir(readyFolder, { mode: 0o700 });
    const made = join(readyFolder, 's');
    await listening(server, made);
    await chmod(made, MODE);
    const inode = inodeOf(await lstat(made, { bigint: true }));
    await record(runDir, { path, ready, inode });
    // Fails where there is something, unlike a rename.
    await link(made, path);
    await rm(readyFolder, { recursive: true });
    return { path, isThere: () => isStill(path, inode), close: () => leave(server, path, inode, runDir) };
  } catch (error: unknown) {
    server.close();
    await rm(readyFolder, { recursive: true, force: true }).catch(() => undefined);
    await forget(runDir);
    throw new PlaceRefused(why(error, path), { cause: error });
  }
}

async function leave(server: Server, path: string, inode: Inode, runDir: string): Promise<void> {
  server.close();
  if (await isStill(path, inode)) await unlink(path).catch(() => undefined);
  await forget(runDir);
}

/** Whatever is there that was not made by an earlier helper, which `sweepControlSocket` has removed, stays. */
async function refuseTaken(path: string): Promise<void> {
  const there = await look(path);
  if (there === null) return;
  if (!there.isSocket()) throw new PlaceRefused(`${path} is there already and is no socket. It was left as it is: remove it, or choose another path.`);
  throw new PlaceRefused(await isDeaf(path)
    ? `${path} is there already: a socket that another program left behind. It was left as it is: remove it if nobody needs it, or choose another path.`
    : `Another program listens on ${path}. It was left as it is: stop that program, then run "bastionctl reload".`);
}

function why(error: unknown, path: string): string {
  const code = errorCodeOf(error);
  if (code === 'EEXIST') return `${path} was made by another program just now. It was left as it is.`;
  if (code === 'EROFS') {
    return `The helper may not write to ${dirname(path)}: its unit gives it no right to. Add the folder to ReadWritePaths= with "systemctl edit bastion-firewall", or choose a path in /run.`;
  }
  const sentence = faultSentence(code);
  return sentence === '' ? `It could not be made (${code}).` : `It could not be made. ${sentence}`;
}

async function listening(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once('error', reject);
  server.listen(path, () => { resolve(undefined); });
  await promise;
  server.off('error', reject);
  // What becomes of a listener later is told by nobody coming through; the helper goes on.
  server.on('error', () => undefined);
}

/** Nobody listens there: the kernel refuses the connection. */
async function isDeaf(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once('connect', () => { resolve(false); });
  socket.once('error', (error) => { resolve(errorCodeOf(error) === 'ECONNREFUSED'); });
  const timer = setTimeout(() => { resolve(false); }, PROBE_MS);
  const deaf = await promise;
  clearTimeout(timer);
  socket.destroy();
  return deaf;
}

async function look(path: string): Promise<BigIntStats | null> {
  return lstat(path, { bigint: true }).catch(() => null);
}

function inodeOf({ dev, ino }: BigIntStats): Inode {
  return { device: String(dev), inode: String(ino) };
}

async function isStill(path: string, inode: Inode): Promise<boolean> {
  return isThis(inode, await look(path));
}

function isThis({ device, inode }: Inode, there: BigIntStats | null): boolean {
  return there?.isSocket() === true && String(there.dev) === device && String(there.ino) === inode;
}

function isRecorded({ inode }: Recorded, there: BigIntStats | null): boolean {
  return inode !== null && isThis(inode, there);
}

async function record(runDir: string, recorded: Recorded): Promise<void> {
  await writeFileAtomic(join(runDir, RECORD_FILE), Buffer.from(`${JSON.stringify(recorded)}\n`), MODE);
}

async function forget(runDir: string): Promise<void> {
  await unlink(join(runDir, RECORD_FILE)).catch(() => undefined);
}

/** The run folder is the helper's own; still, what is there names files that are removed. */
async function readRecord(runDir: string): Promise<Recorded | null> {
  try {
    const outcome = await readTrustedFile(join(runDir, RECORD_FILE), RECORD_BYTES);
    if (!outcome.ok) return null;
    const value: unknown = JSON.parse(outcome.value.toString('utf8'));
    if (typeof value !== 'object' || value === null || !('path' in value) || !('ready' in value) || !('inode' in value)) return null;
    const { path, ready, inode } = value;
    if (typeof path !== 'string' || !path.startsWith('/') || typeof ready !== 'string' || !READY_FOLDER.test(ready)) return null;
    if (typeof inode !== 'object' || inode === null || !('device' in inode) || !('inode' in inode)) return { path, ready, inode: null };
    return { path, ready, inode: { device: String(inode.device), inode: String(inode.inode) } };
  } catch {
    return null;
  }
}
