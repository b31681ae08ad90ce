/** Every dictionary of the D-Bus contract. data/dbus/*.xml documents the same keys for people; the contract test compares. */
import { array, bool, dictionary, i32, oneOf, optional, required, string, text, u32, u64 } from './codec.ts';
import type { Infer } from './codec.ts';
import { WIRE_LIMITS, IMPORT_FORMATS, IMPORT_OUTCOMES } from './names.ts';
import { LIST_FORMATS, INTEGRITIES, MODES, NAME_SOURCES, REASONS, RULE_ACTIONS, SCOPES, STATES, TIERS } from './vocabulary.ts';

/** Most things that one import reports. */
export const IMPORT_ITEMS = 4000;
/** Most of them whose rules are told whole. */
export const IMPORT_RULE_ITEMS = 500;
/** Longest line that a package says of itself. */
export const PACKAGE_SUMMARY_CHARACTERS = 160;
/** Most prompts that one Dismiss takes. */
export const DISMISS_LIMIT = 256;
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
    /** Only false, where its group is switched off: the rule is not in force, whatever `enabled` says. */
    group_enabled: optional(bool),
    /** Other parts of the program's identity; absent for any. See docs/rules.md. */
    package: optional(string),
    flatpak: optional(string),
    snap: optional(string),
    appimage: optional(string),
    script: optional(string),
    /** 64 small hexadecimal digits. */
    sha256: optional(string),
    /** Only while the file's hash stands in applications.toml. */
    pin: optional(bool),
    include_children: optional(bool),
    all_scripts: optional(bool),
    /** A container's name, or the beginning of several with `*` at the end, or its id of 12 or 64 digits. */
    container: optional(string),
    /** `path:/usr/bin/make`, `package:NAME`, `flatpak:`, `snap:`, `appimage:`, `script:`, `sha256:`. */
    ancestor: optional(string),
    /** `example.org` or `*.example.org`. */
    domain: optional(string),
    list: optional(string),
    zone: optional(string),
    interface: optional(string),
    /** In force only in this profile; absent for every one. */
    profile: optional(string),
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
    package: optional(text(128)),
    flatpak: optional(text(256)),
    snap: optional(text(64)),
    appimage: optional(string),
    script: optional(string),
    sha256: optional(text(64)),
    pin: optional(bool),
    include_children: optional(bool),
    all_scripts: optional(bool),
    container: optional(text(128)),
    ancestor: optional(string),
    domain: optional(text(255)),
    list: optional(text(64)),
    zone: optional(text(32)),
    interface: optional(text(16)),
    profile: optional(text(32)),
  },
  { open: false },
);
export type RuleEdit = Infer<typeof ruleEdit>;

/** What became of one thing of an imported file. */
export const importItem = dictionary(
  {
    outcome: required(oneOf(IMPORT_OUTCOMES)),
    /** Name of the file where several were read at once, '' else. */
    file: required(string),
    /** Line of the file, from 1; 0 for the file as a whole. */
    line: required(u32),
    /** A key or a name of the file. */
    source: required(string),
    /** For people. */
    text: required(string),
    /** Id of the rule that was or would be made; absent for none. */
    rule_id: optional(string),
    /** That rule; left out of a report of more than IMPORT_RULE_ITEMS items, which would take too long to tell. */
    rule: optional(dictionary(ruleEdit.keys, { open: true })),
  },
  { open: true },
);
export type ImportItemInfo = Infer<typeof importItem>;

/** An import as a whole. */
export const importSummary = dictionary(
  {
    format: required(oneOf(IMPORT_FORMATS)),
    /** Why it is that format; '' where the caller named it. */
    guess: required(string),
    /** Nothing was written. */
    dry_run: required(bool),
    kept: required(u32),
    changed: required(u32),
    review: required(u32),
    skipped: required(u32),
    /** Ids of the rules that were or would be added. */
    ids: required(array(string, IMPORT_ITEMS)),
    /** Lines for bastion.toml. */
    settings: required(text(WIRE_LIMITS.textLength)),
    /** The tables that were or would be written into applications.toml. */
    applications: required(text(WIRE_LIMITS.textLength)),
  },
  { open: true },
);
export type ImportSummary = Infer<typeof importSummary>;

