/** Every dictionary of the D-Bus contract. data/dbus/*.xml documents the same keys for people; the contract test compares. */
import { array, bool, dictionary, i32, oneOf, optional, required, string, text, u32, u64 } from './codec.ts';
import type { Infer } from './codec.ts';
import { WIRE_LIMITS } from './names.ts';
import { MODES, NAME_SOURCES, REASONS, RULE_ACTIONS, SCOPES, STATES, TIERS } from './vocabulary.ts';

const LIFETIMES = ['once', 'process', 'session', 'boot', 'always', 'until'] as const;
export const CONFIDENCES = ['certain', 'likely', 'unknown'] as const;
export const EVIDENCES = ['kernel', 'sock_diag', 'none'] as const;

/** A rule as the helper tells it. Empty strings stand for "any". */
export const ruleInfo = dictionary(
  {
    id: required(string),
    name: required(string),
    action: required(oneOf(RULE_ACTIONS)),
    enabled: required(bool),
    /** Absolute path of the program, '' for any. */
    path: required(string),
    /** Address or prefix, '' for any. */
    address: required(string),
    /** `443` or `80,443,8000-8080`, '' for any. */
    port: required(string),
    /** tcp, udp, icmp, or a number; comma separated; '' for any. */
    protocol: required(string),
    /** User name (or number without one), '' for any. */
    user: required(string),
    lifetime: required(oneOf(LIFETIMES)),
    /** Wall time, ms since 1970; only with lifetime `until`. */
    until_ms: optional(u64),
    /** `mon,tue 09:00-17:30`, '' for always. */
    schedule: required(string),
    priority: required(i32),
    group: required(string),
    tier: required(oneOf(TIERS)),
    /** May it be edited over D-Bus? Others can only be switched off and on. */
    editable: required(bool),
    /** File name without folder, '' for one in memory. */
    file: required(string),
    line: required(u32),
    created_ms: required(u64),
    /** Times that this helper run decided by it. */
    hits: required(u64),
    /** Last decision by it, ms since 1970, 0 for never. */
    last_hit_ms: required(u64),
  },
  { open: true },
);
export type RuleInfo = Infer<typeof ruleInfo>;

/** What Add and Update take. Absent keys: "any" in Add, unchanged in Update. */
export const ruleEdit = dictionary(
  {
    id: optional(text(64)),
    name: optional(text(128)),
    action: optional(oneOf(RULE_ACTIONS)),
    enabled: optional(bool),
    path: optional(string),
    address: optional(text(128)),
    port: optional(text(256)),
    protocol: optional(text(128)),
    user: optional(text(64)),
    lifetime: optional(oneOf(['always', 'boot', 'until'] as const)),
    until_ms: optional(u64),
    schedule: optional(text(128)),
    priority: optional(i32),
    group: optional(text(64)),
  },
  { open: false },
);
export type RuleEdit = Infer<typeof ruleEdit>;

/** A file that did not load, or loaded with complaints. */
export const loadError = dictionary(
  { file: required(string), line: required(u32), column: required(u32), message: required(string) },
  { open: true },
);
export type LoadError = Infer<typeof loadError>;

/** One ancestor, nearest first: `path` is '' when unknown. */
export const ancestorInfo = dictionary(
  { pid: required(u32), path: required(string), command: required(string) },
  { open: true },
);
export type AncestorInfo = Infer<typeof ancestorInfo>;

