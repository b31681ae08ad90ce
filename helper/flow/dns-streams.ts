/**
 * DNS messages out of the segments of TCP connections. Segments come as they pass, so also twice and out of order; what
 * cannot be followed within the limits is given up. Source: RFC 1035 4.2.2, two bytes of length before each message.
 */
import type { BootNs } from '../contract/vocabulary.ts';
import { SharedTable } from './shared-table.ts';
import type { SharedLimits } from './shared-table.ts';

/** Connections; each has two directions. */
export const STREAM_LIMITS: SharedLimits = { total: 256, perUser: 64, kept: 8 };
/** A longer message ends the reading of its stream. */
export const MESSAGE_LIMIT_BYTES = 16_384;
/** Segments that wait for one before them. */
const EARLY_LIMIT = 8;
/** Shortest message: a header. Source: RFC 1035 4.1.1. */
const HEADER_BYTES = 12;
const LENGTH_BYTES = 2;
/** A connection that has been silent for so long is read as a new one. */
const IDLE_NS = 60_000_000_000n;

export interface Segment {
  /** Names the connection: socket, server and local port. */
  readonly connection: string;
  readonly direction: 'sent' | 'received';
  /** Of the first byte of `payload`, modulo 2^32. */
  readonly sequence: number;
  readonly payload: Uint8Array;
  readonly timeNs: BootNs;
}

interface Half {
  /** null before the first segment. */
  next: number | null;
  readonly early: Map<number, Uint8Array>;
  bytes: Uint8Array;
}

interface Connection {
  readonly sent: Half;
  readonly received: Half;
  lastNs: BootNs;
  givenUp: boolean;
}

function newHalf(): Half {
  return { next: null, early: new Map(), bytes: new Uint8Array() };
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const all = new Uint8Array(left.length + right.length);
  all.set(left);
  all.set(right, left.length);
  return all;
}

/** How far `sequence` lies behind `from`, negative if before it. Source: RFC 9293 3.4. */
function distance(from: number, sequence: number): number {
  return (sequence - from) | 0;
}

/** Takes the segment, and what waited for it; false when the stream cannot be followed. */
function append(half: Half, sequence: number, payload: Uint8Array): boolean {
  half.next ??= sequence;
  const ahead = distance(half.next, sequence);
  if (ahead > 0) {
    if (ahead > MESSAGE_LIMIT_BYTES || (half.early.size >= EARLY_LIMIT && !half.early.has(sequence))) return false;
    half.early.set(sequence, payload);
    return true;
  }
  // Sent again, perhaps with more behind it.
  const fresh = payload.subarray(Math.min(-ahead, payload.length));
  half.bytes = joined(half.bytes, fresh);
  half.next = (half.next + fresh.length) >>> 0;
  for (const [at, waiting] of half.early) {
    if (distance(half.next, at) > 0) continue;
    half.early.delete(at);
    return append(half, at, waiting);
  }
  return true;
}

/** Takes whole messages out of the front; null for a length that no message has. */
function messages(half: Half): readonly Uint8Array[] | null {
  const found: Uint8Array[] = [];
  for (;;) {
    const [high = 0, low = 0] = half.bytes;
    const length = high * 256 + low;
    if (half.bytes.length < LENGTH_BYTES) return found;
    if (length < HEADER_BYTES || length > MESSAGE_LIMIT_BYTES) return null;
    if (half.bytes.length < LENGTH_BYTES + length) return found;
    found.push(half.bytes.slice(LENGTH_BYTES, LENGTH_BYTES + length));
    half.bytes = half.bytes.slice(LENGTH_BYTES + length);
  }
}

export class DnsStreams {
  readonly #connections: SharedTable<Connection>;
  #abandoned = 0;

  constructor(limits: SharedLimits = STREAM_LIMITS) {
    this.#connections = new SharedTable(limits);
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Connections given up, and segments without room. */
  get lost(): number {
    return this.#abandoned + this.#connections.evicted + this.#connections.refused;
  }

  /** The whole messages that this segment completes. `budget` is whose share the connection takes. */
  take(budget: number, segment: Segment): readonly Uint8Array[] {
    const connection = this.#connection(budget, segment);
    if (connection === null || connection.givenUp) return [];
    const half = connection[segment.direction];
    const found = append(half, segment.sequence, segment.payload) ? messages(half) : null;
    if (found !== null) return found;
    this.#abandoned += 1;
    connection.givenUp = true;
    for (const one of [connection.sent, connection.received]) {
      one.early.clear();
      one.bytes = new Uint8Array();
    }
    return [];
  }

  #connection(budget: number, { connection: key, timeNs }: Segment): Connection | null {
    const known = this.#connections.get(budget, key);
    if (known !== undefined && timeNs - known.lastNs < IDLE_NS) {
      known.lastNs = timeNs;
      return known;
    }
    const made: Connection = { sent: newHalf(), received: newHalf(), lastNs: timeNs, givenUp: false };
    return this.#connections.set(budget, key, made) ? made : null;
  }
}
