/** When the helper is told that somebody is deciding, and what the countdown says meanwhile. Pure: `now` is an argument. */

/** A prompt whose time is given anew each third of it never gets near its end while somebody is there. */
const PARTS = 3;
const SHORTEST_MS = 1000;
const LONGEST_MS = 10_000;

/** What the plan looks at. */
export interface HoldFacts {
  /** The pointer or the keyboard is inside, and there is something to decide. */
  readonly engaged: boolean;
  /** The prompt's whole time, ms. */
  readonly timeoutMs: number;
  /** Until its deadline, ms. */
  readonly leftMs: number;
}

/** Of one prompt; another one needs another plan. */
export class HoldPlan {
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #refused = false;

  /** Is the helper to be told now? Says so once for each part of the time. */
  due({ engaged, timeoutMs }: HoldFacts, nowMs: number): boolean {
    const everyMs = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, timeoutMs / PARTS));
    if (!engaged || this.#refused || nowMs - this.#askedAtMs < everyMs) return false;
    this.#askedAtMs = nowMs;
    return true;
  }

  /** The helper does not know how, or may not: it is not asked again. */
  refuse(): void {
    this.#refused = true;
  }

  /** Does the time stand still? Not any more when the helper gives no more of it: then the countdown goes on. */
  stands({ engaged, timeoutMs, leftMs }: HoldFacts): boolean {
    if (!engaged || this.#refused) return false;
    const everyMs = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, timeoutMs / PARTS));
    return leftMs >= timeoutMs - everyMs - SHORTEST_MS;
  }
}
