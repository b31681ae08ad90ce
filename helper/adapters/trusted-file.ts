/** Bounded reading of files that nobody but root and this process may have written. */
import { constants, readFileSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { lstat, open, realpath } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { faultSentence } from '../contract/system-faults.ts';

const GROUP_OR_WORLD_WRITABLE = 0o022n;
const STICKY = 0o1000n;
/** What an owner that is not mapped looks like. Source: linux/highuid.h, DEFAULT_OVERFLOWUID. */
const OVERFLOW_UID = 65_534n;

let userNamespace: boolean | undefined;

/** Why a file or folder is not used. `command` mends it, '' when no single command does. */
export interface Refusal {
  readonly code: 'missing' | 'insecure' | 'too-large' | 'unreadable';
  readonly message: string;
  readonly command: string;
}

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Refusal };

/**
 * Reads a regular file of at most `limitBytes` whose owner is root or this process and that nobody else may write. Links
 * are not followed, and a FIFO or device does not block.
 */
export async function readTrustedFile(path: string, limitBytes: number): Promise<Outcome<Buffer>> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error: unknown) {
    return { ok: false, refusal: openRefusal(path, error) };
  }
  try {
    const stats = await file.stat({ bigint: true });
    if (!stats.isFile()) return refuse('insecure', 'This is not a regular file, so it is not read.', '');
    const mend = accessRefusal(stats, path, '0640');
    if (mend !== null) return { ok: false, refusal: mend };
    if (stats.size > BigInt(limitBytes)) return refuse('too-large', tooLarge(limitBytes), '');
    const bytes = await readUpTo(file, limitBytes + 1, Number(stats.size));
    return bytes.length > limitBytes ? refuse('too-large', tooLarge(limitBytes), '') : { ok: true, value: bytes };
  } catch (error: unknown) {
    return refuse('unreadable', unreadable('read', errorCodeOf(error)), '');
  } finally {
    // Nothing was written: what was read is right, whatever the kernel says of the end.
    await file.close().catch(() => undefined);
  }
}

/**
 * Checks that nobody but root and this process can put files into `folder` or replace it or one of the folders above it.
 * A sticky folder above (as /tmp is) is fine: others cannot rename what is ours in there.
 */
export async function checkTrustedFolder(folder: string): Promise<Outcome<BigIntStats>> {
  let stats: BigIntStats;
  let target: string;
  try {
    stats = await lstat(folder, { bigint: true });
    if (stats.isSymbolicLink()) return refuse('insecure', `${folder} is a link; links are not followed.`, '');
    if (!stats.isDirectory()) return refuse('insecure', `${folder} is not a folder.`, '');
    target = await realpath(folder);
  } catch (error: unknown) {
    return { ok: false, refusal: openRefusal(folder, error) };
  }
  const mend = accessRefusal(stats, folder, '0755');
  if (mend !== null) return { ok: false, refusal: mend };
  for (const above of new Set([...ancestorsOf(folder), ...ancestorsOf(target)])) {
    const refusal = await ancestorRefusal(above);
    if (refusal !== null) return { ok: false, refusal };
  }
  return { ok: true, value: stats };
}

async function ancestorRefusal(path: string): Promise<Refusal | null> {
  let stats: BigIntStats;
  try {
    stats = await lstat(path, { bigint: true });
  } catch (error: unknown) {
    return openRefusal(path, error);
  }
  if (!isTrustedOwner(stats.uid) && !(stats.uid === OVERFLOW_UID && inUserNamespace())) {
    return ownerRefusal(stats, path);
  }
  if (stats.isSymbolicLink() || (stats.mode & STICKY) !== 0n) return null;
  return modeRefusal(stats, path, '0755');
}

function ancestorsOf(path: string): string[] {
  const found: string[] = [];
  for (let at = dirname(path); ; at = dirname(at)) {
    found.push(at);
    if (dirname(at) === at) return found;
  }
}

function isTrustedOwner(uid: bigint): boolean {
  return uid === 0n || uid === BigInt(process.getuid?.() ?? 0);
}

/** In a user namespace the system's own folders belong to a user that is not mapped, and cannot be told from root's. */
export function inUserNamespace(): boolean {
  userNamespace ??= !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'));
  return userNamespace;
}

function accessRefusal(stats: BigIntStats, path: string, mode: string): Refusal | null {
  return isTrustedOwner(stats.uid) ? modeRefusal(stats, path, mode) : ownerRefusal(stats, path);
}

function ownerRefusal(stats: BigIntStats, path: string): Refusal {
  return {
    code: 'insecure', command: `chown root:root ${shellWord(path)}`,
    message: `${path} belongs to user ${String(stats.uid)}, not to root.`,
  };
}

function modeRefusal(stats: BigIntStats, path: string, mode: string): Refusal | null {
  if ((stats.mode & GROUP_OR_WORLD_WRITABLE) === 0n) return null;
  return {
    code: 'insecure', command: `chmod ${mode} ${shellWord(path)}`,
    message: `${path} can be written by others.`,
  };
}

function openRefusal(path: string, error: unknown): Refusal {
  const code = errorCodeOf(error);
  if (code === 'ENOENT') return { code: 'missing', message: `${path} is not there.`, command: '' };
  if (code === 'ELOOP') return { code: 'insecure', message: 'This is a link; links are not followed.', command: '' };
  if (code === 'ENXIO') return { code: 'insecure', message: 'This is not a regular file, so it is not read.', command: '' };
  return { code: 'unreadable', message: unreadable('opened', code), command: '' };
}

function unreadable(what: 'read' | 'opened', code: string): string {
  const sentence = faultSentence(code);
  return sentence === '' ? `It could not be ${what} (${code}).` : `It could not be ${what}. ${sentence}`;
}

function refuse(code: Refusal['code'], message: string, command: string): { readonly ok: false; readonly refusal: Refusal } {
  return { ok: false, refusal: { code, message, command } };
}

function tooLarge(limitBytes: number): string {
  return `The file is larger than ${String(limitBytes)} bytes, so it is not read.`;
}

/** `expectedBytes`: the size that the file had a moment ago. One piece of memory, which for a large file goes back as a whole. */
async function readUpTo(file: FileHandle, limitBytes: number, expectedBytes: number): Promise<Buffer> {
  // One byte more shows the end without growing.
  let bytes = Buffer.allocUnsafe(Math.min(limitBytes, expectedBytes + 1));
  let total = 0;
  for (;;) {
    const { bytesRead } = await file.read(bytes, total, bytes.length - total, null);
    total += bytesRead;
    if (bytesRead === 0 || total === limitBytes) return bytes.subarray(0, total);
    if (total === bytes.length) bytes = Buffer.concat([bytes], Math.min(limitBytes, total * 2));
  }
}

/** The system error code of a rejected file call, `unknown` for anything else. */
export function errorCodeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
