/** Totals of a range, by program, by destination, or as a series in time. */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { HistoryTotal, TotalsBy, TotalsRange } from '../../ports.ts';
import { LEVELS, OTHERS } from './schema.ts';
import type { Level } from './schema.ts';
import { arrays } from './stored-flow.ts';

const [MINUTE, HOUR, DAY] = LEVELS;
/** Which buckets answer for a range, and how many. */
const SPANS: Readonly<Record<TotalsRange, { readonly level: Level; readonly buckets: number }>> = {
  hour: { level: MINUTE, buckets: 60 },
  day: { level: HOUR, buckets: 24 },
  week: { level: HOUR, buckets: 168 },
  month: { level: DAY, buckets: 30 },
};
const STEPS: Readonly<Record<'minute' | 'hour' | 'day', number>> = { minute: MINUTE.lengthMs, hour: HOUR.lengthMs, day: DAY.lengthMs };

/** Both tables as one, with zeros where one has no such column. */
const BOTH = `SELECT bucket, application, allowed, refused, 0 AS sent, 0 AS sent_packets, 0 AS received, 0 AS received_packets
    FROM connections WHERE level = ?1 AND bucket BETWEEN ?2 AND ?3
  UNION ALL SELECT bucket, application, 0, 0, sent_bytes, sent_packets, received_bytes, received_packets
    FROM traffic WHERE level = ?1 AND bucket BETWEEN ?2 AND ?3`;
const SUMS = 'sum(allowed), sum(refused), sum(sent), sum(sent_packets), sum(received), sum(received_packets)';
/** ?4 is a user, ?5 a program's path; null for all. */
const OWN = "(?4 IS NULL OR a.uid = ?4) AND (?5 IS NULL OR (a.path = ?5 AND a.label = ''))";

const BY_APPLICATION = `SELECT a.path, a.label, a.uid, a.others, ${SUMS} FROM (${BOTH}) AS t JOIN applications AS a ON a.id = t.application
  WHERE ${OWN} GROUP BY a.id ORDER BY a.others, sum(sent) + sum(received) DESC, sum(allowed) + sum(refused) DESC, a.path, a.uid`;
const BY_DESTINATION = `SELECT d.target, d.port, d.protocol, t.target, sum(t.allowed), sum(t.refused)
  FROM connections AS t JOIN applications AS a ON a.id = t.application LEFT JOIN targets AS d ON d.id = t.target
  WHERE level = ?1 AND bucket BETWEEN ?2 AND ?3 AND ${OWN}
  GROUP BY t.target ORDER BY t.target = ${String(OTHERS.target)}, sum(t.allowed) + sum(t.refused) DESC, d.target, d.port`;
/** Numbers are bound as floating point, which would divide with a fraction. */
const SERIES = `SELECT bucket / CAST(?6 AS INTEGER), ${SUMS} FROM (${BOTH}) AS t JOIN applications AS a ON a.id = t.application
  WHERE ${OWN} GROUP BY 1 ORDER BY 1`;

type Row = readonly SQLOutputValue[];

const NOTHING: HistoryTotal = {
  timeMs: null, path: null, forwardedFrom: null, uid: null, others: null, target: null, port: null, protocol: null,
  allowed: 0, refused: 0, sentBytes: 0, sentPackets: 0, receivedBytes: 0, receivedPackets: 0,
};

function amountsOf(values: Row): Partial<HistoryTotal> {
  const [allowed = 0, refused = 0, sentBytes = 0, sentPackets = 0, receivedBytes = 0, receivedPackets = 0] = values.map(Number);
  return { allowed, refused, sentBytes, sentPackets, receivedBytes, receivedPackets };
}

function applicationTotal([path, label, uid, others, ...amounts]: Row): HistoryTotal {
  return {
    ...NOTHING, ...amountsOf(amounts), path: String(path), forwardedFrom: String(label), uid: Number(uid) < 0 ? null : Number(uid),
    others: others === 1 ? 0 : null,
  };
}

function destinationTotal([target, port, protocol, id, ...amounts]: Row): HistoryTotal {
  const others = id === OTHERS.target || typeof target !== 'string';
  return {
    ...NOTHING, ...amountsOf(amounts),
    ...(others ? { target: '', others: 0 } : { target, port: Number(port), protocol: Number(protocol) }),
  };
}

function sumOf(left: HistoryTotal, right: HistoryTotal): HistoryTotal {
  return {
    ...left,
    others: (left.others ?? 0) + 1,
    uid: left.uid === right.uid ? left.uid : null,
    allowed: left.allowed + right.allowed,
    refused: left.refused + right.refused,
    sentBytes: left.sentBytes + right.sentBytes,
    sentPackets: left.sentPackets + right.sentPackets,
    receivedBytes: left.receivedBytes + right.receivedBytes,
    receivedPackets: left.receivedPackets + right.receivedPackets,
  };
}

/** What does not fit is added up in a last row. */
function atMost(rows: Iterable<HistoryTotal>, limit: number): readonly HistoryTotal[] {
  const kept: HistoryTotal[] = [];
  let rest: HistoryTotal | null = null;
  for (const row of rows) {
    if (kept.length < limit) kept.push(row);
    else rest = sumOf(rest ?? { ...NOTHING, uid: row.uid, path: row.path === null ? null : '', target: row.target === null ? null : '' }, row);
  }
  if (rest === null) return kept;
  const last = kept.pop();
  return last === undefined ? [rest] : [...kept, sumOf(rest, last)];
}

function* mapped<T>(rows: Iterable<unknown>, make: (row: Row) => T): Iterable<T> {
  for (const row of rows) yield make(row as Row);
}

/** What `readTotals` is asked for; see port `History.totals`. */
export interface TotalsQuestion {
  readonly range: TotalsRange;
  readonly by: TotalsBy;
  readonly uid: number | null;
  readonly path?: string;
  readonly limit: number;
  readonly nowMs: number;
}

/** See port `History.totals`. */
export function readTotals(database: DatabaseSync, { range, by, uid, path, limit, nowMs }: TotalsQuestion): readonly HistoryTotal[] {
  const { level, buckets } = SPANS[range];
  const high = Math.floor(nowMs / level.lengthMs);
  const span = [level.code, high - buckets + 1, high, uid, path ?? null] as const;
  if (by === 'application') return atMost(mapped(arrays(database.prepare(BY_APPLICATION)).iterate(...span), applicationTotal), limit);
  if (by === 'destination') return atMost(mapped(arrays(database.prepare(BY_DESTINATION)).iterate(...span), destinationTotal), limit);
  const stepMs = Math.max(STEPS[by], level.lengthMs);
  const rows = arrays(database.prepare(SERIES)).all(...span, stepMs / level.lengthMs);
  return rows.map((row) => {
    const [at, ...amounts] = row as unknown as Row;
    return { ...NOTHING, ...amountsOf(amounts), timeMs: Number(at) * stepMs };
  });
}
