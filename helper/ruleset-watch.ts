/** Looks at the netfilter rules when somebody has changed them: soon, and never so often that a loop of changes keeps us busy. */
import type { Logger, Ruleset } from './ports.ts';

/** So many looks follow each other at the shortest distance; then their number in a second is bounded. */
const BURST = 20;
const SHORTEST_MS = 25;
const SUSTAINED_PER_S = 15;
/**
 * What was put back is looked at once more after this. The tables of xtables are polled every 25 ms: rules that were put back
 * and taken again in between look as if nothing had happened.
 */
const CONFIRM_MS = 60;

/** When the next look may be. Times are milliseconds of one steady clock. */
export class LookPace {
  #left = BURST;
  #lastMs = Number.NEGATIVE_INFINITY;

  /** 0: now. */
  delayMs(nowMs: number): number {
    this.#refill(nowMs);
    const apart = this.#lastMs + SHORTEST_MS - nowMs;
    const allowance = ((1 - this.#left) * 1000) / SUSTAINED_PER_S;
    return Math.max(0, Math.ceil(apart), Math.ceil(allowance));
  }

  take(nowMs: number): void {
    this.#refill(nowMs);
    this.#left -= 1;
    this.#lastMs = nowMs;
  }

  #refilledMs = Number.NEGATIVE_INFINITY;

  #refill(nowMs: number): void {
    const sinceS = (nowMs - this.#refilledMs) / 1000;
    this.#left = Math.min(BURST, this.#left + sinceS * SUSTAINED_PER_S);
    this.#refilledMs = nowMs;
  }
}

export interface RulesetWatchDeps {
  readonly ruleset: Pick<Ruleset, 'watch'>;
  readonly logger: Logger;
  /** A steady clock, milliseconds. */
  nowMs(): number;
  /** Compares, and says whether something was put back; `by`: who changed something since the last look. Must not reject. */
  look(by: string): Promise<boolean>;
}

/** Names of those who changed something are kept for one log line; more than this are cut. */
const NAMES_LIMIT = 8;

export class RulesetWatch {
  readonly #deps: RulesetWatchDeps;
  readonly #pace = new LookPace();
  readonly #changedBy = new Set<string>();
  #watching: { close(): void } | null = null;
  #failure: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #looking = false;

  constructor(deps: RulesetWatchDeps) {
    this.#deps = deps;
  }

  /** Why nobody tells of changes; null while the watch works or was not wanted. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Does nothing while it watches already. */
  start(): void {
    if (this.#watching !== null) return;
    try {
      this.#watching = this.#deps.ruleset.watch((by) => { this.#onChange(by); });
      this.#failure = null;
    } catch (error: unknown) {
      const why = error instanceof Error ? error.message : String(error);
      if (why !== this.#failure) this.#deps.logger.log('warning', 'changes of the netfilter rules cannot be watched', { why });
      this.#failure = why;
    }
  }

  stop(): void {
    this.#watching?.close();
    this.#watching = null;
    this.#failure = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#changedBy.clear();
  }

  #onChange(by: string): void {
    if (this.#watching === null) return;
    if (this.#changedBy.size < NAMES_LIMIT) this.#changedBy.add(by);
    this.#arrange();
  }

  #arrange(leastMs = 0): void {
    if (this.#looking || this.#watching === null) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const delayMs = Math.max(leastMs, this.#pace.delayMs(this.#deps.nowMs()));
    if (delayMs === 0) void this.#look();
    else this.#timer = setTimeout(() => void this.#look(), delayMs).unref();
  }

  async #look(): Promise<void> {
    this.#timer = null;
    this.#looking = true;
    this.#pace.take(this.#deps.nowMs());
    const by = this.#changedBy.size === 0 ? 'somebody' : [...this.#changedBy].join(', ');
    this.#changedBy.clear();
    const mended = await this.#deps.look(by);
    this.#looking = false;
    if (this.#changedBy.size > 0) this.#arrange();
    else if (mended) this.#arrange(CONFIRM_MS);
  }
}
