/** What the helper and its history thread say to each other. Plain data: every message is copied. */
import type { ErrorCode } from '../../contract/errors.ts';
import type { FlowEnd, FlowRecord } from '../../engine-api.ts';
import type { FlowGroups, HistoryFilter, HistorySettings, TotalsBy, TotalsRange, HistoryTotal } from '../../ports.ts';
import type { Moved } from './buckets.ts';

/** What a question is answered with. */
export interface Answers {
  readonly query: { readonly rows: readonly FlowRecord[]; readonly before: number };
  readonly numbers: { readonly numbers: Float64Array; readonly before: number };
  readonly groups: FlowGroups;
  readonly flow: FlowRecord | null;
  readonly totals: readonly HistoryTotal[];
  readonly clear: null;
}

/** Questions, each with what it is answered with. */
export type Question =
  | { readonly kind: 'query'; readonly filter: HistoryFilter; readonly limit: number; readonly before: number }
  | { readonly kind: 'numbers'; readonly filter: HistoryFilter; readonly limit: number; readonly before: number }
  | { readonly kind: 'groups'; readonly filter: HistoryFilter; readonly by: 'application' | 'destination'; readonly limit: number }
  | { readonly kind: 'flow'; readonly number: number }
  | {
      readonly kind: 'totals';
      readonly range: TotalsRange;
      readonly by: TotalsBy;
      readonly uid: number | null;
      readonly path?: string;
      readonly limit: number;
      readonly nowMs: number;
    }
  | { readonly kind: 'clear' };

export type ToThread =
  | { readonly kind: 'settings'; readonly settings: HistorySettings }
  | { readonly kind: 'flows'; readonly flows: readonly FlowRecord[] }
  | { readonly kind: 'ends'; readonly ends: readonly FlowEnd[] }
  | { readonly kind: 'traffic'; readonly rows: readonly Moved[]; readonly timeMs: number }
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }
  /** `next`: the number after the last that was given. */
  | { readonly kind: 'close'; readonly next: number };

export type FromThread =
  /** Open for the first time; `next`: number for the next flow, larger than every one that was ever given. */
  | { readonly kind: 'ready'; readonly next: number }
  /** So many of the flows and ends handed over are settled: stored, or lost. */
  | { readonly kind: 'done'; readonly flows: number; readonly lost: number }
  /** Storing does not work (with the reason), or works again (null). */
  | { readonly kind: 'state'; readonly failure: string | null }
  | { readonly kind: 'note'; readonly message: string; readonly fields: Readonly<Record<string, string | number>> }
  | { readonly kind: 'answer'; readonly id: number; readonly value: Answers[keyof Answers] }
  | { readonly kind: 'refusal'; readonly id: number; readonly code: ErrorCode; readonly text: string }
  | { readonly kind: 'closed' };
