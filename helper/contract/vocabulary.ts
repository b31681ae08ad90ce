/**
 * The words of the project as types: one word for one idea, the glossary of DESIGN.md. Shared by the pure folders, the
 * ports and the wire. No behaviour lives here.
 */

/** Monotonic time since boot, suspend included (CLOCK_BOOTTIME), in nanoseconds. */
export type BootNs = bigint;

/** One transport conversation's addresses. Source: the packet's own headers, extension headers of IPv6 skipped. */
export interface Tuple {
  readonly family: 4 | 6;
  /** IANA protocol number, 0 to 255. */
  readonly protocol: number;
  /** Canonical text form (RFC 5952 for IPv6); a mapped IPv4 address never appears, it is family 4. */
  readonly sourceAddress: string;
  /** 0 for protocols without ports; the identifier for an ICMP echo. */
  readonly sourcePort: number;
  readonly destinationAddress: string;
  /** 0 for protocols without ports; the type (0 to 255) for ICMP and ICMPv6. */
  readonly destinationPort: number;
}

/** The inode of an executable as the kernel recorded it. `device` is `major << 20 | minor`. */
export interface ExecutableId {
  readonly device: number;
  readonly inode: bigint;
  readonly generation: number;
  /** Whole seconds since 1970. */
  readonly ctimeSec: number;
}

/** The process record of a socket. */
export interface Owner {
  /** Socket cookie, 0n where the fallback found the owner. */
  readonly cookie: bigint;
  readonly pid: number;
  /** Start of the thread group, since boot: with `pid` it names one process for ever. */
  readonly startNs: BootNs;
  readonly uid: number;
  readonly gid: number;
  readonly executable: ExecutableId;
  /** Inode number of the mount namespace. */
  readonly mountNamespace: number;
  /** Cookie of the network namespace, 0n if unknown. */
  readonly networkNamespace: bigint;
  readonly cgroup: bigint;
  /** A label that the process chose for itself: shown, never matched. */
  readonly command: string;
  /**
   * Only for a flow that this machine forwards: who it comes from, in words, such as "Container 3f2a9c0b1d2e (docker), 172.17.0.2". The rest of
   * the record is then zero but for the executable's inode, which is the number of the network namespace (0n if none is
   * known). Shown, never matched.
   */
  readonly forwardedFrom?: string;
}

/** Where the knowledge about an owner comes from. */
export type Evidence = 'kernel' | 'sock_diag' | 'none';

/**
 * certain: recorded by the kernel and the path verified against the file that is there now. likely: found through /proc,
 * two reads agreed. unknown: no owner, or the path could not be verified; matches no allow rule that names a program.
 */
export type Confidence = 'certain' | 'likely' | 'unknown';

/**
 * What rules name the kernel itself by: the outer packets of tunnels, network file systems. No file has this path, because a
 * file's path begins with a slash.
 */
export const KERNEL_PATH = 'kernel';

/**
 * Whether a program's file is the one that it was known as. valid: the trusted hash, the package's checksum, or the hash that
 * it had when it was first seen. changed: another one; allow rules that name the program are suspended. unknown: nothing to
 * compare with.
 */
export const INTEGRITIES = ['valid', 'changed', 'unknown'] as const;
export type Integrity = (typeof INTEGRITIES)[number];

