/**
 * Bytes of the last minutes out of counters that only grow: what came between two readings is a sample of the graph, and of
 * each program. What was before the first reading comes from the history, by the minute.
 */
import type { TotalsInfo } from '../../helper/contract/types.ts';
import type { GraphSample } from './graph-model.ts';

/** What the overview's graph shows. */
export const SHOWN_MS = 300_000;
const MINUTE_MS = 60_000;
/** Readings that lie further apart are not of one stretch: nobody looked between. */
const STRETCH_MS = 5000;
/** After this time what a program has moved counts half for its place in the list, so that rows do not jump. */
const HALF_MS = 30_000;

/** What one program of one user moves. */
export interface ProgramTraffic {
  /** '' where no path is known. */
  readonly path: string;
  readonly user: string;
  readonly uid: number;
  /** Of a row that is the sum of several; null for one. */
  readonly others: number | null;
  /** Bytes each second, as last seen. */
  readonly inSpeed: number;
  readonly outSpeed: number;
  /** Bytes since the helper started. */
  readonly inBytes: number;
  readonly outBytes: number;
}

interface Known {
  readonly inBytes: number;
  readonly outBytes: number;
  readonly score: number;
}

function keyOf({ path, uid, others }: TotalsInfo): string {
  return `${String(uid)} ${others === undefined ? '' : 'others'} ${path}`;
}

interface Delta {
  readonly inBytes: number;
  readonly outBytes: number;
}

/** null where a counter went back: the helper began anew. */
function deltaOf(row: TotalsInfo, before: Known): Delta | null {
  const inBytes = row.received_bytes - before.inBytes;
  const outBytes = row.sent_bytes - before.outBytes;
  return inBytes < 0 || outBytes < 0 ? null : { inBytes, outBytes };
}

export class TrafficLog {
  #live: GraphSample[] = [];
  #minutes: readonly GraphSample[] = [];
  #known = new Map<string, Known>();
  #programs: readonly ProgramTraffic[] = [];
  #lastMs: number | null = null;

  /** One reading of all counters. `nowMs`: wall time, ms since 1970. */
  add(rows: readonly TotalsInfo[], nowMs: number): void {
    const spanMs = this.#lastMs === null ? 0 : nowMs - this.#lastMs;
    const usable = spanMs > 0 && spanMs <= STRETCH_MS;
    const fade = usable ? 0.5 ** (spanMs / HALF_MS) : 0;
    const known = new Map<string, Known>();
    const programs: (ProgramTraffic & { readonly score: number })[] = [];
    let [sumIn, sumOut] = [0, 0];
    for (const row of rows) {
      const before = this.#known.get(keyOf(row));
      // A program that was not there at the last reading has moved all its bytes since.
      const start = before ?? { inBytes: 0, outBytes: 0, score: 0 };
      const delta = usable ? deltaOf(row, start) ?? { inBytes: 0, outBytes: 0 } : { inBytes: 0, outBytes: 0 };
      const score = start.score * fade + delta.inBytes + delta.outBytes;
      known.set(keyOf(row), { inBytes: row.received_bytes, outBytes: row.sent_bytes, score });
      sumIn += delta.inBytes;
      sumOut += delta.outBytes;
      const perSecond = usable ? 1000 / spanMs : 0;
      programs.push({
        path: row.path, user: row.user, uid: row.uid, others: row.others ?? null, inSpeed: delta.inBytes * perSecond,
        outSpeed: delta.outBytes * perSecond, inBytes: row.received_bytes, outBytes: row.sent_bytes, score,
      });
    }
    if (usable) this.#live.push({ timeMs: nowMs - spanMs, spanMs, inBytes: sumIn, outBytes: sumOut });
    this.#live = this.#live.filter(({ timeMs }) => timeMs > nowMs - SHOWN_MS - MINUTE_MS);
    this.#known = known;
    this.#lastMs = nowMs;
    this.#programs = programs.sort((a, b) => b.score - a.score || b.inBytes + b.outBytes - (a.inBytes + a.outBytes));
  }

  /** Minutes of the history, for what was before. A minute between others without a row had no traffic. */
  setMinutes(rows: readonly TotalsInfo[], nowMs: number): void {
    const known = new Map(rows.flatMap((row) => (row.time_ms === undefined ? [] : [[row.time_ms, row] as const])));
    const first = Math.max(Math.min(...known.keys()), Math.floor((nowMs - SHOWN_MS) / MINUTE_MS) * MINUTE_MS);
    const minutes: GraphSample[] = [];
    // Traffic is stored once a minute: the last one may not be there yet.
    for (let timeMs = first; timeMs + 2 * MINUTE_MS <= nowMs || known.has(timeMs); timeMs += MINUTE_MS) {
      const row = known.get(timeMs);
      minutes.push({ timeMs, spanMs: MINUTE_MS, inBytes: row?.received_bytes ?? 0, outBytes: row?.sent_bytes ?? 0 });
    }
    this.#minutes = known.size === 0 ? [] : minutes;
  }

  /** The helper has gone or another one came: its counters begin anew. The graph keeps what it has. */
  restart(): void {
    this.#known = new Map();
    this.#lastMs = null;
    this.#programs = [];
  }

  /** What has been read live, and between that what the history knows. */
  samples(nowMs: number): readonly GraphSample[] {
    const fill = this.#minutes.flatMap((minute) => uncovered(minute, this.#live, nowMs));
    return [...fill, ...this.#live].sort((a, b) => a.timeMs - b.timeMs);
  }

  /** The most active lately first. Rows that stand for many programs are not among them. */
  programs(most: number): readonly ProgramTraffic[] {
    return this.#programs.filter(({ others }) => others === null).slice(0, most);
  }

  /** Are the bytes of this user's programs alone? */
  isOnly(uid: number): boolean {
    return this.#programs.every((program) => program.uid === uid);
  }
}

/** The parts of a minute that no live sample covers, each with its share of the bytes. */
function uncovered(minute: GraphSample, live: readonly GraphSample[], nowMs: number): readonly GraphSample[] {
  const parts: GraphSample[] = [];
  const end = Math.min(minute.timeMs + minute.spanMs, nowMs);
  const take = (from: number, to: number): void => {
    const share = (to - from) / minute.spanMs;
    if (share > 0) parts.push({ timeMs: from, spanMs: to - from, inBytes: minute.inBytes * share, outBytes: minute.outBytes * share });
  };
  let at = minute.timeMs;
  for (const { timeMs, spanMs } of live) {
    if (timeMs + spanMs <= at || timeMs >= end) continue;
    take(at, Math.min(timeMs, end));
    at = Math.max(at, timeMs + spanMs);
  }
  take(at, end);
  return parts;
}
