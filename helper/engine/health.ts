/** What state the firewall is in, and why it is not whole. */
import type { DegradedReason } from '../contract/types.ts';
import type { State } from '../contract/vocabulary.ts';
import type { EngineStatus } from '../engine-api.ts';
import type { Clock, DataPath, HistoryStatus } from '../ports.ts';
import type { Modes } from './modes.ts';
import { statisticsOf } from './statistics.ts';
import type { StatisticsSources } from './statistics.ts';

const NS_PER_MS = 1_000_000n;

export interface HealthSources extends Pick<StatisticsSources, 'prompts' | 'rules' | 'names' | 'memoryLost' | 'losses'> {
  /** null while the hooks are off. */
  readonly dataPath: DataPath | null;
  readonly modes: Modes;
  readonly safeguard: StatisticsSources['safeguard'] & { readonly on: boolean };
  /** null where nothing is kept. */
  readonly history: HistoryStatus | null;
  /** Connections that the engine could not record. */
  readonly flowsLost: number;
}

export class Health {
  readonly #clock: Clock;
  readonly #startedNs: bigint;
  #degraded: readonly DegradedReason[] = [];
  #queueDown: string | null = null;
  #rulesMended = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedNs = clock.bootNs();
  }

  /** True when the reasons are others than before. */
  setDegraded(reasons: readonly DegradedReason[]): boolean {
    const same = JSON.stringify(reasons) === JSON.stringify(this.#degraded);
    this.#degraded = reasons;
    return !same;
  }

  countMend(): void {
    this.#rulesMended += 1;
  }

  setQueue(ready: boolean, message: string): void {
    this.#queueDown = ready ? null : message;
  }

  status({ dataPath, modes, safeguard, prompts, rules, names, history, flowsLost, memoryLost, losses }: HealthSources): EngineStatus {
    const degradedReasons = this.#reasons(history);
    const nowNs = this.#clock.bootNs();
    const untilNs = modes.pausedUntilNs;
    const pausedUntilMs = untilNs === null ? 0 : this.#clock.wallMs() + Number((untilNs - nowNs) / NS_PER_MS);
    const uptimeMs = Number((nowNs - this.#startedNs) / NS_PER_MS);
    const { trial, before } = modes;
    return {
      ...(trial === null || before === null ? {} : { trial: { before, endsMs: this.#clock.wallMs() + Number((trial.endsNs - nowNs) / NS_PER_MS) } }),
      mode: modes.mode,
      state: stateOf(dataPath !== null, pausedUntilMs !== 0, safeguard.on, degradedReasons),
      degradedReasons,
      pausedUntilMs,
      statistics: statisticsOf({
        counters: dataPath?.counters() ?? null, prompts, safeguard, rules, rulesMended: this.#rulesMended, names, memoryLost, losses,
        historyLost: (history?.lost ?? 0) + flowsLost, uptimeMs,
      }),
    };
  }

  #reasons(history: HistoryStatus | null): readonly DegradedReason[] {
    const reasons = [...this.#degraded];
    if (this.#queueDown !== null) {
      reasons.push({
        code: 'queue',
        text: `The packet queue failed: ${this.#queueDown}`,
        remedy: 'It is opened again by itself; until then undecided connections are refused.',
      });
    }
    if (history !== null && history.failure !== null) {
      reasons.push({
        code: 'history',
        text: `What is decided cannot be recorded (${history.failure}); the firewall itself is whole.`,
        remedy: 'Make room on the disk of the state folder, or see the journal. It is tried again every minute.',
      });
    }
    return reasons;
  }
}

function stateOf(attached: boolean, paused: boolean, safeguard: boolean, reasons: readonly DegradedReason[]): State {
  if (!attached) return 'off';
  if (paused) return 'paused';
  if (safeguard) return 'safeguard';
  return reasons.length > 0 ? 'degraded' : 'protecting';
}
