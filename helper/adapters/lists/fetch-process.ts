/**
 * Starts the program that fetches lists, without any privilege: another user, no groups, no capabilities and no way to gain
 * some, an empty environment, no file that it can write, an end by time. The helper itself never speaks to a server; what the
 * program hands over is bounded here once more.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { dirname } from 'node:path';
import { z } from 'zod';
import { FETCH_LIMITS } from '../../lists/fetch-words.ts';
import type { FetchHeader, FetchRequest } from '../../lists/fetch-words.ts';

export interface Fetcher {
  /** The bundle of lists/fetch.ts, absolute. */
  readonly script: string;
  /** The runtime that runs it. */
  readonly node: string;
  /** Variables of its environment; none but in tests. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Shorter times for tests. */
  readonly longestMs?: number;
}

export type Fetched =
  | { readonly status: 'content'; readonly bytes: Buffer; readonly etag: string; readonly lastModified: string }
  | { readonly status: 'unchanged' }
  | { readonly status: 'failed'; readonly message: string };

/** The user `nobody`, on every distribution. Source: linux/highuid.h, DEFAULT_OVERFLOWUID; systemd, "Users, Groups, UIDs and GIDs". */
export const FETCH_UID = 65_534;
const LONGEST_MS = 300_000;
const HEAP_MB = 64;
const CPU_S = 120;
const OPEN_FILES = 64;
const NEWLINE = 10;

/** Source: setpriv(1), prlimit(1). */
function unprivileged(command: readonly string[]): readonly string[] {
  return [
    '/usr/bin/setpriv', `--reuid=${String(FETCH_UID)}`, `--regid=${String(FETCH_UID)}`, '--clear-groups', '--no-new-privs',
    '--inh-caps=-all', '--bounding-set=-all', '--pdeathsig=KILL',
    '/usr/bin/prlimit', '--fsize=0', '--core=0', `--cpu=${String(CPU_S)}`, `--nofile=${String(OPEN_FILES)}`,
    ...command,
  ];
}

/** The runtime's own permissions: it reads its script and nothing else, starts nothing, loads nothing. */
function runtime({ node, script }: Fetcher): readonly string[] {
  return [node, '--permission', `--allow-fs-read=${dirname(script)}/*`, `--max-old-space-size=${String(HEAP_MB)}`, script];
}

const headerShape = z.strictObject({
  status: z.enum(['content', 'unchanged']),
  etag: z.string().max(FETCH_LIMITS.validatorLength),
  lastModified: z.string().max(FETCH_LIMITS.validatorLength),
});

function readHeader(line: Buffer): FetchHeader | null {
  try {
    return headerShape.parse(JSON.parse(line.toString('utf8')));
  } catch {
    return null;
  }
}

/** Text of a stranger in one printable line. */
function plain(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ').trim().slice(0, 300);
}

/** Collects up to a limit; above it `full` is called once and the rest is let go. */
class Collector {
  readonly #parts: Buffer[] = [];
  readonly #limit: number;
  readonly #full: () => void;
  #length = 0;

  constructor(limit: number, full: () => void) {
    this.#limit = limit;
    this.#full = full;
  }

  take(part: Buffer): void {
    if (this.#length > this.#limit) return;
    this.#length += part.length;
    if (this.#length > this.#limit) this.#full();
    else this.#parts.push(part);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** Fetches one list; never rejects. At most `request.limitBytes` are held, twice while they are joined. */
export function fetchList(fetcher: Fetcher, request: FetchRequest): Promise<Fetched> {
  return new Promise((resolve) => {
    const isRoot = process.getuid?.() === 0;
    const [program = '', ...args] = isRoot ? unprivileged(runtime(fetcher)) : runtime(fetcher);
    const environment = { ...fetcher.environment };
    const child = spawn(program, args, { cwd: '/', env: environment, stdio: 'pipe', timeout: fetcher.longestMs ?? LONGEST_MS, killSignal: 'SIGKILL' });
    const kill = (): void => { child.kill('SIGKILL'); };
    let overflow = false;
    const body = new Collector(FETCH_LIMITS.headerBytes + request.limitBytes, () => {
      overflow = true;
      kill();
    });
    const words = new Collector(FETCH_LIMITS.errorBytes, kill);
    child.stdout.on('data', (part: Buffer) => { body.take(part); });
    child.stderr.on('data', (part: Buffer) => { words.take(part); });
    // It may end before it has read its request; what it says tells why.
    child.stdin.on('error', () => undefined);
    child.on('error', (error) => { resolve({ status: 'failed', message: `The program that fetches lists cannot be started: ${error.message}.` }); });
    child.on('close', (code) => {
      if (overflow) resolve({ status: 'failed', message: 'The list is too large.' });
      else if (code !== 0) resolve({ status: 'failed', message: failure(child, words.bytes()) });
      else resolve(outcome(body.bytes()));
    });
    child.stdin.end(JSON.stringify(request));
  });
}

function failure(child: ChildProcess, words: Buffer): string {
  const said = plain(words);
  if (said !== '') return said;
  return child.killed ? 'The server took too long.' : 'The program that fetches lists ended without an answer.';
}

function outcome(bytes: Buffer): Fetched {
  const end = bytes.subarray(0, FETCH_LIMITS.headerBytes).indexOf(NEWLINE);
  const header = end < 0 ? null : readHeader(bytes.subarray(0, end));
  if (header === null) return { status: 'failed', message: 'The program that fetches lists gave no answer that can be read.' };
  if (header.status === 'unchanged') return { status: 'unchanged' };
  return { status: 'content', bytes: bytes.subarray(end + 1), etag: header.etag, lastModified: header.lastModified };
}