/** A file that did not load, or loaded with complaints. */
export const loadError = dictionary(
  { file: required(string), line: required(u32), column: required(u32), message: required(string) },
  { open: true },
);
export type LoadError = Infer<typeof loadError>;

/** One `[[list]]` of bastion.toml. */
export const listInfo = dictionary(
  {
    id: required(string),
    name: required(string),
    /** URL or path. */
    source: required(string),
    /** What it was read as. */
    format: required(oneOf(LIST_FORMATS)),
    /** Names and addresses in it. */
    entries: required(u32),
    domains: required(u32),
    prefixes: required(u32),
    /** Names that the list excepts. */
    exceptions: required(u32),
    /** Lines that were left out. */
    ignored: required(u32),
    /** When its text last changed, ms since 1970; 0 where nothing is loaded. */
    updated_ms: required(u64),
    /** When it is asked for next, ms since 1970; 0 for a file. */
    next_ms: required(u64),
    /** Why its text is not what it should be, '' when it is. */
    error: required(string),
    /** It is being fetched or read. */
    updating: required(bool),
    /** Ids of rules that name it, at most 100. */
    used_by: required(array(string)),
  },
  { open: true },
);
export type ListInfo = Infer<typeof listInfo>;

/** One ancestor, nearest first: `path` is '' when unknown, `script` the one that an interpreter ran as the kernel recorded it. */
export const ancestorInfo = dictionary(
  { pid: required(u32), path: required(string), command: required(string), script: optional(string) },
  { open: true },
);
export type AncestorInfo = Infer<typeof ancestorInfo>;

/** What is known of a program beyond its path; absent keys are not known. */
const identityKeys = {
  /** Distribution package, where the file has its recorded checksum. */
  package: optional(string),
  flatpak: optional(string),
  snap: optional(string),
  appimage: optional(string),
  /** It runs scripts of others. */
  interpreter: optional(bool),
  script: optional(string),
  /** exec: the kernel recorded it. claimed: the process could have written it itself. */
  script_evidence: optional(string),
  sha256: optional(string),
  /** valid, changed or unknown. */
  integrity: optional(oneOf(INTEGRITIES)),
  /** The hash stands in applications.toml. */
  trusted: optional(bool),
} as const;

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
    /** Name and image of the container that it comes from, or goes into; only where it is certain which one it is. */
    container: optional(string),
    image: optional(string),
    ...identityKeys,
    /** What the package says of itself in one line; only with `package`, and not for interpreters. */
    package_summary: optional(text(PACKAGE_SUMMARY_CHARACTERS)),
    /** What an answer that lasts names the program by: flatpak, snap, appimage, script, path or container; absent where none can last. */
    named_by: optional(string),
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
    /** Name that scope `host` makes its rule for; absent: for the address. */
    by_name: optional(string),
    /** What scope `domain` stands for: `*.example.org`, with the name itself where that is `example.org`. */
    pattern: optional(string),
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
    /** Also for programs that this one starts. */
    include_children: optional(bool),
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
    /** Name and image of the container that it comes from, or else goes into; only where one is known. */
    container: optional(string),
    image: optional(string),
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
    /** in: a peer began. Not for forwarded flows. */
    direction: optional(oneOf(['in', 'out'] as const)),
    /** Of a TCP connection that has ended: when, and bytes of IP datagrams. FlowsObserved tells a flow again when it has ended. */
    ended_ms: optional(u64),
    sent_bytes: optional(u64),
    received_bytes: optional(u64),
    /** What else the program is known by; absent keys are not known. */
    flatpak: optional(string),
    snap: optional(string),
    appimage: optional(string),
    script: optional(string),
    /** Only on the first row of a FlowsObserved: rows left out before it because there were too many. */
    lost: optional(u32),
  },
  { open: true },
);
export type FlowInfo = Infer<typeof flowInfo>;

