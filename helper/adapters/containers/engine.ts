/** One engine, for as long as the helper runs: connected to, lost, waited for, connected to again. */
import type { ContainerEngine, EngineView } from '../../ports.ts';
import { pause } from './http.ts';
import { ENGINE_LIMITS, ENGINE_TIMES, USER_ENGINE_LIMITS } from './limits.ts';
import type { EngineTimes } from './limits.ts';
import type { EngineSocket, FromEngines, SeenContainer } from './messages.ts';
import { EngineSession } from './session.ts';
import { EngineFault, findSocket } from './socket.ts';

/** The part of a wait that `look` does not end: a user can touch his own socket as often as he likes. */
const LEAST_PART = { ofRoot: 1 / 8, ofUser: 1 / 2 } as const;
/** No part is longer for root's: its engine may have started again. */
const LEAST_OF_ROOT_MS = 1000;

/** Containers that are said to be unreadable. */
const MOST_UNREADABLE = 16;

export class EngineWatch {
  readonly engine: ContainerEngine;
  readonly #socket: string;
  readonly #other: string;
  readonly #tell: (message: FromEngines) => void;
  readonly #times: EngineTimes;
  readonly #closed = new AbortController();
  readonly #known = new Map<string, SeenContainer>();
  readonly #unreadable = new Set<string>();
  #state: EngineView['state'] = 'connecting';
  #ownerUid = 0;
  /** Whose containers `#known` holds: another owner's word does not carry on for them. */
  #knownOfUid = 0;
  #isLookWanted = false;
  #lookNow: () => void = () => undefined;
  #forget: NodeJS.Timeout | undefined;
  readonly #running: Promise<void>;

  /** Begins at once. */
  constructor({ engine, socket, other }: EngineSocket, tell: (message: FromEngines) => void, times: EngineTimes = ENGINE_TIMES) {
    this.engine = engine;
    this.#socket = socket;
    this.#other = other;
    this.#tell = tell;
    this.#times = times;
    this.#running = this.#run();
  }

  /** The socket may be another one than before: it is tried again without waiting any longer. Nothing while it is connected. */
  look(): void {
    this.#isLookWanted = true;
    this.#lookNow();
  }

  async close(): Promise<void> {
    this.#closed.abort();
    clearTimeout(this.#forget);
    await this.#running;
  }

  /** It can become so while a promise is awaited. */
  #isClosed(): boolean {
    return this.#closed.signal.aborted;
  }

  async #run(): Promise<void> {
    const { firstWait, longestWait, good } = this.#times;
    let waitMs = firstWait;
    while (!this.#isClosed()) {
      this.#isLookWanted = false;
      const startMs = performance.now();
      const fault = await this.#connect();
      if (this.#isClosed()) return;
      if (this.#known.size > 0) this.#forget ??= setTimeout(() => { this.#forgetAll(); }, this.#times.grace);
      this.#setState(fault.state, fault.message);
      if (performance.now() - startMs >= good) waitMs = firstWait;
      await this.#wait(fault.state === 'absent' ? null : waitMs);
      waitMs = fault.state === 'absent' ? firstWait : Math.min(waitMs * 2, longestWait);
    }
  }

  /** Until the connection is lost, for which it says why. */
  async #connect(): Promise<EngineFault> {
    try {
      const found = await findSocket(this.#socket, this.#other);
      try {
        this.#ownerUid = found.uid;
        if (this.#knownOfUid !== found.uid) this.#forgetAll();
        this.#knownOfUid = found.uid;
        this.#setState('connecting', '');
        await new EngineSession({
          path: this.#socket, found, times: this.#times, ended: this.#closed.signal, known: this.#known,
          told: (containers) => { this.#keep(containers); },
          unreadable: (id) => { this.#sayUnreadable(id); },
          onWhole: () => {
            clearTimeout(this.#forget);
            this.#forget = undefined;
            this.#setState('connected', '');
          },
        }).run();
      } finally {
        await found.file.close();
      }
    } catch (error: unknown) {
      return error instanceof EngineFault ? error : new EngineFault('failing', `${this.#socket} cannot be used (${error instanceof Error ? error.name : 'unknown'}).`);
    }
    return new EngineFault('failing', '');
  }

  /** Null: until somebody says that there is something to look at. */
  async #wait(ms: number | null): Promise<void> {
    const early = new AbortController();
    const ended = AbortSignal.any([this.#closed.signal, early.signal]);
    const wholeMs = ms ?? this.#times.firstWait;
    const leastMs = this.#ownerUid === 0 ? Math.min(wholeMs * LEAST_PART.ofRoot, LEAST_OF_ROOT_MS) : wholeMs * LEAST_PART.ofUser;
    await pause(leastMs, this.#closed.signal);
    this.#lookNow = () => { early.abort(); };
    if (this.#isLookWanted) early.abort();
    if (ms === null) await untilAborted(ended);
    else await pause(ms - leastMs, ended);
    this.#lookNow = () => undefined;
  }

  #setState(state: EngineView['state'], problem: string): void {
    // What went wrong stays to be read while it is tried again.
    if (state === 'connecting' && this.#state !== 'absent' && this.#state !== 'connected') return;
    this.#state = state;
    this.#tell({ kind: 'engine', engine: this.engine, state, problem, ownerUid: this.#ownerUid });
  }

  /** Once, and of so many only: each can be a user's own making. */
  #sayUnreadable(id: string): void {
    if (this.#unreadable.has(id) || this.#unreadable.size >= MOST_UNREADABLE) return;
    this.#unreadable.add(id);
    this.#tell({ kind: 'unreadable', engine: this.engine, id });
  }

  #keep(containers: readonly (readonly [string, SeenContainer | null])[]): void {
    const changed: SeenContainer[] = [];
    const gone: string[] = [];
    const limit = (this.#ownerUid === 0 ? ENGINE_LIMITS : USER_ENGINE_LIMITS).containers;
    for (const [id, seen] of containers) {
      const before = this.#known.get(id);
      if (seen === null) {
        if (this.#known.delete(id)) gone.push(id);
      } else if (before !== undefined || this.#known.size < limit) {
        this.#known.set(id, seen);
        if (before === undefined || JSON.stringify(before) !== JSON.stringify(seen)) changed.push(seen);
      }
    }
    if (changed.length > 0 || gone.length > 0) this.#tell({ kind: 'containers', engine: this.engine, changed, gone });
  }

  #forgetAll(): void {
    clearTimeout(this.#forget);
    this.#forget = undefined;
    const gone = [...this.#known.keys()];
    this.#known.clear();
    if (gone.length > 0) this.#tell({ kind: 'containers', engine: this.engine, changed: [], gone });
  }
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  signal.addEventListener('abort', () => { resolve(undefined); }, { once: true });
  if (signal.aborted) resolve(undefined);
  await promise;
}
