/** What every command gets: the streams, the way to the helper, and how to write. */
import { allRows } from '../contract/pages.ts';
import type { ConnectOptions, HelperClient, Page } from '../contract/client.ts';
import type { Io } from './io.ts';
import { makeBridge } from './bridge.ts';
import type { Bridge } from './bridge.ts';
import { jsonText, printable } from './text/escape.ts';
import { makeStyle, scriptFormat, terminalFormat } from './text/format.ts';
import type { Format, Style } from './text/format.ts';
import { page } from './pager.ts';
import { startPasswordAgent } from './password-agent.ts';
import type { PasswordAgent } from './password-agent.ts';

export interface GlobalOptions {
  readonly json: boolean;
  readonly color: boolean;
  readonly pager: boolean;
  readonly askPassword: boolean;
  /** D-Bus address; undefined for the system bus. */
  readonly bus: string | undefined;
  /** `[USER@]HOST`; undefined for this machine. */
  readonly host: string | undefined;
}

export type Connect = (options: ConnectOptions) => HelperClient;

/** Over ssh somebody may have to type a password before the first answer. */
const SSH_TIMEOUT_MS = 120_000;
const TIMEOUT_MS = 10_000;

function colours(io: Io, options: GlobalOptions): boolean {
  return options.color && io.stdoutIsTerminal && !io.env['NO_COLOR'] && io.env['TERM'] !== 'dumb';
}

export class Context {
  readonly io: Io;
  readonly options: GlobalOptions;
  readonly style: Style;
  readonly format: Format;
  readonly #connect: Connect;
  #client: HelperClient | null = null;
  #bridge: Bridge | null = null;
  #passwords: PasswordAgent | null = null;

  constructor(io: Io, options: GlobalOptions, connect: Connect) {
    this.io = io;
    this.options = options;
    this.#connect = connect;
    this.style = makeStyle(colours(io, options));
    this.format = io.stdoutIsTerminal ? terminalFormat(io.env) : scriptFormat();
  }

  /** The connection, made at the first call. Closed by `close`. */
  client(timeoutMs: number = TIMEOUT_MS): HelperClient {
    if (this.#client !== null) return this.#client;
    const { bus, host, askPassword } = this.options;
    if (host !== undefined) this.#bridge = makeBridge(host, this.io.env);
    this.#client = this.#connect({
      ...(bus === undefined ? {} : { address: bus }),
      ...(this.#bridge === null ? {} : { stream: this.#bridge.stream }),
      timeoutMs: host === undefined ? timeoutMs : SSH_TIMEOUT_MS,
      interactive: askPassword,
    });
    return this.#client;
  }

  /** The connection for calls that polkit may ask a password for: on a terminal without a desktop it is asked for here. */
  async privilegedClient(): Promise<HelperClient> {
    const { askPassword, host, bus } = this.options;
    if (askPassword && host === undefined && this.io.stdinIsTerminal && this.io.stderrIsTerminal) {
      this.#passwords ??= await startPasswordAgent(this.io.env, bus);
    }
    return this.client();
  }

  /** The connection over ssh has ended: nothing comes back by itself. Never resolves for this machine. */
  untilBridgeEnds(): Promise<void> {
    return this.#bridge?.ended ?? new Promise(() => undefined);
  }

  /** Width to fit tables into; null when the output is no terminal and nothing may be cut. */
  get tableWidth(): number | null {
    return this.io.stdoutIsTerminal ? this.io.columns() : null;
  }

  /** The whole answer as one JSON text. Only called when the command has succeeded. */
  json(value: unknown): void {
    this.io.out(`${jsonText(value, this.io.stdoutIsTerminal)}\n`);
  }

  /** One JSON object on one line, for streams. */
  jsonLine(value: unknown): void {
    this.io.out(`${jsonText(value, false)}\n`);
  }

  /** One sentence; escaped. */
  say(text: string): void {
    this.io.out(`${printable(text)}\n`);
  }

  /** A remark that is not the answer; escaped, on stderr. */
  note(text: string): void {
    this.io.err(`${printable(text)}\n`);
  }

  /** The result as JSON if that was asked for, else as a sentence. */
  result(value: unknown, sentence: string): void {
    if (this.options.json) this.json(value);
    else this.say(sentence);
  }

  /** A long text, paged on a terminal. `text` is safe already. */
  async show(text: string): Promise<void> {
    if (this.io.stdoutIsTerminal && this.options.pager && await page(text, this.io.env)) return;
    this.io.out(text);
  }

  /** Ends what was started; idempotent. */
  close(): void {
    this.#client?.close();
    this.#passwords?.stop();
  }
}

/** Rows that a command takes at most by reading page after page; a helper that never ends its list must not hang us. */
export const MOST_ROWS = 1_000_000;

/** Pages of a list may be empty before its end, but not for ever. */

/** All rows of a paged list, at most `limit`. */
export async function readAll<T>(
  read: (limit: number, cursor: string) => Promise<Page<T>>, limit: number = MOST_ROWS,
): Promise<readonly T[]> {
  return (await allRows(read, limit)).rows;
}
