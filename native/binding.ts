/**
 * The addon's TypeScript face. The addon knows packets, sockets and kernel maps; it knows no rule. One receiver thread owns
 * every held packet, its deadline and the default verdict, so a blocked JavaScript thread neither opens nor stalls anything
 * that is decided.
 *
 * Shapes: addresses are canonical text; times are CLOCK_BOOTTIME nanoseconds; `device` is `major << 20 | minor`.
 */
import { createRequire } from 'node:module';

/** Numbers as in NFQUEUE's uapi are never seen here. */
export type NativeVerdict = 'accept' | 'refuse' | 'drop';

export interface NativeTuple {
  readonly family: 4 | 6;
  readonly protocol: number;
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly destinationAddress: string;
  readonly destinationPort: number;
}

export interface NativeExecutable {
  readonly device: number;
  readonly inode: bigint;
  readonly generation: number;
  readonly ctimeSec: number;
}

export interface NativeOwner {
  readonly cookie: bigint;
  readonly pid: number;
  readonly startNs: bigint;
  readonly uid: number;
  readonly gid: number;
  readonly executable: NativeExecutable;
  readonly mountNamespace: number;
  readonly networkNamespace: bigint;
  readonly cgroup: bigint;
  readonly command: string;
}

/** An undecided flow. Its packets are held until it is answered or its deadline passes, unless the gate dropped one. */
export interface NativeAsk {
  /** Never used twice while the addon is loaded. */
  readonly id: number;
  readonly tuple: NativeTuple;
  readonly owner: NativeOwner | null;
  readonly evidence: 'kernel' | 'sock_diag' | 'none';
  /**
   * Path as the kernel walked it, or as /proc/PID/exe says while that still is the owner's executable; null if unknown. A
   * claim: whether the file that is there is the one that runs is for the caller to compare.
   */
  readonly path: string | null;
  readonly interfaceIndex: number;
  readonly interfaceName: string;
  /** Length of the first packet's IP datagram, in bytes. */
  readonly length: number;
  /** UDP payload of a datagram to port 53, at most 512 bytes; null otherwise. */
  readonly payload: Uint8Array | null;
  readonly heldAtNs: bigint;
  /** A server answers: a connection that a peer opened, or a UDP peer that spoke first to this very socket. */
  readonly answersPeer: boolean;
  /** kernel: no socket of a process is behind it, as in a tunnel's outer packet. forwarded: seen in netfilter's FORWARD. */
  readonly origin: 'process' | 'kernel' | 'forwarded';
  /** False: the gate dropped a packet and nothing waits. */
  readonly held: boolean;
}

/** One DNS message, or a TCP segment with a part of one, from or to port 53. */
export interface NativeDns {
  readonly sent: boolean;
  readonly protocol: number;
  readonly cookie: bigint;
  readonly pid: number;
  readonly uid: number;
  readonly executable: NativeExecutable;
  readonly serverAddress: string;
  readonly serverPort: number;
  readonly localPort: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
  readonly timeNs: bigint;
}

/** One TCP connection that the gate let pass, while it is open or at its end. */
export interface NativeFlow {
  /** open: told once, when it lasts longer than a second. */
  readonly kind: 'open' | 'ended';
  /** The peer is the destination, whoever began. */
  readonly tuple: NativeTuple;
  /** The socket's own; that of an accepted connection's owner is the listening socket's. */
  readonly cookie: bigint;
  readonly inbound: boolean;
  /** Of the kernel's own socket. */
  readonly isKernel: boolean;
  /** Its owner was found in /proc, for a socket that is older than the hooks. */
  readonly isAdopted: boolean;
  readonly owner: NativeOwner;
  /** As NativeAsk.path; null too if the kernel told it to an earlier helper. */
  readonly path: string | null;
  readonly interfaceName: string;
  /** Of the first packet; 0 if it was not decided by an entry. */
  readonly length: number;
  readonly begunNs: bigint;
  /** When this was told. */
  readonly timeNs: bigint;
  readonly sentBytes: number;
  readonly sentPackets: number;
  readonly receivedBytes: number;
  readonly receivedPackets: number;
  /** What decided it last: the slot of an entry of this generation. 0: nobody did. */
  readonly generation: number;
  readonly hitSlot: number;
}

