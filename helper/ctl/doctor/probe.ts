/** What the checks look at: files, programs, sockets of this machine. Every question has an answer; none throws. */
import { execFile } from 'node:child_process';
import { lstat, open, readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { verifyOwnFiles } from '../../adapters/own-files.ts';
import type { OwnFiles } from '../../adapters/own-files.ts';

export interface FileFacts {
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface CommandResult {
  /** null when it could not be started or took too long. */
  readonly status: number | null;
  readonly stdout: string;
}

export interface Probe {
  readonly kernelRelease: string;
  readonly uid: number;
  /** At most 1 MiB; null when it cannot be read, `denied` when only permission is missing. */
  readText(path: string): Promise<{ readonly text: string } | 'absent' | 'denied'>;
  facts(path: string): Promise<FileFacts | 'absent' | 'denied'>;
  /** Names in a folder, sorted; empty when it cannot be read. */
  names(folder: string): Promise<readonly string[]>;
  /** Path of a program in the usual places of an administrator, null if it is not there. */
  program(name: string): Promise<string | null>;
  run(program: string, args: readonly string[]): Promise<CommandResult>;
  /** Does somebody listen on this unix socket? */
  listens(socketPath: string): Promise<boolean>;
  /** The files of the product that this program belongs to. */
  ownFiles(): Promise<OwnFiles>;
}

const READ_LIMIT_BYTES = 1_048_576;
const RUN_TIMEOUT_MS = 5000;
/** /usr/sbin is not in an ordinary user's PATH, but the helper finds its tools there. */
const PROGRAM_FOLDERS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
}

function missing(error: unknown): 'absent' | 'denied' {
  return hasCode(error, 'EACCES', 'EPERM') ? 'denied' : 'absent';
}

async function readText(path: string): Promise<{ readonly text: string } | 'absent' | 'denied'> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(READ_LIMIT_BYTES), 0, READ_LIMIT_BYTES, null);
      return { text: buffer.toString('utf8', 0, bytesRead) };
    } finally {
      await file.close();
    }
  } catch (error: unknown) {
    return missing(error);
  }
}

async function facts(path: string): Promise<FileFacts | 'absent' | 'denied'> {
  try {
    const { mode, uid, gid, ...stat } = await lstat(path).then((one) => ({
      mode: one.mode & 0o7777, uid: one.uid, gid: one.gid, file: one.isFile(), folder: one.isDirectory(), link: one.isSymbolicLink(),
    }));
    const kind = stat.file ? 'file' : stat.folder ? 'folder' : stat.link ? 'link' : 'other';
    return { kind, mode, uid, gid };
  } catch (error: unknown) {
    return missing(error);
  }
}

function run(program: string, args: readonly string[]): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(program, [...args], { timeout: RUN_TIMEOUT_MS, env: { LC_ALL: 'C', PATH: PROGRAM_FOLDERS.join(':') } }, (error, stdout) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      resolve({ status, stdout });
    });
  });
}

function listens(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.setTimeout(RUN_TIMEOUT_MS, () => socket.destroy());
    socket.once('connect', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}

/** The real one. */
export function systemProbe(): Probe {
  return {
    kernelRelease: release(),
    uid: process.getuid?.() ?? -1,
    readText,
    facts,
    names: (folder) => readdir(folder).then((names) => names.sort(), () => []),
    async program(name) {
      for (const folder of PROGRAM_FOLDERS) {
        const path = join(folder, name);
        const found = await facts(path);
        if (typeof found === 'object') return path;
      }
      return null;
    },
    run,
    listens,
    // This bundle is build/ctl/main.mjs, or /usr/lib/bastion/ctl/main.mjs.
    ownFiles: () => verifyOwnFiles({ productDir: dirname(dirname(fileURLToPath(import.meta.url))) }),
  };
}
