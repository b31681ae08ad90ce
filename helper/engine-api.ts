/** What the service and main see of the engine. Types only. */
import type {
  Answer, DegradedReason, Explanation, InboundAllow, PromptEnd, PromptInfo, Proposal, RuleChange, RuleEdit, RuleFinding, RuleInfo,
  SimulationInfo, SimulationRow, Statistics,
} from './contract/types.ts';
import type {
  Ancestor, Confidence, ContainerEnd, Decision, Evidence, Identity, KnownName, Mode, Rule, State, Tuple,
} from './contract/vocabulary.ts';
import type {
  Container, EngineView, FlowGroups, HistoryFilter, HistorySettings, HistoryTotal, LoadedRules, NetworkLink,
  NetworkState, Origin, Settings, SetView, TotalsBy, TotalsOf, TotalsRange,
} from './ports.ts';

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
  /** All that was known of the program; absent in records of earlier versions. */
  readonly identity?: Identity;
  readonly claimedPath?: string | null;
  /** The nearest first. */
  readonly ancestors?: readonly Ancestor[];
  readonly lineage?: 'kernel' | 'procfs';
  readonly command?: string;
  readonly isLookup?: boolean;
  /** A peer spoke first; see `Ask`. */
  readonly answersPeer?: boolean;
  readonly origin?: Origin;
  /** Containers at its ends, the sender first; absent: none was known. */
  readonly containers?: readonly ContainerEnd[];
  /** Of a TCP connection that has ended: when, and bytes of IP datagrams. Absent while it is open, and where nobody counted. */
  readonly endedMs?: number;
  readonly sentBytes?: number;
  readonly receivedBytes?: number;
}

/** The end of a connection that was recorded before. */
export interface FlowEnd extends Required<Pick<FlowRecord, 'endedMs' | 'sentBytes' | 'receivedBytes'>> {
  readonly id: string;
}

/** `next` is '' when nothing older is left. */
export interface FlowPage {
  readonly rows: readonly FlowRecord[];
  readonly next: string;
}

/** A profile of bastion.toml as it is at this moment. */
export interface ProfileView {
  readonly id: string;
  readonly name: string;
  readonly active: boolean;
  /** By hand. */
  readonly chosen: boolean;
  /** The network is its own. */
  readonly recognized: boolean;
  readonly isDefault: boolean;
  /** Can be recognized at all. */
  readonly hasNetwork: boolean;
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
  /** Connections that were told of in `flows` have ended; `records` are those that are still in memory, as they are now. */
  flowsEnded(ends: readonly FlowEnd[], records: readonly FlowRecord[]): void;
  rulesChanged(): void;
  /** Mode, state, degraded reasons or pause changed. */
  statusChanged(): void;
}

/** A mode that goes back by itself. */
export interface TrialView {
  /** What comes back. */
  readonly before: Mode | 'off';
  /** Wall ms. */
  readonly endsMs: number;
}

/** What the safeguard refuses, while it is on. */
export interface SafeguardView {
  /** Wall ms. */
  readonly sinceMs: number;
  /** Flows, since it began. */
  readonly refused: number;
  /** Limits that were passed, the widest first; `rate`: flows a second at its height. `application` is a path, '' where it is not known. */
  readonly trips: readonly { readonly scope: 'application' | 'user' | 'all'; readonly application: string | null; readonly uid: number | null; readonly rate: number }[];
  /** Programs with most refusals first. */
  readonly offenders: readonly { readonly application: string; readonly uid: number; readonly refused: number; readonly rate: number }[];
}

export interface EngineStatus {
  readonly mode: Mode;
  readonly state: State;
  readonly degradedReasons: readonly DegradedReason[];
  /** Wall ms; 0 when not paused. */
  readonly pausedUntilMs: number;
  /** `mode` is on trial; absent when it is not. */
  readonly trial?: TrialView;
  readonly statistics: Statistics;
}