/** One summary line of a packet that reached the queue, for `monitor --packets`. */
export interface NativePacket {
  readonly timeNs: bigint;
  readonly tuple: NativeTuple;
  readonly length: number;
  readonly interfaceName: string;
}

/** What the receiver thread tells, in batches, in order. */
export interface NativeEvents {
  readonly asks: readonly NativeAsk[];
  /** Asks that ended without an answer: their deadline passed and the default verdict was given, or the queue failed. */
  readonly ended: readonly { readonly id: number; readonly why: 'deadline' | 'queue-failed' }[];
  /** Packets, only while `setPacketTrace(true)`; at most 1024 a batch, the rest counted in `traceLost`. */
  readonly packets: readonly NativePacket[];
  /** At most 256 a batch; what is over, or longer than 4096 bytes, is left out and counted in `dnsLost`. */
  readonly dns: readonly NativeDns[];
  /** At most 4,096 a batch, the oldest first; what is over is left out and counted in `flowsLost`. */
  readonly flows: readonly NativeFlow[];
  /** The queue's socket failed (false) or works again (true). */
  readonly queueReady?: boolean;
  /** Sentence for the log, when `queueReady` is there. */
  readonly message?: string;
}

export interface NativeAnswer {
  readonly id: number;
  /** `hold` sets a new deadline and gives no verdict. */
  readonly verdict: NativeVerdict | 'hold';
  /** With `hold`: when the thread gives the default verdict by itself. */
  readonly deadlineNs?: bigint;
  /**
   * Remember the verdict for this very flow (socket cookie and destination; the tuple alone without a cookie), until this
   * time; 0n for as long as the socket lives. Written before the verdict is given. Absent: only the held packets.
   */
  readonly rememberUntilNs?: bigint;
  /** Where the kernel counts uses of what is remembered, 1 to 16,383; 0 or absent: nowhere. */
  readonly hitSlot?: number;
}

/** See MemoryForm in helper/ports.ts; parts that a form leaves open are '' and 0, with family 4. */
export type NativeForm = 'exact' | 'any-address' | 'any-port' | 'program';

/** A decision for every flow of one program, user and network namespace to one destination, or as far as its form says. */
export interface NativeRemembered {
  readonly form: NativeForm;
  readonly reply: boolean;
  readonly executable: NativeExecutable;
  readonly uid: number;
  readonly networkNamespace: bigint;
  readonly protocol: number;
  readonly family: 4 | 6;
  readonly destinationAddress: string;
  readonly destinationPort: number;
  readonly verdict: NativeVerdict;
  /** 0n: until the generation changes. */
  readonly untilNs: bigint;
  readonly hitSlot: number;
}

/** A decision for one socket in the hands of one process. */
export interface NativeRememberedFlow {
  readonly cookie: bigint;
  readonly pid: number;
  readonly startNs: bigint;
  readonly executable: NativeExecutable;
  readonly protocol: number;
  readonly family: 4 | 6;
  readonly destinationAddress: string;
  readonly destinationPort: number;
  readonly verdict: NativeVerdict;
  readonly untilNs: bigint;
  readonly hitSlot: number;
}

export interface NativeGatePosture {
  readonly undecided: 'drop' | 'pass';
  readonly whenAway: 'drop' | 'pass';
  readonly untracked: 'drop' | 'pass';
}

export interface NativeTraffic {
  readonly executable: NativeExecutable;
  readonly path: string | null;
  readonly uid: number;
  readonly sentBytes: number;
  readonly sentPackets: number;
  readonly receivedBytes: number;
  readonly receivedPackets: number;
}

/** What one execve was given; see ExecRecord in helper/ports.ts. */
export interface NativeExec {
  readonly filename: string | null;
  readonly interpreter: string | null;
  readonly isScript: boolean;
  readonly arguments: readonly string[];
  readonly truncated: boolean;
  readonly workingDirectory: string | null;
}

