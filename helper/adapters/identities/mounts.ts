/** The helper's own mount table, and which mount an open file came from. */
import { readFileSync } from 'node:fs';

export interface Mount {
  readonly id: number;
  /** `major << 20 | minor` */
  readonly device: number;
  readonly point: string;
  readonly options: readonly string[];
  readonly type: string;
  readonly superOptions: readonly string[];
}

/** Source: proc(5), mountinfo; octal escapes for blanks and backslashes. */
export function parseMounts(text: string): readonly Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const [front = '', back = ''] = line.split(' - ');
    const [id, , numbers = '', , point = '', options = ''] = front.split(' ');
    const [type = '', , superOptions = ''] = back.split(' ');
    const [major, minor] = numbers.split(':').map(Number);
    if (id === undefined || major === undefined || minor === undefined || type === '') continue;
    mounts.push({
      id: Number(id),
      device: major * 0x10_0000 + minor,
      point: point.replaceAll(/\\([0-7]{3})/gu, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8))),
      options: options.split(','),
      type,
      superOptions: superOptions.split(','),
    });
  }
  return mounts;
}

/** @throws Error where /proc is not mounted. */
export function readMounts(): readonly Mount[] {
  return parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
}

/** The mount that the open file was reached by; null if the kernel does not tell. Source: proc(5), fdinfo, mnt_id. */
export function mountOf(fd: number, mounts: readonly Mount[]): Mount | null {
  const id = /^mnt_id:\s*(\d+)$/mu.exec(readFileSync(`/proc/self/fdinfo/${String(fd)}`, 'latin1'))?.[1];
  return mounts.find((mount) => String(mount.id) === id) ?? null;
}

/**
 * A file system whose content comes from a program that a user may have started: what it shows once, it need not show again.
 * fuseblk takes a block device, which is root's.
 */
export function isUserProvided(mount: Mount): boolean {
  return mount.type === 'fuse' || mount.type.startsWith('fuse.');
}

/** Is `device` a FUSE file system of user `uid`, at a mount point above `path`? */
export function isUserMount(mounts: readonly Mount[], path: string, device: number, uid: number): boolean {
  return mounts.some((mount) => mount.device === device && isUserProvided(mount)
    && mount.superOptions.includes(`user_id=${String(uid)}`) && path.startsWith(`${mount.point}/`));
}

const SNAP = /^(\/(?:var\/lib\/snapd\/)?snap\/([a-z0-9-]{1,40}(?:_[a-z0-9]{1,10})?)\/[a-z0-9]{1,16})\//u;

/**
 * Name of the snap that a file lies in: its mount is a read-only squashfs at the snap's own place. Only root can mount one there
 * in the machine's own mount namespace, whatever a folder of that name says.
 */
export function snapOf(path: string, mount: Mount): string | null {
  const [, point, name] = SNAP.exec(path) ?? [];
  return mount.type === 'squashfs' && mount.options.includes('ro') && mount.point === point ? name ?? null : null;
}
