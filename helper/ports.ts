/** What the engine and the service need of the world. Types only; adapters/ has one file for each. */
import type { LoadError } from './contract/types.ts';
import type {
  Ancestor, Attribution, BootNs, ExecutableId, Mode, Owner, Rule, RuleAction, Tuple, Verdict,
} from './contract/vocabulary.ts';

export interface Clock {
  bootNs(): BootNs;
  /** Wall time, milliseconds since 1970. */
  wallMs(): number;
}

export type LogLevel = 'error' | 'warning' | 'info' | 'debug';

/** Boundary logging. Values are escaped by the adapter: no byte from outside reaches the journal raw. */
export interface Logger {
  log(level: LogLevel, message: string, fields?: Readonly<Record<string, string | number | bigint | boolean>>): void;
  setLevel(level: LogLevel): void;
}

/** A held flow as the packet queue hands it over. */
export interface Ask {
  readonly id: number;
  readonly tuple: Tuple;
  readonly attribution: Attribution;
  readonly interfaceName: string;
  readonly lengthBytes: number;
  /** The name that a DNS query asks for, when the flow is one. */
  readonly dnsQuestion: string | null;
  readonly heldAtNs: BootNs;
  /** A server's datagram to a UDP peer that spoke first to this very socket. */
  readonly answersPeer: boolean;
}

export interface AskAnswer {
  readonly id: number;
  readonly verdict: Verdict | 'hold';
  readonly deadlineNs?: BootNs;
  readonly rememberUntilNs?: BootNs;
}

/** A decision that the kernel (or the receiver thread) may repeat by itself: exactly this program, user and destination. */
export interface RememberedDecision {
  readonly executable: ExecutableId;
  readonly uid: number;
  readonly networkNamespace: bigint;
  readonly protocol: number;
  readonly family: 4 | 6;
  readonly destinationAddress: string;
  readonly destinationPort: number;
  readonly verdict: Verdict;
  readonly untilNs: BootNs;
}

export interface PacketRecord {
  readonly tuple: Tuple;
  readonly lengthBytes: number;
  readonly interfaceName: string;
}

export interface DataPathCounters {
  readonly packets: number;
  readonly asks: number;
  readonly accepted: number;
  readonly refused: number;
  readonly dropped: number;
  readonly defaultVerdicts: number;
  readonly limitDrops: number;
  readonly unidentified: number;
  readonly remembered: number;
  readonly queueLength: number;
  readonly queueDropped: number;
  readonly queueUserDropped: number;
  readonly overruns: number;
  readonly held: number;
  readonly kernelAllowed: number;
  readonly kernelRefused: number;
  readonly ringLost: number;
  readonly lastTurnNs: BootNs;
}

/** The packet queue and the decision cache behind it. */
export interface DataPath {
  readonly identification: 'kernel' | 'sock_diag';
  readonly xtPrograms: { readonly allow: string; readonly refuse: string } | null;
  readonly missing: readonly { readonly what: string; readonly why: string }[];
  answer(answers: readonly AskAnswer[]): number;
  remember(entries: readonly RememberedDecision[]): void;
  forgetAll(): void;
  setDefaultVerdict(verdict: Verdict): void;
  setPacketTrace(on: boolean): void;
  counters(): DataPathCounters;
  close(options: { readonly unpin: boolean }): Promise<void>;
}

export interface DataPathEvents {
  onAsks(asks: readonly Ask[]): void;
  /** Asks that ended by deadline or by a failed queue. */
  onEnded(ids: readonly number[]): void;
  onPackets(packets: readonly PacketRecord[]): void;
  onQueueReady(ready: boolean, message: string): void;
}

/** What the netfilter rules shall be. */
export interface RulesetSpec {
  readonly queueNumber: number;
  /** Accept when nobody listens on the queue (learning, or on_failure = "open"). */
  readonly bypass: boolean;
  /** One bit, used between the hold in mangle and the refusal in filter. */
  readonly refuseMark: number;
  /** Pinned xt_bpf programs; null makes the stateful fallback. */
  readonly xtPrograms: { readonly allow: string; readonly refuse: string } | null;
}

/** A built-in exception of the ruleset, for Rules.List. */
export interface BuiltInRule {
  readonly id: string;
  readonly name: string;
}