/** One program in the hands of one process, from one exec to the next. */
export interface NativeImage {
  readonly pid: number;
  readonly startNs: bigint;
  readonly executable: NativeExecutable;
  /** In the machine's own mount namespace, null if it is not known there. A claim, as `NativeAsk.path` is. */
  readonly path: string | null;
  readonly command: string;
  readonly adopted: boolean;
  readonly exec: NativeExec | null;
}

export interface NativeProcessRecord {
  /** Null if there was no room to record it. */
  readonly image: NativeImage | null;
  /** The nearest first, at most 8. */
  readonly ancestors: readonly NativeImage[];
  readonly complete: boolean;
}

export interface NativeCounters {
  /** Packets taken from the queue. */
  readonly packets: number;
  /** Asks made. */
  readonly asks: number;
  readonly accepted: number;
  readonly refused: number;
  readonly dropped: number;
  /** Default verdicts given because a deadline passed. */
  readonly defaultVerdicts: number;
  /** Packets dropped because a limit (held in all, per flow, per uid) was reached. */
  readonly limitDrops: number;
  /** Packets without a known owner. */
  readonly unidentified: number;
  /** Packets decided by the thread itself from what was remembered. */
  readonly remembered: number;
  /** From /proc/net/netfilter/nfnetlink_queue: waiting now, dropped by the kernel (queue full), dropped towards us. */
  readonly queueLength: number;
  readonly queueDropped: number;
  readonly queueUserDropped: number;
  /** ENOBUFS seen on the queue's socket. */
  readonly overruns: number;
  readonly held: number;
  /** Packets that the kernel decided without us, summed over CPUs; 0 without kernel maps. */
  readonly kernelAllowed: number;
  readonly kernelRefused: number;
  readonly ringLost: number;
  readonly traceLost: number;
  readonly malformed: number;
  /** Packets that the gate dropped, by cause, and what it could not report. */
  readonly gateUndecided: number;
  readonly gateRefused: number;
  readonly gateUntracked: number;
  readonly gateLost: number;
  readonly dnsLost: number;
  /** Connections that were not told of: over a user's share, or no room. */
  readonly flowsLost: number;
  /** Sockets of flows that were denied: their programs were told, or could not be. */
  readonly socketsEnded: number;
  readonly socketsNotEnded: number;
  /** Refused because one user filled his share of a kernel table. */
  readonly overBudget: number;
  /** Processes and execs for which there was no room. */
  readonly lineageLost: number;
  /** CLOCK_BOOTTIME of the thread's last turn: for the watchdog. */
  readonly lastTurnNs: bigint;
}

/** What answered just now, asked of the kernel. */
export interface NativeHealth {
  /** As in NativeCounters. */
  readonly lastTurnNs: bigint;
  /** The kernel names our socket as the one that has the queue. */
  readonly queue: boolean;
  /** What is wrong with the pinned maps and links; '' if nothing is, or without kernel programs. */
  readonly kernelFault: string;
}

export interface NativeOptions {
  /** 0 to 65535. Taken by another process: `open` throws an Error whose `code` is 'EBUSY'. */
  readonly queueNumber: number;
  /** Packets the kernel may hold for us. */
  readonly queueMaxLength: number;
  readonly maxHeld: number;
  readonly maxHeldPerFlow: number;
  readonly maxHeldPerUid: number;
  /** How long an ask may stay without any answer before the default verdict. */
  readonly answerDeadlineMs: number;
  readonly defaultVerdict: NativeVerdict;
  /** One bit; a refused packet leaves the queue accepted with this mark and the ruleset refuses it. */
  readonly refuseMark: number;
  /** null: no kernel identification, the fallback through sock_diag and /proc does it all. */
  readonly kernel: {
    /** Compiled BPF object. */
    readonly objectPath: string;
    /** cgroup v2 folder whose processes are guarded. */
    readonly cgroupPath: string;
    /** Folder on a bpffs, made if missing (0700): maps/, progs/ and links/ below it. */
    readonly pinPath: string;
    /** The pinned programs only note owners and every decision is left to the receiver thread: to measure what that costs. */
    readonly decideInThread?: boolean;
  } | null;
}

