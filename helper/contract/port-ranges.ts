/** Ranges of ports in the one form in which they are compared. */
import type { PortRange } from './vocabulary.ts';

/** Sorted, and those that overlap or touch as one. */
export function mergedPorts(ranges: readonly PortRange[]): readonly PortRange[] {
  const sorted = [...ranges].sort((a, b) => a.first - b.first || a.last - b.last);
  const result: PortRange[] = [];
  for (const range of sorted) {
    const before = result.at(-1);
    if (before !== undefined && range.first <= before.last + 1) {
      result[result.length - 1] = { first: before.first, last: Math.max(before.last, range.last) };
    } else {
      result.push(range);
    }
  }
  // As long as what is in it: there are as many of these lists as rules.
  return result.slice();
}