/** What Propose looks at. */
export const proposeOptions = dictionary(
  {
    /** Only flows since then, ms since 1970. */
    since_ms: optional(u64),
    /** Also what a rule allows by now. */
    include_decided: optional(bool),
    /** Only this user's flows; another than the caller costs view-all. */
    uid: optional(u32),
  },
  { open: false },
);
export type ProposeOptions = Infer<typeof proposeOptions>;

/** One rule that would cover what learning let pass, or what no rule is proposed for. */
export const proposal = dictionary(
  {
    kind: required(oneOf(['rule', 'left-out'] as const)),
    /** One sentence for people. */
    text: required(string),
    /** What Add takes; absent for `left-out`. */
    rule: optional(ruleEdit),
    applications: required(array(string)),
    /** Names, or addresses without one: at most 8. */
    destinations: required(array(string)),
    users: required(array(string)),
    connections: required(u64),
    first_ms: required(u64),
    last_ms: required(u64),
    /** Of all connections that would have been asked about, in percent. */
    coverage: required(u32),
    /** Ids of flows, at most 5. */
    examples: required(array(string)),
    confidence: required(oneOf(CONFIDENCES)),
    /** Only of `left-out`: why, each once; unknown words may come. */
    reasons: optional(array(string)),
    /** For each of `reasons`, how many connections. */
    reason_connections: optional(array(u64)),
  },
  { open: true },
);
export type Proposal = Infer<typeof proposal>;

export const CHANGE_OPS = ['add', 'update', 'remove', 'enable', 'disable'] as const;

/** One change of the rules that Simulate tries. */
export const ruleChange = dictionary(
  {
    op: required(oneOf(CHANGE_OPS)),
    /** Of the rule; may be absent for `add`. */
    id: optional(text(64)),
    /** For `add` and `update`. */
    rule: optional(ruleEdit),
  },
  { open: false },
);
export type RuleChange = Infer<typeof ruleChange>;

/** What changed rules would have done to the recorded flows. */
export const simulation = dictionary(
  {
    text: required(string),
    /** Flows looked at. */
    flows: required(u64),
    /** Time of the oldest, 0 without any. */
    since_ms: required(u64),
    refused_applications: required(u64),
    refused_connections: required(u64),
    asked_applications: required(u64),
    asked_connections: required(u64),
    allowed_applications: required(u64),
    allowed_connections: required(u64),
    /** Connections that are counted above and in no row. */
    unlisted: required(u64),
    /** Rules for lists, which were taken to match nothing. */
    lists_ignored: required(u32),
    /** A part of the stored history could not be read. */
    incomplete: optional(bool),
  },
  { open: true },
);
export type SimulationInfo = Infer<typeof simulation>;

/** Connections of one application to one destination that would have been decided otherwise. */
export const simulationRow = dictionary(
  {
    change: required(oneOf(['refused', 'asked', 'allowed'] as const)),
    /** What the rules say now, and what they would say. */
    from: required(oneOf(RULE_ACTIONS)),
    to: required(oneOf(RULE_ACTIONS)),
    application: required(string),
    path: required(string),
    uid: required(u32),
    user: required(string),
    host: required(string),
    address: required(string),
    port: required(u32),
    protocol: required(string),
    connections: required(u64),
    first_ms: required(u64),
    last_ms: required(u64),
    /** The rules that decide now and then, '' for none. */
    rule_before: required(string),
    rule_after: required(string),
    /** Ids of flows, at most 5. */
    examples: required(array(string)),
  },
  { open: true },
);
export type SimulationRow = Infer<typeof simulationRow>;

