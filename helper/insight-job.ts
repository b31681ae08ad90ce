/** What the helper and a thread that looks through the history say to each other. Plain data: every message is copied. */
import type { FlowRecord, RulePreview, RuleSnapshot } from './engine-api.ts';
import type { Rule } from './contract/vocabulary.ts';
import type { Proposals } from './insight/propose.ts';
import type { Review } from './insight/review.ts';
import type { Simulated } from './insight/simulate.ts';

/** What is asked. Times are ms since 1970. */
export type InsightJob =
  | { readonly kind: 'propose'; readonly sinceMs: number; readonly includeDecided: boolean; readonly uid: number | null }
  | { readonly kind: 'simulate'; readonly sinceMs: number; readonly changes: RulePreview; readonly uid: number | null }
  | { readonly kind: 'review'; readonly lastUsedMs: ReadonlyMap<string, number> };

/** What the thread is started with. */
export interface InsightData {
  readonly job: InsightJob;
  /** SQLite file; null without stored history. */
  readonly historyFile: string | null;
  readonly inForce: ReadonlySet<string>;
  readonly settings: RuleSnapshot['settings'];
  readonly nowMs: number;
}

/** Rules and flows come in parts, so that no part holds up the helper's own thread; then `go`. */
export type ToInsight =
  | { readonly kind: 'rules'; readonly rules: readonly Rule[] }
  /** Of the flows in memory, the oldest first. */
  | { readonly kind: 'flows'; readonly flows: readonly FlowRecord[] }
  | { readonly kind: 'go' };

export type InsightResult =
  | { readonly kind: 'propose'; readonly value: Proposals; readonly isIncomplete: boolean }
  | { readonly kind: 'simulate'; readonly value: Simulated; readonly isIncomplete: boolean; readonly listsIgnored: number }
  | { readonly kind: 'review'; readonly value: Review };
