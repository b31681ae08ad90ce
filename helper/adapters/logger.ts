/** Boundary logging to standard error, which is the journal under systemd: port `Logger`. */
import { fstatSync } from 'node:fs';
import type { Logger, LogLevel } from '../ports.ts';

const LEVELS: readonly LogLevel[] = ['error', 'warning', 'info', 'debug'];
/** Source: sd-daemon(3), SD_ERR, SD_WARNING, SD_INFO, SD_DEBUG. */
const PREFIXES: Readonly<Record<LogLevel, string>> = { error: '<3>', warning: '<4>', info: '<6>', debug: '<7>' };

const MESSAGE_LIMIT = 2048;
const FIELD_LIMIT = 1024;
const FIELDS_LIMIT = 32;
/** Lines of one message that are written within one window; the rest is counted. */
const LINES_A_WINDOW = 50;
/** Lines in all within one window, so that messages that differ cannot flood either. */
const ALL_LINES_A_WINDOW = 1000;
const WINDOW_MS = 10_000;
/** Different messages that are counted apart; more share one count. */
const MESSAGES_LIMIT = 256;
const OTHER_MESSAGES = 'other messages';

export interface LoggerOptions {
  /** Default info. */
  readonly level?: LogLevel;
  /** sd-daemon prefixes; default: whether standard error is the journal. */
  readonly journal?: boolean;
  /** Takes one line that ends in a newline; default standard error. */
  readonly write?: (line: string) => void;
  /** Monotonic milliseconds. */
  readonly nowMs?: () => number;
}

/**
 * Messages are constant sentences; what varies goes into fields, which are written as key=value with everything escaped that
 * could act on a terminal, begin a line or turn the direction of the text.
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  const write = options.write ?? standardError();
  const prefixed = options.journal ?? isJournal(process.env);
  const nowMs = options.nowMs ?? (() => performance.now());
  const emit = (level: LogLevel, text: string): void => write(`${prefixed ? PREFIXES[level] : ''}${text}\n`);
  const flood = new FloodGate(emit);
  let highest = LEVELS.indexOf(options.level ?? 'info');
  return {
    setLevel: (level) => {
      highest = LEVELS.indexOf(level);
    },
    log(level, message, fields = {}) {
      if (LEVELS.indexOf(level) > highest || !flood.admits(level, message, nowMs())) return;
      const shown = Object.entries(fields).slice(0, FIELDS_LIMIT).map(([key, value]) => ` ${keyText(key)}=${fieldText(String(value))}`);
      emit(level, escaped(message, MESSAGE_LIMIT) + shown.join(''));
    },
  };
}

/**
 * Printable text of at most `limit` characters before escaping: control, format, private and unassigned characters, line
 * separators and unusual spaces become \u{...}; a backslash is doubled, so that nothing can pose as an escape.
 */
export function escaped(text: string, limit: number): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut.replaceAll(/\\|(?! )[\p{C}\p{Z}]/gu, (char) => (
    char === '\\' ? '\\\\' : `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`
  ));
}

function fieldText(value: string): string {
  const text = escaped(value, FIELD_LIMIT);
  return text === '' || /[\s"=]/.test(text) ? `"${text.replaceAll('"', '\\"')}"` : text;
}

function keyText(key: string): string {
  return key.replaceAll(/[^A-Za-z0-9_]/g, '_').slice(0, 64);
}

interface Count {
  readonly level: LogLevel;
  written: number;
  leftOut: number;
}

/** Lets so many lines of each message through in a window and tells at its end how many it kept back. */
class FloodGate {
  private readonly emit: (level: LogLevel, text: string) => void;
  private readonly counts = new Map<string, Count>();
  private startedMs = Number.NEGATIVE_INFINITY;
  private writtenInAll = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(emit: (level: LogLevel, text: string) => void) {
    this.emit = emit;
  }

  admits(level: LogLevel, message: string, nowMs: number): boolean {
    if (nowMs - this.startedMs >= WINDOW_MS) {
      this.closeWindow();
      this.startedMs = nowMs;
    }
    const count = this.countOf(level, message);
    if (count.written < LINES_A_WINDOW && this.writtenInAll < ALL_LINES_A_WINDOW) {
      count.written += 1;
      this.writtenInAll += 1;
      return true;
    }
    count.leftOut += 1;
    this.timer ??= setTimeout(() => this.closeWindow(), WINDOW_MS).unref();
    return false;
  }

  private countOf(level: LogLevel, message: string): Count {
    const key = this.counts.has(message) || this.counts.size < MESSAGES_LIMIT ? message : OTHER_MESSAGES;
    const found = this.counts.get(key);
    if (found !== undefined) return found;
    const made = { level, written: 0, leftOut: 0 };
    this.counts.set(key, made);
    return made;
  }

  private closeWindow(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    for (const [message, { level, leftOut }] of this.counts) {
      if (leftOut === 0) continue;
      this.emit(level, `${String(leftOut)} more lines were left out: ${escaped(message, MESSAGE_LIMIT)}`);
    }
    this.counts.clear();
    this.writtenInAll = 0;
    this.startedMs = Number.NEGATIVE_INFINITY;
  }
}

function standardError(): (line: string) => void {
  // A reader that has gone must not end the helper.
  process.stderr.on('error', () => undefined);
  return (line) => {
    process.stderr.write(line);
  };
}

/** Is standard error the stream that JOURNAL_STREAM names (`device:inode`)? Source: systemd.exec(5). */
function isJournal(environment: NodeJS.ProcessEnv): boolean {
  const stream = environment['JOURNAL_STREAM'];
  if (stream === undefined) return false;
  try {
    const stats = fstatSync(2, { bigint: true });
    return stream === `${String(stats.dev)}:${String(stats.ino)}`;
  } catch {
    return false;
  }
}
