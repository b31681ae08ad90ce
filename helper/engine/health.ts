/** What state the firewall is in, and why it is not whole. */
import type { DegradedReason } from '../contract/types.ts';
import type { State } from '../contract/vocabulary.ts';
import type { EngineStatus } from '../engine-api.ts';
import type { Clock, DataPath } from '../ports.ts';
import type { Modes } from './modes.ts';
import { statisticsOf } from './statistics.ts';
import type { StatisticsSources } from './statistics.ts';

const NS_PER_MS = 1_000_000n;

export interface HealthSources extends Pick<StatisticsSources, 'prompts' | 'rules' | 'names'> {
  /** null while the hooks are off. */
  readonly dataPath: DataPath | null;
  readonly modes: Modes;
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

  status({ dataPath, modes, prompts, rules, names }: HealthSources): EngineStatus {
    const degradedReasons = this.#reasons();
    const nowNs = this.#clock.bootNs();
    const untilNs = modes.pausedUntilNs;
    const pausedUntilMs = untilNs === null ? 0 : this.#clock.wallMs() + Number((untilNs - nowNs) / NS_PER_MS);
    const uptimeMs = Number((nowNs - this.#startedNs) / NS_PER_MS);
    return {
      mode: modes.mode,
      state: stateOf(dataPath !== null, pausedUntilMs !== 0, degradedReasons),
      degradedReasons,
      pausedUntilMs,
      statistics: statisticsOf({ counters: dataPath?.counters() ?? null, prompts, rules, rulesMended: this.#rulesMended, names, uptimeMs }),
    };
  }

  #reasons(): readonly DegradedReason[] {
    if (this.#queueDown === null) return this.#degraded;
    const reason = {
      code: 'queue',
      text: `The packet queue failed: ${this.#queueDown}`,
      remedy: 'It is opened again by itself; until then undecided connections are refused.',
    };
    return [...this.#degraded, reason];
  }
}

function stateOf(attached: boolean, paused: boolean, reasons: readonly DegradedReason[]): State {
  if (!attached) return 'off';
  if (paused) return 'paused';
  return reasons.length > 0 ? 'degraded' : 'protecting';
}
