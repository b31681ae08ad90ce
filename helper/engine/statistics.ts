/** The contract's counters out of the data path's and the engine's. */
import type { Losses, Statistics } from '../contract/types.ts';
import type { DataPathCounters } from '../ports.ts';
import type { NameCounts } from './name-desk.ts';

export interface StatisticsSources {
  /** null while nothing is attached. */
  readonly counters: DataPathCounters | null;
  readonly prompts: { readonly raised: number; readonly expired: number; readonly renewed: number };
  readonly safeguard: { readonly begins: number; readonly refused: number };
  readonly rules: number;
  readonly rulesMended: number;
  readonly names: NameCounts;
  readonly historyLost: number;
  readonly memoryLost: number;
  /** Of the other parts. */
  readonly losses: Losses;
  readonly uptimeMs: number;
}

/** Those that happened. */
function lossesOf(counters: DataPathCounters | null, others: Losses): Losses {
  const all: Losses = {
    packets_over_limit: counters?.limitDrops ?? 0,
    packets_malformed: counters?.malformed ?? 0,
    packets_not_traced: counters?.traceLost ?? 0,
    sockets_not_ended: counters?.socketsNotEnded ?? 0,
    ...others,
  };
  return Object.fromEntries(Object.entries(all).filter(([, count]) => count > 0));
}

/** A packet counts once, whether the kernel decided it, the receiver thread, or the engine. */
export function statisticsOf({ counters, prompts, safeguard, rules, rulesMended, names, historyLost, memoryLost, losses, uptimeMs }: StatisticsSources): Statistics {
  const kernelDecided = (counters?.kernelAllowed ?? 0) + (counters?.kernelRefused ?? 0);
  return {
    packets: (counters?.packets ?? 0) + kernelDecided,
    connections: counters?.asks ?? 0,
    allowed: (counters?.accepted ?? 0) + (counters?.kernelAllowed ?? 0),
    denied: (counters?.refused ?? 0) + (counters?.dropped ?? 0) + (counters?.kernelRefused ?? 0),
    prompts: prompts.raised,
    prompts_expired: prompts.expired,
    prompts_renewed: prompts.renewed,
    safeguard_begins: safeguard.begins,
    safeguard_refused: safeguard.refused,
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
    over_budget: (counters?.overBudget ?? 0) + (counters?.gateLost ?? 0) + (counters?.ringLost ?? 0) + (counters?.lineageLost ?? 0),
    rules_mended: rulesMended,
    names: names.names,
    dns_ignored: names.ignored,
    names_lost: names.lost + (counters?.dnsLost ?? 0),
    history_lost: historyLost + (counters?.flowsLost ?? 0),
    memory_lost: memoryLost,
    losses: lossesOf(counters, losses),
    uptime_ms: uptimeMs,
  };
}
