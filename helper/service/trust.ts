/**
 * Is a caller one of the package's own programs? What this proves: the process runs the package's root-owned executable, in
 * the same namespaces and root as the helper or the machine, and says that the package's script is what it was started with,
 * without anything that makes a loader or the runtime take code from elsewhere.
 *
 * It is hardening, not proof. A process of the same user writes its own command line and environment, can put code into
 * another one, and can leave its connection to a program that it starts. DESIGN.md says so, and what follows from it: the most
 * that a false agent gains is what the user at the screen may answer for his own programs.
 */
import { closeSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import type { Processes } from '../ports.ts';

const WRITABLE_BY_OTHERS = 0o022;
/** The environment of an ordinary session has a few thousand; who has more is not the package's own program. */
const MOST_ENVIRONMENT_BYTES = 256 * 1024;
const STATUS_BYTES = 4096;

/**
 * Variables by which a process takes in code that is not the package's: of the dynamic loader (ld.so(8)), of the runtime
 * (node(1), OpenSSL's configuration among it), and of the libraries that the desktop loads (GLib, GTK, girepository, glibc's
 * character sets).
 */
const LOADERS = new Set([
  'LD_PRELOAD', 'LD_AUDIT', 'LD_LIBRARY_PATH', 'GLIBC_TUNABLES', 'GCONV_PATH', 'LOCPATH',
  'NODE_OPTIONS', 'NODE_PATH', 'NODE_COMPILE_CACHE', 'NODE_PRESERVE_SYMLINKS', 'NODE_PRESERVE_SYMLINKS_MAIN',
  'NODE_REPL_EXTERNAL_MODULE', 'OPENSSL_CONF', 'OPENSSL_MODULES', 'OPENSSL_ENGINES',
  'GI_TYPELIB_PATH', 'GIO_EXTRA_MODULES', 'GIO_MODULE_DIR', 'GTK_PATH', 'GTK_EXE_PREFIX', 'GTK_IM_MODULE_FILE',
  'GDK_PIXBUF_MODULE_FILE', 'GDK_PIXBUF_MODULEDIR',
]);

function stat(path: string): Stats | null {
  return statSync(path, { throwIfNoEntry: false }) ?? null;
}

/** A file that only root could have put where it is: it and every folder above it belong to root and nobody else writes. */
export function isRootOwned(path: string): boolean {
  if (!isAbsolute(path) || stat(path) === null) return false;
  for (let part = realpathSync(path); ; part = dirname(part)) {
    const found = stat(part);
    if (found?.uid !== 0 || (found.mode & WRITABLE_BY_OTHERS) !== 0) return false;
    if (part === '/') return true;
  }
}

function sameFile(path: string, other: string): boolean {
  const one = stat(path);
  const two = stat(other);
  return one !== null && two !== null && one.dev === two.dev && one.ino === two.ino;
}

/** Paths of a process mean what they mean to us only in the same namespaces and below the same root. */
function seesOurFiles(pid: number): boolean {
  const proc = `/proc/${String(pid)}`;
  const mounts = sameFile(`${proc}/ns/mnt`, '/proc/self/ns/mnt') || sameFile(`${proc}/ns/mnt`, '/proc/1/ns/mnt');
  return mounts && sameFile(`${proc}/ns/user`, '/proc/self/ns/user') && sameFile(`${proc}/root`, '/proc/self/root');
}

/** The beginning of a file below /proc; null when there is more than `most`. Throws when the process has gone. */
function readSome(path: string, most: number): string | null {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(most + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length <= most; length += read) read = readSync(file, buffer, length, buffer.length - length, null);
    return length > most ? null : buffer.toString('latin1', 0, length);
  } finally {
    closeSync(file);
  }
}

/** Would its loader or runtime have taken code from somewhere else? */
export function takesForeignCode(environment: string): boolean {
  return environment.split('\0').some((entry) => LOADERS.has(entry.slice(0, Math.max(entry.indexOf('='), 0))));
}

/** A process that another one traces does what that one wants. */
function isTraced(pid: number): boolean {
  const status = readSome(`/proc/${String(pid)}/status`, STATUS_BYTES) ?? '';
  return !/^TracerPid:\t0$/mu.test(status);
}

/**
 * `trusted` are absolute paths of executables and of scripts, without links. An executable alone is enough unless it is an
 * interpreter: then its first argument must be a trusted script. Never throws: a doubt is false.
 */
export function isTrusted(pid: number, trusted: readonly string[], processes: Processes): boolean {
  try {
    if (pid <= 1 || !seesOurFiles(pid)) return false;
    const exe = `/proc/${String(pid)}/exe`;
    const executable = trusted.find((path) => sameFile(path, exe));
    if (executable === undefined || !isRootOwned(executable)) return false;
    const environment = readSome(`/proc/${String(pid)}/environ`, MOST_ENVIRONMENT_BYTES);
    if (environment === null || takesForeignCode(environment) || isTraced(pid)) return false;
    if (!isInterpreter(executable)) return true;
    const argument = processes.commandLine(pid)[1] ?? '';
    // The very path: a link to it may have led elsewhere when the process started, a relative path means something else in each
    // folder, and an option could make the interpreter run anything.
    return argument !== executable && trusted.includes(argument) && isRootOwned(argument);
  } catch {
    return false;
  }
}

/** The package's JavaScript runtime says nothing about what it runs. */
function isInterpreter(path: string): boolean {
  return path.endsWith('/node');
}
