/** The file that recorded flows are exported to. */
import type { FlowFormat } from '../../helper/contract/flow-export.ts';

/** `connections-2026-03-12.csv`; `nowMs`: wall time. */
export function exportName(format: FlowFormat, nowMs: number): string {
  return `connections-${new Date(nowMs).toISOString().slice(0, 10)}.${format}`;
}