/** What `open` managed; a missing kernel part is an entry of `missing`, never a throw. */
export interface NativeFeatures {
  readonly identification: 'kernel' | 'sock_diag';
  /** Pinned programs for xt_bpf, when the kernel has them; see native/bpf/bastion.bpf.c for what each says. */
  readonly xtPrograms: { readonly allow: string; readonly refuse: string; readonly hold: string; readonly reply: string } | null;
  /** Everything that did not load: what, and the system's words for why. */
  readonly missing: readonly { readonly what: string; readonly why: string }[];
  /** Why what an earlier helper had let the kernel remember was left; '' where nothing was. */
  readonly discarded: string;
}

export interface NativeDataPath {
  readonly features: NativeFeatures;
  /** Unknown ids are ignored (the ask ended meanwhile). Returns the number of packets that got their verdict. */
  answer(answers: readonly NativeAnswer[]): number;
  remember(entries: readonly NativeRemembered[]): void;
  /** See DataPath.replaceAll in helper/ports.ts: one generation bump, after the new entries were written. */
  replaceAll(programs: readonly NativeRemembered[], flows: readonly NativeRememberedFlow[], policy: bigint): void;
  adopt(policy: bigint): boolean;
  setGate(posture: NativeGatePosture): void;
  /** Are connections told of? Off until it is called for the first time; those that are open then are not told of. */
  setTellFlows(on: boolean): void;
  /** See DataPath.leaveFlows in helper/ports/data-path.ts. */
  leaveFlows(): readonly NativeFlow[];
  /** See DataPath.setRecorder in helper/ports/data-path.ts. */
  setRecorder(there: boolean): void;
  /** Of entries that are made from now on; raised by `replaceAll`. 0 without kernel programs. */
  generation(): number;
  /** Index: slot. */
  hits(): readonly number[];
  traffic(): readonly NativeTraffic[];
  /** Another text after each exec of the process; null where `processRecord` is. */
  processImage(pid: number, startNs: bigint): string | null;
  /** See ProcessRecords in helper/ports.ts; null without kernel programs too. */
  processRecord(pid: number, startNs: bigint, ran?: NativeExecutable): NativeProcessRecord | null;
  setDefaultVerdict(verdict: NativeVerdict): void;
  setAnswerDeadlineMs(ms: number): void;
  setPacketTrace(on: boolean): void;
  counters(): NativeCounters;
  health(): NativeHealth;
  /** Names of pins and attachments that somebody else took away. */
  lostPins(): readonly string[];
  /** Puts them back: '', or why that failed. */
  mendPins(): string;
  /** Gives what is held the default verdict, leaves the queue; pins stay unless `unpin`. Idempotent. */
  close(options: { readonly unpin: boolean }): Promise<void>;
}

/** Identity of a file in this mount namespace, comparable with what the kernel records; null if it is not there. */
export interface NativeFileIdentity extends NativeExecutable {
  /** `device` from /proc/self/mountinfo, which is the kernel's s_dev even on btrfs. */
  readonly uid: number;
  readonly mode: number;
  readonly sizeBytes: number;
}

/** Changes of the netfilter rules of this network namespace, since the last call. */
export interface NetfilterChanges {
  /** Who committed them, each once, at most 16: the command of the task, and its number in the first PID namespace. */
  readonly by: readonly { readonly command: string; readonly pid: number }[];
  /** Somebody else did too, whom the kernel did not name. */
  readonly unnamed: boolean;
}

/** One interface as rtnetlink tells it, or `gone`. Flags are IFF_*, the type is ARPHRD_*, the kind IFLA_INFO_KIND. */
export interface NativeLink {
  readonly gone: boolean;
  readonly index: number;
  readonly name: string;
  readonly flags: number;
  readonly type: number;
  /** '' for a device of hardware. */
  readonly kind: string;
  /** '' for none, and for one that has not six bytes. */
  readonly mac: string;
  /** Index of its bridge or bond; 0 for none. */
  readonly master: number;
}

