/** Is what a file holds now what a process ran? The kernel tells an executable's change time in whole seconds only. */
import type { BootNs } from '../../contract/vocabulary.ts';

/**
 * The kernel stamps files with the time of its last tick, which is 10 ms ago at most (CONFIG_HZ=100). Source:
 * ktime_get_coarse_real_ts64.
 */
const TICK_NS = 20_000_000n;

export interface Instant {
  readonly bootNs: BootNs;
  /** Milliseconds since 1970. */
  readonly wallMs: number;
}

/**
 * Had the file its present content before the process began? Else it may have been written anew within the second that the
 * kernel's record tells, after the process had run what was there before.
 */
export function isOlderThan(ctimeNs: bigint, startNs: BootNs, { bootNs, wallMs }: Instant): boolean {
  const startedNs = BigInt(Math.trunc(wallMs)) * 1_000_000n - (bootNs - startNs);
  return ctimeNs + TICK_NS <= startedNs;
}

/** Can the file have been written again without its change time in whole seconds telling? */
export function isSettled(ctimeSec: number, wallMs: number): boolean {
  return wallMs >= (ctimeSec + 2) * 1000;
}
