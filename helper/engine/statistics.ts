/** The contract's counters out of the data path's and the engine's. */
import type { Statistics } from '../contract/types.ts';
import type { DataPathCounters } from '../ports.ts';
import type { NameCounts } from './name-desk.ts';

export interface StatisticsSources {
  /** null while nothing is attached. */
  readonly counters: DataPathCounters | null;
  readonly prompts: { readonly raised: number; readonly expired: number };
  readonly rules: number;
  readonly rulesMended: number;
  readonly names: NameCounts;
  readonly uptimeMs: number;
}

/** A packet counts once, whether the kernel decided it, the receiver thread, or the engine. */
export function statisticsOf({ counters, prompts, rules, rulesMended, names, uptimeMs }: StatisticsSources): Statistics {
  const kernelDecided = (counters?.kernelAllowed ?? 0) + (counters?.kernelRefused ?? 0);
  return {
    packets: (counters?.packets ?? 0) + kernelDecided,
    connections: counters?.asks ?? 0,
    allowed: (counters?.accepted ?? 0) + (counters?.kernelAllowed ?? 0),
    denied: (counters?.refused ?? 0) + (counters?.dropped ?? 0) + (counters?.kernelRefused ?? 0),
    prompts: prompts.raised,
    prompts_expired: prompts.expired,
    rules,
    queue_length: counters?.queueLength ?? 0,
    queue_dropped: counters?.queueDropped ?? 0,
    queue_user_dropped: counters?.queueUserDropped ?? 0,
    queue_overruns: counters?.overruns ?? 0,
    held: counters?.held ?? 0,
    default_verdicts: counters?.defaultVerdicts ?? 0,
    unidentified: counters?.unidentified ?? 0,
    kernel_decided: kernelDecided,
    gate_dropped: (counters?.gateUndecided ?? 0) + (counters?.gateRefused ?? 0) + (counters?.gateUntracked ?? 0),
    over_budget: (counters?.overBudget ?? 0) + (counters?.gateLost ?? 0) + (counters?.ringLost ?? 0),
    rules_mended: rulesMended,
    names: names.names,
    dns_ignored: names.ignored,
    names_lost: names.lost + (counters?.dnsLost ?? 0),
    uptime_ms: uptimeMs,
  };
}