/** A rule that is added with others. */
export interface Addition {
  /** With an id. */
  readonly edit: RuleEdit;
  /** Its text in a rule file, to be taken over as it is. */
  readonly block?: string;
  /** ms since 1970; now when absent. */
  readonly createdMs?: number;
}

/** What one import adds. */
export interface Additions {
  readonly rules: readonly Addition[];
  /** Rules of other files that are switched. */
  readonly overrides: readonly { readonly rule: string; readonly enabled: boolean }[];
}

/** Rules that changes would take away or change, as they are, and as they would be: those in force. */
export interface RulePreview {
  readonly before: readonly Rule[];
  readonly after: readonly Rule[];
}

/** What simulation, learning and review look at, at one moment. */
export interface RuleSnapshot {
  /** Every rule but the built-in ones. */
  readonly rules: readonly Rule[];
  /** Ids of those that are switched on and of the active profile. */
  readonly inForce: ReadonlySet<string>;
  /** Last use in this run of the helper, by id, ms since 1970. */
  readonly lastUsedMs: ReadonlyMap<string, number>;
  readonly settings: Pick<Settings, 'defaultAction' | 'untracked' | 'forwarded' | 'requireKernelIdentity' | 'interfaces' | 'defaultZone'>;
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
  /** null while it is not on. */
  safeguard(): SafeguardView | null;
  /** Ends the safeguard where it is on. */
  endSafeguard(): void;
  /** A helper that is killed from here on comes back with the mode and the pause as they are now. */
  kept(): Promise<void>;
  setDegraded(reasons: readonly DegradedReason[]): void;

  /** In the order of bastion.toml. */
  profiles(): readonly ProfileView[];
  /** Id of the active profile, null for none. */
  activeProfile(): string | null;
  /** Until the machine restarts; null: by the network again. Throws BastionError NotFound. */
  chooseProfile(id: string | null): void;

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
  /** Switches all rules of a group, whoever made them. Throws BastionError NotFound where no rule is in it. */
  setGroup(group: string, enabled: boolean): Promise<void>;
  /** The rule as addRule would make it, `edit.id` included, without making it. Throws BastionError InvalidArgument. */
  previewRule(edit: RuleEdit): RuleInfo;
  /** All or none, in one write; the ids in their order. Throws what addRule throws. */
  addRules(additions: Additions): Promise<readonly string[]>;

  snapshot(): RuleSnapshot;
  /** Throws BastionError InvalidArgument, NotFound, Conflict. */
  previewRules(changes: readonly RuleChange[]): RulePreview;
  /** The flows in memory, the oldest first. */
  recentFlows(): Iterable<FlowRecord>;

