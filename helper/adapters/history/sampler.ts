/** From sums since the helper started to what came since the last look. */
import type { TrafficTotal } from '../../engine-api.ts';
import type { Moved } from './buckets.ts';

const FIELDS = ['sentBytes', 'sentPackets', 'receivedBytes', 'receivedPackets'] as const;

export class Sampler {
  #before: ReadonlyMap<string, TrafficTotal> = new Map();

  /** One row for each program and user whose sums have grown. */
  since(totals: readonly TrafficTotal[]): readonly Moved[] {
    const now = new Map(totals.map((total) => [`${String(total.uid)} ${total.path ?? ''}`, total]));
    const rows: Moved[] = [];
    for (const [key, total] of now) {
      const before = this.#before.get(key);
      // A smaller sum was begun anew.
      const anew = before === undefined || FIELDS.some((field) => total[field] < before[field]);
      const row = anew ? total : {
        ...total,
        sentBytes: total.sentBytes - before.sentBytes,
        sentPackets: total.sentPackets - before.sentPackets,
        receivedBytes: total.receivedBytes - before.receivedBytes,
        receivedPackets: total.receivedPackets - before.receivedPackets,
      };
      if (row.sentPackets + row.receivedPackets > 0) rows.push(row);
    }
    this.#before = now;
    return rows;
  }
}
