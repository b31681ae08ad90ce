/**
 * Port `History`: SQLite on a thread of its own. The event loop hands over and goes on; what waits is bounded, and what is over
 * is counted. A thread that ends is started again.
 */
import { Worker } from 'node:worker_threads';
import { BastionError } from '../contract/errors.ts';
import type { FlowEnd, FlowRecord, TrafficTotal } from '../engine-api.ts';
import type { History, HistoryFilter, HistorySettings, HistoryStatus, HistoryTotal, Logger, TotalsBy, TotalsOf, TotalsRange } from '../ports.ts';
import type { FlowGroups } from '../ports/history.ts';
import type { Answers, FromThread, Question, ToThread } from './history/messages.ts';
import { Sampler } from './history/sampler.ts';
import type { ThreadData } from './history/worker.ts';

/** Flows that wait to be stored; more are lost. About 1 kB each. */
export const WAITING_LIMIT = 50_000;
/** Handing over costs about 1 us a flow, in one go: no packet waits longer for it than for the next one's decision. */
const BATCH_FLOWS = 64;
const BATCH_MS = 200;
/** Questions that the thread has at a time, so that flows are stored in between, and that wait for their turn. */
const QUESTIONS = { asked: 2, waiting: 32 } as const;
const QUESTION_MS = 10_000;
/** The firewall does not wait longer for its history. */
const START_MS = 5000;
const CLOSE_MS = 5000;
const AGAIN_MS = 60_000;
/** The heap of the thread; SQLite's own memory is a few megabytes more. */
const HEAP = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 8 } as const;

export interface HistoryOptions {
  /** Folder of the file. */
  readonly folder: string;
  readonly settings: HistorySettings;
  /** history/worker.ts, or what it was bundled into. */
  readonly thread: string | URL;
  readonly logger: Logger;
  /** Wall time, ms since 1970. */
  readonly nowMs: () => number;
  /** Flows that may wait; for tests. */
  readonly waitingLimit?: number;
}

interface Waiting {
  readonly question: Question;
  readonly resolve: (value: Answers[keyof Answers]) => void;
  readonly reject: (error: BastionError) => void;
}

/** Starts the thread. Never rejects: a history that does not open is one that stores nothing for the time being. */
export async function openHistory(options: HistoryOptions): Promise<History> {
  const history = new SqliteHistory(options);
  await history.started;
  return history;
}