/** Something about a rule that its owner may want to change. */
export const ruleFinding = dictionary(
  {
    /** `incomplete`: a last row that says what was not looked at or not listed. */
    kind: required(oneOf(['expired', 'duplicate', 'shadowed', 'missing', 'unused', 'incomplete'] as const)),
    rule_id: required(string),
    name: required(string),
    /** The rule that takes its place, '' if none does. */
    other_id: required(string),
    text: required(string),
    /** What can be done about it. */
    advice: required(string),
    /** unused: from when on its uses are known. expired: its end. */
    since_ms: optional(u64),
    /** missing: the path that is gone. */
    path: optional(string),
  },
  { open: true },
);
export type RuleFinding = Infer<typeof ruleFinding>;

/** What puts one rule before another, the first that tells them apart. */
export const ORDER_REASONS = [
  'tier', 'priority', 'program', 'address', 'port', 'protocol', 'user', 'ancestor', 'action', 'age', 'id',
] as const;
/** What keeps a rule that allows from matching. */
export const OBSTACLES = [
  'file-changed', 'script-claimed', 'interpreter-unknown', 'script-unnamed', 'hash-untrusted', 'lineage-unsure', 'program-unsure', 'several',
] as const;
export type Obstacle = (typeof OBSTACLES)[number];

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
    /** Who the program is, in words. */
    program: optional(string),
    /** Who started it: `curl, started by build.sh, in bash`; '' where that is not known. */
    lineage: optional(string),
    /** How sure it is which program it was, and how that is known. */
    evidence_text: optional(string),
    /** What would have decided without the rule, and why it did not; which rule would have allowed it, and why it did not. */
    next_text: optional(string),
    /** What put the rule before the next one: one of ORDER_REASONS. */
    because: optional(string),
    /** A rule that would have allowed the flow, and what kept it from matching: one of OBSTACLES. */
    missed_rule_id: optional(string),
    missed_because: optional(string),
    /** The flow itself. */
    flow_info: optional(flowInfo),
    user: optional(string),
    command: optional(string),
    ...identityKeys,
    /** What a rule names the program by: flatpak, snap, appimage, script or path; absent where none can last. */
    named_by: optional(string),
    /** Name that a rule for the destination names; absent: its address. */
    by_name: optional(string),
    /** Where the programs that started it are known from: kernel or procfs. */
    lineage_evidence: optional(string),
    /** The nearest first; pids are 0: the history keeps none. */
    ancestors: optional(array(ancestorInfo)),
  },
  { open: true },
);
export type Explanation = Infer<typeof explanation>;

/** What one program of one user sent and received; or of a destination, or of some time, what was decided there. */
export const totalsInfo = dictionary(
  {
    /** '' for a row that is about no program. */
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
    /** Only on a row that is the sum of several: how many they are, 0 when that is not known. */
    others: optional(u32),
    /** Flows that were decided; of those that the kernel decided by itself TCP connections. Not for the range `helper`. */
    connections: optional(u64),
    allowed: optional(u64),
    refused: optional(u64),
    /** By destination: name or address, port (or ICMP type) and protocol. */
    destination: optional(string),
    port: optional(u32),
    protocol: optional(string),
    /** Of a series: start of the minute, hour or day (UTC), ms since 1970. */
    time_ms: optional(u64),
    /** Of Group by application: what `flowFilter.program` finds these flows by; see program-key.ts. */
    program: optional(string),
    /** Of Group: time of the newest flow, ms since 1970. */
    last_ms: optional(u64),
  },
  { open: true },
);
export type TotalsInfo = Infer<typeof totalsInfo>;

/** What TotalsOf sums up. */
export const totalsFilter = dictionary(
  {
    /** Only this program's, by its executable; '' for flows whose program is not known. */
    path: optional(string),
  },
  { open: false },
);
export type TotalsFilter = Infer<typeof totalsFilter>;

export const APPLICATION_STATES = ['valid', 'changed', 'missing', 'unknown'] as const;
export const APPLICATION_KINDS = ['program', 'script', 'appimage', 'flatpak', 'snap', 'package'] as const;