/** One address of an interface, or `gone`. Scope is RT_SCOPE_*, flags are IFA_F_*. */
export interface NativeLinkAddress {
  readonly gone: boolean;
  readonly index: number;
  readonly family: 4 | 6;
  readonly address: string;
  /** The other end; the address itself where there is none. */
  readonly peer: string;
  readonly prefix: number;
  readonly scope: number;
  readonly flags: number;
  /** '' with IPv6. */
  readonly label: string;
}

/** Interfaces and addresses of this network namespace, since the last call. */
export interface NativeLinkNews {
  /** The changes begin with everything that there is: what was told before counts no more. */
  readonly whole: boolean;
  /**
   * In the kernel's order. What is known after the last of them is what there was at one moment; in between it need not be,
   * with `whole`.
   */
  readonly changes: readonly (NativeLink | NativeLinkAddress)[];
  /** A default route came, went or is another one; always with `whole`. */
  readonly routes: boolean;
  /** How often everything was read, with the first time; messages that could not be read. */
  readonly resyncs: number;
  readonly unreadable: number;
}

export interface NativeBinding {
  open(options: NativeOptions, onEvents: (events: NativeEvents) => void): NativeDataPath;
  fileIdentity(path: string): NativeFileIdentity | null;
  /** CLOCK_BOOTTIME. */
  bootNs(): bigint;
  /** Gives the system back what the C library keeps of memory that was freed, in another thread; see malloc_trim(3). */
  releaseMemory(): Promise<void>;
  /** sd_notify(3) to NOTIFY_SOCKET from this process; false without one. */
  notify(state: string): boolean;
  /** One entry, at most 64 kB, in the journal's own protocol to its socket; false if it could not be sent at once. */
  journal(socketPath: string, entry: string): boolean;
  /** Locks a folder, by a file in it, until this process ends; false if another process has the lock. Throws where it cannot be had. */
  lockFolder(path: string): boolean;
  /** Cookie of this process's network namespace. */
  networkNamespaceCookie(): bigint;
  /**
   * Tells of every change of the nf_tables ruleset, or with `legacy` of the xtables tables mangle and filter, which are looked
   * at every 25 ms; what comes together is told together. Throws where the kernel does not let us watch.
   */
  watchNetfilter(options: { readonly legacy: boolean }, onChange: (changes: NetfilterChanges) => void): { close(): void };
  /**
   * Tells of the interfaces and addresses of this network namespace: first all, then each change; of routes only that a default
   * one changed. What comes together is told
   * together; more than 16,384 changes that wait, or more than the socket's receive buffer holds (`receiveBytes`, 1 kB to
   * 64 MB), are made good by reading all of it again. Throws where the kernel gives no socket.
   */
  watchLinks(receiveBytes: number, onNews: (news: NativeLinkNews) => void): { close(): void };
  /**
   * Takes the closed rules of the start (table `inet bastion_boot`) out of this network namespace, in one commit and without a
   * tool; false where they are not there. Throws with the kernel's reason.
   */
  removeBaseRules(): boolean;
  /** Detaches and removes what an earlier process pinned in this folder, where it is on a BPF file system. */
  removePins(pinPath: string): void;
  /**
   * Loads the kernel programs in a thread of its own; the `open` with the same paths that comes next goes on with them. They are
   * attached to nothing before that. Without a thread nothing happens, and `open` loads them itself.
   */
  loadAhead(objectPath: string, pinPath: string): void;
}

/** An ask's parts, in the order in which the addon gives them. */
type AskParts = readonly [
  id: number, family: 4 | 6, protocol: number, sourceAddress: string, sourcePort: number, destinationAddress: string,
  destinationPort: number, evidence: NativeAsk['evidence'], path: string | null, interfaceIndex: number,
  interfaceName: string, length: number, payload: Uint8Array | null, heldAtNs: bigint, answersPeer: boolean,
  origin: NativeAsk['origin'], held: boolean, owned: boolean, cookie: bigint,
  pid: number, startNs: bigint, uid: number, gid: number, mountNamespace: number, networkNamespace: bigint, cgroup: bigint,
  command: string, device: number, inode: bigint, generation: number, ctimeSec: number,
];

