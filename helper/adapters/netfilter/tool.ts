/** Runs the iptables tools: absolute paths, an environment of our own, bounded time and output. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { BastionError } from '../../contract/errors.ts';
import type { Family } from './rules.ts';

export type Backend = 'iptables-nft' | 'iptables-legacy';
export const BACKENDS: readonly Backend[] = ['iptables-nft', 'iptables-legacy'];

/** One family's tools of one backend, as absolute paths. */
export interface Tools {
  readonly save: string;
  readonly restore: string;
}

const FOLDERS = ['/usr/sbin', '/sbin', '/usr/bin', '/bin'];

/** A host full of containers has tens of thousands of rules; this is ten times that. */
const LISTING_LIMIT_BYTES = 64 * 1024 * 1024;
const TOOL_TIMEOUT_MS = 20_000;
/** Shorter than the tool's own time limit, so that the tool can still say who holds the lock. */
const LOCK_WAIT_S = 10;
const STDERR_LIMIT = 1000;

/** Where systems have their tools; null where it is not. */
export function findProgram(name: string): string | null {
  for (const folder of FOLDERS) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return null;
}

/** The tools of a backend for one family, null if either is not installed. */
export function findTools(backend: Backend, family: Family): Tools | null {
  const variant = backend === 'iptables-nft' ? 'nft' : 'legacy';
  const program = family === 4 ? 'iptables' : 'ip6tables';
  const save = findProgram(`${program}-${variant}-save`);
  const restore = findProgram(`${program}-${variant}-restore`);
  return save === null || restore === null ? null : { save, restore };
}

function run(path: string, args: readonly string[], input: string, started?: (pid: number) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      env: { LC_ALL: 'C' },
      cwd: '/',
      timeout: TOOL_TIMEOUT_MS,
      killSignal: 'SIGKILL' as const,
      maxBuffer: LISTING_LIMIT_BYTES,
    };
    const child = execFile(path, args, options, (error, stdout, stderr) => {
      if (error === null) {
        resolve(stdout);
        return;
      }
      const said = stderr.trim().slice(0, STDERR_LIMIT) || error.message.slice(0, STDERR_LIMIT);
      reject(new BastionError('Failed', `${path} failed.`, { cause: new Error(said) }));
    });
    if (child.pid !== undefined) started?.(child.pid);
    // A tool that refuses its arguments ends before it has read its input; the callback above tells that story.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

/**
 * In a user namespace the legacy tool may not read the names of the tables (/proc/net/ip_tables_names belongs to the first
 * namespace's root), but each table by its name.
 */
async function listByTable(tools: Tools, error: unknown): Promise<string> {
  const why = error instanceof BastionError && error.cause instanceof Error ? error.cause.message : '';
  if (!why.includes('tables_names')) throw error;
  let listing = '';
  for (const table of ['mangle', 'filter']) listing += await run(tools.save, ['-t', table], '');
  return listing;
}

/**
 * The listing of all tables that exist. Throws BastionError Failed with the tool's words as cause; NotSupported where a
 * table has native nft rules in it, which iptables-nft neither shows nor changes.
 */
export async function listRules(tools: Tools): Promise<string> {
  const listing = await run(tools.save, [], '').catch((error: unknown) => listByTable(tools, error));
  const foreign = /^# Table `(mangle|filter)' is incompatible/mu.exec(listing);
  if (foreign !== null) {
    throw new BastionError(
      'NotSupported',
      `The table ${foreign[1] ?? ''} was made with nft; iptables-nft cannot use it. Give those rules another table name.`,
    );
  }
  return listing;
}

/** The same with what each rule has counted, of the table mangle alone. Throws BastionError Failed. */
export async function listCounters(tools: Tools): Promise<string> {
  return run(tools.save, ['-c', '-t', 'mangle'], '');
}

/**
 * One `iptables-restore --noflush`: each `*table ... COMMIT` of the text is atomic, in both backends (legacy replaces the
 * table by one setsockopt, nft sends one netlink batch at COMMIT). `started` hears of the process before it can change
 * anything. Throws BastionError Failed.
 */
export async function restoreRules(tools: Tools, text: string, started: (pid: number) => void): Promise<void> {
  await run(tools.restore, ['--noflush', '-w', String(LOCK_WAIT_S)], text, started);
}

/**
 * Empties every chain whose name begins with `prefix`, by nft, which can do so in a table that iptables-nft cannot use. The
 * chains and what leads to them stay, and do nothing. Throws BastionError Failed; NotSupported where nft is not installed.
 */
export async function emptyChains(family: Family, prefix: string): Promise<void> {
  const nft = findProgram('nft');
  if (nft === null) throw new BastionError('NotSupported', 'nft is not installed (package nftables).');
  const protocol = family === 4 ? 'ip' : 'ip6';
  let text = '';
  for (const table of ['mangle', 'filter']) {
    // Without such a table nothing of ours is in it.
    const listing = await run(nft, ['list', 'table', protocol, table], '').catch(() => '');
    for (const [, name = ''] of listing.matchAll(/^\tchain (\w+) \{$/gmu)) {
      if (name.startsWith(prefix)) text += `flush chain ${protocol} ${table} ${name}\n`;
    }
  }
  if (text !== '') await run(nft, ['-f', '-'], text);
}
