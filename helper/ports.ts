/** What the engine and the service need of the world. Types only; adapters/ has one file for each. */
import type { LoadError } from './contract/types.ts';
import type {
  Ancestor, Attribution, BootNs, ExecutableId, Forwarded, Mode, Owner, PortRange, Rule, RuleAction, Tuple, Verdict,
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

/**
 * Who made a packet. kernel: the machine itself, on behalf of nobody who could be named (a tunnel's outer packet, a network
 * file system): never under the name of the program whose packet is inside. forwarded: another network namespace (a
 * container) or another machine; its owner is no process of this namespace.
 */
export type Origin = 'process' | 'kernel' | 'forwarded';

/** An undecided flow as the data path hands it over. */
export interface Ask {
  readonly id: number;
  readonly tuple: Tuple;
  readonly attribution: Attribution;
  readonly interfaceName: string;
  readonly lengthBytes: number;
  /** The name that a DNS query asks for, when the flow is one. */
  readonly dnsQuestion: string | null;
  readonly heldAtNs: BootNs;
  /** A server answers: a connection that a peer opened, or a UDP peer that spoke first to this very socket. */
  readonly answersPeer: boolean;
  readonly origin: Origin;
  /** False: the gate dropped a packet that nobody had decided; nothing waits, and the answer counts for the next one. */
  readonly held: boolean;
}

export interface AskAnswer {
  readonly id: number;
  readonly verdict: Verdict | 'hold';
  readonly deadlineNs?: BootNs;
  readonly rememberUntilNs?: BootNs;
  /** Where the kernel counts uses of what is remembered; see `DataPath.hits`. 0 or absent: nowhere. */
  readonly hitSlot?: number;
}

/**
 * How much one remembered decision says. exact: this address, port and protocol. any-address: this port and protocol, both
 * families. any-port: this address, every port and protocol. program: everything.
 */
export type MemoryForm = 'exact' | 'any-address' | 'any-port' | 'program';

/** A decision that the kernel (or the receiver thread) may repeat by itself: exactly this program, user and destination. */
export interface RememberedDecision {
  readonly form: MemoryForm;
  /** For answers to peers that spoke first instead of what the program begins itself. */
  readonly reply: boolean;
  readonly executable: ExecutableId;
  readonly uid: number;
  readonly networkNamespace: bigint;
  readonly protocol: number;
  readonly family: 4 | 6;
  readonly destinationAddress: string;
  readonly destinationPort: number;
  readonly verdict: Verdict;
  /** 0n: until the memory is replaced. */
  readonly untilNs: BootNs;
  readonly hitSlot: number;
}

/** The same for one socket in the hands of one process. The parts are those of the ask's owner and tuple. */
export interface RememberedFlow {
  readonly cookie: bigint;
  readonly pid: number;
  readonly startNs: BootNs;
  readonly executable: ExecutableId;
  readonly protocol: number;
  readonly family: 4 | 6;
  readonly destinationAddress: string;
  readonly destinationPort: number;
  readonly verdict: Verdict;
  /** 0n: as long as the socket lives. */
  readonly untilNs: BootNs;
  readonly hitSlot: number;
}

/** What becomes of packets that nobody has decided, where netfilter did not hold them. */
export interface GatePosture {
  readonly undecided: 'drop' | 'pass';
  /** The same while no receiver thread turns: killed, stopped, hung for more than three seconds. */
  readonly whenAway: 'drop' | 'pass';
  /** Packets whose owner nobody knows. */
  readonly untracked: 'drop' | 'pass';
}

/** Bytes of IP datagrams as the stack hands them over; a packet that the card segments counts its headers once. */
export interface Traffic {
  readonly executable: ExecutableId;
  /** As the kernel told it; null if it has not. */
  readonly path: string | null;
  readonly uid: number;
  readonly sentBytes: number;
  readonly sentPackets: number;
  readonly receivedBytes: number;
  readonly receivedPackets: number;
}

/** One DNS message, or a segment of a stream of them, of a socket of this machine from or to port 53, never on loopback. */
export interface DnsMessage {
  readonly direction: 'sent' | 'received';
  /** 6 or 17. */
  readonly protocol: number;
  /** Of the asking socket; 0n cookies and pids where the owner is not known. */
  readonly cookie: bigint;
  readonly pid: number;
  readonly uid: number;
  readonly executable: ExecutableId;
  readonly serverAddress: string;
  readonly serverPort: number;
  readonly localPort: number;
  /** TCP sequence number of the first byte of `payload`; 0 for UDP. */
  readonly sequence: number;
  /** The whole UDP payload, at most 4096 bytes; longer ones are left out. */
  readonly payload: Uint8Array;
  readonly timeNs: BootNs;
}

/** An address that an answer gives for the name that was asked for, by way of aliases too. */
export interface DnsAddress {
  /** Canonical text; a mapped IPv4 address as IPv4. */
  readonly address: string;
  readonly ttlS: number;
}

/** What is read of a DNS message: its one question, and in an answer the addresses for it. */
export interface DnsContent {
  readonly id: number;
  readonly isAnswer: boolean;
  /** What is asked for: lower case, without the last dot. */
  readonly name: string;
  /** Of the question: 1 is A, 28 AAAA. Source: IANA, DNS Parameters. */
  readonly type: number;
  /** At most 64; empty in a question and in an answer that the name is not there. */
  readonly addresses: readonly DnsAddress[];
}

/** Reads one whole message, without the length that goes before it on TCP. Never throws: the bytes are anybody's. */
export type DnsReader = (message: Uint8Array) => DnsContent | 'malformed' | 'truncated';

/** What this machine is set to ask, and knows without asking. */
export interface ResolverConfig {
  /** Is this one of the configured name servers? */
  isServer(address: string): boolean;
  /** Names of /etc/hosts, at most 8. */
  hostNames(address: string): readonly string[];
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
  /** Packets that the gate dropped: undecided, refused, without a known owner. */
  readonly gateUndecided: number;
  readonly gateRefused: number;
  readonly gateUntracked: number;
  /** Reports of the gate, and DNS messages, for which there was no room. */
  readonly gateLost: number;
  readonly dnsLost: number;
  /** Packets, sockets and peers over one user's share of a kernel table. */
  readonly overBudget: number;
  readonly lastTurnNs: BootNs;
}

/**
 * Where the programs that netfilter asks through xt_bpf are pinned. allow, refuse: is it decided so? hold: notes the sender of
 * what goes to the queue; not matching for answers and for what is over a user's share. reply: is it an answer to a peer that
 * spoke first?
 */
export interface XtPrograms {
  readonly allow: string;
  readonly refuse: string;
  readonly hold: string;
  readonly reply: string;
}

/** The packet queue and the decision cache behind it. */
export interface DataPath {
  readonly identification: 'kernel' | 'sock_diag';
  readonly xtPrograms: XtPrograms | null;
  readonly missing: readonly { readonly what: string; readonly why: string }[];
  answer(answers: readonly AskAnswer[]): number;
  remember(entries: readonly RememberedDecision[]): void;
  /**
   * In place of all that is remembered, in one step: the new entries are in the kernel before the old ones stop counting, so
   * that what stays allowed goes on and what does not ends with the next packet. `policy` names the rules behind them (not
   * 0n), see `adopt`.
   */
  replaceAll(memory: {
    readonly programs: readonly RememberedDecision[];
    readonly flows: readonly RememberedFlow[];
    readonly policy: bigint;
  }): void;
  /** Keeps what an earlier helper let the kernel remember, if it was made by the very same policy; else forgets it. */
  adopt(policy: bigint): boolean;
  /** Is the file at `path`, in the helper's mount namespace, this very executable now? */
  verify(executable: ExecutableId, path: string): boolean;
  setGate(posture: GatePosture): void;
  /** Uses counted so far by slot, 0 to 16,383; counted on over restarts of the helper only while the slots are the same. */
  hits(): readonly number[];
  traffic(): readonly Traffic[];
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
  onDns(messages: readonly DnsMessage[]): void;
  onQueueReady(ready: boolean, message: string): void;
}

/** What the netfilter rules shall be. */
/** A destination that a deny or drop rule names, for every sender. An absent part stands for any. */
export interface DeniedDestination {
  /** Address or CIDR prefix, canonical text. */
  readonly address?: string;
  readonly ports?: readonly PortRange[];
  readonly protocols?: readonly number[];
}

/** What of forwarded packets goes to the queue. Packets that answer a flow never do. */
export interface ForwardSpec {
  /** Every flow that was not decided yet; false: only what `denied` names, and everything passes while nobody listens. */
  readonly holdsAll: boolean;
  /** Each packet to there, also of an open flow, so that a new denial ends it. 'any': every packet. */
  readonly denied: readonly DeniedDestination[] | 'any';
}

export interface RulesetSpec {
  readonly queueNumber: number;
  /** Accept when nobody listens on the queue (learning, or on_failure = "open"). */
  readonly bypass: boolean;
  /** One bit, used between the hold in mangle and the refusal in filter. */
  readonly refuseMark: number;
  /** Pinned xt_bpf programs; null makes the stateful fallback. */
  readonly xtPrograms: XtPrograms | null;
  /** Absent: forwarded packets are not looked at. */
  readonly forward?: ForwardSpec;
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

export interface RulesetMend {
  /** Something differed and was put back. */
  readonly mended: boolean;
  readonly detail: string;
}

export interface Ruleset {
  /** Clean first (also what earlier versions left), then one atomic restore for each table and family, then count. */
  apply(spec: RulesetSpec): Promise<void>;
  check(): Promise<RulesetCheck>;
  /** Puts back what differs from the last `apply`, families side by side; rejects where that cannot be done. */
  mend(): Promise<RulesetMend>;
  /**
   * Tells of every change of the rules that was not our own, and by whom ("ufw (pid 12)"), in printable ASCII. Throws where
   * the kernel does not let us watch.
   */
  watch(changed: (by: string) => void): { close(): void };
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
  readonly forwarded: Forwarded;
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