  /** Visible prompts, then the inbox with the newest first. A prompt that waits behind one of its application is not here. */
  prompts(): readonly PromptView[];
  /** Throws BastionError PromptGone for a nonce that is not (or no longer) known. */
  promptByNonce(nonce: string): PromptView;
  /**
   * Gives a visible prompt its whole time again, within `LONGEST_HOLD_MS` of its first flow; returns what is left, in ms. Throws
   * BastionError PromptGone. The service has authorized before.
   */
  renewPrompt(nonce: string): number;
  /** Takes expired prompts out of the inbox; those that are not there are passed over. Returns how many left. */
  dismissPrompts(nonces: readonly string[]): number;
  /** Decides what is held and makes the rule. The service has authorized before. */
  answer(nonce: string, answer: Answer): Promise<{ readonly ruleId: string | null; readonly flows: number }>;
  /**
   * The newest first, out of memory and the history. A page may have fewer rows than `limit` and still a `next`. Rejects with
   * BastionError InvalidArgument for a bad cursor, Busy, Failed.
   */
  flows(filter: HistoryFilter, limit: number, cursor: string): Promise<FlowPage>;
  /** One flow, null when it is not stored (any more): the service asks whose it is before it explains. Rejects as `flows`. */
  flow(id: string): Promise<FlowRecord | null>;
  /** Rejects with BastionError NotFound for a flow that is not (or no longer) known, and as `flows`. */
  explain(flowId: string): Promise<Explanation>;
  /** Out of the history; see port `History`. Rejects as `flows`. */
  historyTotals(range: TotalsRange, by: TotalsBy, of: TotalsOf, limit: number): Promise<readonly HistoryTotal[]>;
  /** Ids of what `flows` gives, at most as many as one look finds; `next` is '' when nothing older is left. Rejects as `flows`. */
  flowNumbers(filter: HistoryFilter, cursor: string): Promise<{ readonly numbers: readonly number[]; readonly next: string }>;
  /** Sums of what `flows` gives, at most `limit`. Rejects as `flows`. */
  flowGroups(filter: HistoryFilter, by: 'application' | 'destination', limit: number): Promise<FlowGroups>;
  /** null where there is no history at all. */
  historyState(): { readonly settings: HistorySettings; readonly failure: string | null } | null;
  /** Forgets all flows and what was added up of them. Rejects as `flows`. */
  clearHistory(): Promise<void>;
  /** Since the helper started, the most bytes first; of all users. At most 200 ms old. */
  totals(): readonly TrafficTotal[];
  /** For people: the user's name, or the number as text where there is none. */
  userName(uid: number): string;
  /** Withdraws prompts, writes what lasts until the machine restarts. What is held keeps the data path's default verdict. */
  stop(): Promise<void>;
}

/** Whether a program's file is as it was installed; missing: no file is at its path. unknown: not hashed since it changed. */
export type ApplicationState = 'valid' | 'changed' | 'missing' | 'unknown';

