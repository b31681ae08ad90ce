/** Runs nft: its absolute path, an environment of our own, bounded time and output. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { BastionError } from '../../contract/errors.ts';

/** A set of 100,000 elements is told in 10 MB. */
const OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024;
const STDERR_LIMIT = 1000;
const TIMEOUT_MS = 10_000;

export interface NftRun {
  /** Absolute path. */
  readonly program: string;
  /** Where its input is written; only root may write there. */
  readonly folder: string;
  /** Hears of the process before it can change anything. */
  readonly started: (pid: number) => void;
  readonly timeoutMs?: number;
}

/**
 * A file without a name, open for reading: nft opens /dev/stdin once more, which a socket does not let it, and pipes are not to
 * be had here. Written at its beginning, so that whoever reads it as it is begins there too.
 */
function inputFile(folder: string, text: string): number {
  const path = join(folder, `.nft.${randomBytes(8).toString('hex')}.tmp`);
  const file = openSync(path, 'wx+', 0o600);
  try {
    unlinkSync(path);
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at, at);
    return file;
  } catch (error: unknown) {
    closeSync(file);
    throw error;
  }
}

function failure(said: string): BastionError {
  return new BastionError('Failed', 'nft failed.', { cause: new Error(said) });
}

/**
 * What it prints. Rejects with BastionError Failed, whose cause is what it said: also where it was ended because of its time or
 * its output, when nobody knows what it has done.
 */
export function runNft({ program, folder, started, timeoutMs = TIMEOUT_MS }: NftRun, args: readonly string[], input: string | null = null): Promise<string> {
  return new Promise((resolve, reject) => {
    let file: number | null;
    try {
      file = input === null ? null : inputFile(folder, input);
    } catch (error: unknown) {
      reject(failure(`its input could not be written below ${folder}: ${error instanceof Error ? error.message : String(error)}`));
      return;
    }
    const child = spawn(program, args, { env: { LC_ALL: 'C' }, cwd: '/', stdio: [file ?? 'ignore', 'pipe', 'pipe'] });
    if (file !== null) closeSync(file);
    if (child.pid !== undefined) started(child.pid);
    const late = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    const output: Buffer[] = [];
    let length = 0;
    let said = '';
    child.stdout?.on('data', (part: Buffer) => {
      length += part.length;
      if (length > OUTPUT_LIMIT_BYTES) child.kill('SIGKILL');
      else output.push(part);
    });
    child.stderr?.on('data', (part: Buffer) => { said = (said + part.toString('utf8')).slice(0, STDERR_LIMIT); });
    child.on('error', (error) => {
      clearTimeout(late);
      reject(failure(error.message));
    });
    child.on('close', (status) => {
      clearTimeout(late);
      if (status === 0) resolve(Buffer.concat(output).toString('utf8'));
      else if (length > OUTPUT_LIMIT_BYTES) reject(failure('it told more than can be read'));
      else reject(failure(said.trim() || (status === null ? 'it was ended' : `it ended with status ${String(status)}`)));
    });
  });
}

/** What nft said, of an error of `runNft`; '' for another one. */
export function saidBy(error: unknown): string {
  return error instanceof BastionError && error.cause instanceof Error ? error.cause.message : '';
}
