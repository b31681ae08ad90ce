/** Wall time that a clock set back cannot prolong. */
import type { BootNs } from '../contract/vocabulary.ts';

const NS_PER_MS = 1_000_000n;

/** The end of a rule as its file can say it: whole seconds. In memory it is the same, so that a restart changes nothing. */
export function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

/** The furthest wall time seen so far, and when on the boot clock. */
export interface WallMark {
  readonly bootNs: BootNs;
  readonly wallMs: number;
}

/**
 * The wall time that `until` is compared with: the clock's, or what the boot clock says has passed since the furthest time
 * seen, whichever is later. So a rule that ends at a wall time never lasts longer because the clock went back.
 */
export function advanceWall(mark: WallMark | null, bootNs: BootNs, wallMs: number): WallMark {
  if (mark === null) return { bootNs, wallMs };
  const passedMs = bootNs > mark.bootNs ? Number((bootNs - mark.bootNs) / NS_PER_MS) : 0;
  const expectedMs = mark.wallMs + passedMs;
  if (wallMs >= expectedMs) return { bootNs, wallMs };
  // The remainder below a millisecond is kept: many small steps must not make time stand still.
  return passedMs === 0 ? mark : { bootNs: mark.bootNs + BigInt(passedMs) * NS_PER_MS, wallMs: expectedMs };
}
