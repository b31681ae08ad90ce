/** The methods of org.bastionfirewall.Helper1.Rules that look through the recorded flows: Propose, Simulate, Review. */
import { array, u64 } from '../contract/codec.ts';
import { ACTIONS } from '../contract/names.ts';
import { proposal, proposeOptions, ruleChange, ruleFinding, simulation, simulationRow } from '../contract/types.ts';
import type { InsightApi, InsightScope } from '../engine-api.ts';
import { method } from './method.ts';
import type { Call, ServedInterface } from './method.ts';
import { rows } from './wire-types.ts';

/** Changes that one call tries; more do not fit into a message. */
const MOST_CHANGES = 64;

export class Insights {
  readonly #api: InsightApi;
  /** By connection: what ends when it leaves. */
  readonly #waiting = new Map<string, Set<AbortController>>();

  constructor(api: InsightApi) {
    this.#api = api;
  }

  /** The connection has ended: nobody waits for its answers. */
  remove(callerName: string): void {
    for (const controller of this.#waiting.get(callerName) ?? []) controller.abort();
    this.#waiting.delete(callerName);
  }

  get methods(): ServedInterface['methods'] {
    return {
      Propose: method({
        input: [proposeOptions],
        names: ['options'],
        output: [rows(proposal)],
        cost: (caller, { uid }) => (uid === undefined || uid === caller.uid ? null : ACTIONS.viewAll),
        run: async (call, { since_ms: sinceMs = 0, include_decided: includeDecided = false, uid }) => {
          const whose = uid ?? (await ownOrAll(call));
          return [await this.#ask(call, whose, (scope) => this.#api.propose({ sinceMs, includeDecided }, scope))];
        },
      }),
      Simulate: method({
        input: [array(ruleChange, MOST_CHANGES), u64],
        names: ['changes', 'since_ms'],
        output: [simulation, rows(simulationRow)],
        run: async (call, changes, sinceMs) => {
          const whose = await ownOrAll(call);
          const { summary, rows: found } = await this.#ask(call, whose, (scope) => this.#api.simulate(changes, sinceMs, scope));
          return [summary, found];
        },
      }),
      Review: method({
        input: [],
        names: [],
        output: [rows(ruleFinding)],
        run: async (call) => [await this.#ask(call, null, (scope) => this.#api.review(scope))],
      }),
    };
  }

  async #ask<T>({ caller: { name, uid: asker } }: Call, uid: number | null, work: (scope: InsightScope) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const own = this.#waiting.get(name) ?? new Set();
    this.#waiting.set(name, own.add(controller));
    try {
      return await work({ uid, asker, signal: controller.signal });
    } finally {
      own.delete(controller);
      if (own.size === 0) this.#waiting.delete(name);
    }
  }
}

/** Everybody's flows for who may see them without being asked for a password, else one's own. */
async function ownOrAll(call: Call): Promise<number | null> {
  return (await call.allows(ACTIONS.viewAll)) ? null : call.caller.uid;
}
