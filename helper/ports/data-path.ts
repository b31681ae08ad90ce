/** The packet queue, the decision cache behind it, and what the kernel tells. Types only. */
import type { Attribution, BootNs, ExecutableId, Tuple, Verdict } from '../contract/vocabulary.ts';
import type { DnsMessage } from './dns.ts';
import type { ProcessRecords } from './process-records.ts';

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

/**
 * One TCP connection that passed the gate, decided by the kernel itself or not, never on loopback. open: it is older than a
 * second; told once. ended: everything was sent, and its program has closed it; told once.
 */
export interface FlowEvent {
  readonly kind: 'open' | 'ended';
  /** The peer is the destination, whoever began. */
  readonly tuple: Tuple;
  /** The socket's own; that of an accepted connection's owner is the listening socket's. */
  readonly cookie: bigint;
  /** A peer opened it. */
  readonly inbound: boolean;
  /** No ancestors. */
  readonly attribution: Attribution;
  readonly origin: Origin;
  readonly interfaceName: string;
  /** Of the first packet; 0 if it was not decided by what is remembered. */
  readonly lengthBytes: number;
  readonly beganNs: BootNs;
  /** When this was told. */
  readonly timeNs: BootNs;
  /** As in `Traffic`; up to now, or all. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Which entry decided it last: its `hitSlot`, which counts for the rules of that `DataPath.generation`. 0: none. */
  readonly generation: number;
  readonly hitSlot: number;
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
  /** Packets that were not told of while they were traced; without a sound header. */
  readonly traceLost: number;
  readonly malformed: number;
  /** Sockets of flows that were denied whose programs could not be told. */
  readonly socketsNotEnded: number;
  /** Packets that the gate dropped: undecided, refused, without a known owner. */
  readonly gateUndecided: number;
  readonly gateRefused: number;
  readonly gateUntracked: number;
  /** Reports of the gate, and DNS messages, for which there was no room. */
  readonly gateLost: number;
  readonly dnsLost: number;
  /** Connections that were not told of: over a user's share, or no room. */
  readonly flowsLost: number;
  /** Packets, sockets and peers over one user's share of a kernel table. */
  readonly overBudget: number;
  /** Processes and execs for which the record had no room. */
  readonly lineageLost: number;
  readonly lastTurnNs: BootNs;
}

/** What answered just now, asked of the kernel: of what this data path holds and of what is pinned. */
export interface DataPathHealth {
  /** Of the receiver thread. */
  readonly lastTurnNs: BootNs;
  /** The kernel names our socket as the one that has the queue. */
  readonly queue: boolean;
  /** What is wrong with the pinned maps and links; '' if nothing is, or without kernel programs. */
  readonly kernelFault: string;
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
  /** Why what an earlier helper had let the kernel remember was left; '' where nothing was. */
  readonly discarded: string;
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
  /** Are connections told of (`onFlows`)? Those that are open when it begins are not. */
  setTellFlows(on: boolean): void;
  /**
   * Right before `close`: the connections that were not told yet. From here on none is: what the kernel records now is for the
   * next helper, and this one would only take it away.
   */
  leaveFlows(): readonly FlowEvent[];
  /**
   * Do the rules that are now in force note who sends what they hold (`xtPrograms`)? What comes without a note is then nobody's;
   * where no rule notes it, the sender is looked up. So until it is called after an earlier helper whose tables were of no use:
   * its rules may still hold packets, and who sent them may have handed on the socket since.
   */
  setRecorder(there: boolean): void;
  /** Of what is remembered from now on; another one after each `replaceAll`. */
  generation(): number;
  /** Uses counted so far by slot, 0 to 16,383; counted on over restarts of the helper only while the slots are the same. */
  hits(): readonly number[];
  traffic(): readonly Traffic[];
  /** As ProcessRecords.get. */
  readonly processRecord: ProcessRecords['get'];
  setDefaultVerdict(verdict: Verdict): void;
  setPacketTrace(on: boolean): void;
  counters(): DataPathCounters;
  health(): DataPathHealth;
  /** Names of the kernel's parts whose pins or attachments somebody else took away. */
  lostPins(): readonly string[];
  /** Puts them back: '', or why that failed. */
  mendPins(): string;
  close(options: { readonly unpin: boolean }): Promise<void>;
}

export interface DataPathEvents {
  onAsks(asks: readonly Ask[]): void;
  /** Asks that ended by deadline or by a failed queue. */
  onEnded(ids: readonly number[]): void;
  onPackets(packets: readonly PacketRecord[]): void;
  onDns(messages: readonly DnsMessage[]): void;
  /** At most 4,096, the oldest first. */
  onFlows(events: readonly FlowEvent[]): void;
  onQueueReady(ready: boolean, message: string): void;
}
