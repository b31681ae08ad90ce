/** Flows in memory added up by program and user, or by destination: for when nothing is stored. */
import type { FlowRecord } from '../engine-api.ts';
import type { FlowGroup, HistoryFilter } from '../ports.ts';
import { matchesFilter, programKeyOf } from './flow-filter.ts';

function sumOf(left: FlowGroup, right: FlowGroup): FlowGroup {
  return {
    ...left, allowed: left.allowed + right.allowed, refused: left.refused + right.refused, sentBytes: left.sentBytes + right.sentBytes,
    receivedBytes: left.receivedBytes + right.receivedBytes, lastMs: Math.max(left.lastMs, right.lastMs),
  };
}

function groupOf(record: FlowRecord, by: 'application' | 'destination'): FlowGroup {
  const isAllowed = record.decision.action === 'allow';
  return {
    key: by === 'application' ? programKeyOf(record) : record.host ?? record.tuple.destinationAddress,
    uid: by === 'application' ? record.uid : null, others: null, allowed: isAllowed ? 1 : 0, refused: isAllowed ? 0 : 1,
    sentBytes: record.sentBytes ?? 0, receivedBytes: record.receivedBytes ?? 0, lastMs: record.timeMs,
  };
}

/** The most flows first; what does not fit is the last one. `records` are bounded by the memory. */
export function groupRecent(
  records: Iterable<FlowRecord>, filter: HistoryFilter, by: 'application' | 'destination', limit: number,
): readonly FlowGroup[] {
  const groups = new Map<string, FlowGroup>();
  for (const record of records) {
    if (!matchesFilter(record, filter)) continue;
    const group = groupOf(record, by);
    const name = `${String(group.uid)} ${group.key}`;
    const known = groups.get(name);
    groups.set(name, known === undefined ? group : sumOf(known, group));
  }
  const size = (one: FlowGroup): number => one.allowed + one.refused;
  const sorted = [...groups.values()].sort((a, b) => size(b) - size(a) || (a.key === b.key ? (a.uid ?? -1) - (b.uid ?? -1) : a.key < b.key ? -1 : 1));
  if (sorted.length <= limit) return sorted;
  const rest = sorted.slice(limit - 1).reduce(sumOf);
  return [...sorted.slice(0, limit - 1), { ...rest, key: '', uid: null, others: sorted.length - limit + 1 }];
}
