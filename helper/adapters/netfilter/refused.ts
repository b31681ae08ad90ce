/** How many packets from outside each zone has refused, over changes of the rules that count them. */
import type { InboundSpec } from '../../ports.ts';
import { refusedIn } from './inbound.ts';
import type { Family } from './rules.ts';

/** A count serves all who ask within this time: any user may ask, and each costs two processes. */
const GOOD_FOR_MS = 1000;

export interface RefusedDeps {
  /** The rules of a family with their counters. */
  readonly list: (family: Family) => Promise<string>;
  readonly nowMs: () => number;
}

export class RefusedPackets {
  readonly #deps: RefusedDeps;
  /** Whose chains count now. */
  readonly #inForce = new Map<Family, InboundSpec>();
  /** What chains that were replaced had refused, by zone. */
  readonly #before = new Map<string, number>();
  #changing = false;
  #changes = 0;
  #told: ReadonlyMap<string, number> = new Map();
  #count: Promise<ReadonlyMap<string, number>> | null = null;
  #goodUntilMs = 0;

  constructor(deps: RefusedDeps) {
    this.#deps = deps;
  }

  /** One count for all who ask meanwhile and soon after, also where it fails. While the rules change it is the last one. */
  current(): Promise<ReadonlyMap<string, number>> {
    if (this.#count !== null && this.#deps.nowMs() < this.#goodUntilMs) return this.#count;
    this.#goodUntilMs = Infinity;
    this.#count = this.#look().finally(() => { this.#goodUntilMs = this.#deps.nowMs() + GOOD_FOR_MS; });
    return this.#count;
  }

  /** Around everything that calls what `replacing` gives; one at a time. */
  async duringChange<T>(change: () => Promise<T>): Promise<T> {
    this.#changing = true;
    this.#changes += 1;
    try {
      return await change();
    } finally {
      this.#changing = false;
    }
  }

  /**
   * Before the chains of a family are made anew, which then count from nothing. What it gives is to be called when they are, and
   * does so once; until then nothing is taken over. A count that cannot be read is no reason not to go on.
   */
  async replacing(family: Family, next: InboundSpec | undefined): Promise<() => void> {
    const counted = await this.#countOf(family).catch(() => new Map<string, number>());
    let done = false;
    return () => {
      if (done) return;
      done = true;
      addTo(this.#before, counted);
      if (next === undefined) this.#inForce.delete(family);
      else this.#inForce.set(family, next);
    };
  }

  async #look(): Promise<ReadonlyMap<string, number>> {
    const changes = this.#changes;
    if (this.#changing) return this.#told;
    const sums = new Map(this.#before);
    for (const family of [...this.#inForce.keys()]) addTo(sums, await this.#countOf(family));
    // What was listed before a change does not go together with what was taken over in it.
    if (changes === this.#changes) this.#told = sums;
    return this.#told;
  }

  async #countOf(family: Family): Promise<ReadonlyMap<string, number>> {
    const spec = this.#inForce.get(family);
    return spec === undefined ? new Map<string, number>() : refusedIn(await this.#deps.list(family), spec);
  }
}

function addTo(sums: Map<string, number>, more: ReadonlyMap<string, number>): void {
  for (const [zone, packets] of more) sums.set(zone, (sums.get(zone) ?? 0) + packets);
}
