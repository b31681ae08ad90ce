/** Questions to an engine over its socket, each bounded in size and time. Source: Docker Engine API, which Podman speaks too. */
import type { Socket } from 'node:net';
import { Client, Pool } from 'undici';
import type { buildConnector, Dispatcher } from 'undici';
import { ENGINE_LIMITS } from './limits.ts';
import type { EngineTimes } from './limits.ts';
import { Listing } from './listing.ts';
import { connectTo, EngineFault } from './socket.ts';
import type { FoundSocket } from './socket.ts';

/** Containers that are asked about at the same time. */
export const QUESTIONS_AT_ONCE = 4;
const ORIGIN = 'http://localhost';
const NEWLINE = 0x0a;

export interface EngineAnswer {
  readonly status: number;
  /** As JSON says it; null for another status than 200, and for what is too long or no JSON. */
  readonly value: unknown;
}

/** A piece of what an engine tells as it happens. */
export interface EventLines {
  readonly lines: readonly string[];
  /** Something was left out, because a line was too long or there were too many in a second. */
  readonly isCut: boolean;
}

export class EngineHttp {
  readonly #path: string;
  readonly #times: EngineTimes;
  readonly #ended: AbortSignal;
  readonly #questions: Pool;
  readonly #events: Client;

  /** `ended` ends every question and the events. */
  constructor(path: string, found: FoundSocket, times: EngineTimes, ended: AbortSignal) {
    this.#path = path;
    this.#times = times;
    this.#ended = ended;
    const connect: buildConnector.connector = (_options, done) => {
      connectTo(path, found, times.connect).then((socket: Socket) => { done(null, socket); }, (error: unknown) => {
        done(error instanceof Error ? error : new Error(String(error)), null);
      });
    };
    const common = { connect, maxHeaderSize: ENGINE_LIMITS.headerBytes, headersTimeout: times.headers, pipelining: 1 };
    this.#questions = new Pool(ORIGIN, { ...common, bodyTimeout: times.headers, connections: QUESTIONS_AT_ONCE });
    // An engine where nothing happens says nothing.
    this.#events = new Client(ORIGIN, { ...common, bodyTimeout: 0 });
  }

