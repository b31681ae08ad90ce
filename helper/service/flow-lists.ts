/** Activity.Index and Activity.Group as the contract tells them. */
import { BastionError } from '../contract/errors.ts';
import { WIRE_LIMITS } from '../contract/names.ts';
import { GROUPS } from '../contract/types.ts';
import type { FlowFilter, GroupBy, HistoryState, TotalsInfo } from '../contract/types.ts';
import { ACTIONS } from '../contract/names.ts';
import type { Action } from '../contract/names.ts';
import type { EngineApi } from '../engine-api.ts';
import type { FlowGroup } from '../ports.ts';
import type { Caller } from './callers.ts';
import type { Call } from './method.ts';
import { applicationName, clipped } from './text.ts';
import { UNKNOWN_UID } from './wire-types.ts';

const BASE = 36;

/** What a look at these flows costs beyond `view`. */
export function filterCost(caller: Caller, filter: Pick<FlowFilter, 'uid' | 'everybody'>): Action | null {
  const own = filter.everybody !== true && (filter.uid === undefined || filter.uid === caller.uid);
  return own ? null : ACTIONS.viewAll;
}

/** Whose flows the caller gets; undefined for everybody's. What it costs has been paid. */
export async function filterUid(call: Call, filter: FlowFilter): Promise<number | undefined> {
  if (filter.uid !== undefined || filter.everybody === true) return filter.uid;
  return (await call.allows(ACTIONS.viewAll)) ? undefined : call.caller.uid;
}

/** `f1a 1 1 5`: the first id, then how much lower each next number is. */
export function indexText(numbers: readonly number[]): string {
  const [first, ...others] = numbers;
  if (first === undefined) return '';
  let before = first;
  const steps = others.map((number) => {
    const step = before - number;
    before = number;
    return step.toString(BASE);
  });
  return [`f${first.toString(BASE)}`, ...steps].join(' ');
}

/** Throws BastionError NotSupported. */
export function groupBy(by: string): GroupBy {
  const found = GROUPS.find((one) => one === by);
  if (found === undefined) throw new BastionError('NotSupported', `The sums are by ${GROUPS.join(' or ')}.`);
  return found;
}

function groupRow(group: FlowGroup, by: GroupBy, user: (uid: number) => string): TotalsInfo {
  const { key, uid, others, allowed, refused, sentBytes, receivedBytes, lastMs } = group;
  const name = key.slice(key.indexOf(':') + 1);
  const isFile = key.startsWith('path:');
  const application = by === 'application' ? { application: isFile ? applicationName(name) : clipped(name), path: isFile ? clipped(name) : '', program: clipped(key) } : null;
  const destination = by === 'destination' ? { destination: clipped(key) } : null;
  return {
    application: '', path: '', ...(others === null ? application : { application: by === 'application' ? 'Other programs' : '' }),
    uid: uid ?? UNKNOWN_UID, user: uid === null ? '' : user(uid),
    sent_bytes: sentBytes, sent_packets: 0, received_bytes: receivedBytes, received_packets: 0,
    ...(others === null ? {} : { others }), connections: allowed + refused, allowed, refused, ...destination, last_ms: lastMs,
  };
}

/** What Group returns. Rejects as `EngineApi.flowGroups`. */
export async function groupRows(
  engine: EngineApi, filter: Parameters<EngineApi['flowGroups']>[0], by: GroupBy,
): Promise<[readonly TotalsInfo[], number]> {
  const { groups, sinceMs } = await engine.flowGroups(filter, by, WIRE_LIMITS.pageRows);
  return [groups.map((one) => groupRow(one, by, (uid) => engine.userName(uid))), sinceMs];
}

export function historyStateOf(engine: EngineApi): HistoryState {
  const state = engine.historyState();
  if (state === null) return { enabled: false, names: false, keep_days: 0, max_megabytes: 0, failure: '' };
  const { settings, failure } = state;
  return { enabled: settings.enabled, names: settings.names, keep_days: settings.keepDays, max_megabytes: settings.maxMegabytes, failure: clipped(failure ?? '') };
}
