/** What a lab leaves in the system while it lives, and its removal: of our own lab, and of those whose process has died. */
import { existsSync, readFileSync, readdirSync, rmSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tool, tryTool } from './process.ts';

const NAME = /^bastion-lab-(\d+)-[0-9a-f]+/u;
const TEMPORARY = '/tmp';
const NAMESPACES = '/run/netns';
const OLD_CGROUPS = '/sys/fs/cgroup/systemd';

/** A killed process leaves its cgroup within milliseconds; this is for a machine that swaps or has a lot to do. */
const CGROUP_EMPTY_LIMIT_MS = 15_000;
const CGROUP_POLL_MS = 5;

/** Mount point of the cgroup v2 hierarchy in this mount namespace, null if there is none. Source: proc(5) mountinfo. */
export function cgroup2Mount(): string | null {
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [mount = '', filesystem = ''] = line.split(' - ');
    if (filesystem.startsWith('cgroup2 ')) return mount.split(' ')[4] ?? null;
  }
  return null;
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function removeCgroup(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(join(path, entry.name));
  }
  writeFileSync(join(path, 'cgroup.kill'), '1');
  const stopMs = performance.now() + CGROUP_EMPTY_LIMIT_MS;
  for (;;) {
    try {
      rmdirSync(path);
      return;
    } catch (error: unknown) {
      if (performance.now() > stopMs) throw error;
      pause(CGROUP_POLL_MS);
    }
  }
}

/** systemd-nspawn makes a second one in systemd's own hierarchy, where version 1 is mounted too. */
function removeOldCgroup(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeOldCgroup(join(path, entry.name));
  }
  rmdirSync(path);
}

/** Ends what was left running in a namespace of ours: a program in the background, or one that left the cgroup. */
function killInside(namespace: string): void {
  const inode = statSync(namespace).ino;
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      if (statSync(join('/proc', entry, 'ns/net')).ino === inode) process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile, or belongs to somebody else and so is not in there.
      continue;
    }
  }
}

function removeNamespace(name: string): void {
  const path = join(NAMESPACES, name);
  if (!existsSync(path)) return;
  killInside(path);
  tool('ip', ['netns', 'delete', name]);
}

function removeFolder(path: string): void {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' ')[4] ?? '');
  for (const mount of mounts.filter((point) => point.startsWith(`${path}/`)).reverse()) {
    if (tryTool('umount', [mount]) === null) tool('umount', ['--lazy', mount]);
  }
  rmSync(path, { recursive: true, force: true });
}

/**
 * Removes everything that carries the lab's name: processes in its cgroup, its mounts and folder, cgroup and namespaces.
 * Synchronous, so that it works in an exit handler too. Throws an AggregateError when something stays.
 */
export function removeTraces(name: string): void {
  const cgroup = cgroup2Mount();
  const errors: unknown[] = [];
  const steps = [
    () => { if (cgroup !== null && existsSync(join(cgroup, name, 'cgroup.kill'))) writeFileSync(join(cgroup, name, 'cgroup.kill'), '1'); },
    // The client's, the peer's, and those of containers that a test made.
    ...namesIn(NAMESPACES).filter((one) => one.startsWith(`${name}-`)).map((one) => () => { removeNamespace(one); }),
    () => { removeFolder(join(TEMPORARY, name)); },
    () => { if (cgroup !== null) removeCgroup(join(cgroup, name)); },
    () => { removeOldCgroup(join(OLD_CGROUPS, name)); },
  ];
  for (const step of steps) {
    try {
      step();
    } catch (error: unknown) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, `parts of ${name} could not be removed: ${errors.map(String).join('; ')}`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error: unknown) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** Removes what labs left whose process is no more. What belongs to another user stays. */
export function removeLeftovers(): void {
  const cgroup = cgroup2Mount();
  const found = [...namesIn(TEMPORARY), ...namesIn(NAMESPACES), ...(cgroup === null ? [] : namesIn(cgroup))];
  const names = new Set(found.map((name) => NAME.exec(name)?.[0]).filter((name) => name !== undefined));
  for (const name of names) {
    const pid = Number(NAME.exec(name)?.[1]);
    if (isAlive(pid)) continue;
    try {
      removeTraces(name);
    } catch {
      continue;
    }
  }
}
