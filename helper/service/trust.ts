/**
 * Is a caller one of the package's own programs? What this proves: the process runs the package's root-owned executable, in
 * the same namespaces and root as the helper or the machine, with the package's script as its first argument. What it does not
 * prove: that nobody put code into it. A process of the same user can do that, and DESIGN.md says so.
 */
import { realpathSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import type { Processes } from '../ports.ts';

const WRITABLE_BY_OTHERS = 0o022;

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

/**
 * `trusted` are absolute paths of executables and of scripts. An executable alone is enough unless it is an interpreter: then
 * its first argument must be a trusted script. Never throws: a doubt is false.
 */
export function isTrusted(pid: number, trusted: readonly string[], processes: Processes): boolean {
  try {
    if (pid <= 1 || !seesOurFiles(pid)) return false;
    const exe = `/proc/${String(pid)}/exe`;
    const executable = trusted.find((path) => sameFile(path, exe));
    if (executable === undefined || !isRootOwned(executable)) return false;
    if (!isInterpreter(executable)) return true;
    const argument = processes.commandLine(pid)[1] ?? '';
    // A relative path means something else in each folder, and an option could make the interpreter run anything.
    if (!isAbsolute(argument)) return false;
    const script = trusted.find((path) => sameFile(path, argument));
    return script !== undefined && script !== executable && isRootOwned(script);
  } catch {
    return false;
  }
}

/** The package's JavaScript runtime says nothing about what it runs. */
function isInterpreter(path: string): boolean {
  return path.endsWith('/node');
}
