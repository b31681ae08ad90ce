/** Processes as /proc tells them: port `Processes`. What it says is for showing; identity comes from the kernel's record. */
import { closeSync, openSync, readlinkSync, readSync, statSync } from 'node:fs';
import type { Ancestor, BootNs, Owner } from '../contract/vocabulary.ts';
import type { Processes } from '../ports.ts';

/** Start times in /proc are in USER_HZ, which is 100 on every architecture that Node runs on. Source: proc(5), starttime. */
const TICK_NS = 10_000_000n;
const STAT_LIMIT_BYTES = 4096;
const COMMAND_LINE_LIMIT_BYTES = 4096;
/** TASK_COMM_LEN is 16; kernel threads show up to 64. Source: linux/sched.h, fs/proc/array.c. */
const COMMAND_LIMIT = 64;
const ANCESTORS_LIMIT = 8;

interface Stat {
  readonly parent: number;
  readonly command: string;
  readonly startTicks: bigint;
}

/** `root` is /proc, or a copy of it in tests. */
export function createProcesses(root = '/proc'): Processes {
  return {
    ancestors: (owner, limit) => ancestorsOf(root, owner, Math.min(limit, ANCESTORS_LIMIT)),
    alive: (pid, startNs) => isSame(statOf(root, pid), startNs),
    executable: (pid) => executableOf(root, pid),
    commandLine: (pid) => commandLineOf(root, pid),
  };
}

function ancestorsOf(root: string, owner: Owner, limit: number): readonly Ancestor[] {
  const found: Ancestor[] = [];
  let child = statOf(root, owner.pid);
  if (child === null || !isSame(child, owner.startNs)) return found;
  while (found.length < limit && child.parent > 0) {
    const pid = child.parent;
    const parent = statOf(root, pid);
    // A parent is older than its child: a younger process has only been given the same number.
    if (parent === null || parent.startTicks > child.startTicks) break;
    found.push({ pid, path: executableOf(root, pid), command: parent.command });
    child = parent;
  }
  return found;
}

function isSame(stat: Stat | null, startNs: BootNs): boolean {
  return stat?.startTicks === startNs / TICK_NS;
}

/** The command may hold anything, brackets and newlines too: the fields begin behind the last bracket. */
function statOf(root: string, pid: number): Stat | null {
  const text = readBounded(`${root}/${String(pid)}/stat`, STAT_LIMIT_BYTES)?.toString('utf8');
  if (text === undefined) return null;
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open === -1 || close < open) return null;
  const fields = text.slice(close + 2).split(' ');
  const parent = Number(fields[1]);
  const start = fields[19] ?? '';
  if (!Number.isSafeInteger(parent) || !/^\d+$/.test(start)) return null;
  return { parent, command: text.slice(open + 1, close).slice(0, COMMAND_LIMIT), startTicks: BigInt(start) };
}

/**
 * The link's text only where the file that is there now is the one that runs: a deleted file, or a path of another mount
 * namespace, is no path here.
 */
function executableOf(root: string, pid: number): string | null {
  const link = `${root}/${String(pid)}/exe`;
  try {
    const path = readlinkSync(link);
    const running = statSync(link, { bigint: true });
    const there = statSync(path, { bigint: true });
    return path.startsWith('/') && running.dev === there.dev && running.ino === there.ino ? path : null;
  } catch {
    return null;
  }
}

function commandLineOf(root: string, pid: number): readonly string[] {
  const bytes = readBounded(`${root}/${String(pid)}/cmdline`, COMMAND_LINE_LIMIT_BYTES);
  if (bytes === null || bytes.length === 0) return [];
  const text = bytes.toString('utf8');
  return (text.endsWith('\0') ? text.slice(0, -1) : text).split('\0');
}

/** At most `limitBytes` from the beginning of a file; null if it cannot be read. */
export function readBounded(path: string, limitBytes: number): Buffer | null {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return null;
  }
  try {
    const buffer = Buffer.alloc(limitBytes);
    let length = 0;
    while (length < limitBytes) {
      const count = readSync(file, buffer, length, limitBytes - length, null);
      if (count === 0) break;
      length += count;
    }
    return buffer.subarray(0, length);
  } catch {
    return null;
  } finally {
    closeSync(file);
  }
}
