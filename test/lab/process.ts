/** Starting and ending programs for the lab: bounded output, no program outlives the lab. */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root folder of the tree. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const OUTPUT_LIMIT_CHARACTERS = 4 * 1024 * 1024;
const COMMAND_TIMEOUT_MS = 60_000;

/** Runs a tool to its end and gives its standard output; throws an Error with what it said on failure. */
export function tool(name: string, args: readonly string[], input = ''): string {
  try {
    return execFileSync(name, [...args], {
      encoding: 'utf8',
      input,
      timeout: COMMAND_TIMEOUT_MS,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C', PATH: searchPath() },
    });
  } catch (error: unknown) {
    const said = error instanceof Error && 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim() : '';
    const why = said !== '' ? said : error instanceof Error ? error.message : String(error);
    throw new Error(`${name} ${args.join(' ')}: ${why.slice(0, 1000)}`, { cause: error });
  }
}

/** `tool`, with failure as null: for what may be missing. */
export function tryTool(name: string, args: readonly string[]): string | null {
  try {
    return tool(name, args);
  } catch {
    return null;
  }
}

/** PATH with the folders of administration tools, which an ordinary user's lacks. */
export function searchPath(): string {
  const given = (process.env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'));
  return [...new Set([...given, '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'])].join(':');
}

/** Absolute path of a program in `searchPath()`, null if there is none. */
export function which(name: string): string | null {
  const found = searchPath().split(':').find((folder) => existsSync(join(folder, name)));
  return found === undefined ? null : join(found, name);
}

/** What a finished program did. `status` is null when a signal ended it. */
export interface Result {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  /** At most 4 MiB of text each; more is cut. */
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (chunk: string) => {
    if (text.length < OUTPUT_LIMIT_CHARACTERS) text += chunk;
  });
  return () => text.slice(0, OUTPUT_LIMIT_CHARACTERS);
}

/** Waits for a child's end and streams. Kills it with SIGKILL after `timeoutMs`. */
export async function finish(child: ChildProcess, input: string | undefined, timeoutMs: number): Promise<Result> {
  const startMs = performance.now();
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input ?? '');
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  try {
    await once(child, 'close');
  } finally {
    clearTimeout(timer);
  }
  return {
    status: child.exitCode,
    signal: child.signalCode,
    stdout: stdout(),
    stderr: stderr(),
    durationMs: performance.now() - startMs,
  };
}

/** Has it been started and not yet ended? */
export function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/** SIGTERM (or `signal`), then SIGKILL after `graceMs`; resolves when it has gone. */
export async function endChild(child: ChildProcess, graceMs: number, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (!isRunning(child)) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  try {
    await gone;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Starts a program of the lab in a session of its own, so that the terminal's Ctrl-C reaches it only through the lab, and
 * tied to this process: the kernel kills it when this process dies.
 */
export function startTied(
  argv: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly stdio: ['pipe' | 'ignore', 'pipe' | 'ignore' | number, number | 'ignore'] },
): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], {
    detached: true,
    cwd: '/',
    env: { ...(options.env ?? process.env), PATH: searchPath() },
    stdio: options.stdio,
  });
}

/** What was waited for did not come in time: the machine is busy, or something hangs. */
export class RanOutError extends Error {
  override readonly name = 'RanOutError';
}

/** Rejects with the message if `promise` has not settled in time. */
export async function within<T>(promise: Promise<T>, timeoutMs: number, message: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => { reject(new RanOutError(message())); }, timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
