/** What the desktop and bastionctl see of the helper: typed calls, events, reconnection. `connectHelper` makes one. */
import type { Duplex } from 'node:stream';
import { LinkedHelper } from './client-helper.ts';
import type {
  Answer, AnswerResult, Check, DegradedReason, Explanation, FlowInfo, LoadError, PacketInfo, ProfileInfo, PromptEnd,
  PromptInfo, RuleEdit, ListInfo, RuleInfo, Statistics, TotalsInfo, TotalsFilter, ApplicationFilter, ApplicationInfo, RehashInfo,
  RehashSummary, FlowFilter, ImportItemInfo, ImportSummary, Proposal, ProposeOptions, RuleChange, RuleFinding,
  SafeguardInfo, SimulationInfo, SimulationRow, NetworkInterface, NetworkState, NetworkZone, NetworkContainer, InboundAllow,
} from './types.ts';
import type { GroupBy, HistoryState } from './types.ts';
import type { Mode, State } from './vocabulary.ts';

export { NotConnectedError } from './client-link.ts';
export type { PacketInfo } from './types.ts';

/** The properties of the helper at one time. */
export interface HelperStatus {
  readonly version: string;
  readonly mode: Mode;
  readonly state: State;
  readonly degradedReasons: readonly DegradedReason[];
  readonly statistics: Statistics;
  /** Wall time, ms since 1970; 0 when not paused. */
  readonly pausedUntilMs: number;
  /** `mode` is on trial and goes back to `before` at `endsMs`, wall time; absent when it is not. */
  readonly trial?: { readonly before: string; readonly endsMs: number };
  /** Id of the active profile, '' for none. */
  readonly profile: string;
  readonly loadErrors: readonly LoadError[];
}

/** One page; `next` is '' at the end. */
export interface Page<T> {
  readonly rows: readonly T[];
  readonly next: string;
}

/** What Simulate tells. */
export interface SimulationAnswer {
  readonly summary: SimulationInfo;
  readonly rows: readonly SimulationRow[];
}

export interface HelperEvents {
  /** The helper appeared on the bus or went away; true at once after connecting when it is there. */
  connected: (connected: boolean) => void;
  status: (status: HelperStatus) => void;
  rulesChanged: () => void;
  /** A new prompt, or news of one that is known by its nonce: more flows joined, or its deadline moved. */
  promptRaised: (prompt: PromptInfo) => void;
  promptWithdrawn: (nonce: string, why: PromptEnd) => void;
  flows: (flows: readonly FlowInfo[]) => void;
  packets: (packets: readonly PacketInfo[]) => void;
  applicationsChanged: () => void;
  /** Interfaces, addresses, zones or the network are different now. Told while somebody has asked within two minutes. */
  networkChanged: () => void;
  /** How far a `rehash` of this client is, in bytes. */
  rehashProgress: (doneBytes: number, totalBytes: number) => void;
}

/**
 * Every call rejects with BastionError (a code of the registry) or NotConnectedError, within `timeoutMs` of the client.
 * Calls that may ask for a password (`interactive`) wait as long as the dialog does.
 */
export interface HelperClient {
  readonly connected: boolean;
  on<E extends keyof HelperEvents>(event: E, listener: HelperEvents[E]): () => void;
  status(): Promise<HelperStatus>;
  ping(): Promise<void>;
  /** Goes back by itself after `confirmSeconds` unless the mode is set again without it. */
  setMode(mode: Mode, options?: { readonly confirmSeconds?: number }): Promise<void>;
  pause(seconds: number): Promise<void>;
  resume(): Promise<void>;
  /** Does nothing where it is not on. */
  /** What the safeguard refuses now. */
  safeguard(): Promise<SafeguardInfo>;
  endSafeguard(): Promise<void>;
  profiles(): Promise<readonly ProfileInfo[]>;
  /** Until the machine restarts; '' goes by the network again. */
  setProfile(id: string): Promise<void>;
  /** Returns what did not load. */
  reload(): Promise<readonly LoadError[]>;
  off(): Promise<void>;
  selfTest(): Promise<readonly Check[]>;
  setLogLevel(level: string): Promise<void>;

  listRules(limit: number, cursor: string): Promise<Page<RuleInfo>>;
  getRule(id: string): Promise<RuleInfo>;
  /** Returns the new rule's id. */
  addRule(rule: RuleEdit): Promise<string>;
  updateRule(id: string, change: RuleEdit): Promise<void>;
  removeRule(id: string): Promise<void>;
  /** Switches all rules of a group, whoever made them. */
  setGroup(group: string, enabled: boolean): Promise<void>;
  /** In the order of bastion.toml. */
  listLists(): Promise<readonly ListInfo[]>;
  /** Begins to fetch or read these lists, all for none; `rulesChanged` tells what came of it. */
  updateLists(ids: readonly string[]): Promise<void>;
  /** Formats `toml`, `json`, `bastion-rules`. */
  exportRules(format: string): Promise<string>;
  /** One of IMPORT_FORMATS, '' to tell it from the text, or `original` with an empty text. All or nothing. */
  importRules(format: string, text: string, dryRun: boolean): Promise<{
    readonly items: readonly ImportItemInfo[];
    readonly summary: ImportSummary;
  }>;