/** What a rule names. A part that is absent is not known, and no rule that names it matches. */
export interface Identity {
  /** Absolute path in the helper's mount namespace, or null when none is known. */
  readonly path: string | null;
  /** Distribution package that the file belongs to, such as `firefox-esr`; only where the file has its recorded checksum. */
  readonly package?: string;
  /** Flatpak application id, such as `org.mozilla.firefox`; the file lies in the root-owned deployment. */
  readonly flatpak?: string;
  /** Snap name; the file lies in a mounted snap. */
  readonly snap?: string;
  /** Absolute path of the AppImage's regular file. */
  readonly appImage?: string;
  /** The program runs scripts of others: python, node, bash and their like. */
  readonly interpreter?: boolean;
  /** Absolute path of the script that the interpreter was started with. */
  readonly script?: string;
  /** exec: the kernel recorded it. claimed: from a command line that the process could have written itself. */
  readonly scriptEvidence?: 'exec' | 'claimed';
  /** Of the script's file; `integrity` is the interpreter's. */
  readonly scriptIntegrity?: Integrity;
  /** The script's hash stands in applications.toml. */
  readonly scriptTrusted?: boolean;
  /** SHA-256 of the file (of the AppImage, the script where they are named), 64 small hexadecimal digits. */
  readonly sha256?: string;
  readonly integrity?: Integrity;
  /** The hash stands in applications.toml. */
  readonly trusted?: boolean;
}

/**
 * Where a name for an address comes from. program: the very program asked for it. hosts: /etc/hosts. machine: a service of
 * the system asked, on behalf of a program that nobody can name.
 */
export const NAME_SOURCES = ['program', 'hosts', 'machine'] as const;
export type NameSource = (typeof NAME_SOURCES)[number];

/** A name that a flow may have come from. Lower case, letters, digits, hyphens, underscores and dots, at most 253. */
export interface KnownName {
  readonly name: string;
  readonly source: NameSource;
}

/** A container of an engine at one end of a flow. Name and image are its maker's own text. */
export interface ContainerEnd {
  readonly engine: 'docker' | 'podman';
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /** sender: the flow is its own. receiver: the flow goes into it. */
  readonly side: 'sender' | 'receiver';
  /** It is this one and no other: what allows rests on no less. What refuses is content with a guess. */
  readonly certain: boolean;
}

/** One ancestor of a process, the nearest first. */
export interface Ancestor {
  readonly pid: number;
  readonly path: string | null;
  readonly command: string;
  /** What rules may name it by: only where the kernel recorded the file and the path is that file now. */
  readonly identity?: Identity;
}

export interface Attribution {
  readonly owner: Owner | null;
  readonly identity: Identity;
  /**
   * The path that was recorded but could not be verified; null when `identity.path` is there or nothing was recorded. Shown,
   * and matched by deny and drop rules only, where a wrong claim can but refuse more.
   */
  readonly claimedPath: string | null;
  readonly evidence: Evidence;
  readonly confidence: Confidence;
  /** At most 8; empty when the parents have gone or were not asked for. */
  readonly ancestors: readonly Ancestor[];
  /** kernel: recorded at fork and exec, right after parents have exited. procfs: as it is now. Absent: not known. */
  readonly lineage?: 'kernel' | 'procfs';
}

/** allow | deny: refused at once with RST or ICMP | drop: silent | ask */
export const RULE_ACTIONS = ['allow', 'deny', 'drop', 'ask'] as const;
export type RuleAction = (typeof RULE_ACTIONS)[number];

/** What the kernel is told of one packet. */
export type Verdict = 'accept' | 'refuse' | 'drop';

/** What becomes of a forwarded flow that no rule decides; see bastion.toml. */
export const FORWARDED = ['pass', 'ask', 'deny', 'drop'] as const;
export type Forwarded = (typeof FORWARDED)[number];

export const MODES = ['enforcing', 'learning'] as const;
export type Mode = (typeof MODES)[number];

/** The first that applies, in this order. */
export const STATES = ['off', 'paused', 'safeguard', 'degraded', 'protecting'] as const;
export type State = (typeof STATES)[number];

/** Who made a rule. The order is the order of the tiers for deny; see policy/order.ts for the whole. */
export const TIERS = ['administrator', 'user', 'vendor', 'built-in'] as const;
export type Tier = (typeof TIERS)[number];

/** How long an answer or a rule holds. `until` is wall time in milliseconds since 1970. */
export type Lifetime = 'once' | 'process' | 'session' | 'boot' | 'always' | { readonly until: number };

