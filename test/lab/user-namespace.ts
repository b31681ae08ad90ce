/** The way of the lab where root's rights are missing: a user namespace of its own. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { searchPath, tool, tryTool } from './process.ts';

const INSIDE = 'BASTION_LAB_USER_NAMESPACE';

/** True in the process that `reenter` started. */
export function insideUserNamespace(): boolean {
  return process.env[INSIDE] === '1';
}

/** How many uids this user namespace maps. Source: user_namespaces(7). */
export function mappedUids(): number {
  return readFileSync('/proc/self/uid_map', 'utf8')
    .split('\n')
    .reduce((sum, line) => sum + Number(line.trim().split(/\s+/u)[2] ?? 0), 0);
}

/** Why network namespaces cannot be made with the rights that this process has; null when they can. */
export function missingRights(): string | null {
  if (process.getuid?.() !== 0) return 'not root';
  const probe = `bastion-lab-${String(process.pid)}-0-probe`;
  try {
    tool('ip', ['netns', 'add', probe]);
    tool('ip', ['netns', 'delete', probe]);
    return null;
  } catch (error: unknown) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Can this user have a user namespace with a network of its own? */
export function userNamespaceWorks(): boolean {
  return tryTool('unshare', ['-Urnm', 'true']) !== null;
}

/** A script that gives the namespace a /run of its own, for `ip netns` and the lock of iptables, and then becomes its arguments. */
const PREPARE = 'mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/netns && exec "$@"';

/** Runs a program of the pinned runtime again as root of a user namespace of its own, with the same standard streams. */
export function reenter(script: string, args: readonly string[]): ChildProcess {
  return spawn('unshare', ['-Urnm', '--', 'sh', '-c', PREPARE, 'sh', process.execPath, ...process.execArgv, script, ...args], {
    stdio: 'inherit',
    env: { ...process.env, PATH: searchPath(), [INSIDE]: '1' },
  });
}
