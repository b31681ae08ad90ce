/** Finds the deployed file behind a path that a program has inside its Flatpak. Runs in the worker only. */
import { lstatSync, readFileSync, readdirSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { join } from 'node:path';
import type { Deployment, FileKey, WorkerPlaces } from './protocol.ts';
import { isRootsFile } from './trusted-path.ts';

/** Deployed commits that are looked at in one search. */
export const DEPLOYMENTS_LIMIT = 4096;
/** Source: D-Bus specification, "Bus names"; flatpak(1), application ids. */
const APPLICATION = /^[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*){2,}$/u;
const IN_SANDBOX = '/app/';

/** An application's folders ID/ARCH/BRANCH/COMMIT/files; links (`current`, `active`) lead to the same ones and are left out. */
function* deployedFolders(installation: string): Generator<{ readonly id: string; readonly files: string }> {
  const top = join(installation, 'app');
  let count = 0;
  for (const id of foldersIn(top)) {
    if (!APPLICATION.test(id)) continue;
    for (const arch of foldersIn(join(top, id))) {
      for (const branch of foldersIn(join(top, id, arch))) {
        for (const commit of foldersIn(join(top, id, arch, branch))) {
          count += 1;
          if (count > DEPLOYMENTS_LIMIT) return;
          yield { id, files: join(top, id, arch, branch, commit, 'files') };
        }
      }
    }
  }
}

function foldersIn(path: string): readonly string[] {
  let entries: readonly Dirent[];
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

function isFile(path: string, key: FileKey): boolean {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stats?.isFile() === true && stats.ino === key.inode && stats.ctimeNs / 1_000_000_000n === BigInt(key.ctimeSec);
}

function found(installation: string, rest: string, key: FileKey): readonly { readonly id: string; readonly path: string }[] {
  const matches: { readonly id: string; readonly path: string }[] = [];
  for (const { id, files } of deployedFolders(installation)) {
    const path = join(files, rest);
    try {
      if (isFile(path, key)) matches.push({ id, path });
    } catch {
      continue;
    }
  }
  return matches;
}

/** Home folder of a user in the machine's own list of users; null for others. Source: passwd(5). */
function homeOf(passwd: string, uid: number): string | null {
  try {
    const line = readFileSync(passwd, 'utf8').split('\n').map((text) => text.split(':')).find((fields) => fields[2] === String(uid));
    const home = line?.[5] ?? '';
    return home.startsWith('/') && home.length > 1 ? home : null;
  } catch {
    return null;
  }
}

/**
 * Deployed files that could be the executable, by inode and change time: the caller compares them fully. The system's
 * installation names its application where the file and every folder above it are root's; applications that share the very
 * file (OSTree links equal files) are not told apart, and none is named. A user's own installation has a path and no name.
 */
export function deploymentsOf(claimed: string, key: FileKey, uid: number, places: WorkerPlaces): readonly Deployment[] {
  if (!claimed.startsWith(IN_SANDBOX) || claimed.split('/').includes('..')) return [];
  const rest = claimed.slice(IN_SANDBOX.length);
  const system = found(places.flatpak, rest, key).filter(({ path }) => isRootsFile(path));
  const [first] = system;
  if (first !== undefined) {
    const ids = new Set(system.map(({ id }) => id));
    return ids.size === 1 ? system.map(({ id, path }) => ({ path, flatpak: id })) : [];
  }
  const home = homeOf(places.passwd, uid);
  const own = home === null ? [] : found(join(home, '.local/share/flatpak'), rest, key);
  return own.map(({ path }) => ({ path, flatpak: null }));
}

/** The application that a file of the system's installation belongs to, when it is run by its real path. */
export function flatpakOf(path: string, key: FileKey, places: WorkerPlaces): string | null {
  const top = `${join(places.flatpak, 'app')}/`;
  if (!path.startsWith(top)) return null;
  const [id, , , , files, ...rest] = path.slice(top.length).split('/');
  if (files !== 'files' || rest.length === 0) return null;
  const [one] = deploymentsOf(`${IN_SANDBOX}${rest.join('/')}`, key, 0, places);
  return one?.flatpak === id ? one?.flatpak ?? null : null;
}
