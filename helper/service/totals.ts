/** Activity.Totals: what programs sent and received, and what was decided, as the contract tells it. */
import { BastionError } from '../contract/errors.ts';
import { WIRE_LIMITS } from '../contract/names.ts';
import type { TotalsInfo } from '../contract/types.ts';
import type { EngineApi, TrafficTotal } from '../engine-api.ts';
import type { HistoryTotal, TotalsBy, TotalsOf, TotalsRange } from '../ports.ts';
import { applicationName, clipped, protocolWord } from './text.ts';
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

/** What the history adds up for each range. */
const SUMS: Readonly<Record<TotalsRange, readonly TotalsBy[]>> = {
  hour: ['application', 'destination', 'minute'],
  day: ['application', 'destination', 'hour'],
  week: ['application', 'destination', 'hour', 'day'],
  month: ['application', 'destination', 'day'],
};

/** What is asked of the history. */
export interface Wanted {
  readonly range: TotalsRange;
  readonly by: TotalsBy;
}

/** null for `helper` by `application`, which the engine knows by itself. Throws BastionError NotSupported. */
export function totalsWanted(range: string, by: string): Wanted | null {
  if (range === 'helper' && by === 'application') return null;
  const found = Object.entries(SUMS).find(([name]) => name === range);
  if (found === undefined) {
    throw new BastionError('NotSupported', "The ranges are hour, day, week and month; and helper, by application only.");
  }
  const sum = found[1].find((one) => one === by);
  if (sum === undefined) throw new BastionError('NotSupported', `The range ${found[0]} has sums by ${found[1].join(', ')}.`);
  return { range: found[0] as TotalsRange, by: sum };
}

function historyName(total: HistoryTotal): string {
  if (total.path === null) return '';
  if (total.others !== null) return 'Other programs';
  const { forwardedFrom } = total;
  return forwardedFrom === null || forwardedFrom === '' ? applicationName(total.path === '' ? null : total.path) : clipped(forwardedFrom);
}

function historyRow(total: HistoryTotal, user: (uid: number) => string): TotalsInfo {
  const { target, port, protocol } = total;
  return {
    application: historyName(total),
    path: clipped(total.path ?? ''),
    uid: total.uid ?? UNKNOWN_UID,
    user: total.uid === null ? '' : user(total.uid),
    sent_bytes: total.sentBytes,
    sent_packets: total.sentPackets,
    received_bytes: total.receivedBytes,
    received_packets: total.receivedPackets,
    connections: total.allowed + total.refused,
    allowed: total.allowed,
    refused: total.refused,
    ...(total.others === null ? {} : { others: total.others }),
    ...(target === null ? {} : { destination: clipped(target), port: port ?? 0, protocol: protocol === null ? '' : protocolWord(protocol) }),
    ...(total.timeMs === null ? {} : { time_ms: total.timeMs }),
  };
}

/** Sums of the history. Rejects as `EngineApi.historyTotals`. */
export async function historyRows(engine: EngineApi, { range, by }: Wanted, of: TotalsOf): Promise<readonly TotalsInfo[]> {
  const totals = await engine.historyTotals(range, by, of, WIRE_LIMITS.pageRows);
  return totals.map((total) => historyRow(total, (one) => engine.userName(one)));
}