  /** Rules that would cover what learning let pass, the most connections first; at most 500 rows. */
  proposeRules(options: ProposeOptions): Promise<readonly Proposal[]>;
  /** What changed rules would have done since then (ms since 1970); at most 500 rows. */
  simulateRules(changes: readonly RuleChange[], sinceMs: number): Promise<SimulationAnswer>;
  /** Rules that do nothing; at most 500 rows. */
  reviewRules(): Promise<readonly RuleFinding[]>;

  /** Registers again by itself whenever the helper comes back, until `unregisterAgent`. */
  registerAgent(): Promise<{ readonly session: string; readonly verified: boolean }>;
  unregisterAgent(): Promise<void>;
  answer(nonce: string, answer: Answer): Promise<AnswerResult>;
  listPrompts(limit: number, cursor: string): Promise<Page<PromptInfo>>;
  /** Somebody is deciding: the prompt gets its whole time again, within limits. Returns the time that is left, in ms. */
  holdPrompt(nonce: string): Promise<number>;
  /** Takes expired prompts out of the inbox without an answer; returns how many were there. */
  dismissPrompts(nonces: readonly string[]): Promise<number>;

  /** The newest first. A page may have few rows, or none, and still a `next`: the list ends where that is ''. */
  queryFlows(filter: FlowFilter, limit: number, cursor: string): Promise<Page<FlowInfo>>;
  /** Ids of what `queryFlows` gives for the same filter, the newest first; a page may be empty and still have a `next`. */
  indexFlows(filter: FlowFilter, cursor: string): Promise<Page<string>>;
  /** Sums of the same flows, at most 500 rows; `sinceMs` is 0, or the time before which nothing was looked at. */
  groupFlows(filter: FlowFilter, by: GroupBy): Promise<{ readonly rows: readonly TotalsInfo[]; readonly sinceMs: number }>;
  historyState(): Promise<HistoryState>;
  /** `packets` asks for packet records too, `everybody` for what others do. */
  subscribe(options: { readonly packets: boolean; readonly everybody?: boolean }): Promise<void>;
  unsubscribe(): Promise<void>;
  explain(flow: string): Promise<Explanation>;
  /** Traffic of each program and user since the helper started, the most bytes first; at most 500 rows. */
  totals(): Promise<readonly TotalsInfo[]>;

  listApplications(filter: ApplicationFilter, limit: number, cursor: string): Promise<Page<ApplicationInfo>>;
  /** Accepts what the files have now; at most 500 of `ID` or `ID=SHA256`. Closing the client stops it. */
  rehash(ids: readonly string[]): Promise<readonly RehashInfo[]>;
  rehashAll(): Promise<RehashSummary>;
  /** Sums out of the history; see Activity.Totals for what goes together. At most 500 rows. With a filter of what it names only. */
  historyTotals(range: string, by: string, filter?: TotalsFilter): Promise<readonly TotalsInfo[]>;
  /** Forgets every flow and the totals of the history. */
  clearHistory(): Promise<void>;

  /** By name; those that are up first. */
  listInterfaces(limit: number, cursor: string): Promise<Page<NetworkInterface>>;
  /** In the order of bastion.toml. */
  listZones(limit: number, cursor: string): Promise<Page<NetworkZone>>;
  /** Containers that run, by engine and name. */
  listContainers(limit: number, cursor: string): Promise<Page<NetworkContainer>>;
  /** Changes what a zone of bastion.toml lets in; the file keeps its comments. */
  setInbound(zone: string, policy: 'off' | 'allow' | 'deny', allow: readonly InboundAllow[]): Promise<void>;
  /** The network that this machine is in. */
  network(): Promise<NetworkState>;
  /** A connection of its own to the same helper: what was begun over it stops when it is closed. */
  another(): HelperClient;
  close(): void;
}

export interface ConnectOptions {
  /** D-Bus address; the system bus (DBUS_SYSTEM_BUS_ADDRESS or the standard socket) when absent. */
  readonly address?: string;
  /** Longest wait for an answer that needs no dialog; default 10 s. */
  readonly timeoutMs?: number;
  /** Allow polkit to show its dialog (message flag ALLOW_INTERACTIVE_AUTHORIZATION); default true. */
  readonly interactive?: boolean;
  /** Makes the stream to a bus, instead of `address`; called for each connection, which owns what it gets. */
  readonly stream?: () => Duplex;
}

/**
 * A client of the helper. It connects in the background, and again after every loss, until `close`; calls wait for the first
 * attempt.
 */
export function connectHelper(options: ConnectOptions = {}): HelperClient {
  return new LinkedHelper(options);
}
