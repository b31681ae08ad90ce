/** Bytes and packets of each program and user since the helper started, from counters that the kernel keeps for longer. */
import type { BootNs } from '../contract/vocabulary.ts';
import type { TrafficTotal } from '../engine-api.ts';
import type { DataPath, Traffic } from '../ports.ts';

/** Programs and users that are told apart; what is over is one row. Source: native/src/traffic.hpp keeps as many. */
const ROWS_LIMIT = 16_384;
/** Reading costs two system calls for each program: who asks more often is told the same again. */
const READ_AGAIN_NS = 200_000_000n;
/** Source: `noUid`, native/src/traffic.cpp: programs that found no room in its table. */
const NO_UID = 0xffff_ffff;

type Amounts = Pick<TrafficTotal, 'sentBytes' | 'sentPackets' | 'receivedBytes' | 'receivedPackets'>;

const FIELDS = ['sentBytes', 'sentPackets', 'receivedBytes', 'receivedPackets'] as const;

function combined(left: Amounts, right: Amounts, combine: (a: number, b: number) => number): Amounts {
  return {
    sentBytes: combine(left.sentBytes, right.sentBytes),
    sentPackets: combine(left.sentPackets, right.sentPackets),
    receivedBytes: combine(left.receivedBytes, right.receivedBytes),
    receivedPackets: combine(left.receivedPackets, right.receivedPackets),
  };
}

const NOTHING: Amounts = { sentBytes: 0, sentPackets: 0, receivedBytes: 0, receivedPackets: 0 };
/** Whose a row is that stands for many. */
const OTHERS = { path: null, uid: null } as const;

const sum = (left: Amounts, right: Amounts): Amounts => combined(left, right, (a, b) => a + b);

/** What was counted since `before`; everything where the kernel began anew meanwhile. */
function since(now: Amounts, before: Amounts | undefined): Amounts {
  if (before === undefined || FIELDS.some((field) => now[field] < before[field])) return now;
  return combined(now, before, (a, b) => a - b);
}

/** Bytes in both directions. */
export function bytesOf({ sentBytes, receivedBytes }: Amounts): number {
  return sentBytes + receivedBytes;
}

function entryKey({ executable, uid }: Traffic): string {
  const { device, inode, generation, ctimeSec } = executable;
  return [device, inode, generation, ctimeSec, uid].map(String).join(' ');
}

/** Rows by path and user; one for all of an unknown path. */
class Merged {
  readonly #rows = new Map<string, TrafficTotal>();

  add(row: TrafficTotal): void {
    const own = `${String(row.uid)} ${row.path ?? ''}`;
    const full = this.#rows.size >= ROWS_LIMIT && !this.#rows.has(own);
    const { path, uid } = full ? OTHERS : row;
    const key = full ? `${String(uid)} ` : own;
    const known = this.#rows.get(key);
    this.#rows.set(key, { path, uid, ...sum(known ?? NOTHING, row) });
  }

  rows(): readonly TrafficTotal[] {
    return [...this.#rows.values()];
  }
}

export class Totals {
  /** Of data paths that were closed. */
  readonly #closed = new Merged();
  /** What the open data path's entries said when it was opened. */
  #before: ReadonlyMap<string, Amounts> = new Map();
  #dataPath: DataPath | null = null;
  #read: { readonly atNs: BootNs; readonly rows: readonly TrafficTotal[] } | null = null;

  /** Counts on from here; what the one before counted stays. */
  attach(dataPath: DataPath | null): void {
    for (const row of this.#open()) this.#closed.add(row);
    this.#dataPath = dataPath;
    this.#before = new Map(dataPath?.traffic().map((entry) => [entryKey(entry), entry]));
    this.#read = null;
  }

  /** One row for each program and user that had traffic, the most bytes first. */
  rows(nowNs: BootNs): readonly TrafficTotal[] {
    if (this.#read === null || nowNs - this.#read.atNs >= READ_AGAIN_NS) {
      const merged = new Merged();
      for (const row of [...this.#closed.rows(), ...this.#open()]) merged.add(row);
      this.#read = { atNs: nowNs, rows: [...merged.rows()].sort((a, b) => bytesOf(b) - bytesOf(a)) };
    }
    return this.#read.rows;
  }

  #open(): readonly TrafficTotal[] {
    const entries = this.#dataPath?.traffic() ?? [];
    return entries
      .map((entry) => ({
        path: entry.path,
        uid: entry.uid === NO_UID ? null : entry.uid,
        ...since(entry, this.#before.get(entryKey(entry))),
      }))
      .filter((row) => row.sentPackets + row.receivedPackets > 0);
  }
}