  /** Throws EngineFault. */
  async get(path: string, limitBytes: number): Promise<EngineAnswer> {
    const signal = AbortSignal.any([this.#ended, AbortSignal.timeout(this.#times.answer)]);
    try {
      const { statusCode, body } = await this.#questions.request({ method: 'GET', path, signal });
      const bytes = await bytesOf(body, limitBytes);
      return { status: statusCode, value: statusCode === 200 && bytes !== null ? parsed(bytes) : null };
    } catch (error: unknown) {
      throw this.#fault(error);
    }
  }

  /** The containers that a listing names; null for what is none. Throws EngineFault. */
  async ids(path: string, limitBytes: number): Promise<readonly string[] | null> {
    const signal = AbortSignal.any([this.#ended, AbortSignal.timeout(this.#times.answer)]);
    try {
      const { statusCode, body } = await this.#questions.request({ method: 'GET', path, signal });
      const listing = new Listing();
      let length = 0;
      for await (const chunk of body) {
        const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
        length += bytes.length;
        if (length > limitBytes) throw new EngineFault('failing', `${this.#path} answers with more than ${String(limitBytes)} bytes.`);
        listing.push(bytes);
      }
      return statusCode === 200 ? listing.end() : null;
    } catch (error: unknown) {
      throw this.#fault(error);
    }
  }

  /** What happens from now on: the answer has begun when it resolves. Throws EngineFault, also while it is read. */
  async events(path: string): Promise<AsyncIterable<EventLines>> {
    const begun = new AbortController();
    const timer = setTimeout(() => { begun.abort(); }, this.#times.answer);
    const signal = AbortSignal.any([this.#ended, begun.signal]);
    try {
      const { statusCode, body } = await this.#events.request({ method: 'GET', path, signal });
      if (statusCode !== 200) throw new EngineFault('failing', `${this.#path} tells no events (status ${String(statusCode)}).`);
      return this.#linesOf(body);
    } catch (error: unknown) {
      throw this.#fault(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#questions.destroy(), this.#events.destroy()]);
  }

  async *#linesOf(body: Dispatcher.ResponseData['body']): AsyncIterable<EventLines> {
    const splitter = new LineSplitter();
    const pace = new Pace();
    try {
      for await (const chunk of body) {
        const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
        const told = splitter.push(bytes);
        const waited = await pace.keep(told.lines.length, bytes.length, this.#ended);
        if (told.lines.length > 0 || told.isCut || waited) yield { lines: told.lines, isCut: told.isCut || waited };
      }
    } catch (error: unknown) {
      throw this.#fault(error);
    }
  }

  #fault(error: unknown): EngineFault {
    if (error instanceof EngineFault) return error;
    const { name, code } = error instanceof Error ? { name: error.name, code: 'code' in error ? String(error.code) : '' } : { name: '', code: '' };
    const isLate = name === 'TimeoutError' || name === 'AbortError' || code.endsWith('_TIMEOUT');
    return new EngineFault('failing', isLate ? `${this.#path} does not answer in time.` : `${this.#path} answers nothing that can be read (${code || name}).`);
  }
}

/** Null where there is more than `limit`; the rest is not read. */
async function bytesOf(body: Dispatcher.ResponseData['body'], limit: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    length += bytes.length;
    // Leaving the loop destroys the body, and its connection with it.
    if (length > limit) return null;
    chunks.push(bytes);
  }
  return Buffer.concat(chunks, length);
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  }
}

/** Whole lines of a stream; one that is too long is left out. */
class LineSplitter {
  #rest: Buffer[] = [];
  #length = 0;
  #isTooLong = false;

  push(chunk: Buffer): EventLines {
    const lines: string[] = [];
    let isCut = false;
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      this.#take(chunk.subarray(from, end));
      if (this.#isTooLong) isCut = true;
      else lines.push(Buffer.concat(this.#rest, this.#length).toString('utf8'));
      this.#clear();
      this.#isTooLong = false;
      from = end + 1;
    }
    this.#take(chunk.subarray(from));
    return { lines, isCut };
  }

  #take(piece: Buffer): void {
    if (this.#isTooLong || piece.length === 0) return;
    this.#length += piece.length;
    if (this.#length <= ENGINE_LIMITS.eventBytes) {
      this.#rest.push(piece);
      return;
    }
    this.#clear();
    this.#isTooLong = true;
  }

  #clear(): void {
    this.#rest = [];
    this.#length = 0;
  }
}

/** Lets the stream wait when more came in one second than is read: it is the engine then that has to wait. */
class Pace {
  #sinceMs = performance.now();
  #events = 0;
  #bytes = 0;

  /** Whether it had to wait. */
  async keep(events: number, bytes: number, ended: AbortSignal): Promise<boolean> {
    const nowMs = performance.now();
    if (nowMs - this.#sinceMs >= 1000) this.#begin(nowMs);
    this.#events += events;
    this.#bytes += bytes;
    if (this.#events <= ENGINE_LIMITS.eventsPerSecond && this.#bytes <= ENGINE_LIMITS.eventBytesPerSecond) return false;
    await pause(this.#sinceMs + 1000 - nowMs, ended);
    this.#begin(performance.now());
    return true;
  }

  #begin(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#events = 0;
    this.#bytes = 0;
  }
}

/** Resolves after so long, or at once when `ended` says so. */
export function pause(ms: number, ended: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, Math.max(0, ms), undefined);
  const stop = (): void => { resolve(undefined); };
  ended.addEventListener('abort', stop, { once: true });
  if (ended.aborted) stop();
  return promise.finally(() => {
    clearTimeout(timer);
    ended.removeEventListener('abort', stop);
  });
}
