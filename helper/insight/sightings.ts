/** What was seen of applications while everything was allowed: each kind of connection once, with how often. */
import type { KnownName } from '../contract/vocabulary.ts';
import { ICMP, ICMPV6 } from '../policy/ports.ts';
import { canonicalName } from '../policy/domains.ts';
import type { Facts } from '../policy/facts.ts';
import type { RecordedFlow } from '../policy/recorded.ts';
import type { Application } from './application.ts';

/** How often, when, and which flows show it. */
export interface Tally {
  connections: number;
  firstMs: number;
  lastMs: number;
  /** Ids of the first few flows. */
  readonly examples: string[];
}

/** One kind of connection: application, user, destination, port. */
export interface Sighting {
  readonly application: Application;
  readonly uid: number;
  /** IANA number; 1 stands for both ICMP. */
  readonly protocol: number;
  /** Or the type of an ICMP message; 0 without ports. */
  readonly port: number;
  readonly address: string;
  /** The name that the program itself asked for; null without one that a rule could hold. */
  readonly name: string | null;
  readonly isLookup: boolean;
  /** Of the first such flow. */
  readonly facts: Facts;
  readonly tally: Tally;
}

/** Flows that are named in a row. */
export const EXAMPLES = 5;
/** Different kinds of connection that are told apart. */
export const SIGHTING_LIMIT = 50_000;

export function newTally(): Tally {
  return { connections: 0, firstMs: Number.MAX_SAFE_INTEGER, lastMs: 0, examples: [] };
}

/** Counts one flow. */
export function count(tally: Tally, { id, timeMs }: RecordedFlow): void {
  tally.connections += 1;
  tally.firstMs = Math.min(tally.firstMs, timeMs);
  tally.lastMs = Math.max(tally.lastMs, timeMs);
  if (tally.examples.length < EXAMPLES) tally.examples.push(id);
}

/** Adds what was counted elsewhere. */
export function addTally(to: Tally, from: Readonly<Tally>): void {
  to.connections += from.connections;
  to.firstMs = Math.min(to.firstMs, from.firstMs);
  to.lastMs = Math.max(to.lastMs, from.lastMs);
  to.examples.push(...from.examples.slice(0, EXAMPLES - to.examples.length));
}

/** By the names of a flow, which flows to one destination share. */
const ASKED_NAMES = new WeakMap<readonly KnownName[], string | null>();

/** The name that an allow rule would look at, if a rule can hold it. */
function askedName({ names }: RecordedFlow): string | null {
  const [first] = names;
  if (first?.source !== 'program') return null;
  const known = ASKED_NAMES.get(names);
  if (known !== undefined) return known;
  const name = canonicalName(first.name) === first.name ? first.name : null;
  ASKED_NAMES.set(names, name);
  return name;
}

export class Sightings {
  readonly #limit: number;
  readonly #known = new Map<string, Sighting>();

  constructor(limit: number = SIGHTING_LIMIT) {
    this.#limit = limit;
  }

  /** In the order in which they came. */
  get all(): readonly Sighting[] {
    return [...this.#known.values()];
  }

  /** False when there is no room for one more kind. */
  take(application: Application, uid: number, record: RecordedFlow, facts: Facts): boolean {
    const { protocol: number, destinationAddress: address, destinationPort: port } = record.tuple;
    const protocol = number === ICMPV6 ? ICMP : number;
    const name = askedName(record);
    const isLookup = record.isLookup === true;
    const key = [application.key, String(uid), String(protocol), String(port), address, name ?? '', isLookup ? 'l' : ''].join(' ');
    let found = this.#known.get(key);
    if (found === undefined) {
      if (this.#known.size >= this.#limit) return false;
      found = { application, uid, protocol, port, address, name, isLookup, facts, tally: newTally() };
      this.#known.set(key, found);
    }
    count(found.tally, record);
    return true;
  }
}