export interface RulesetCheck {
  /** Exactly one set of chains and jumps, as the last `apply` left them. */
  readonly intact: boolean;
  readonly detail: string;
}

export interface Ruleset {
  /** Clean first (also what earlier versions left), then one atomic restore for each table and family, then count. */
  apply(spec: RulesetSpec): Promise<void>;
  check(): Promise<RulesetCheck>;
  /** Removes everything of ours; safe when nothing is there. */
  remove(): Promise<void>;
  readonly backend: 'iptables-nft' | 'iptables-legacy';
  readonly builtIn: readonly BuiltInRule[];
}

/** Settings of bastion.toml, validated, defaults filled in. */
export interface Settings {
  readonly mode: Mode;
  readonly defaultAction: RuleAction;
  readonly onFailure: 'closed' | 'open';
  readonly untracked: 'drop' | 'pass';
  readonly requireKernelIdentity: boolean;
  readonly promptTimeoutMs: number;
  readonly queueNumber: number;
  readonly logLevel: LogLevel;
}

export interface LoadedRules {
  readonly settings: Settings;
  readonly rules: readonly Rule[];
  readonly errors: readonly LoadError[];
}

/** A rule for `user` tier as text goes into 50-user.toml: what the file can say. */
export interface NewRule {
  readonly id: string;
  readonly name: string;
  readonly action: RuleAction;
  readonly enabled: boolean;
  readonly path: string;
  readonly address: string;
  readonly port: string;
  readonly protocol: string;
  readonly user: string;
  readonly lifetime: 'always' | { readonly until: number };
  readonly schedule: string;
  readonly priority: number;
  readonly group: string;
}

/** bastion.toml and the rule files: one writer (the helper), many readers. */
export interface RuleStore {
  /** Loads everything; a broken file keeps its last good rules in force and is reported. */
  load(): Promise<LoadedRules>;
  /** Calls back after a hand edit has settled; returns the way to stop. */
  watch(changed: () => void): () => void;
  /** Appends one [[rule]] to 50-user.toml. Durable when it resolves. */
  add(rule: NewRule): Promise<void>;
  /** Splices changed keys of one block; comments stay. */
  update(id: string, rule: NewRule): Promise<void>;
  remove(id: string): Promise<void>;
  /** Switches a rule of another file off or on by an override in 50-user.toml. */
  setEnabled(id: string, enabled: boolean): Promise<void>;
  /** Changes one key of bastion.toml. */
  setMode(mode: Mode): Promise<void>;
  /** The text of 50-user.toml. */
  exportText(): Promise<string>;
}

/** State that must survive the helper but not the boot (rules until restart, pause, inbox). */
export interface RunState {
  load(): Promise<unknown>;
  save(state: unknown): Promise<void>;
}

export interface Processes {
  /** Nearest first, at most `limit`; empty when the process has gone. Start time is checked against `owner`. */
  ancestors(owner: Owner, limit: number): readonly Ancestor[];
  /** Does this very process still live? */
  alive(pid: number, startNs: BootNs): boolean;
  /** Executable path of a process, null if it has gone or cannot be read. */
  executable(pid: number): string | null;
  /** Command line, at most 4096 bytes, split at NUL. */
  commandLine(pid: number): readonly string[];
}

export interface Users {
  name(uid: number): string;
  /** null for an unknown name. */
  uid(name: string): number | null;
}

/** What the login manager knows of one session. */
export interface Session {
  readonly id: string;
  readonly uid: number;
  readonly active: boolean;
  readonly remote: boolean;
  readonly locked: boolean;
}

export interface Sessions {
  /** Session of a process, null without one (system services, no login manager). */
  ofProcess(pid: number): Promise<Session | null>;
  /** The active local session of the seat, null if there is none. */
  activeLocal(): Session | null;
  list(): readonly Session[];
  onChanged(changed: () => void): () => void;
}

/** polkit. */
export interface Authority {
  /** `subject` is the caller's unique bus name; details are shown in the dialog. Never throws: a failure is `false`. */
  isAuthorized(
    subject: string, action: string, details: Readonly<Record<string, string>>, interactive: boolean,
  ): Promise<boolean>;
}
