/** Flows on disk. Types only. */
import type { RuleAction } from '../contract/vocabulary.ts';
import type { FlowEnd, FlowRecord, TrafficTotal } from '../engine-api.ts';

/** `[history]` of bastion.toml. */
export interface HistorySettings {
  /** false: nothing is stored; what was stored before stays until it is too old or cleared. */
  readonly enabled: boolean;
  /** false: flows are stored without the names of their destinations. */
  readonly names: boolean;
  readonly keepDays: number;
  /** Size of the database file, 10^6 bytes. */
  readonly maxMegabytes: number;
  /** Absolute path of a file for the Prometheus node exporter; null for none. */
  readonly prometheusFile: string | null;
}

/** What stored flows are looked for by; absent parts match anything. */
export interface HistoryFilter {
  /** Exact path of the program. */
  readonly path?: string;
  readonly uid?: number;
  /** Part of the program's path, or of who a forwarded flow comes from; capital letters of ASCII count as small ones. */
  readonly application?: string;
  /** A name, which stands for all names below it too; or an address. Small letters. */
  readonly host?: string;
  readonly port?: number;
  readonly action?: RuleAction;
  readonly ruleId?: string;
  /** From then on, and before then; ms since 1970. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** refused: whatever was not allowed. */
  readonly verdict?: 'allowed' | 'refused';
  readonly protocols?: readonly number[];
  /** As `programKey` names it. */
  readonly program?: string;
  /** The likeliest name, or the address of a destination without one. */
  readonly destination?: string;
  /** Small letters of ASCII; each stands in the program, the likeliest name, the address or the rule's id, or is the port. */
  readonly words?: readonly string[];
}

/** Stored flows of one program and user, or to one destination, added up. */
export interface FlowGroup {
  /** As `programKey` names it, or the likeliest name, else the address; '' for the sum of what did not fit. */
  readonly key: string;
  /** null by destination, where none is known, and for several. */
  readonly uid: number | null;
  /** How many groups this is the sum of; null for a single one. */
  readonly others: number | null;
  readonly allowed: number;
  readonly refused: number;
  /** Of TCP connections that have ended. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Of the newest flow, ms since 1970. */
  readonly lastMs: number;
}

/** The most flows first. `sinceMs`: nothing older was looked at; 0 when everything was. */
export interface FlowGroups {
  readonly groups: readonly FlowGroup[];
  readonly sinceMs: number;
}

/** The last 60 minutes, 24 hours, 7 days, 30 days. */
export type TotalsRange = 'hour' | 'day' | 'week' | 'month';

/** What is added up together: programs by user, destinations, or everything in one minute, hour or day (UTC). */
export type TotalsBy = 'application' | 'destination' | 'minute' | 'hour' | 'day';

/** Whose sums: one user's, or with null everybody's; of one program ('' for those that are not known), or of all. */
export interface TotalsOf {
  readonly uid: number | null;
  readonly path?: string;
}

/** One sum. Parts that the sum is not about are null. */
export interface HistoryTotal {
  /** Start of the minute, hour or day, ms since 1970. */
  readonly timeMs: number | null;
  /** '' where no path is known. */
  readonly path: string | null;
  /** Who forwarded flows come from; '' for programs of this machine. */
  readonly forwardedFrom: string | null;
  readonly uid: number | null;
  /** How many this is the sum of; null for a single one, 0 for a number that is not known. */
  readonly others: number | null;
  /** Name or address; '' for the others. */
  readonly target: string | null;
  readonly port: number | null;
  readonly protocol: number | null;
  readonly allowed: number;
  readonly refused: number;
  /** Zero by destination: bytes are counted by program. */
  readonly sentBytes: number;
  readonly sentPackets: number;
  readonly receivedBytes: number;
  readonly receivedPackets: number;
}

/** How the history fares. */
export interface HistoryStatus {
  /** Flows that could not be stored since the helper started. */
  readonly lost: number;
  /** Flows that wait to be stored. */
  readonly waiting: number;
  /** Why nothing can be stored at present; null when it can. */
  readonly failure: string | null;
}

/**
 * Flows on disk. Nothing here is waited for on the way of a packet: what is handed over goes to a thread of its own, and what it
 * has no room for is counted and left out.
 */
export interface History {
  /** Larger than the number of every flow that was stored before. */
  readonly nextFlowNumber: number;
  /** As bastion.toml says it now. */
  readonly settings: HistorySettings;
  add(flows: readonly FlowRecord[]): void;
  /** Adds to flows that were added before what they moved. */
  end(ends: readonly FlowEnd[]): void;
  /** Sums since the helper started: what was added since the last call is stored. */
  addTraffic(totals: readonly TrafficTotal[]): void;
  configure(settings: HistorySettings): void;
  status(): HistoryStatus;
  /** Calls back when `failure` changed. Returns the way to stop. */
  onChanged(changed: () => void): () => void;
  /**
   * Flows with numbers below `before`, the newest first, at most `limit`. A look that takes too long ends early: with fewer rows,
   * and in `before` where the next one goes on; 0 when nothing older is left. Rejects with BastionError Busy or Failed.
   */
  query(filter: HistoryFilter, limit: number, before: number): Promise<{ readonly rows: readonly FlowRecord[]; readonly before: number }>;
  /** Numbers of the flows that `query` finds, at most `limit`, the largest first. Ends early and rejects as `query`. */
  numbers(filter: HistoryFilter, limit: number, before: number): Promise<{ readonly numbers: Float64Array; readonly before: number }>;
  /** What does not fit into `limit` groups is the last of them. Rejects as `query`. */
  groups(filter: HistoryFilter, by: 'application' | 'destination', limit: number): Promise<FlowGroups>;
  /** null when it is not stored (any more). Rejects as `query`. */
  flow(number: number): Promise<FlowRecord | null>;
  /** The largest first, a series in the order of time. Rejects as `query`. */
  totals(range: TotalsRange, by: TotalsBy, of: TotalsOf, limit: number): Promise<readonly HistoryTotal[]>;
  /** Forgets everything stored, damaged files included. Rejects as `query`. */
  clear(): Promise<void>;
  /** Stores what waits. */
  close(): Promise<void>;
}
