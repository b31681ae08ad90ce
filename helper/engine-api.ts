/** What the service and main see of the engine. Types only. */
import type {
  Answer, DegradedReason, Explanation, PromptEnd, PromptInfo, RuleEdit, RuleInfo, Statistics,
} from './contract/types.ts';
import type { Confidence, Decision, Evidence, KnownName, Mode, Rule, State, Tuple } from './contract/vocabulary.ts';
import type { LoadedRules } from './ports.ts';

/** One rule with what this helper run knows about its use. */
export interface RuleUse {
  readonly rule: Rule;
  /** Everything below is text as the contract's RuleInfo wants it. */
  readonly hits: number;
  readonly lastHitMs: number;
}

/** Who may see and answer a prompt. */
export interface PromptTarget {
  /** Owner of the socket. */
  readonly uid: number;
  /** root and system uids (below 1000, or unknown): shown to the active local session, and answering costs edit-rules. */
  readonly system: boolean;
}

/** A prompt as it is at this moment. `info.lifetimes` is what it offers to one who is authorized; the service narrows it for a receiver. */
export interface PromptView {
  readonly info: PromptInfo;
  readonly target: PromptTarget;
}

/** A flow that was decided, as history and monitors see it. */
export interface FlowRecord {
  /** `f` + a counter in base 36. */
  readonly id: string;
  readonly timeMs: number;
  readonly tuple: Tuple;
  readonly path: string | null;
  readonly uid: number | null;
  readonly pid: number | null;
  /** Who a forwarded flow comes from, in words; null for a flow of this machine. */
  readonly forwardedFrom: string | null;
  /** The likeliest of `names`; null when there is none. */
  readonly host: string | null;
  readonly names: readonly KnownName[];
  readonly interfaceName: string;
  readonly lengthBytes: number;
  readonly decision: Decision;
  readonly confidence: Confidence;
  readonly evidence: Evidence;
  readonly nextRuleId: string | null;
}

/** What one program of one user sent and received. */
export interface TrafficTotal {
  /** null: programs whose path is not known, or that were too many to be told apart. */
  readonly path: string | null;
  /** null for those that were too many. */
  readonly uid: number | null;
  /** Bytes of IP datagrams. */
  readonly sentBytes: number;
  readonly sentPackets: number;
  readonly receivedBytes: number;
  readonly receivedPackets: number;
}

export interface EngineEvents {
  promptRaised(prompt: PromptView): void;
  /** Joined flows changed the count, or the deadline moved. */
  promptChanged(prompt: PromptView): void;
  promptEnded(prompt: PromptView, why: PromptEnd): void;
  flows(flows: readonly FlowRecord[]): void;
  rulesChanged(): void;
  /** Mode, state, degraded reasons or pause changed. */
  statusChanged(): void;
}

export interface EngineStatus {
  readonly mode: Mode;
  readonly state: State;
  readonly degradedReasons: readonly DegradedReason[];
  /** Wall ms; 0 when not paused. */
  readonly pausedUntilMs: number;
  readonly statistics: Statistics;
}

export interface EngineApi {
  status(): EngineStatus;
  onEvents(events: Partial<EngineEvents>): () => void;

  /** New rules and settings from the store: what is held and what is remembered is decided again. */
  setLoaded(loaded: LoadedRules): void;
  /** Durable: written to bastion.toml. `confirmMs`: goes back by itself unless set again without it. */
  setMode(mode: Mode, confirmMs?: number): Promise<void>;
  /** 1 s to 24 h. */
  pause(ms: number): void;
  resume(): void;
  setDegraded(reasons: readonly DegradedReason[]): void;

  /** Every rule in the order in which rules win, switched-off ones included. */
  rules(): readonly RuleUse[];
  /** `rules()` in the contract's text forms. */
  ruleInfos(): readonly RuleInfo[];
  /** The text of the rules that the helper writes (RuleStore.exportText). */
  exportRules(): Promise<string>;
  /** Throws BastionError InvalidArgument, Conflict, LimitReached, NotFound, ReadOnly. */
  addRule(edit: RuleEdit, forUid?: number): Promise<string>;
  updateRule(id: string, edit: RuleEdit): Promise<void>;
  removeRule(id: string): Promise<void>;

  /** Visible prompts, then the inbox with the newest first. A prompt that waits behind one of its application is not here. */
  prompts(): readonly PromptView[];
  /** Throws BastionError PromptGone for a nonce that is not (or no longer) known. */
  promptByNonce(nonce: string): PromptView;
  /** Decides what is held and makes the rule. The service has authorized before. */
  answer(nonce: string, answer: Answer): Promise<{ readonly ruleId: string | null; readonly flows: number }>;
  /** The newest first, out of the last 10,000. Throws BastionError InvalidArgument for a bad cursor. */
  flows(filter: { readonly path?: string; readonly uid?: number }, limit: number, cursor: string): {
    readonly rows: readonly FlowRecord[];
    readonly next: string;
  };
  /** One recent flow, null when it has left the ring: the service asks whose it is before it explains. */
  flow(id: string): FlowRecord | null;
  /** Throws BastionError NotFound for a flow that is not (or no longer) known. */
  explain(flowId: string): Explanation;
  /** Since the helper started, the most bytes first; of all users. At most 200 ms old. */
  totals(): readonly TrafficTotal[];
  /** For people: the user's name, or the number as text where there is none. */
  userName(uid: number): string;
  /** Withdraws prompts, writes what lasts until the machine restarts. What is held keeps the data path's default verdict. */
  stop(): Promise<void>;
}