/** What one user did with a program; times in ms since 1970. */
export interface ApplicationUseView {
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly allowed: number;
  readonly refused: number;
  /** Bytes of IP datagrams since the helper started. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** One program that has a rule or has spoken. */
export interface ApplicationView {
  /** Stable: made from the Flatpak id, the Snap name or the path. */
  readonly id: string;
  /** For people. */
  readonly name: string;
  readonly kind: 'program' | 'script' | 'appimage' | 'flatpak' | 'snap' | 'package';
  /** The file that is hashed; '' where a rule names a program that was not seen yet by something else. */
  readonly path: string;
  /** The interpreter of a script; '' for others. */
  readonly interpreter: string;
  /** '' without one. */
  readonly package: string;
  readonly flatpak: string;
  readonly snap: string;
  /** As it was when it was last hashed; '' before. */
  readonly sha256: string;
  /** What it is to have; '' where nothing is known yet. */
  readonly knownSha256: string;
  readonly state: ApplicationState;
  /** Why, as policy/integrity.ts calls it; '' for unknown and missing ones. */
  readonly reason: string;
  readonly trusted: boolean;
  /** Rules that name it. */
  readonly rules: number;
  /** When the known hash last became another one; null if never. */
  readonly change: { readonly timeMs: number; readonly from: string; readonly to: string; readonly by: string } | null;
  /** By uid; 4294967295 for an unknown one. */
  readonly users: ReadonlyMap<number, ApplicationUseView>;
}

/** What Rehash found and did for one file. */
export interface RehashRow {
  readonly id: string;
  readonly name: string;
  readonly path: string;
  /** '' where nothing was known. */
  readonly oldSha256: string;
  /** '' where it could not be read. */
  readonly newSha256: string;
  readonly state: ApplicationState;
  /** same: as before. accepted: the new hash is the known one now. missing, failed: see state. */
  readonly result: 'same' | 'accepted' | 'missing' | 'failed' | 'other-hash';
}

export interface RehashOptions {
  /** Nothing is accepted once it is aborted. */
  readonly signal: AbortSignal;
  /** Bytes read so far, and to be read in all. */
  progress(doneBytes: number, totalBytes: number): void;
}

/** The registry of applications as the service sees it. */
export interface ApplicationsApi {
  /** The last seen first, then those that only rules name. */
  list(): Promise<readonly ApplicationView[]>;
  /**
   * Hashes files now and accepts what they have. A target is an id, or `ID=SHA256` to accept nothing but that hash.
   * Throws BastionError NotFound for an unknown id, Busy while another one runs, Failed where nothing could be written.
   */
  rehash(targets: readonly string[], options: RehashOptions): Promise<readonly RehashRow[]>;
  rehashAll(options: RehashOptions): Promise<readonly RehashRow[]>;
  /** For a dialog: the path (or name) of each target, in order; an unknown one as it was given. */
  called(targets: readonly string[]): readonly string[];
  /** Something that `list` tells is different now. Returns the way to stop. */
  onListChanged(changed: () => void): () => void;
}

/** A network interface with the zone that bastion.toml gives it; '' for none. */
export interface InterfaceView extends NetworkLink {
  readonly zone: string;
  /** What is not as bastion.toml says; absent for nothing. */
  readonly problem?: string;
}

/** A zone of bastion.toml and what belongs to it at this moment. */
export interface ZoneView {
  readonly id: string;
  /** Names of `[[interface]]`, which may end with `*`, and hardware addresses. */
  readonly patterns: readonly string[];
  readonly interfaces: readonly InterfaceView[];
  /** Containers of the zone that run. */
  readonly containers: readonly Container[];
  readonly sets: readonly SetView[];
  readonly inbound: ZoneInbound;
  /** Packets of new connections that its `inbound` has refused in this run of the helper. Absent: none. */
  readonly inboundRefused?: number;
}

/** What a zone does with new connections from outside. */
export interface ZoneInbound {
  /** off: nothing is looked at. */
  readonly policy: 'off' | 'allow' | 'deny';
  /** With deny: what is let in nevertheless. */
  readonly allow: readonly InboundAllow[];
}

/** Who judges connections from outside. */
export type InboundKeeper = 'bastion' | 'ufw' | 'firewalld' | 'nobody';

/** Interfaces, zones and the network as the service sees them. */
export interface NetworkApi {
  /** Those that are up first, then by name. Rejects with BastionError NotSupported or Failed. */
  interfaces(): Promise<readonly InterfaceView[]>;
  /** In the order of bastion.toml. Rejects as `interfaces`. */
  zones(): Promise<readonly ZoneView[]>;
  /** By engine and name. */
  containers(): readonly Container[];
  engines(): readonly EngineView[];
  inboundBy(): InboundKeeper;
  /** Writes it into bastion.toml. Rejects with BastionError NotFound for an unknown zone, InvalidArgument, Failed. */
  setInbound(zone: string, inbound: ZoneInbound): Promise<void>;
  current(): NetworkState;
  /** Something of it is different now. Returns the way to stop. */
  onChanged(changed: () => void): () => void;
}

/** Whose flows are looked at, and for whom. */
export interface InsightScope {
  /** null: everybody's. */
  readonly uid: number | null;
  /** Who asks: one question of each user is worked on at a time. */
  readonly asker: number;
  /** Nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/**
 * What the recorded flows say about rules. Worked out beside the engine's thread; everything rejects with BastionError Busy while
 * another question of the same user is worked on, and Failed.
 */
export interface InsightApi {
  /** Rules that would cover what learning let pass since then (ms since 1970). */
  propose(options: { readonly sinceMs: number; readonly includeDecided: boolean }, scope: InsightScope): Promise<readonly Proposal[]>;
  /** What changes of the rules would have done since then. Rejects as `EngineApi.previewRules`, too. */
  simulate(changes: readonly RuleChange[], sinceMs: number, scope: InsightScope): Promise<{
    readonly summary: SimulationInfo;
    readonly rows: readonly SimulationRow[];
  }>;
  /** Rules that do nothing. */
  review(scope: InsightScope): Promise<readonly RuleFinding[]>;
}