type FlowTold = readonly [
  kind: number, family: 4 | 6, protocol: number, sourceAddress: string, sourcePort: number, destinationAddress: string,
  destinationPort: number, cookie: bigint, inbound: boolean, isKernel: boolean, isAdopted: boolean, path: string | null, interfaceName: string,
  length: number, begunNs: bigint, timeNs: bigint, sentBytes: number, sentPackets: number, receivedBytes: number,
  receivedPackets: number, hitGeneration: number, hitSlot: number, ownerCookie: bigint, pid: number,
  startNs: bigint, uid: number, gid: number, mountNamespace: number, networkNamespace: bigint, cgroup: bigint, command: string,
  device: number, inode: bigint, generation: number, ctimeSec: number,
];

type DecisionParts = readonly [
  family: 4 | 6, protocol: number, destinationAddress: string, destinationPort: number, verdict: NativeVerdict, untilNs: bigint,
  hitSlot: number,
];

type ProgramParts = readonly [
  form: number, reply: 0 | 1, device: number, inode: bigint, generation: number, ctimeSec: number, uid: number,
  networkNamespace: bigint, ...decision: DecisionParts,
];

type FlowParts = readonly [
  cookie: bigint, pid: number, startNs: bigint, device: number, inode: bigint, generation: number, ctimeSec: number,
  ...decision: DecisionParts,
];

interface RawDataPath extends Omit<NativeDataPath, 'remember' | 'replaceAll' | 'processRecord'> {
  processRecord(
    ...process: readonly [pid: number, startNs: bigint, ...ran: readonly [] | readonly [device: number, inode: bigint, generation: number, ctimeSec: number]]
  ): NativeProcessRecord | null;
  remember(...parts: ProgramParts): void;
  /** Collected for `replaceAll`. */
  addProgram(...parts: ProgramParts): void;
  addFlow(...parts: FlowParts): void;
  replaceAll(policy: bigint): void;
}

/** BASTION_FORM_ of native/bpf/wire.h. */
const FORMS: Readonly<Record<NativeForm, number>> = { 'exact': 0, 'any-address': 1, 'any-port': 2, 'program': 3 };

type LinkParts = readonly [gone: boolean, index: number, name: string, flags: number, type: number, kind: string, mac: string, master: number];

type LinkAddressParts = readonly [
  gone: boolean, index: number, family: 4 | 6, address: string, peer: string, prefix: number, scope: number, flags: number, label: string,
];

/** An address has one part more than a link. */
type LinkTold = LinkParts | LinkAddressParts;

/**
 * What the addon exports: single parts where every undecided flow passes, because these cost much less to hand over than
 * objects, which native code makes and reads property by property.
 */
interface RawBinding extends Omit<NativeBinding, 'open' | 'watchLinks'> {
  watchLinks(receiveBytes: number, onNews: (news: Omit<NativeLinkNews, 'changes'> & { readonly changes: readonly LinkTold[] }) => void): { close(): void };
  open(
    options: NativeOptions, onEvents: (events: NativeEvents) => void, makeAsk: (...parts: AskParts) => NativeAsk,
    makeFlow: (...parts: FlowTold) => NativeFlow,
  ): RawDataPath;
}

function makeAsk(
  ...[
    id, family, protocol, sourceAddress, sourcePort, destinationAddress, destinationPort, evidence, path, interfaceIndex,
    interfaceName, length, payload, heldAtNs, answersPeer, origin, held, owned, cookie, pid, startNs, uid, gid, mountNamespace,
    networkNamespace, cgroup,
    command, device, inode, generation, ctimeSec,
  ]: AskParts
): NativeAsk {
  return {
    id,
    tuple: { family, protocol, sourceAddress, sourcePort, destinationAddress, destinationPort },
    owner: !owned ? null : {
      cookie, pid, startNs, uid, gid, executable: { device, inode, generation, ctimeSec }, mountNamespace, networkNamespace,
      cgroup, command,
    },
    evidence, path, interfaceIndex, interfaceName, length, payload, heldAtNs, answersPeer, origin, held,
  };
}