/** A prompt as agents and lists see it. */
export const promptInfo = dictionary(
  {
    /** Short id for lists, not a secret. */
    id: required(string),
    /** 128 bits in hexadecimal; what Answer takes. */
    nonce: required(string),
    /** The program's name for people: the file's base name, who a forwarded flow comes from, or 'An unknown program'. */
    application: required(string),
    /** '' when unknown. */
    path: required(string),
    confidence: required(oneOf(CONFIDENCES)),
    evidence: required(oneOf(EVIDENCES)),
    /** Host name if one is known, else the address. */
    destination: required(string),
    /** Names that the flow may have come from, the likeliest first; `destination` is the first. At most 8. */
    names: required(array(string)),
    /** For each of `names`, who asked for it. */
    name_sources: required(array(oneOf(NAME_SOURCES))),
    /** The flow is a DNS query, and `destination` is what it asks for. */
    is_lookup: required(bool),
    address: required(string),
    /** Port, or ICMP type; 0 for protocols without. */
    port: required(u32),
    /** tcp, udp, icmp or the number. */
    protocol: required(string),
    uid: required(u32),
    user: required(string),
    pid: required(u32),
    command: required(string),
    /** Who a forwarded flow comes from, in words; only then. */
    forwarded_from: optional(string),
    ancestors: required(array(ancestorInfo)),
    /** Flows that joined. */
    count: required(u32),
    raised_ms: required(u64),
    /** Time left; 0 in the inbox. */
    expires_in_ms: required(u64),
    /** The whole time that it was given. */
    timeout_ms: required(u64),
    /** pending: the flow is held. expired: refused, an answer applies to the next attempt. */
    status: required(oneOf(['pending', 'expired'] as const)),
    /** Lifetimes that the receiver may choose without further authorization. */
    lifetimes: required(array(string)),
    scopes: required(array(oneOf(SCOPES))),
    default_lifetime: required(string),
    default_scope: required(oneOf(SCOPES)),
  },
  { open: true },
);
export type PromptInfo = Infer<typeof promptInfo>;

export const PROMPT_ENDS = ['answered', 'expired', 'withdrawn'] as const;
export type PromptEnd = (typeof PROMPT_ENDS)[number];

/** What Answer takes. */
export const answer = dictionary(
  {
    action: required(oneOf(['allow', 'deny', 'drop'] as const)),
    lifetime: optional(oneOf(LIFETIMES)),
    /** ms since 1970, with lifetime `until`. */
    until_ms: optional(u64),
    scope: optional(oneOf(SCOPES)),
  },
  { open: false },
);
export type Answer = Infer<typeof answer>;

/** What Answer returns. */
export const answerResult = dictionary(
  {
    /** '' when no rule was made. */
    rule_id: required(string),
    /** Held flows that were decided at once. */
    flows: required(u32),
  },
  { open: true },
);
export type AnswerResult = Infer<typeof answerResult>;

/** One flow that was decided. */
export const flowInfo = dictionary(
  {
    id: required(string),
    time_ms: required(u64),
    application: required(string),
    path: required(string),
    uid: required(u32),
    pid: required(u32),
    /** Who a forwarded flow comes from, in words; only then. */
    forwarded_from: optional(string),
    source_address: required(string),
    source_port: required(u32),
    address: required(string),
    port: required(u32),
    protocol: required(string),
    /** Host name if one is known, else ''. */
    host: required(string),
    /** Names that the flow may have come from, the likeliest first; `host` is the first. At most 8. */
    names: required(array(string)),
    /** For each of `names`, who asked for it. */
    name_sources: required(array(oneOf(NAME_SOURCES))),
    interface: required(string),
    /** Length of the first packet, in bytes. */
    length: required(u32),
    action: required(oneOf(RULE_ACTIONS)),
    reason: required(oneOf(REASONS)),
    rule_id: required(string),
    confidence: required(oneOf(CONFIDENCES)),
    evidence: required(oneOf(EVIDENCES)),
    /** Only on the first row of a FlowsObserved: rows left out before it because there were too many. */
    lost: optional(u32),
  },
  { open: true },
);
export type FlowInfo = Infer<typeof flowInfo>;

/** Why a flow was decided as it was. */
export const explanation = dictionary(
  {
    flow: required(string),
    /** One sentence for people. */
    text: required(string),
    action: required(oneOf(RULE_ACTIONS)),
    reason: required(oneOf(REASONS)),
    rule_id: required(string),
    /** The rule that would have decided next, '' if none. */
    next_rule_id: required(string),
  },
  { open: true },
);
export type Explanation = Infer<typeof explanation>;

/** What one program of one user sent and received. */
export const totalsInfo = dictionary(
  {
    application: required(string),
    /** '' when unknown. */
    path: required(string),
    uid: required(u32),
    /** Name, or the number as text. */
    user: required(string),
    /** Bytes of IP datagrams. */
    sent_bytes: required(u64),
    sent_packets: required(u64),
    received_bytes: required(u64),
    received_packets: required(u64),
    /** Only on a last row that is the sum of those with the fewest bytes: how many they are. */
    others: optional(u32),
  },
  { open: true },
);
export type TotalsInfo = Infer<typeof totalsInfo>;

