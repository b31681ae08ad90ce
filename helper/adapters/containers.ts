/**
 * Docker's and Podman's containers: port `Containers`. A thread of its own speaks with the engines; there is none, and nothing is
 * done, while there is no socket.
 */
import { Worker } from 'node:worker_threads';
import type { Container, ContainerEngine, Containers, ContainerSettings, EngineView, Logger } from '../ports.ts';
import type { EngineSocket, FromEngines, ToEngines } from './containers/messages.ts';
import { SocketPresence } from './containers/presence.ts';
import { ContainerTable } from './containers/table.ts';

/** Four answers of a MiB of JSON and what they become. */
const HEAP = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 2 };
/** After the thread has ended: nothing that it has read before should end it, so it is tried again, but not at once. */
const AGAIN_MS = 10_000;
/** How long the thread is kept where all sockets have gone; an engine may start again. */
const IDLE_MS = 60_000;
const ENGINES: readonly ContainerEngine[] = ['docker', 'podman'];
const NAMES = { docker: 'Docker', podman: 'Podman' } as const;

export interface ContainersOptions {
  /** The bundle of containers/worker.ts, or that file. */
  readonly worker: string | URL;
  readonly logger: Logger;
  /** Shorter ones for tests. */
  readonly idleMs?: number;
  readonly againMs?: number;
}

interface KnownEngine {
  readonly view: EngineView;
  /** Whose socket it is. */
  readonly ownerUid: number;
  readonly presence: SocketPresence;
}

export class WatchedContainers implements Containers {
  readonly #options: ContainersOptions;
  readonly #table: ContainerTable;
  readonly #engines = new Map<ContainerEngine, KnownEngine>();
  readonly #listeners = new Set<() => void>();
  #thread: Worker | null = null;
  #again: NodeJS.Timeout | null = null;
  #idle: NodeJS.Timeout | null = null;
  #isClosed = false;

  /** Nothing is looked at before `configure`. */
  constructor(options: ContainersOptions) {
    this.#options = options;
    this.#table = new ContainerTable(({ name }) => {
      options.logger.log('warning', 'a container\'s label names no zone and is ignored; a zone has small letters, digits, "_" and "-", at most 32', { container: name });
    });
  }

  get current(): readonly Container[] {
    return this.#table.tables.current;
  }

  get engines(): readonly EngineView[] {
    return ENGINES.flatMap((engine) => this.#engines.get(engine)?.view ?? []);
  }

  withAddress(address: string): Container | null {
    return this.#table.tables.byAddress.get(address) ?? null;
  }

  withId(id: string): Container | null {
    return this.#table.tables.byId.get(id) ?? null;
  }

  onChanged(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => { this.#listeners.delete(changed); };
  }

  /** What bastion.toml says now; costs nothing where that is what it said before. */
  configure({ docker, podman, zones }: ContainerSettings): void {
    const sockets = { docker, podman };
    const areOthers = ENGINES.some((engine) => (this.#engines.get(engine)?.view.socket ?? '') !== sockets[engine]);
    if (areOthers) this.#begin(sockets);
    if (this.#table.setMappings(zones) || areOthers) this.#tell();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#listeners.clear();
    for (const { presence } of this.#engines.values()) presence.close();
    await this.#endThread();
  }

  #begin(sockets: Readonly<Record<ContainerEngine, string>>): void {
    void this.#endThread();
    for (const engine of ENGINES) {
      this.#engines.get(engine)?.presence.close();
      this.#engines.delete(engine);
      this.#table.forget(engine);
      const socket = sockets[engine];
      if (socket === '') continue;
      const presence = new SocketPresence(socket, (isThere) => { this.#lookAt(engine, isThere); });
      this.#engines.set(engine, { view: { engine, socket, state: 'absent', problem: '' }, ownerUid: 0, presence });
      presence.begin();
    }
  }

  #lookAt(engine: ContainerEngine, isThere: boolean): void {
    if (this.#isClosed) return;
    if (this.#thread !== null) {
      this.#thread.postMessage({ kind: 'look', engine } satisfies ToEngines);
      return;
    }
    // In a turn of its own: both engines are known then.
    if (isThere) setImmediate(() => { this.#startThread(); });
  }

  #startThread(): void {
    if (this.#thread !== null || this.#isClosed || this.#again !== null) return;
    const sockets = this.engines.map(({ engine, socket }, _, all): EngineSocket => ({
      engine, socket, other: all.find((one) => one.engine !== engine)?.socket ?? '',
    }));
    if (sockets.length === 0) return;
    const thread = new Worker(this.#options.worker, { workerData: sockets, resourceLimits: HEAP, execArgv: [], env: {}, name: 'containers' });
    thread.unref();
    this.#thread = thread;
    thread.on('message', (message: FromEngines) => { if (thread === this.#thread) this.#hear(message); });
    thread.on('error', (error) => {
      this.#options.logger.log('error', 'the thread that asks for containers failed', { why: error instanceof Error ? error.message : String(error) });
    });
    thread.on('exit', () => { if (thread === this.#thread) this.#threadEnded(); });
  }

  /** What it knew is not known any more. */
  #threadEnded(): void {
    this.#thread = null;
    for (const [engine, known] of this.#engines) {
      this.#table.forget(engine);
      const state = known.view.state === 'absent' ? 'absent' : 'failing';
      const problem = state === 'absent' ? '' : 'What the engines told could not be read.';
      this.#engines.set(engine, { ...known, view: { ...known.view, state, problem } });
    }
    this.#tell();
    this.#again = setTimeout(() => {
      this.#again = null;
      this.#startThread();
    }, this.#options.againMs ?? AGAIN_MS).unref();
  }

  async #endThread(): Promise<void> {
    for (const timer of [this.#again, this.#idle]) if (timer !== null) clearTimeout(timer);
    this.#again = null;
    this.#idle = null;
    const thread = this.#thread;
    this.#thread = null;
    await thread?.terminate();
  }

  #hear(message: FromEngines): void {
    const known = this.#engines.get(message.engine);
    if (known === undefined) return;
    if (message.kind === 'unreadable') {
      this.#options.logger.log('warning', 'what is said of a container is too long or cannot be read: no rule for containers knows it', { engine: message.engine, container: message.id });
      return;
    }
    if (message.kind === 'containers') {
      this.#table.apply(message.engine, known.ownerUid, message.changed, message.gone);
    } else {
      const { engine, state, problem, ownerUid } = message;
      this.#engines.set(engine, { ...known, ownerUid, view: { ...known.view, state, problem } });
      this.#log(known.view, state, problem);
      this.#endWhenIdle();
    }
    this.#tell();
  }

  #log(before: EngineView, state: EngineView['state'], problem: string): void {
    if (before.state === state && before.problem === problem) return;
    const { engine, socket } = before;
    if (state === 'connected') this.#options.logger.log('info', `${NAMES[engine]}'s containers are known`, { socket });
    if (state === 'forbidden' || state === 'failing') this.#options.logger.log('warning', `${NAMES[engine]}'s containers are not known`, { socket, why: problem });
  }

  #endWhenIdle(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    if (this.engines.some(({ state }) => state !== 'absent')) return;
    this.#idle = setTimeout(() => {
      for (const engine of ENGINES) this.#table.forget(engine);
      void this.#endThread();
      this.#tell();
    }, this.#options.idleMs ?? IDLE_MS).unref();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
