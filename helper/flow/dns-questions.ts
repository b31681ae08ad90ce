/** DNS questions that wait for their answer. Only an answer to one of them counts, and only once. */
import type { BootNs } from '../contract/vocabulary.ts';
import type { Asker } from './names.ts';
import { SharedTable } from './shared-table.ts';
import type { SharedLimits } from './shared-table.ts';

export const QUESTION_LIMITS: SharedLimits = { total: 4096, perUser: 512, kept: 64 };
/** A later answer is none: programs have given up or asked again. */
export const QUESTION_NS = 10_000_000_000n;

/** What question and answer must agree in. */
export interface Exchange {
  readonly protocol: number;
  readonly serverAddress: string;
  readonly serverPort: number;
  readonly localPort: number;
  readonly cookie: bigint;
  readonly id: number;
  /** Lower case: a server may answer in other letters than were asked in. */
  readonly name: string;
  readonly type: number;
}

interface Asked {
  readonly asker: Asker;
  readonly timeNs: BootNs;
  readonly key: string;
}

function keyOf({ protocol, serverAddress, serverPort, localPort, cookie, id, name, type }: Exchange): string {
  return [
    String(protocol), serverAddress, String(serverPort), String(localPort), String(cookie), String(id), String(type), name,
  ].join(' ');
}

export class QuestionTable {
  readonly #asked: SharedTable<Asked>;
  readonly #budgets = new Map<string, number>();

  constructor(limits: SharedLimits = QUESTION_LIMITS) {
    this.#asked = new SharedTable(limits, ({ key }) => { this.#budgets.delete(key); });
  }

  get size(): number {
    return this.#asked.size;
  }

  get lost(): number {
    return this.#asked.evicted + this.#asked.refused;
  }

  /** A question was sent; the same one again counts from now. */
  ask(exchange: Exchange, asker: Asker, timeNs: BootNs): void {
    const key = keyOf(exchange);
    for (const old of this.#asked.values(asker.budget)) {
      if (timeNs - old.timeNs <= QUESTION_NS) break;
      this.#asked.delete(asker.budget, old.key);
    }
    if (this.#asked.set(asker.budget, key, { asker, timeNs, key })) this.#budgets.set(key, asker.budget);
  }

  /** Who asked what this answers; null where nobody did, or too long ago. Takes the question away. */
  answer(exchange: Exchange, timeNs: BootNs): Asker | null {
    const key = keyOf(exchange);
    const budget = this.#budgets.get(key);
    const asked = budget === undefined ? undefined : this.#asked.get(budget, key);
    if (budget === undefined || asked === undefined) return null;
    this.#asked.delete(budget, key);
    return timeNs >= asked.timeNs && timeNs - asked.timeNs <= QUESTION_NS ? asked.asker : null;
  }
}
