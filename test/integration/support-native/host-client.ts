/** The test's side of a host process: requests, and events to wait for. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { NativeAnswer, NativeAsk, NativeCounters, NativeEvents, NativeExecutable, NativeFeatures, NativeFlow, NativeHealth, NativeOptions, NativePacket, NativeProcessRecord } from '../../../native/binding.ts';
import type { FromHost, Reply, Request } from './protocol.ts';

const WAIT_MS = 30_000;

interface Waiting {
  readonly resolve: (value: Reply) => void;
  readonly reject: (error: Error) => void;
}

export interface HostPlace {
  readonly namespace: string;
  /** Command that starts the host, for fewer rights. */
  readonly wrapper: readonly string[];
  /** Library that is loaded first: the sanitizer's. */
  readonly preload: string | null;
}

export class HostError extends Error {
  override readonly name = 'HostError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export class Host {
  readonly asks: NativeAsk[] = [];
  readonly ended: NativeEvents['ended'][number][] = [];
  readonly packets: NativePacket[] = [];
  readonly flows: NativeFlow[] = [];
  readonly queueStates: boolean[] = [];
  /** Of each turn of the event loop in which something was told. */
  readonly turns: { readonly calls: number; readonly asks: number }[] = [];
  /** Answers every ask at once when set. */
  policy: ((ask: NativeAsk) => Omit<NativeAnswer, 'id'> | null) | null = null;
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #watchers = new Set<() => void>();
  #sequence = 0;
  #errors = '';

  constructor(place: HostPlace) {
    const environment = { ...process.env, ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=0:exitcode=66', UBSAN_OPTIONS: 'print_stacktrace=1' };
    this.#process = spawn(
      'nsenter', [`--net=/run/netns/${place.namespace}`, ...place.wrapper, process.execPath, join(import.meta.dirname, 'host.ts')],
      {
        stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
        serialization: 'advanced',
        env: place.preload === null ? environment : { ...environment, LD_PRELOAD: place.preload },
      },
    );
    this.#process.on('message', (message: FromHost) => {
      this.#onMessage(message);
    });
    this.#process.stderr?.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString('utf8');
    });
    this.#process.on('exit', (code) => {
      const error = new Error(`the host ended with ${String(code)}: ${this.#errors.slice(0, 4000)}`);
      for (const one of this.#waiting.values()) one.reject(error);
      this.#waiting.clear();
    });
  }

  /** What the host wrote to its standard error: reports of the sanitizers among it. */
  get errors(): string {
    return this.#errors;
  }

  async open(addon: string, options: NativeOptions): Promise<NativeFeatures> {
    const value = await this.call({ op: 'open', addon, options });
    if (typeof value !== 'object' || value === null || !('identification' in value)) throw new TypeError('no features');
    return value;
  }

  async loadAhead(addon: string, { objectPath, pinPath }: NonNullable<NativeOptions['kernel']>): Promise<void> {
    await this.call({ op: 'loadAhead', addon, objectPath, pinPath });
  }

  async counters(): Promise<NativeCounters> {
    const value = await this.call({ op: 'counters' });
    if (typeof value !== 'object' || value === null || !('asks' in value)) throw new TypeError('no counters');
    return value;
  }

  async health(): Promise<NativeHealth> {
    const value = await this.call({ op: 'health' });
    if (typeof value !== 'object' || value === null || !('kernelFault' in value)) throw new TypeError('no health');
    return value;
  }

  /** What the kernel recorded of the process behind an ask, as of the packet. */
  async lineage({ owner }: NativeAsk): Promise<NativeProcessRecord> {
    if (owner === null) throw new TypeError('no owner');
    const record = await this.processRecord(owner.pid, owner.startNs, owner.executable);
    if (record === null) throw new TypeError(`no record of process ${String(owner.pid)}`);
    return record;
  }

  async processImage(pid: number, startNs: bigint): Promise<string | null> {
    const value = await this.call({ op: 'processImage', pid, startNs });
    if (value !== null && typeof value !== 'string') throw new TypeError('no image');
    return value;
  }

  async processRecord(pid: number, startNs: bigint, ran?: NativeExecutable): Promise<NativeProcessRecord | null> {
    const value = await this.call({ op: 'processRecord', pid, startNs, ...(ran === undefined ? {} : { ran }) });
    if (value !== null && (typeof value !== 'object' || !('ancestors' in value))) throw new TypeError('no record');
    return value;
  }

  answer(...answers: readonly NativeAnswer[]): Promise<Reply> {
    return this.call({ op: 'answer', answers });
  }

  call(request: Request): Promise<Reply> {
    this.#sequence += 1;
    const sequence = this.#sequence;
    return new Promise((resolve, reject) => {
      this.#waiting.set(sequence, { resolve, reject });
      this.#process.send({ sequence, request });
    });
  }

  /** Waits until `found` gives something, looking again whenever the host has told something. */
  async until<T>(what: string, found: () => T | null | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const timer = setTimeout(() => {
      reject(new Error(`waited in vain for ${what}; asks: ${String(this.asks.length)}; ${this.#errors}`));
    }, WAIT_MS);
    const look = (): void => {
      const value = found();
      if (value !== null && value !== undefined) resolve(value);
    };
    this.#watchers.add(look);
    look();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(look);
    }
  }

  /** The first ask that fits; it is taken out. */
  nextAsk(fits: (ask: NativeAsk) => boolean = () => true): Promise<NativeAsk> {
    return this.until('an ask', () => {
      const index = this.asks.findIndex(fits);
      return index === -1 ? null : this.asks.splice(index, 1)[0];
    });
  }

  /** Ends the process; resolves with its exit status. */
  async stop(): Promise<number | null> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return this.#process.exitCode;
    const ended = once(this.#process, 'exit');
    this.#process.disconnect();
    await ended;
    return this.#process.exitCode;
  }

  async kill(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }

  #onMessage(message: FromHost): void {
    if (message.kind === 'events') {
      const before = message.call === 1 ? undefined : this.turns.pop();
      this.turns.push({ calls: message.call, asks: (before?.asks ?? 0) + message.events.asks.length });
      this.#onEvents(message.events);
      return;
    }
    const waiting = this.#waiting.get(message.sequence);
    this.#waiting.delete(message.sequence);
    if (message.kind === 'reply') waiting?.resolve(message.value);
    else waiting?.reject(new HostError(message.code, message.message));
  }

  #onEvents(events: NativeEvents): void {
    const answers: NativeAnswer[] = [];
    for (const ask of events.asks) {
      const answer = this.policy?.(ask) ?? null;
      if (answer !== null) answers.push({ ...answer, id: ask.id });
      this.asks.push(ask);
    }
    if (answers.length > 0) void this.answer(...answers).catch(() => undefined);
    this.ended.push(...events.ended);
    this.packets.push(...events.packets);
    this.flows.push(...events.flows);
    if (events.queueReady !== undefined) this.queueStates.push(events.queueReady);
    for (const look of this.#watchers) look();
  }
}