/** BASTION_FLOW_OPEN of native/bpf/wire.h. */
const FLOW_OPEN = 1;

function makeFlow(
  ...[
    kind, family, protocol, sourceAddress, sourcePort, destinationAddress, destinationPort, cookie, inbound, isKernel, isAdopted, path,
    interfaceName, length, begunNs, timeNs, sentBytes, sentPackets, receivedBytes, receivedPackets, hitGeneration, hitSlot,
    ownerCookie, pid, startNs, uid, gid, mountNamespace, networkNamespace, cgroup, command, device, inode, generation,
    ctimeSec,
  ]: FlowTold
): NativeFlow {
  return {
    kind: kind === FLOW_OPEN ? 'open' : 'ended',
    tuple: { family, protocol, sourceAddress, sourcePort, destinationAddress, destinationPort },
    owner: {
      cookie: ownerCookie, pid, startNs, uid, gid, executable: { device, inode, generation, ctimeSec }, mountNamespace,
      networkNamespace, cgroup, command,
    },
    cookie, inbound, isKernel, isAdopted, path, interfaceName, length, begunNs, timeNs, sentBytes, sentPackets, receivedBytes, receivedPackets,
    generation: hitGeneration, hitSlot,
  };
}

function makeLinkChange(told: LinkTold): NativeLink | NativeLinkAddress {
  if (told.length === 8) {
    const [gone, index, name, flags, type, kind, mac, master] = told;
    return { gone, index, name, flags, type, kind, mac, master };
  }
  const [gone, index, family, address, peer, prefix, scope, flags, label] = told;
  return { gone, index, family, address, peer, prefix, scope, flags, label };
}

function decisionParts(entry: NativeRemembered | NativeRememberedFlow): DecisionParts {
  const { family, protocol, destinationAddress, destinationPort, verdict, untilNs, hitSlot } = entry;
  return [family, protocol, destinationAddress, destinationPort, verdict, untilNs, hitSlot];
}

function programParts(entry: NativeRemembered): ProgramParts {
  const { device, inode, generation, ctimeSec } = entry.executable;
  return [
    FORMS[entry.form], entry.reply ? 1 : 0, device, inode, generation, ctimeSec, entry.uid, entry.networkNamespace,
    ...decisionParts(entry),
  ];
}

function flowParts(entry: NativeRememberedFlow): FlowParts {
  const { device, inode, generation, ctimeSec } = entry.executable;
  return [entry.cookie, entry.pid, entry.startNs, device, inode, generation, ctimeSec, ...decisionParts(entry)];
}

/** Loads build/native/bastion.node, or the file named by BASTION_NATIVE (tests run a sanitized build that way). */
export function loadBinding(path: string): NativeBinding {
  const raw = createRequire(import.meta.url)(path) as RawBinding;
  return {
    ...raw,
    watchLinks: (receiveBytes, onNews) => raw.watchLinks(receiveBytes, (news) => {
      onNews({ ...news, changes: news.changes.map(makeLinkChange) });
    }),
    open: (options, onEvents) => {
      const opened = raw.open(options, onEvents, makeAsk, makeFlow);
      return {
        ...opened,
        remember: (entries) => {
          for (const entry of entries) opened.remember(...programParts(entry));
        },
        replaceAll: (programs, flows, policy) => {
          for (const entry of programs) opened.addProgram(...programParts(entry));
          for (const entry of flows) opened.addFlow(...flowParts(entry));
          opened.replaceAll(policy);
        },
        processRecord: (pid, startNs, ran) => ran === undefined
          ? opened.processRecord(pid, startNs)
          : opened.processRecord(pid, startNs, ran.device, ran.inode, ran.generation, ran.ctimeSec),
      };
    },
  };
}
