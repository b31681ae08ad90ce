/** What the netfilter rules shall be. Types only. */
import type { PortRange } from '../contract/vocabulary.ts';
import type { XtPrograms } from './data-path.ts';

/** A destination that a deny or drop rule names, for every sender or for one. An absent part stands for any. */
export interface DeniedDestination {
  /** Address of the sender, canonical text. */
  readonly from?: string;
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

/** A part of what comes in; an absent part stands for any. */
export interface InboundMatch {
  readonly protocol?: 'tcp' | 'udp';
  /** Only with a protocol. */
  readonly ports?: readonly PortRange[];
  /** Address or CIDR prefix, canonical text. */
  readonly from?: string;
}

/** An interface by which packets come in, and its zone. */
export interface InboundWay {
  /** `eth0`; `wg*` for every one whose name begins so; '' for every one that none before it names. */
  readonly interface: string;
  readonly zone: string;
}

/** Which new connections from outside are refused. */
export interface InboundSpec {
  /** In this order; the first that fits counts. What fits none, or belongs to a zone that is not in `zones`, comes in. */
  readonly ways: readonly InboundWay[];
  /** Zones that refuse all but `allow`. */
  readonly zones: readonly { readonly name: string; readonly allow: readonly InboundMatch[] }[];
}

/** What the netfilter rules shall be. */
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
  /** Absent: what comes in is not looked at. */
  readonly inbound?: InboundSpec;
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
  /** Packets that each zone's `inbound` has refused since this helper started, by the zone's name; none without it. */
  refusedInbound(): Promise<ReadonlyMap<string, number>>;
  /** Removes everything of ours; safe when nothing is there. */
  remove(): Promise<void>;
  readonly backend: 'iptables-nft' | 'iptables-legacy';
  readonly builtIn: readonly BuiltInRule[];
}