/** Counters since the helper started. */
export const statistics = dictionary(
  {
    packets: required(u64),
    connections: required(u64),
    allowed: required(u64),
    denied: required(u64),
    prompts: required(u64),
    prompts_expired: required(u64),
    rules: required(u64),
    queue_length: required(u64),
    queue_dropped: required(u64),
    queue_user_dropped: required(u64),
    queue_overruns: required(u64),
    held: required(u64),
    default_verdicts: required(u64),
    unidentified: required(u64),
    kernel_decided: required(u64),
    /** Packets that the gate dropped, whatever netfilter said of them: undecided, refused, without an owner. */
    gate_dropped: required(u64),
    /** What was not noted because one user had filled his share of a table, or a ring buffer was full. */
    over_budget: required(u64),
    /** Times that the netfilter rules were put back after somebody else had changed them. */
    rules_mended: required(u64),
    /** Names for addresses that are known now. */
    names: required(u64),
    /** DNS messages that named nothing: malformed, cut off, late, unasked, or of a server that is not configured. */
    dns_ignored: required(u64),
    /** Names, and parts of DNS messages, that were left out for lack of room. */
    names_lost: required(u64),
    uptime_ms: required(u64),
  },
  { open: true },
);
export type Statistics = Infer<typeof statistics>;

/** One thing that makes the state `degraded`, with the way to mend it. */
export const degradedReason = dictionary(
  { code: required(string), text: required(string), remedy: required(string) },
  { open: true },
);
export type DegradedReason = Infer<typeof degradedReason>;

/** One check of SelfTest. */
export const check = dictionary(
  { name: required(string), ok: required(bool), detail: required(string) },
  { open: true },
);
export type Check = Infer<typeof check>;

/** One packet that reached the queue, for `PacketsObserved`. */
export const packetInfo = dictionary(
  {
    time_ms: required(u64),
    source_address: required(string),
    source_port: required(u32),
    address: required(string),
    port: required(u32),
    protocol: required(string),
    /** Length of the IP datagram, in bytes. */
    length: required(u32),
    interface: required(string),
    /** Only on the first row of a PacketsObserved: rows left out before it because there were too many. */
    lost: optional(u32),
  },
  { open: true },
);
export type PacketInfo = Infer<typeof packetInfo>;

/** What SetMode takes. */
export const modeOptions = dictionary(
  {
    /** Seconds after which the mode goes back by itself unless it is set again without this; 1 to 86400. */
    confirm_s: optional(u32),
  },
  { open: false },
);
export type ModeOptions = Infer<typeof modeOptions>;

/** What RegisterAgent takes. */
export const agentOptions = dictionary(
  {
    /** Name of the agent for people, at most 64 characters. */
    name: optional(text(64)),
  },
  { open: false },
);
export type AgentOptions = Infer<typeof agentOptions>;

/** What RegisterAgent returns. */
export const agentRegistration = dictionary(
  {
    /** Login session, or `uid:N` where no login manager knows the caller. */
    session: required(string),
    /** Is the agent a program of the package? Others may answer only `once` and `process` without authorization. */
    verified: required(bool),
  },
  { open: true },
);
export type AgentRegistration = Infer<typeof agentRegistration>;

/** One registered agent. */
export const agentInfo = dictionary(
  {
    session: required(string),
    uid: required(u32),
    pid: required(u32),
    verified: required(bool),
    /** As the agent calls itself, '' if it does not. */
    name: required(string),
    since_ms: required(u64),
  },
  { open: true },
);
export type AgentInfo = Infer<typeof agentInfo>;

/** What Query takes. */
export const flowFilter = dictionary(
  {
    /** Only flows of this program. */
    path: optional(string),
    /** Only flows of this user; another than the caller costs view-all. */
    uid: optional(u32),
  },
  { open: false },
);
export type FlowFilter = Infer<typeof flowFilter>;

/** What Subscribe takes. */
export const subscribeOptions = dictionary(
  {
    /** Packet records too: costs view-all, because a packet does not tell whose it is. */
    packets: optional(bool),
  },
  { open: false },
);
export type SubscribeOptions = Infer<typeof subscribeOptions>;

export const mode = oneOf(MODES);
export const state = oneOf(STATES);
export const longText = text(WIRE_LIMITS.textLength);
