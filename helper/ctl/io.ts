/** The process's terminal, streams and signals as the commands use them; tests put their own in its place. */
import type { ReadStream, WriteStream } from 'node:tty';

export type StopReason = 'interrupt' | 'terminate' | 'closed';

/** Single keys, as they are pressed, without echo. */
export interface Keyboard {
  /** Gives the terminal back for a dialog of another program (a password), keys are not read meanwhile. */
  suspend(): void;
  resume(): void;
  /** Restores the terminal; idempotent. */
  close(): void;
}

export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdinIsTerminal: boolean;
  readonly stdoutIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  /** Of the terminal behind stdout; 80 x 24 where there is none. */
  columns(): number;
  rows(): number;
  /** Wall time, ms since 1970. */
  now(): number;
  out(text: string): void;
  err(text: string): void;
  /** Bytes that stdout has not taken yet. */
  pendingBytes(): number;
  /** Resolves when stdout has taken everything, or is closed. */
  flush(): Promise<void>;
  /** From the first call on, SIGINT, SIGTERM, SIGHUP, SIGQUIT and a closed stdout no longer end the process but resolve this. */
  untilStopped(): Promise<StopReason>;
  /** `onKey` gets one printable character, `escape`, `enter`, `interrupt` (Ctrl-C), `suspend` (Ctrl-Z) or `end` (Ctrl-D). */
  keyboard(onKey: (key: string) => void): Keyboard;
  /** Stops this process as Ctrl-Z would; `continued` is called when it goes on. */
  stopProcess(continued: () => void): void;
}

/** A chunk this long was pasted, not typed: it must not answer anything. */
const PASTE_LENGTH = 8;

/**
 * The keys of one chunk that a terminal in raw mode delivered. Escape sequences (arrows, function keys) and pastes are no
 * keys of ours.
 */
export function keysOf(chunk: string): readonly string[] {
  if (chunk === '\x1b') return ['escape'];
  if (chunk.startsWith('\x1b') || chunk.length > PASTE_LENGTH) return [];
  const keys: string[] = [];
  for (const character of chunk) {
    switch (character) {
      case '\x03': keys.push('interrupt'); break;
      case '\x04': keys.push('end'); break;
      case '\x1a': keys.push('suspend'); break;
      case '\r':
      case '\n': keys.push('enter'); break;
      default: if (/^[\p{L}\p{N}\p{P}]$/u.test(character)) keys.push(character.toLowerCase());
    }
  }
  return keys;
}

function openKeyboard(stdin: ReadStream, onKey: (key: string) => void): Keyboard {
  let closed = false;
  const onData = (chunk: string): void => keysOf(chunk).forEach(onKey);
  const onEnd = (): void => onKey('end');
  const raw = (on: boolean): void => {
    // The terminal may have gone away; there is nothing to restore then.
    if (!stdin.destroyed) stdin.setRawMode(on);
  };
  const restore = (): void => raw(false);
  const resume = (): void => {
    if (closed) return;
    raw(true);
    stdin.resume();
  };
  stdin.setEncoding('utf8').on('data', onData).on('end', onEnd).on('error', onEnd);
  // Also for an exception that nobody caught: a terminal left in raw mode is unusable.
  process.on('exit', restore);
  resume();
  return {
    suspend() {
      stdin.pause();
      restore();
    },
    resume,
    close() {
      if (closed) return;
      closed = true;
      stdin.off('data', onData).off('end', onEnd).off('error', onEnd);
      process.off('exit', restore);
      stdin.pause();
      restore();
    },
  };
}

/** Of a terminal that does not say how large it is. */
const FALLBACK_SIZE = { columns: 80, rows: 24 } as const;
const SMALLEST_SIZE = 10;

/** Serial lines and some recorders report 0. */
function sizeOr(size: number, otherwise: number): number {
  return size > 0 ? Math.max(size, SMALLEST_SIZE) : otherwise;
}

function untilDrained(stream: WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) resolve();
    else stream.write('', () => resolve());
  });
}

/** The real one. A write to a closed pipe is never an error: who closed it has seen enough. */
export function systemIo(): Io {
  const { stdin, stdout, stderr } = process;
  let closed = false;
  let stopped: Promise<StopReason> | null = null;
  let stop: ((reason: StopReason) => void) | null = null;
  for (const stream of [stdout, stderr]) {
    stream.on('error', () => {
      closed = true;
      if (stop === null) process.exit();
      stop('closed');
    });
  }
  return {
    env: process.env,
    stdinIsTerminal: stdin.isTTY,
    stdoutIsTerminal: stdout.isTTY,
    stderrIsTerminal: stderr.isTTY,
    columns: () => (stdout.isTTY ? sizeOr(stdout.columns, FALLBACK_SIZE.columns) : FALLBACK_SIZE.columns),
    rows: () => (stdout.isTTY ? sizeOr(stdout.rows, FALLBACK_SIZE.rows) : FALLBACK_SIZE.rows),
    now: () => Date.now(),
    out: (text) => void (!closed && stdout.write(text)),
    err: (text) => void (!closed && stderr.write(text)),
    pendingBytes: () => stdout.writableLength,
    flush: async () => void (await Promise.all([untilDrained(stdout), untilDrained(stderr)])),
    untilStopped() {
      stopped ??= new Promise((resolve) => {
        stop = resolve;
        process.on('SIGINT', () => resolve('interrupt'));
        process.on('SIGTERM', () => resolve('terminate'));
        process.on('SIGHUP', () => resolve('terminate'));
        process.on('SIGQUIT', () => resolve('terminate'));
      });
      return stopped;
    },
    keyboard: (onKey) => openKeyboard(stdin, onKey),
    stopProcess(continued) {
      process.once('SIGCONT', continued);
      process.kill(process.pid, 'SIGTSTP');
    },
  };
}