class SqliteHistory implements History {
  readonly #options: HistoryOptions;
  readonly #limit: number;
  #settings: HistorySettings;
  #next: number;
  #worker: Worker | null = null;
  #closing: (() => void) | null = null;
  #again: NodeJS.Timeout | null = null;
  /** Handed over and not settled. */
  #handedOver = 0;
  #batch: FlowRecord[] = [];
  #ends: FlowEnd[] = [];
  #batchTimer: NodeJS.Timeout | null = null;
  #lost = 0;
  /** What is wrong with the thread, and what the thread says is wrong with the file. */
  readonly #failures: { thread: string | null; file: string | null } = { thread: null, file: null };
  #numberKnown = false;
  readonly #changed = new Set<() => void>();
  readonly #asked = new Map<number, Waiting & { readonly timer: NodeJS.Timeout }>();
  readonly #waiting: Waiting[] = [];
  #questions = 0;
  readonly #sampler = new Sampler();
  /** Resolves when the number of the next flow is known. */
  readonly started: Promise<void>;
  #tellStarted: () => void = () => undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#limit = options.waitingLimit ?? WAITING_LIMIT;
    // Of a thread that does not answer in time: larger than any count.
    this.#next = options.nowMs();
    this.started = new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#numberKnown = true;
        this.#setFailure('thread', 'it takes too long to open');
        resolve();
      }, START_MS);
      this.#tellStarted = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#start();
  }

  /** Flows and ends that are not settled. */
  get #waitingFlows(): number {
    return this.#handedOver + this.#batch.length + this.#ends.length;
  }

  get #failure(): string | null {
    return this.#failures.thread ?? this.#failures.file;
  }

  get nextFlowNumber(): number {
    return this.#next;
  }

  get settings(): HistorySettings {
    return this.#settings;
  }

  add(flows: readonly FlowRecord[]): void {
    if (!this.#settings.enabled || this.#closing !== null) return;
    for (const flow of flows) {
      if (this.#waitingFlows >= this.#limit) {
        this.#lost += 1;
        continue;
      }
      this.#batch.push(flow);
      if (this.#batch.length >= BATCH_FLOWS) this.#handOver();
    }
    if (this.#batch.length > 0) this.#batchTimer ??= setTimeout(() => { this.#handOver(); }, BATCH_MS);
  }

  end(ends: readonly FlowEnd[]): void {
    if (!this.#settings.enabled || this.#closing !== null) return;
    const room = Math.max(0, this.#limit - this.#waitingFlows);
    this.#lost += Math.max(0, ends.length - room);
    this.#ends.push(...ends.slice(0, room));
    if (this.#ends.length >= BATCH_FLOWS) this.#handOver();
    else if (this.#ends.length > 0) this.#batchTimer ??= setTimeout(() => { this.#handOver(); }, BATCH_MS);
  }

  addTraffic(totals: readonly TrafficTotal[]): void {
    const rows = this.#sampler.since(totals);
    if (this.#settings.enabled && rows.length > 0) this.#post({ kind: 'traffic', rows, timeMs: this.#options.nowMs() });
  }

  configure(settings: HistorySettings): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return;
    this.#handOver();
    this.#settings = settings;
    this.#post({ kind: 'settings', settings });
  }

  status(): HistoryStatus {
    return { lost: this.#lost, waiting: this.#waitingFlows, failure: this.#failure };
  }

  onChanged(changed: () => void): () => void {
    this.#changed.add(changed);
    return () => { this.#changed.delete(changed); };
  }

  query(filter: HistoryFilter, limit: number, before: number): Promise<Answers['query']> {
    return this.#ask('query', { kind: 'query', filter, limit, before });
  }

  numbers(filter: HistoryFilter, limit: number, before: number): Promise<Answers['numbers']> {
    return this.#ask('numbers', { kind: 'numbers', filter, limit, before });
  }

  groups(filter: HistoryFilter, by: 'application' | 'destination', limit: number): Promise<FlowGroups> {
    return this.#ask('groups', { kind: 'groups', filter, by, limit });
  }

  flow(number: number): Promise<FlowRecord | null> {
    return this.#ask('flow', { kind: 'flow', number });
  }

  totals(range: TotalsRange, by: TotalsBy, of: TotalsOf, limit: number): Promise<readonly HistoryTotal[]> {
    return this.#ask('totals', { kind: 'totals', range, by, ...of, limit, nowMs: this.#options.nowMs() });
  }

  async clear(): Promise<void> {
    await this.#ask('clear', { kind: 'clear' });
  }

  async close(): Promise<void> {
    if (this.#again !== null) clearTimeout(this.#again);
    const worker = this.#worker;
    if (worker === null || this.#closing !== null) return;
    this.#handOver();
    const closed = new Promise<void>((resolve) => { this.#closing = resolve; });
    this.#post({ kind: 'close', next: this.#next });
    const timer = setTimeout(() => this.#closing?.(), CLOSE_MS);
    await closed;
    clearTimeout(timer);
    this.#rejectAll('The helper is stopping.');
    await worker.terminate();
  }

  #start(): void {
    const data: ThreadData = { folder: this.#options.folder, settings: this.#settings };
    const worker = new Worker(this.#options.thread, { workerData: data, resourceLimits: HEAP, name: 'history' });
    this.#worker = worker;
    worker.on('message', (message: FromThread) => { this.#take(message); });
    worker.on('error', (error) => { this.#options.logger.log('error', 'the history thread failed', { why: String(error) }); });
    worker.on('exit', () => { this.#ended(); });
  }

  /** What it had is lost, and it is started again after a while. */
  #ended(): void {
    this.#worker = null;
    this.#closing?.();
    if (this.#closing !== null) return;
    this.#lost += this.#handedOver;
    this.#handedOver = 0;
    this.#numberKnown = true;
    this.#setFailure('thread', 'its thread ended');
    this.#tellStarted();
    this.#rejectAll('The history is not available for a moment.');
    this.#again = setTimeout(() => { this.#start(); }, AGAIN_MS).unref();
  }

  #take(message: FromThread): void {
    switch (message.kind) {
      case 'ready':
        // From a thread that is late, or was started again, it says nothing: numbers were given meanwhile.
        if (!this.#numberKnown) this.#next = message.next;
        this.#numberKnown = true;
        this.#setFailure('thread', null);
        this.#tellStarted();
        return;
      case 'done':
        this.#handedOver -= message.flows;
        this.#lost += message.lost;
        return;
      case 'state':
        this.#setFailure('file', message.failure);
        return;
      case 'note':
        this.#options.logger.log('warning', message.message, message.fields);
        return;
      case 'answer':
        this.#settle(message.id, (one) => { one.resolve(message.value); });
        return;
      case 'refusal':
        this.#settle(message.id, (one) => { one.reject(new BastionError(message.code, message.text)); });
        return;
      case 'closed':
        this.#closing?.();
    }
  }

  #setFailure(of: 'thread' | 'file', what: string | null): void {
    const before = this.#failure;
    this.#failures[of] = what;
    const failure = this.#failure;
    if (failure === before) return;
    if (failure === null) this.#options.logger.log('info', 'the history is stored again', { lost: this.#lost });
    else this.#options.logger.log('warning', 'the history cannot be stored', { why: failure });
    for (const changed of this.#changed) changed();
  }

  #post(message: ToThread): void {
    this.#worker?.postMessage(message);
  }

  #handOver(): void {
    if (this.#batchTimer !== null) clearTimeout(this.#batchTimer);
    this.#batchTimer = null;
    const [flows, ends] = [this.#batch, this.#ends];
    this.#batch = [];
    this.#ends = [];
    const [last] = flows.slice(-1);
    if (last !== undefined) this.#next = Math.max(this.#next, Number.parseInt(last.id.slice(1), 36) + 1);
    if (this.#worker === null) {
      this.#lost += flows.length + ends.length;
      return;
    }
    this.#handedOver += flows.length + ends.length;
    if (flows.length > 0) this.#post({ kind: 'flows', flows });
    // After them: a flow is there before its end.
    if (ends.length > 0) this.#post({ kind: 'ends', ends });
  }

  async #ask<K extends keyof Answers>(_kind: K, question: Extract<Question, { readonly kind: K }>): Promise<Answers[K]> {
    if (this.#worker === null || this.#closing !== null) throw new BastionError('Failed', 'The history is not available for a moment.');
    if (this.#waiting.length >= QUESTIONS.waiting) throw new BastionError('Busy');
    const answer = await new Promise<Answers[keyof Answers]>((resolve, reject) => {
      this.#waiting.push({ question, resolve, reject });
      this.#askNext();
    });
    // The thread answers each kind of question with its own kind of answer; see `Answers`.
    return answer as Answers[K];
  }

  #askNext(): void {
    while (this.#asked.size < QUESTIONS.asked) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      // What was handed over before is stored before: nobody misses a flow that has left the ring.
      this.#handOver();
      this.#questions += 1;
      const id = this.#questions;
      const timer = setTimeout(() => {
        this.#settle(id, (one) => { one.reject(new BastionError('Failed', 'The history did not answer in time.')); });
      }, QUESTION_MS);
      this.#asked.set(id, { ...next, timer });
      this.#post({ kind: 'ask', id, question: next.question });
    }
  }

  #settle(id: number, how: (one: Waiting) => void): void {
    const one = this.#asked.get(id);
    if (one === undefined) return;
    clearTimeout(one.timer);
    this.#asked.delete(id);
    how(one);
    this.#askNext();
  }

  #rejectAll(text: string): void {
    const left = [...this.#asked.values(), ...this.#waiting.splice(0)];
    for (const { timer } of this.#asked.values()) clearTimeout(timer);
    this.#asked.clear();
    for (const one of left) one.reject(new BastionError('Failed', text));
  }
}
