/** Activity.Totals: what each program sent and received, as the contract tells it. */
import { WIRE_LIMITS } from '../contract/names.ts';
import type { TotalsInfo } from '../contract/types.ts';
import type { EngineApi, TrafficTotal } from '../engine-api.ts';
import { applicationName, clipped } from './text.ts';
import { UNKNOWN_UID } from './wire-types.ts';

function row(total: TrafficTotal, user: (uid: number) => string): TotalsInfo {
  return {
    application: applicationName(total.path),
    path: clipped(total.path ?? ''),
    uid: total.uid ?? UNKNOWN_UID,
    user: total.uid === null ? '' : user(total.uid),
    sent_bytes: total.sentBytes,
    sent_packets: total.sentPackets,
    received_bytes: total.receivedBytes,
    received_packets: total.receivedPackets,
  };
}

/** The rows that do not fit, as one. */
function others(rest: readonly TotalsInfo[]): TotalsInfo {
  const sum = (read: (one: TotalsInfo) => number): number => rest.reduce((total, one) => total + read(one), 0);
  const [first] = rest;
  const sameUser = rest.every(({ uid }) => uid === first?.uid);
  return {
    application: 'Other programs',
    path: '',
    uid: sameUser ? first?.uid ?? UNKNOWN_UID : UNKNOWN_UID,
    user: sameUser ? first?.user ?? '' : '',
    sent_bytes: sum((one) => one.sent_bytes),
    sent_packets: sum((one) => one.sent_packets),
    received_bytes: sum((one) => one.received_bytes),
    received_packets: sum((one) => one.received_packets),
    others: rest.length,
  };
}

/** The rows of one user, or of all with null: the most bytes first, and as many as one page. */
export function totalsRows(engine: EngineApi, uid: number | null): readonly TotalsInfo[] {
  const wanted = engine.totals().filter((total) => uid === null || total.uid === uid);
  const kept = wanted.length <= WIRE_LIMITS.pageRows ? wanted.length : WIRE_LIMITS.pageRows - 1;
  const first = wanted.slice(0, kept).map((total) => row(total, (one) => engine.userName(one)));
  // Names of users are looked up for the rows that are shown only.
  const rest = wanted.slice(kept).map((total) => row(total, String));
  return rest.length === 0 ? first : [...first, others(rest)];
}
