/** The packet queue and the kernel's decision maps: port `DataPath`, over the addon. */
import { readFileSync } from 'node:fs';
import { assertNever } from '../contract/errors.ts';
import type { Attribution, Confidence } from '../contract/vocabulary.ts';
import type { Ask, DataPath, DataPathEvents } from '../ports.ts';
import type { NativeAsk, NativeBinding, NativeEvents, NativeOptions } from '../../native/binding.ts';
import { dnsQuestion } from './dns-question.ts';
import { FileCheck } from './file-check.ts';

export interface DataPathOptions extends NativeOptions {
  readonly native: NativeBinding;
  readonly events: DataPathEvents;
}

/**
 * Takes the queue, loads and pins the kernel programs, starts the receiver thread.
 *
 * @throws Error with `code` 'EBUSY' and a message that names the holder if another process has the queue, 'EPERM' without
 * the right to it.
 */
export function openDataPath(options: DataPathOptions): DataPath {
  const { native, events, ...nativeOptions } = options;
  const check = new FileCheck(native);
  const path = native.open(nativeOptions, (batch) => {
    deliver(batch, events, check);
  });
  const { identification, xtAllow, xtRefuse, missing } = path.features;
  return {
    identification,
    xtPrograms: xtAllow === null || xtRefuse === null ? null : { allow: xtAllow, refuse: xtRefuse },
    missing,
    answer: (answers) => path.answer(answers),
    remember: (entries) => {
      path.remember(entries);
    },
    forgetAll: () => {
      path.forgetAll();
    },
    setDefaultVerdict: (verdict) => {
      path.setDefaultVerdict(verdict);
    },
    setPacketTrace: (on) => {
      path.setPacketTrace(on);
    },
    counters: () => path.counters(),
    close: (how) => path.close(how),
  };
}

function deliver(batch: NativeEvents, events: DataPathEvents, check: FileCheck): void {
  if (batch.asks.length > 0) events.onAsks(batch.asks.map((ask) => askOf(ask, check)));
  if (batch.ended.length > 0) events.onEnded(batch.ended.map((end) => end.id));
  if (batch.packets.length > 0) {
    events.onPackets(batch.packets.map(({ tuple, length, interfaceName }) => ({ tuple, lengthBytes: length, interfaceName })));
  }
  if (batch.queueReady !== undefined) events.onQueueReady(batch.queueReady, batch.message ?? '');
}

function askOf(ask: NativeAsk, check: FileCheck): Ask {
  return {
    id: ask.id,
    tuple: ask.tuple,
    attribution: attributionOf(ask, check),
    interfaceName: ask.interfaceName,
    lengthBytes: ask.length,
    dnsQuestion: dnsQuestion(ask.payload),
    heldAtNs: ask.heldAtNs,
    answersPeer: ask.answersPeer,
  };
}

function attributionOf(ask: NativeAsk, check: FileCheck): Attribution {
  const { owner, evidence, path: claimed } = ask;
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
