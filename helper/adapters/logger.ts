/** Boundary logging to standard error or, with its fields, to the journal: port `Logger`. */
import { fstatSync } from 'node:fs';
import type { Logger, LogLevel } from '../ports.ts';

const LEVELS: readonly LogLevel[] = ['error', 'warning', 'info', 'debug'];
/** Source: sd-daemon(3), SD_ERR, SD_WARNING, SD_INFO, SD_DEBUG. */
const PREFIXES: Readonly<Record<LogLevel, string>> = { error: '<3>', warning: '<4>', info: '<6>', debug: '<7>' };

/** The same levels in the journal. Source: syslog(3). */
const PRIORITIES: Readonly<Record<LogLevel, number>> = { error: 3, warning: 4, info: 6, debug: 7 };
/** Source: systemd, "Native Journal Protocol". */
export const JOURNAL_SOCKET = '/run/systemd/journal/socket';

const MESSAGE_LIMIT = 2048;
const FIELD_LIMIT = 1024;
const FIELDS_LIMIT = 32;
/**
 * Characters of one line, escapes included. The journal takes 64 kB as one entry, and parts what is longer than 48 kB of standard
 * error into lines, of which the second could begin as somebody outside wants. Source: journald.conf(5), LineMax.
 */
const LINE_LIMIT = 10_000;
/** Of one field, escapes included: one that is made of them takes no room from the others. */
const ESCAPED_LIMIT = 2048;
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

/** A logger that can hand its fields to the journal one by one, so that people can look for them. */
export interface JournalLogger extends Logger {
  /** `send` takes one entry in the journal's own protocol; false where that did not work, and the line goes to standard error. */
  useJournal(send: (entry: string) => boolean): void;
}

/** Field names of the journal, `BASTION_RULE`: see bastion-helper(8). Values are escaped before, so that none has a line feed. */
function journalEntry(level: LogLevel, text: string, fields: readonly (readonly [string, string])[]): string {
  return [
    `MESSAGE=${text}`, `PRIORITY=${String(PRIORITIES[level])}`, 'SYSLOG_IDENTIFIER=bastion-firewall',
    ...fields.map(([key, value]) => `BASTION_${key.toUpperCase()}=${value}`), '',
  ].join('\n');
}

/**
 * Messages are constant sentences; what varies goes into fields, which are written as key=value with everything escaped that
 * could act on a terminal, begin a line or turn the direction of the text.
 */
export function createLogger(options: LoggerOptions = {}): JournalLogger {
  const write = options.write ?? standardError();
  const prefixed = options.journal ?? isJournal(process.env);
  const nowMs = options.nowMs ?? (() => performance.now());
  const emit = (level: LogLevel, text: string): void => write(`${prefixed ? PREFIXES[level] : ''}${text}\n`);
  const flood = new FloodGate(emit);
  let highest = LEVELS.indexOf(options.level ?? 'info');
  let journal: ((entry: string) => boolean) | null = null;
  return {
    useJournal: (send) => {
      if (prefixed) journal = send;
    },
    setLevel: (level) => {
      highest = LEVELS.indexOf(level);
    },
    log(level, message, fields = {}) {
      if (LEVELS.indexOf(level) > highest || !flood.admits(level, message, nowMs())) return;
      const head = cut(escaped(message, MESSAGE_LIMIT), LINE_LIMIT);
      const some = bounded(Object.entries(fields), LINE_LIMIT - head.length);
      const text = head + some.map(([key, value]) => ` ${key}=${quoted(value)}`).join('');
      if (journal?.(journalEntry(level, text, some)) !== true) emit(level, text);
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

function cut(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, Math.max(limit - 1, 0))}…` : text;
}

/** The first fields, escaped, that fit into `room` characters; the last of them may be cut. */
function bounded(
  fields: readonly (readonly [string, string | number | bigint | boolean])[], room: number,
): readonly (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  let left = room;
  for (const [name, value] of fields.slice(0, FIELDS_LIMIT)) {
    const key = keyText(name);
    const text = escaped(String(value), FIELD_LIMIT);
    // Each character may need one more in quotes.
    const kept = cut(text, Math.min(ESCAPED_LIMIT, Math.floor((left - key.length - 4) / 2)));
    if (kept === '' && text !== '') break;
    found.push([key, kept]);
    left -= key.length + 2 + quoted(kept).length;
  }
  return found;
}

function quoted(text: string): string {
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