/** How wide an answer reaches. */
export const SCOPES = ['host', 'domain', 'port', 'any'] as const;
export type Scope = (typeof SCOPES)[number];

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Days from Monday = 0; minutes since local midnight; `from` > `to` runs over midnight. */
export interface Schedule {
  readonly days: readonly number[];
  readonly fromMinute: number;
  readonly toMinute: number;
}

/** The parts of an identity that a rule can name; all that are given have to be so. */
export interface ProgramMatch {
  readonly path?: string;
  readonly package?: string;
  readonly flatpak?: string;
  readonly snap?: string;
  readonly appImage?: string;
  readonly script?: string;
  readonly sha256?: string;
}

/** What a rule matches. An absent key matches anything. */
export interface RuleMatch extends ProgramMatch {
  /** Only while the file's hash stands in applications.toml. */
  readonly pin?: boolean;
  /** Also programs that the named one started, directly or through others. */
  readonly includeChildren?: boolean;
  /** With the path of an interpreter: whatever script it runs. Without it an allow rule covers no script. */
  readonly allScripts?: boolean;
  /** A container by its name, its whole id or the first 12 digits of it; `web-*` for every name that begins so. */
  readonly container?: string;
  /** One of the programs that started it. */
  readonly ancestor?: ProgramMatch;
  /** `example.org`, or `*.example.org` for all names below it (and not the name itself). Small letters, ASCII. */
  readonly domain?: string;
  /** Id of a `[[list]]` of bastion.toml. */
  readonly list?: string;
  /** Name of a zone: what leaves by one of its interfaces. */
  readonly zone?: string;
  /** Output interface, or the beginning of several with `*` at the end. */
  readonly interface?: string;
  readonly uid?: number;
  /** Address or CIDR prefix, canonical text. */
  readonly address?: string;
  readonly ports?: readonly PortRange[];
  /** IANA protocol number; ICMP stands for 1 and 58 alike. */
  readonly protocols?: readonly number[];
  readonly schedule?: Schedule;
  /** Lifetimes `process` and `session` bind a rule to one process or login session. */
  readonly process?: { readonly pid: number; readonly startNs: BootNs };
  readonly session?: string;
}

export interface Rule {
  /** `[a-z0-9][a-z0-9._-]{0,63}`, unique over all files. */
  readonly id: string;
  /** Shown name; the id where none was given. */
  readonly name: string;
  readonly action: RuleAction;
  /** In force: switched on, and its group is not switched off. */
  readonly enabled: boolean;
  /** Only where its group is switched off; then this is what the rule itself says. */
  readonly groupOff?: { readonly enabled: boolean };
  readonly match: RuleMatch;
  readonly lifetime: Lifetime;
  /** -1000 to 1000, default 0; the higher goes first within a tier. */
  readonly priority: number;
  readonly tier: Tier;
  readonly group: string;
  /** Only while this profile is the active one; absent: in every profile. */
  readonly profile?: string;
  /** Milliseconds since 1970; the older of two equal rules wins. */
  readonly created: number;
  /** File name and line of its `[[rule]]`; null for one that lives in memory. */
  readonly source: { readonly file: string; readonly line: number } | null;
}

/** How the text of a list is read. auto: as it looks. Others leave out what is written otherwise. See docs/rules.md. */
export const LIST_FORMATS = ['auto', 'hosts', 'domains', 'cidr', 'adblock'] as const;
export type ListFormat = (typeof LIST_FORMATS)[number];

/** Why a decision was taken. */
export const REASONS = [
  'rule', 'mode-learning', 'paused', 'default-action', 'prompt-answer', 'prompt-expired', 'no-owner', 'reply', 'forwarded', 'limit', 'safeguard',
  'helper-stopping', 'remembered', 'inbound',
] as const;
export type Reason = (typeof REASONS)[number];

export interface Decision {
  readonly action: RuleAction;
  readonly reason: Reason;
  readonly ruleId: string | null;
}
