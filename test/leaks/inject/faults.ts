/** The faults that are made, in the words of those who tell them. */
import { constants } from 'node:os';

export const FAULT_CODES = ['ENOSPC', 'EROFS', 'EIO', 'EMFILE', 'ENOMEM'] as const;
export type FaultCode = (typeof FAULT_CODES)[number];

/** Source: libuv, uv_strerror. */
const TEXTS: Readonly<Record<FaultCode, string>> = {
  ENOSPC: 'no space left on device',
  EROFS: 'read-only file system',
  EIO: 'i/o error',
  EMFILE: 'too many open files',
  ENOMEM: 'not enough memory',
};

/** What SQLite makes of them: result code and text. Source: sqlite.org/rescode.html. */
export const SQLITE_FAULTS: Readonly<Record<FaultCode, readonly [number, string]>> = {
  ENOSPC: [13, 'database or disk is full'],
  EROFS: [8, 'attempt to write a readonly database'],
  EIO: [10, 'disk I/O error'],
  EMFILE: [14, 'unable to open database file'],
  ENOMEM: [7, 'out of memory'],
};

/** An error as node makes it of a system call. */
export function systemError(code: FaultCode, syscall: string, path?: string): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new Error(`${code}: ${TEXTS[code]}, ${syscall}${path === undefined ? '' : ` '${path}'`}`);
  return Object.assign(error, { code, errno: -constants.errno[code], syscall, ...(path === undefined ? {} : { path }) });
}
