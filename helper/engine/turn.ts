/** One turn of the engine: what was read at its start, what it tells the data path, and whom it tells afterwards. */
import type { BootNs, Decision } from '../contract/vocabulary.ts';
import type { FlowRecord } from '../engine-api.ts';
import type { Ask, DataPath } from '../ports.ts';
import { Batch } from './batch.ts';
import type { Posture } from './decide.ts';
import type { Emitter } from './emitter.ts';
import type { FlowLog } from './flow-log.ts';
import type { Instant } from './modes.ts';
import type { TrialTerms } from './trial.ts';

export class Turn {
  readonly instant: Instant;
  readonly posture: Posture;
  /** The end of a pause, after which nothing of this turn may be remembered; null for none. */
  readonly capNs: BootNs | null;
  /** null: no mode is on trial. */
  readonly trial: TrialTerms | null;
  readonly batch: Batch;
  readonly #records: FlowRecord[] = [];
  readonly #events: ((emitter: Emitter) => void)[] = [];
  readonly #subjects = new Set<string>();

  constructor(instant: Instant, posture: Posture, capNs: BootNs | null, trial: TrialTerms | null) {
    this.instant = instant;
    this.posture = posture;
    this.capNs = capNs;
    this.trial = trial;
    this.batch = new Batch(instant.bootNs, capNs);
  }

  record(log: FlowLog, ask: Ask, decision: Decision, nextRuleId: string | null): void {
    this.#records.push(log.add(ask, decision, nextRuleId, this.instant.wallMs));
  }

  /** Told after the verdicts are given, in order. */
  later(event: (emitter: Emitter) => void): void {
    this.#events.push(event);
  }

  /** As `later`, but one event for a subject, however often it changes in this turn. */
  onceLater(subject: string, event: (emitter: Emitter) => void): void {
    if (this.#subjects.has(subject)) return;
    this.#subjects.add(subject);
    this.later(event);
  }

  /** Verdicts first: nobody waits for a listener. */
  finish(dataPath: DataPath | null, emitter: Emitter): void {
    if (dataPath !== null) this.batch.send(dataPath);
    for (const event of this.#events) event(emitter);
    if (this.#records.length > 0) emitter.emit('flows', this.#records);
  }
}
