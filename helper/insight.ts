/** Questions about the recorded flows: each is worked out in a thread of its own, which ends with the answer. */
import { existsSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { BastionError } from './contract/errors.ts';
import type { RuleChange } from './contract/types.ts';
import type { Rule } from './contract/vocabulary.ts';
import type { EngineApi, FlowRecord, InsightApi, InsightScope } from './engine-api.ts';
import type { InsightData, InsightJob, InsightResult, ToInsight } from './insight-job.ts';
import { proposalRows, reviewRows, simulationAnswer } from './insight/rows.ts';
import type { Clock, Logger } from './ports.ts';

/** Questions of all users that are worked on at a time. */
const MOST_JOBS = 2;
/** A thread that has not answered by then is ended. */
const LONGEST_MS = 60_000;
/** Size of a thread's heap; a question that needs more fails, and takes nothing with it. */
const HEAP_MB = 512;
/** Copied at a time: about a millisecond of the helper's own thread. */
const PART = { rules: 500, flows: 250 } as const;

export interface InsightDeskOptions {
  readonly engine: Pick<EngineApi, 'snapshot' | 'previewRules' | 'recentFlows' | 'userName'>;
  /** The bundled thread. */
  readonly workerFile: string | URL;
  /** SQLite file of the stored history; it need not be there. */
  readonly historyFile: string;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly logger: Logger;
  /** ms; for tests. */
  readonly longestMs?: number;
}

function inParts<T>(all: readonly T[], size: number): readonly (readonly T[])[] {
  const parts: (readonly T[])[] = [];
  for (let at = 0; at < all.length; at += size) parts.push(all.slice(at, at + size));
  return parts;
}

export class InsightDesk implements InsightApi {
  readonly #options: InsightDeskOptions;
  readonly #askers = new Set<number>();
  readonly #workers = new Set<Worker>();

  constructor(options: InsightDeskOptions) {
    this.#options = options;
  }

  async propose(
    { sinceMs, includeDecided }: { readonly sinceMs: number; readonly includeDecided: boolean }, scope: InsightScope,
  ): ReturnType<InsightApi['propose']> {
    const result = await this.#ask({ kind: 'propose', sinceMs, includeDecided, uid: scope.uid }, scope);
    if (result.kind !== 'propose') throw new BastionError('Failed');
    return proposalRows(result.value, (uid) => this.#options.engine.userName(uid));
  }

  async simulate(changes: readonly RuleChange[], sinceMs: number, scope: InsightScope): ReturnType<InsightApi['simulate']> {
    const preview = this.#options.engine.previewRules(changes);
    const result = await this.#ask({ kind: 'simulate', sinceMs, changes: preview, uid: scope.uid }, scope);
    if (result.kind !== 'simulate') throw new BastionError('Failed');
    const { value, listsIgnored, isIncomplete } = result;
    return simulationAnswer(value, listsIgnored, isIncomplete, (uid) => this.#options.engine.userName(uid));
  }

  async review(scope: InsightScope): ReturnType<InsightApi['review']> {
    const { lastUsedMs } = this.#options.engine.snapshot();
    const result = await this.#ask({ kind: 'review', lastUsedMs }, scope);
    if (result.kind !== 'review') throw new BastionError('Failed');
    return reviewRows(result.value, this.#options.clock.wallMs());
  }

  /** Ends every thread. */
  close(): void {
    for (const worker of this.#workers) void worker.terminate();
  }

  async #ask(job: InsightJob, { asker, signal }: InsightScope): Promise<InsightResult> {
    if (this.#askers.has(asker)) throw new BastionError('Busy', 'Another question about the history is still worked on; try again in a moment.');
    if (this.#askers.size >= MOST_JOBS) throw new BastionError('Busy');
    this.#askers.add(asker);
    try {
      return await this.#work(job, signal);
    } finally {
      this.#askers.delete(asker);
    }
  }

  async #work(job: InsightJob, signal: AbortSignal): Promise<InsightResult> {
    const { engine, clock, historyFile, workerFile, longestMs = LONGEST_MS } = this.#options;
    const { rules, inForce, settings } = engine.snapshot();
    const { defaultAction, untracked, forwarded, requireKernelIdentity, interfaces, defaultZone } = settings;
    const data: InsightData = {
      job, inForce, nowMs: clock.wallMs(),
      historyFile: existsSync(historyFile) ? historyFile : null,
      settings: {
        defaultAction, untracked, forwarded, requireKernelIdentity,
        ...(interfaces === undefined ? {} : { interfaces }), ...(defaultZone === undefined ? {} : { defaultZone }),
      },
    };
    const worker = new Worker(workerFile, { workerData: data, resourceLimits: { maxOldGenerationSizeMb: HEAP_MB } });
    this.#workers.add(worker);
    const ended = AbortSignal.any([signal, AbortSignal.timeout(longestMs)]);
    try {
      const answer = this.#answerOf(worker, ended);
      // The answer may fail before all is sent; it is waited for below.
      answer.catch(() => undefined);
      await this.#feed(worker, rules, this.#flowsFor(job), ended);
      return await answer;
    } finally {
      this.#workers.delete(worker);
      await worker.terminate();
    }
  }

  #flowsFor(job: InsightJob): readonly FlowRecord[] {
    if (job.kind === 'review') return [];
    const { sinceMs, uid } = job;
    return [...this.#options.engine.recentFlows()].filter((flow) => flow.timeMs >= sinceMs && (uid === null || flow.uid === uid));
  }

  /** Part by part, with the helper's other work in between. */
  async #feed(worker: Worker, rules: readonly Rule[], flows: readonly FlowRecord[], ended: AbortSignal): Promise<void> {
    const send = async (message: ToInsight): Promise<void> => {
      if (ended.aborted) return;
      worker.postMessage(message);
      await nextTurn();
    };
    for (const part of inParts(rules, PART.rules)) await send({ kind: 'rules', rules: part });
    for (const part of inParts(flows, PART.flows)) await send({ kind: 'flows', flows: part });
    await send({ kind: 'go' });
  }

  #answerOf(worker: Worker, ended: AbortSignal): Promise<InsightResult> {
    const { logger } = this.#options;
    return new Promise((resolve, reject) => {
      let settled = false;
      const fail = (why: string): void => {
        settled = true;
        logger.log('warning', 'the history could not be looked through', { why });
        reject(new BastionError('Failed', 'The history could not be looked through; the journal says why.'));
      };
      worker.once('message', (result: InsightResult) => {
        settled = true;
        resolve(result);
      });
      worker.once('error', (error) => { fail(error instanceof Error ? error.message : String(error)); });
      worker.once('exit', () => { if (!settled) fail('the thread ended without an answer'); });
      const giveUp = (): void => {
        settled = true;
        reject(new BastionError('Failed', 'It took too long, or nobody waited for it any more.'));
      };
      if (ended.aborted) giveUp();
      else ended.addEventListener('abort', giveUp);
    });
  }
}
