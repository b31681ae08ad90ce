/** What the rigs fetch from Debian's archive and keep: where it lies, and where it comes from. */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { tryTool } from '../../lab/process.ts';

export const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** A folder below `$XDG_CACHE_HOME/bastion-firewall`: some hundred megabytes, which may be deleted at any time. */
export function cacheFolder(...names: readonly string[]): string {
  const given = process.env['XDG_CACHE_HOME'] ?? '';
  return join(given.startsWith('/') ? given : join(homedir(), '.cache'), 'bastion-firewall', ...names);
}

/** Address of the Debian archive in apt's own configuration, null without one. */
export function mirror(): string | null {
  const known = tryTool('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages']) ?? '';
  return known.split('\n').find((address) => /\/debian\/?$/u.test(address)) ?? null;
}

/** Why nothing can be fetched here; null where something can. */
export function noArchive(what: string): string | null {
  if (tryTool('apt-get', ['--version']) === null) return `there is no apt-get to fetch ${what} with`;
  if (!existsSync(KEYRING)) return 'the package debian-archive-keyring is not installed';
  return mirror() === null ? 'apt knows no Debian mirror' : null;
}

/** Makes the folder by `make`, which gets an unfinished one of another name; a folder that is there stays. */
export async function cached(folder: string, make: (unfinished: string) => Promise<void>): Promise<void> {
  if (existsSync(folder)) return;
  const unfinished = `${folder}.${String(process.pid)}`;
  mkdirSync(dirname(unfinished), { recursive: true });
  mkdirSync(unfinished);
  try {
    await make(unfinished);
    if (!existsSync(folder)) renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}