/** Which applications List returns. */
export const applicationFilter = dictionary(
  {
    /** Only the one with this id. */
    id: optional(text(64)),
    /** Only the one whose file this is. */
    path: optional(string),
    state: optional(oneOf(APPLICATION_STATES)),
    /** What this user did; another than the caller costs view-all. */
    uid: optional(u32),
  },
  { open: false },
);
export type ApplicationFilter = Infer<typeof applicationFilter>;

/** A program that has a rule or has spoken. Numbers and times are of the users that the caller may see. */
export const applicationInfo = dictionary(
  {
    id: required(string),
    /** For people. */
    name: required(string),
    kind: required(oneOf(APPLICATION_KINDS)),
    /** The file that is hashed; '' where only a package, Flatpak or Snap is known. */
    path: required(string),
    /** What runs it, for a script; '' for others. */
    interpreter: required(string),
    package: required(string),
    flatpak: required(string),
    snap: required(string),
    /** As the file was when it was last hashed; '' before. */
    sha256: required(string),
    /** What it is to have; '' where nothing is known. */
    known_sha256: required(string),
    state: required(oneOf(APPLICATION_STATES)),
    /** trusted, not-trusted, package, package-wrong, accepted, first-seen, other-hash, or ''. */
    reason: required(string),
    /** Its hash stands in applications.toml. */
    trusted: required(bool),
    /** Rules that name it. */
    rules: required(u32),
    first_seen_ms: required(u64),
    last_seen_ms: required(u64),
    /** Connections that were decided one by one; what the kernel repeats is not counted. */
    allowed: required(u64),
    refused: required(u64),
    /** Bytes of IP datagrams since the helper started. */
    sent_bytes: required(u64),
    received_bytes: required(u64),
    /** When the known hash last became another one, and from what. */
    changed_ms: optional(u64),
    changed_from: optional(string),
    /** package or accepted. */
    changed_by: optional(string),
  },
  { open: true },
);
export type ApplicationInfo = Infer<typeof applicationInfo>;

export const REHASH_RESULTS = ['same', 'accepted', 'missing', 'failed', 'other-hash'] as const;

/** What Rehash found and did for one file. */
export const rehashRow = dictionary(
  {
    id: required(string),
    name: required(string),
    path: required(string),
    /** '' where nothing was known. */
    old_sha256: required(string),
    /** '' where the file could not be read. */
    new_sha256: required(string),
    state: required(oneOf(APPLICATION_STATES)),
    result: required(oneOf(REHASH_RESULTS)),
  },
  { open: true },
);
export type RehashInfo = Infer<typeof rehashRow>;

/** What RehashAll found and did. */
export const rehashSummary = dictionary(
  {
    files: required(u32),
    same: required(u32),
    accepted: required(u32),
    missing: required(u32),
    failed: required(u32),
    /** All that are not as before, at most 500. */
    rows: required(array(rehashRow)),
  },
  { open: true },
);
export type RehashSummary = Infer<typeof rehashSummary>;

/** Wider than one program: a user, or everything. */
export const SAFEGUARD_SCOPES = ['application', 'user', 'all'] as const;

/** One program that the safeguard refuses. */
export const safeguardOffender = dictionary(
  {
    /** Absolute path; '' where it is not known. */
    path: required(string),
    uid: required(u32),
    /** Connections refused since it began. */
    refused: required(u64),
    /** New connections a second, now. */
    rate: required(u32),
  },
  { open: true },
);
export type SafeguardOffender = Infer<typeof safeguardOffender>;

/** What the safeguard does. */
export const safeguardInfo = dictionary(
  {
    on: required(bool),
    /** Milliseconds since 1970 at which it began; 0 while it is not on. */
    since_ms: required(u64),
    /** Connections refused since it began, of everybody. */
    refused: required(u64),
    /** The widest limit that was passed; absent while it is not on. */
    scope: optional(oneOf(SAFEGUARD_SCOPES)),
    /** New connections a second of what passed it, at its height. */
    rate: optional(u32),
    /** Those with most refusals first, at most 10; of others only with view-all. */
    offenders: required(array(safeguardOffender)),
  },
  { open: true },
);
export type SafeguardInfo = Infer<typeof safeguardInfo>;

