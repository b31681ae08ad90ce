/** The packet queue and the kernel's decision maps: port `DataPath`, over the addon. */
import { readFileSync } from 'node:fs';
import { assertNever } from '../contract/errors.ts';
import { KERNEL_PATH } from '../contract/vocabulary.ts';
import type { Attribution, Confidence } from '../contract/vocabulary.ts';
import type { Ask, DataPath, DataPathEvents, FlowEvent } from '../ports.ts';
import type { NativeAsk, NativeBinding, NativeEvents, NativeFlow, NativeOptions } from '../../native/binding.ts';
import { dnsQuestion } from './dns-question.ts';
import { FileCheck } from './file-check.ts';
import { createNamespaces } from './namespaces.ts';
import type { Namespaces } from './namespaces.ts';
import { RememberedRecords } from './process-records.ts';

export interface DataPathOptions extends NativeOptions {
  readonly native: NativeBinding;
  readonly events: DataPathEvents;
}

/** What is asked about the owner that the addon tells. */
interface Lookups {
  readonly check: FileCheck;
  readonly namespaces: Namespaces;
}

/**
 * Takes the queue, loads and pins the kernel programs, starts the receiver thread.
 *
 * @throws Error with `code` 'EBUSY' and a message that names the holder if another process has the queue, 'EPERM' without
 * the right to it.
 */
export function openDataPath(options: DataPathOptions): DataPath {
  const { native, events, ...nativeOptions } = options;
  const lookups: Lookups = { check: new FileCheck(native), namespaces: createNamespaces() };
  const path = native.open(nativeOptions, (batch) => {
    deliver(batch, events, lookups);
  });
  const records = new RememberedRecords(path, lookups.check, () => native.bootNs());
  const { identification, xtPrograms, missing, discarded } = path.features;
  return {
    identification,
    xtPrograms,
    missing,
    discarded,
    answer: (answers) => path.answer(answers),
    remember: (entries) => {
      path.remember(entries);
    },
    replaceAll: ({ programs, flows, policy }) => {
      path.replaceAll(programs, flows, policy);
    },
    adopt: (policy) => path.adopt(policy),
    verify: (executable, file) => lookups.check.matches(executable, file),
    setGate: (posture) => {
      path.setGate(posture);
    },
    setTellFlows: (on) => {
      path.setTellFlows(on);
    },
    leaveFlows: () => path.leaveFlows().map((flow) => flowOf(flow, lookups)),
    setRecorder: (there) => {
      path.setRecorder(there);
    },
    generation: () => path.generation(),
    hits: () => path.hits(),
    traffic: () => path.traffic(),
    processRecord: (...process) => records.get(...process),
    setDefaultVerdict: (verdict) => {
      path.setDefaultVerdict(verdict);
    },
    setPacketTrace: (on) => {
      path.setPacketTrace(on);
    },
    counters: () => path.counters(),
    health: () => path.health(),
    lostPins: () => path.lostPins(),
    mendPins: () => path.mendPins(),
    close: (how) => path.close(how),
  };
}

function deliver(batch: NativeEvents, events: DataPathEvents, lookups: Lookups): void {
  // Names first: a flow of this batch may have come from one of them.
  if (batch.dns.length > 0) {
    events.onDns(batch.dns.map(({ sent, ...message }) => ({ ...message, direction: sent ? 'sent' : 'received' })));
  }
  if (batch.asks.length > 0) events.onAsks(batch.asks.map((ask) => askOf(ask, lookups)));
  if (batch.flows.length > 0) events.onFlows(batch.flows.map((flow) => flowOf(flow, lookups)));
  if (batch.ended.length > 0) events.onEnded(batch.ended.map((end) => end.id));
  if (batch.packets.length > 0) {
    events.onPackets(batch.packets.map(({ tuple, length, interfaceName }) => ({ tuple, lengthBytes: length, interfaceName })));
  }
  if (batch.queueReady !== undefined) events.onQueueReady(batch.queueReady, batch.message ?? '');
}

function askOf(ask: NativeAsk, lookups: Lookups): Ask {
  return {
    id: ask.id,
    tuple: ask.tuple,
    attribution: attributionOf(ask, lookups),
    interfaceName: ask.interfaceName,
    lengthBytes: ask.length,
    dnsQuestion: dnsQuestion(ask.payload),
    heldAtNs: ask.heldAtNs,
    answersPeer: ask.answersPeer,
    origin: ask.origin,
    held: ask.held,
  };
}

function flowOf(flow: NativeFlow, lookups: Lookups): FlowEvent {
  const { tuple, cookie, inbound, interfaceName, generation, hitSlot, sentBytes, receivedBytes, owner } = flow;
  const evidence = owner.pid === 0 && !flow.isKernel ? 'none' : flow.isAdopted ? 'sock_diag' : 'kernel';
  const origin = flow.isKernel ? 'kernel' : 'process';
  return {
    kind: flow.kind,
    tuple, cookie, inbound, interfaceName, generation, hitSlot, sentBytes, receivedBytes, origin,
    attribution: attributionOf({ owner: evidence === 'none' ? null : owner, evidence, path: flow.path, origin, tuple, interfaceName }, lookups),
    lengthBytes: flow.length,
    beganNs: flow.begunNs,
    timeNs: flow.timeNs,
  };
}

function attributionOf(
  ask: Pick<NativeAsk, 'owner' | 'evidence' | 'path' | 'origin' | 'tuple' | 'interfaceName'>, { check, namespaces }: Lookups,
): Attribution {
  const { owner, evidence, path: claimed } = ask;
  if (ask.origin === 'forwarded') return namespaces.forwardedOwner(ask.tuple, ask.interfaceName);
  if (ask.origin === 'kernel') {
    return { owner, identity: { path: KERNEL_PATH }, claimedPath: null, evidence, confidence: 'certain', ancestors: [] };
  }
  const verified = owner !== null && claimed !== null && check.matches(owner.executable, claimed);
  return {
    owner,
    identity: { path: verified ? claimed : null },
    claimedPath: verified ? null : claimed,
    evidence,
    confidence: verified ? confidenceOf(evidence) : 'unknown',
    ancestors: [],
  };
}

function confidenceOf(evidence: NativeAsk['evidence']): Confidence {
  switch (evidence) {
    case 'kernel': return 'certain';
    case 'sock_diag': return 'likely';
    case 'none': return 'unknown';
    default: return assertNever(evidence);
  }
}

/**
 * Where the machine's cgroup v2 hierarchy is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified beside version 1. Null
 * without one.
 */
export function cgroupRoot(mounts = '/proc/self/mounts'): string | null {
  for (const line of readFileSync(mounts, 'utf8').split('\n')) {
    const [, folder, type] = line.split(' ');
    // Spaces and the like in a mount point are written as octal escapes. Source: proc(5), getmntent(3).
    if (type === 'cgroup2' && folder !== undefined) {
      return folder.replaceAll(/\\([0-7]{3})/gu, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
    }
  }
  return null;
}
