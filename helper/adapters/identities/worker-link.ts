/**
 * The helper's side of the identity worker: a bounded queue that is fair among users, a limit for what hangs, and a new worker
 * where one ended or hangs. Nothing here ever throws or rejects: null means that there was no answer.
 */
import { Worker } from 'node:worker_threads';
import type { Logger } from '../../ports.ts';
import type { Answer, FromWorker, Question, WorkerPlaces } from './protocol.ts';

export interface LinkLimits {
  readonly waiting: number;
  readonly waitingOfUser: number;
  /** Questions that the worker has at a time; it takes turns between them. */
  readonly working: number;
  /** How many of them may be one user's: more would gain him nothing, and somebody else would have to wait for them. */
  readonly workingOfUser: number;
  /** Without any word for so long a worker hangs. */
  readonly silentMs: number;
  /** Workers that may hang for ever in the life of the helper: their threads cannot be ended. */
  readonly hung: number;
}

export const LINK_LIMITS: LinkLimits = { waiting: 2048, waitingOfUser: 512, working: 8, workingOfUser: 2, silentMs: 5000, hung: 4 };

export interface LinkOptions {
  /** The bundled worker, or its source in tests. */
  readonly workerPath: string | URL;
  readonly places: WorkerPlaces;
  readonly logger: Logger;
  readonly limits?: LinkLimits;
}

/** Somebody waits for the answer: these go before what is only good to know. */
export type Urgency = 'now' | 'later';

interface Job {
  readonly id: number;
  readonly uid: number;
  readonly question: Question;
  readonly done: (answer: Answer | null) => void;
  readonly onWaiting: () => void;
  /** It waits for something else and takes nobody's turn. */
  parked: boolean;
}

/** What waits, by user. */
class Queue {
  readonly #users = new Map<number, Job[]>();
  size = 0;

  of(uid: number): number {
    return this.#users.get(uid)?.length ?? 0;
  }

  add(job: Job): void {
    const jobs = this.#users.get(job.uid) ?? [];
    jobs.push(job);
    this.#users.set(job.uid, jobs);
    this.size += 1;
  }

  /** The oldest of the user whose turn it is; users for whom `mayRun` says no are passed over. */
  take(mayRun: (uid: number) => boolean): Job | null {
    for (const [uid, jobs] of this.#users) {
      if (!mayRun(uid)) continue;
      const job = jobs.shift();
      this.#users.delete(uid);
      if (jobs.length > 0) this.#users.set(uid, jobs);
      if (job === undefined) continue;
      this.size -= 1;
      return job;
    }
    return null;
  }

  clear(): readonly Job[] {
    const all = [...this.#users.values()].flat();
    this.#users.clear();
    this.size = 0;
    return all;
  }
}

export class WorkerLink {
  readonly #options: LinkOptions;
  readonly #limits: LinkLimits;
  readonly #queues: Readonly<Record<Urgency, Queue>> = { now: new Queue(), later: new Queue() };
  readonly #working = new Map<number, Job>();
  #worker: Worker | null = null;
  #watch: NodeJS.Timeout | null = null;
  #heardMs = 0;
  #nextId = 1;
  #closed = false;
  #refused = 0;
  #hung = 0;
  #failed = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#limits = options.limits ?? LINK_LIMITS;
  }

  /** Questions refused for want of room; workers left because they hung; workers that ended by themselves. */
  get counters(): { readonly refused: number; readonly hung: number; readonly failed: number } {
    return { refused: this.#refused, hung: this.#hung, failed: this.#failed };
  }

  ask(question: Question, uid: number, urgency: Urgency, onWaiting: () => void = () => undefined): Promise<Answer | null> {
    const queue = this.#queues[urgency];
    if (this.#closed || this.#hung >= this.#limits.hung || queue.size >= this.#limits.waiting || queue.of(uid) >= this.#limits.waitingOfUser) {
      this.#refused += 1;
      return Promise.resolve(null);
    }
    return new Promise((done) => {
      queue.add({ id: this.#nextId, uid, question, done, onWaiting, parked: false });
      this.#nextId += 1;
      this.#pump();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#leave();
    for (const queue of Object.values(this.#queues)) for (const job of queue.clear()) job.done(null);
  }

  #pump(): void {
    for (;;) {
      const running = [...this.#working.values()].filter((job) => !job.parked);
      if (running.length >= this.#limits.working) return;
      const now = this.#queues.now.take((uid) => running.filter((one) => one.uid === uid).length < this.#limits.workingOfUser);
      // What nobody waits for runs alone, and only while nobody waits.
      const job = now ?? (this.#queues.now.size === 0 && running.length === 0 ? this.#queues.later.take(() => true) : null);
      if (job === null) return;
      this.#send(job);
    }
  }

  #send(job: Job): void {
    this.#worker ??= this.#start();
    if (this.#working.size === 0) this.#heardMs = performance.now();
    this.#working.set(job.id, job);
    this.#watch ??= setInterval(() => { this.#lookForSilence(); }, this.#limits.silentMs / 5).unref();
    this.#worker.postMessage({ id: job.id, question: job.question });
  }

  #start(): Worker {
    const worker = new Worker(this.#options.workerPath, {
      workerData: this.#options.places,
      // A young generation as small as the helper's own; the index of packages lies outside the heap.
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 },
      execArgv: [],
      env: {},
    });
    worker.unref();
    worker.on('message', (message: FromWorker) => { if (worker === this.#worker) this.#hear(message); });
    worker.on('error', (error) => {
      this.#options.logger.log('error', 'the thread that identifies programs failed', { why: error instanceof Error ? error.message : String(error) });
    });
    worker.on('exit', () => {
      if (worker !== this.#worker) return;
      this.#failed += 1;
      this.#worker = null;
      this.#giveUp();
      this.#pump();
    });
    return worker;
  }

  #hear(message: FromWorker): void {
    this.#heardMs = performance.now();
    if ('alive' in message) return;
    const job = this.#working.get(message.id);
    if (job === undefined) return;
    if ('waiting' in message) {
      job.parked = true;
      job.onWaiting();
    } else {
      this.#working.delete(message.id);
      job.done(message.answer);
    }
    this.#pump();
    this.#rest();
  }

  #lookForSilence(): void {
    if (this.#working.size === 0 || performance.now() - this.#heardMs < this.#limits.silentMs) return;
    this.#hung += 1;
    this.#options.logger.log('warning', 'a file system does not answer; programs on it are not identified', { times: this.#hung });
    void this.#leave().then(() => { this.#pump(); });
  }

  /** Questions of a worker that is gone have no answer. */
  #giveUp(): void {
    const jobs = [...this.#working.values()];
    this.#working.clear();
    this.#rest();
    for (const job of jobs) job.done(null);
  }

  /** A thread in a call that never returns ends with the helper. */
  async #leave(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    this.#giveUp();
    if (worker === null) return;
    await Promise.race([worker.terminate(), new Promise((resolve) => { setTimeout(resolve, 100).unref(); })]);
  }

  #rest(): void {
    if (this.#working.size > 0 || this.#watch === null) return;
    clearInterval(this.#watch);
    this.#watch = null;
  }
}