/** What had to be left out because a limit was reached; what never happened may be absent. */
export const losses = dictionary(
  {
    /** Packets over the limits of what is held; without a sound header; not told of to those who watch packets. */
    packets_over_limit: optional(u64),
    packets_malformed: optional(u64),
    packets_not_traced: optional(u64),
    /** Connections that a denial could not end at once. */
    sockets_not_ended: optional(u64),
    /** Connections that were refused because too many questions waited. */
    prompts_over_limit: optional(u64),
    /** Times that a program was judged by its path alone, because too many waited to be looked at. */
    identities_refused: optional(u64),
    /** Threads that were left behind in a file system that hangs. */
    identities_hung: optional(u64),
    /** What was known of programs and had to make room. */
    identities_forgotten: optional(u64),
    applications_forgotten: optional(u64),
    /** Lists whose text was too large, or none. */
    lists_refused: optional(u64),
    /** D-Bus: calls refused by a limit, messages too long, signals that the bus did not take, rows that a listener did not. */
    calls_refused: optional(u64),
    messages_too_long: optional(u64),
    signals_lost: optional(u64),
    rows_lost: optional(u64),
  },
  { open: true },
);
export type Losses = Infer<typeof losses>;

/** Counters since the helper started. */
export const statistics = dictionary(
  {
    packets: required(u64),
    connections: required(u64),
    allowed: required(u64),
    denied: required(u64),
    prompts: required(u64),
    prompts_expired: required(u64),
    /** Times that a prompt was given its whole time again because somebody was deciding. */
    prompts_renewed: optional(u64),
    /** Times that the safeguard began, and connections that it refused without a question. */
    safeguard_begins: optional(u64),
    safeguard_refused: optional(u64),
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
    /** Flows that could not be stored in the history. */
    history_lost: required(u64),
    /** Decisions that were forgotten for lack of room; their flows are asked about again. */
    memory_lost: optional(u64),
    losses: optional(losses),
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

/** A profile of bastion.toml. */
export const profileInfo = dictionary(
  {
    id: required(string),
    name: required(string),
    /** Its rules are in force now. */
    active: required(bool),
    /** It was chosen by hand. */
    chosen: required(bool),
    /** This machine is in its network now. */
    recognized: required(bool),
    /** default_profile names it. */
    is_default: required(bool),
    /** It names a network by which it can be recognized. */
    has_network: required(bool),
  },
  { open: true },
);
export type ProfileInfo = Infer<typeof profileInfo>;

export const LINK_KINDS = ['loopback', 'ethernet', 'wireless', 'bridge', 'tunnel', 'container', 'virtual', 'other'] as const;
export const ADDRESS_SCOPES = ['global', 'link', 'host', 'other'] as const;

/** One address of an interface. */
export const networkAddress = dictionary(
  {
    address: required(string),
    /** Bits of the network's part. */
    prefix: required(u32),
    /** global: beyond its network. link: within it only. host: this machine only. */
    scope: required(oneOf(ADDRESS_SCOPES)),
    /** Given by the network for some time: DHCP, router advertisements. */
    dynamic: required(bool),
    /** One of those that IPv6 changes for privacy. */
    temporary: required(bool),
    /** Still taken, but not for new connections. */
    deprecated: required(bool),
  },
  { open: true },
);
export type NetworkAddress = Infer<typeof networkAddress>;

/** One network interface of this machine. */
export const networkInterface = dictionary(
  {
    name: required(string),
    kind: required(oneOf(LINK_KINDS)),
    /** Switched on. */
    up: required(bool),
    /** Has a carrier: a cable, a network, the other end of a tunnel. */
    connected: required(bool),
    /** Hardware address, '' without one. */
    mac: required(string),
    /** By `[[interface]]` of bastion.toml, '' for none. */
    zone: required(string),
    /** At most 64. */
    addresses: required(array(networkAddress)),
    /** Addresses that are not in `addresses`; absent for none. */
    addresses_left_out: optional(u32),
    /** A sentence: what is not as bastion.toml says; absent for nothing. */
    problem: optional(string),
  },
  { open: true },
);
export type NetworkInterface = Infer<typeof networkInterface>;

export const SET_STATES = ['current', 'waiting', 'missing', 'failed'] as const;
export const INBOUND_POLICIES = ['off', 'allow', 'deny'] as const;
export const INBOUND_KEEPERS = ['bastion', 'ufw', 'firewalld', 'nobody'] as const;
export const CONTAINER_ENGINES = ['docker', 'podman'] as const;
export const CONTAINER_STATES = ['running', 'paused'] as const;
export const ENGINE_STATES = ['connected', 'connecting', 'absent', 'forbidden', 'failing'] as const;

/** An nftables set that is kept for a zone. */
export const networkSet = dictionary(
  {
    /** `inet filter lan_ips`. */
    name: required(string),
    /** 4 or 6: the version of IP. */
    version: required(u32),
    /** current: holds what it should. waiting: not looked at yet. missing: there is no such set. failed: it could not be read or filled. */
    state: required(oneOf(SET_STATES)),
    /** What is wrong and the command that mends it; '' for nothing. */
    problem: required(string),
    /** Content in the kernel, at most 500. */
    elements: required(array(string)),
    /** Elements that somebody else put there. */
    others: required(u32),
  },
  { open: true },
);
export type NetworkSet = Infer<typeof networkSet>;

/** What a zone lets in although it refuses new connections. */
export const inboundAllow = dictionary(
  {
    /** A named service, such as `ssh`; '' where port and protocol are given. */
    service: optional(text(32)),
    /** `22`, `6000-6010`; '' for any. */
    port: optional(text(64)),
    /** tcp, udp; '' for both. */
    protocol: optional(text(16)),
    /** Path of the only program that may accept it; '' for any. */
    application: optional(text(4096)),
    /** Address or CIDR prefix that it may come from; '' for any. */
    from: optional(text(64)),
  },
  { open: true },
);
export type InboundAllow = Infer<typeof inboundAllow>;

/** A zone of bastion.toml as it is now. */
export const networkZone = dictionary(
  {
    id: required(string),
    /** What `[[interface]]` says belongs to it, such as `eth0` or `wg*`. */
    patterns: required(array(string)),
    /** Interfaces that are there and belong to it, at most 500. */
    interfaces: required(array(string)),
    /** Their addresses with prefix, at most 500. */
    addresses: required(array(string)),
    /** Ids of rules that name it, at most 100. */
    used_by: required(array(string)),
    /** Running containers that belong to it, by name, at most 500. Absent: none. */
    containers: optional(array(string)),
    /** The nftables sets that are kept for it. Absent: none. */
    sets: optional(array(networkSet)),
    /** What becomes of new connections from outside: off: nothing is looked at. */
    inbound: optional(oneOf(INBOUND_POLICIES)),
    /** What is let in nevertheless, in the order of bastion.toml. */
    inbound_allow: optional(array(inboundAllow)),
    /** Packets that were refused, since the helper started. Absent: none. */
    inbound_refused: optional(u64),
  },
  { open: true },
);
export type NetworkZone = Infer<typeof networkZone>;

/** A container that Docker or Podman runs. */
export const networkContainer = dictionary(
  {
    engine: required(oneOf(CONTAINER_ENGINES)),
    /** 64 hexadecimal digits. */
    id: required(string),
    name: required(string),
    image: required(string),
    state: required(oneOf(CONTAINER_STATES)),
    /** '' for none. */
    zone: required(string),
    /** Shares the machine's own network. */
    host_network: required(bool),
    /** `network address/prefix`, at most 64. */
    addresses: required(array(string)),
  },
  { open: true },
);
export type NetworkContainer = Infer<typeof networkContainer>;

/** The socket of Docker or Podman. */
export const networkEngine = dictionary(
  {
    engine: required(oneOf(CONTAINER_ENGINES)),
    socket: required(string),
    /** absent: there is no socket. forbidden: it cannot be opened. failing: it answers nothing that can be used. */
    state: required(oneOf(ENGINE_STATES)),
    /** A sentence; '' where nothing is wrong. */
    problem: required(string),
  },
  { open: true },
);
export type NetworkEngine = Infer<typeof networkEngine>;

/** A router that connections to anywhere go by. */
export const networkGateway = dictionary(
  {
    address: required(string),
    /** Hardware address, '' while it is not known. */
    mac: required(string),
  },
  { open: true },
);
export type NetworkGateway = Infer<typeof networkGateway>;

/** The network that this machine is in, as profiles are recognized by. */
export const networkState = dictionary(
  {
    /** Names of NetworkManager's active connections. */
    connections: required(array(string)),
    /** Names of wireless networks. */
    ssids: required(array(string)),
    gateways: required(array(networkGateway)),
    /** Id of the active profile, '' for none. */
    profile: required(string),
    /** Sockets of Docker and Podman that are looked at. Absent: none. */
    engines: optional(array(networkEngine)),
    /** Who judges connections from outside. */
    inbound_by: optional(oneOf(INBOUND_KEEPERS)),
  },
  { open: true },
);
export type NetworkState = Infer<typeof networkState>;

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
    /** Only flows of programs whose path (or of forwarded flows, whose origin) has this in it; ASCII capitals count as small. */
    application: optional(text(256)),
    /** Only flows to this name, or a name below it, or this address. */
    host: optional(text(255)),
    port: optional(u32),
    action: optional(oneOf(RULE_ACTIONS)),
    /** Only flows that this rule decided. */
    rule_id: optional(text(64)),
    /** From then on, and before then; ms since 1970. */
    since_ms: optional(u64),
    until_ms: optional(u64),
    /** refused: whatever was not allowed. */
    verdict: optional(oneOf(['allowed', 'refused'] as const)),
    /** tcp, udp, icmp or the number. */
    protocol: optional(text(16)),
    /** Only flows of this program, as `programKey` names it. */
    program: optional(text(4128)),
    /** Only flows whose likeliest name is this; or that have none, and whose address is this. */
    destination: optional(text(255)),
    /** Every word in it stands in the program, the likeliest name, the address or the rule's id, or is the port. */
    search: optional(text(256)),
    /** Everybody's flows, also for a caller who has to give a password for them. */
    everybody: optional(bool),
  },
  { open: false },
);
export type FlowFilter = Infer<typeof flowFilter>;

/** What Subscribe takes. */
export const subscribeOptions = dictionary(
  {
    /** Packet records too: costs view-all, because a packet does not tell whose it is. */
    packets: optional(bool),
    /** Everybody's flows, also for a caller who has to give a password for them. */
    everybody: optional(bool),
  },
  { open: false },
);
export type SubscribeOptions = Infer<typeof subscribeOptions>;

/** What GroupFlows adds up by. */
export const GROUPS = ['application', 'destination'] as const;
export type GroupBy = (typeof GROUPS)[number];

/** What is kept of what was decided. */
export const historyState = dictionary(
  {
    /** Flows are stored. Else only the last ones are known, in memory. */
    enabled: required(bool),
    /** Names of destinations are stored. */
    names: required(bool),
    keep_days: required(u32),
    max_megabytes: required(u32),
    /** Why nothing can be stored or read at present; '' when it can. */
    failure: required(string),
  },
  { open: true },
);
export type HistoryState = Infer<typeof historyState>;

export const mode = oneOf(MODES);
export const state = oneOf(STATES);
export const longText = text(WIRE_LIMITS.textLength);
