/** What the history knows of one application: its traffic, where it connects, who started it, what of it was refused. */
import { allRows } from '../../helper/contract/pages.ts';
import type { HelperClient } from '../../helper/contract/client.ts';
import { programKey } from '../../helper/contract/program-key.ts';
import type { AncestorInfo, ApplicationInfo, FlowInfo, TotalsInfo } from '../../helper/contract/types.ts';
import type { RecordRange } from '../model/application-record.ts';
import { RANGE_STEPS, rangeStart } from '../model/application-record.ts';

/** Flows among which different processes are looked for. */
const RECENT_FLOWS = 200;
const REFUSED_FLOWS = 10;
/** Pages that are asked for before what was found is enough: a page may have few rows. */
const PAGES_LIMIT = 4;
/** Flows whose lineage is asked for: each is a question of its own. */
const EXPLAINED_FLOWS = 8;

export interface ApplicationRecord {
  /** In the order of time; times without anything are left out. */
  readonly series: readonly TotalsInfo[];
  /** The most connections first. */
  readonly destinations: readonly TotalsInfo[];
  /** The newest first. */
  readonly refused: readonly FlowInfo[];
  /** Who started it, the nearest first; may hold the same twice. */
  readonly lineages: readonly (readonly AncestorInfo[])[];
}

/** What the flows of the application are found by; null where it is none that could have any. */
export function flowsKey({ kind, path, flatpak, snap }: ApplicationInfo): string | null {
  if (kind === 'package') return null;
  return programKey({ path, flatpak: flatpak === '' ? undefined : flatpak, snap: snap === '' ? undefined : snap });
}

/** Traffic is counted by executable: a script's for its interpreter, an AppImage's for what runs in it. */
export function trafficPath({ kind, path }: ApplicationInfo): string | null {
  return kind === 'script' || kind === 'appimage' || path === '' ? null : path;
}

async function flowsOf(client: HelperClient, filter: Parameters<HelperClient['queryFlows']>[0], limit: number): Promise<readonly FlowInfo[]> {
  return (await allRows((rows, cursor) => client.queryFlows(filter, rows, cursor), limit, PAGES_LIMIT)).rows;
}

/** Flows of different processes, the newest of each: those of one process have one lineage. */
function onePerProcess(flows: readonly FlowInfo[]): readonly FlowInfo[] {
  const byProcess = new Map(flows.toReversed().map((flow) => [`${String(flow.uid)} ${String(flow.pid)}`, flow]));
  return [...byProcess.values()].sort((a, b) => b.time_ms - a.time_ms).slice(0, EXPLAINED_FLOWS);
}

/** A flow that the history has let go of meanwhile has nothing to say. */
async function lineagesOf(client: HelperClient, flows: readonly FlowInfo[]): Promise<readonly (readonly AncestorInfo[])[]> {
  const lineages: (readonly AncestorInfo[])[] = [];
  for (const { id } of onePerProcess(flows)) {
    lineages.push(await client.explain(id).then((why) => why.ancestors ?? [], () => []));
  }
  return lineages;
}

/** Reads everything, one question after the other: each user may have a few waiting only. Rejects as the client does. */
export async function readRecord(client: HelperClient, info: ApplicationInfo, range: RecordRange, nowMs: number): Promise<ApplicationRecord> {
  const program = flowsKey(info);
  const path = trafficPath(info);
  const series = path === null ? [] : await client.historyTotals(range, RANGE_STEPS[range], { path });
  if (program === null) return { series, destinations: [], refused: [], lineages: [] };
  const { rows: destinations } = await client.groupFlows({ program, since_ms: rangeStart(range, nowMs) }, 'destination');
  const refused = await flowsOf(client, { program, verdict: 'refused' }, REFUSED_FLOWS);
  const flows = await flowsOf(client, { program }, RECENT_FLOWS);
  return { series, destinations, refused, lineages: await lineagesOf(client, flows) };
}
