/** What the desktop and bastionctl see of the helper: typed calls, events, reconnection. `connectHelper` makes one. */
import type { Duplex } from 'node:stream';
import { LinkedHelper } from './client-helper.ts';
import type {
  Answer, AnswerResult, Check, DegradedReason, Explanation, FlowInfo, LoadError, PacketInfo, PromptEnd, PromptInfo, RuleEdit,
  RuleInfo, Statistics, TotalsInfo,
} from './types.ts';
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
  readonly loadErrors: readonly LoadError[];
}

/** One page; `next` is '' at the end. */
export interface Page<T> {
  readonly rows: readonly T[];
  readonly next: string;
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
  /** Format `toml`. */
  exportRules(format: string): Promise<string>;

  /** Registers again by itself whenever the helper comes back, until `unregisterAgent`. */
  registerAgent(): Promise<{ readonly session: string; readonly verified: boolean }>;
  unregisterAgent(): Promise<void>;
  answer(nonce: string, answer: Answer): Promise<AnswerResult>;
  listPrompts(limit: number, cursor: string): Promise<Page<PromptInfo>>;

  queryFlows(filter: { readonly path?: string; readonly uid?: number }, limit: number, cursor: string): Promise<Page<FlowInfo>>;
  /** `packets` asks for packet records too. */
  subscribe(options: { readonly packets: boolean }): Promise<void>;
  unsubscribe(): Promise<void>;
  explain(flow: string): Promise<Explanation>;
  /** Traffic of each program and user since the helper started, the most bytes first; at most 500 rows. */
  totals(): Promise<readonly TotalsInfo[]>;
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
