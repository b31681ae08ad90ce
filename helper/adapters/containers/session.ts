/** One connection to an engine: everything is looked at once, and then what its events name. */
import { containerOf, containerOfEvent, versionPrefix } from './answers.ts';
import { EngineHttp, pause, QUESTIONS_AT_ONCE } from './http.ts';
import type { EventLines } from './http.ts';
import { ENGINE_LIMITS, USER_ENGINE_LIMITS } from './limits.ts';
import type { EngineTimes, SizeLimits } from './limits.ts';
import type { SeenContainer } from './messages.ts';
import { EngineFault } from './socket.ts';
import type { FoundSocket } from './socket.ts';

const STATUS = { ok: 200, notFound: 404 } as const;

/** Running and paused ones, stopped ones are nobody. */
const LISTED = encodeURIComponent(JSON.stringify({ status: ['running', 'paused'] }));
const TOLD = encodeURIComponent(JSON.stringify({ type: ['container', 'network'] }));

export interface SessionDeps {
  readonly path: string;
  readonly found: FoundSocket;
  readonly times: EngineTimes;
  readonly ended: AbortSignal;
  /** What is known; the session changes it by `told` only. */
  readonly known: ReadonlyMap<string, SeenContainer>;
  /** Null for one that does not run. */
  readonly told: (containers: readonly (readonly [string, SeenContainer | null])[]) => void;
  /** Nothing can be known of this one, because its description is too long or none. */
  readonly unreadable: (id: string) => void;
  /** Everything was looked at. */
  readonly onWhole: () => void;
}

export class EngineSession {
  readonly #deps: SessionDeps;
  readonly #http: EngineHttp;
  readonly #limits: SizeLimits;
  readonly #stop = new AbortController();
  readonly #ended: AbortSignal;
  /** To be looked at. */
  readonly #due = new Set<string>();
  #isListDue = true;
  #listedMs = Number.NEGATIVE_INFINITY;
  #wake: () => void = () => undefined;
  #prefix = '';

  constructor(deps: SessionDeps) {
    this.#deps = deps;
    this.#limits = deps.found.uid === 0 ? ENGINE_LIMITS : USER_ENGINE_LIMITS;
    this.#ended = AbortSignal.any([deps.ended, this.#stop.signal]);
    this.#http = new EngineHttp(deps.path, deps.found, deps.times, this.#ended);
  }

  /** Until the connection ends. Throws EngineFault, except when it was told to end. */
  async run(): Promise<void> {
    try {
      this.#prefix = await this.#version();
      // Before the listing: what happens meanwhile is looked at again.
      const events = await this.#http.events(`${this.#prefix}/events?filters=${TOLD}`);
      const reading = this.#read(events);
      const looking = this.#look();
      try {
        await Promise.race([reading, looking]);
      } finally {
        this.#stop.abort();
        this.#wake();
        await Promise.allSettled([reading, looking]);
      }
    } catch (error: unknown) {
      if (!this.#deps.ended.aborted) throw error;
    } finally {
      this.#stop.abort();
      await this.#http.close();
    }
  }

  async #version(): Promise<string> {
    const { status, value } = await this.#http.get('/version', this.#limits.answerBytes);
    const prefix = status === STATUS.ok ? versionPrefix(value) : null;
    if (prefix === null) throw new EngineFault('failing', `${this.#deps.path} is not the socket of Docker or Podman: it does not tell its version.`);
    return prefix;
  }

  async #read(events: AsyncIterable<EventLines>): Promise<void> {
    for await (const { lines, isCut } of events) {
      for (const line of lines) {
        const id = containerOfEvent(line);
        if (id === null) continue;
        if (this.#due.size < this.#limits.containers) this.#due.add(id);
        else this.#isListDue = true;
      }
      if (isCut) this.#isListDue = true;
      if (this.#due.size > 0 || this.#isListDue) this.#wake();
    }
    throw new EngineFault('failing', `${this.#deps.path} has closed the connection.`);
  }

  /** Looks at what is due, for as long as the session lasts. */
  async #look(): Promise<void> {
    const { times, found } = this.#deps;
    let isFirst = true;
    while (!this.#ended.aborted) {
      const waitMs = this.#isListDue ? this.#listedMs + times.list - performance.now() : 0;
      if (this.#isListDue && waitMs <= 0) await this.#list();
      await this.#lookAtDue();
      if (isFirst) this.#deps.onWhole();
      isFirst = false;
      await this.#untilDue(Math.max(0, waitMs));
      await pause(found.uid === 0 ? times.gather : times.gatherOfUser, this.#ended);
    }
  }

  /** Until an event comes, or until the listing that waits may begin. */
  async #untilDue(listInMs: number): Promise<void> {
    if (this.#due.size > 0 || this.#ended.aborted) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#wake = () => { resolve(undefined); };
    if (this.#isListDue && listInMs === 0) this.#wake();
    const timer = this.#isListDue ? setTimeout(this.#wake, listInMs) : undefined;
    this.#ended.addEventListener('abort', this.#wake, { once: true });
    await promise;
    clearTimeout(timer);
    this.#ended.removeEventListener('abort', this.#wake);
  }

  /** All that are known are due, and all that the engine names: the first may have gone. */
  async #list(): Promise<void> {
    this.#isListDue = false;
    this.#listedMs = performance.now();
    const ids = await this.#http.ids(`${this.#prefix}/containers/json?all=1&filters=${LISTED}`, this.#limits.listBytes);
    if (ids === null) throw new EngineFault('failing', `${this.#deps.path} answers with no list of containers.`);
    for (const id of [...this.#deps.known.keys(), ...ids.slice(0, this.#limits.containers)]) this.#due.add(id);
  }

  async #lookAtDue(): Promise<void> {
    // An event that comes from now on makes its container due again.
    const ids = [...this.#due];
    this.#due.clear();
    for (let at = 0; at < ids.length && !this.#ended.aborted; at += QUESTIONS_AT_ONCE) {
      const some = ids.slice(at, at + QUESTIONS_AT_ONCE);
      const seen = await Promise.all(some.map(async (id) => [id, await this.#ask(id)] as const));
      this.#deps.told(seen);
    }
  }

  /** Null also where the answer is none: what cannot be known about is not taken for running. */
  async #ask(id: string): Promise<SeenContainer | null> {
    const { status, value } = await this.#http.get(`${this.#prefix}/containers/${id}/json`, this.#limits.answerBytes);
    if (status !== STATUS.ok) return null;
    const seen = containerOf(value, id);
    if (seen === null) this.#deps.unreadable(id);
    return seen === 'gone' ? null : seen;
  }
}
