/**
 * Too many undecided flows: whose are refused without a question, and for how long. A program's own limit comes first, then
 * its user's, then the machine's; what a narrower limit refuses does not count for a wider one, so that one noisy program
 * never silences the others.
 */
import type { BootNs } from '../contract/vocabulary.ts';
import { Rate } from './rate.ts';

/** Undecided flows a second that are too many. */
export interface SafeguardLimits {
  readonly all: number;
  readonly perApp: number;
  readonly perUid: number;
  /** A limit that was passed holds until there were fewer than half as many for so long. */
  readonly quietMs: number;
}

export const DEFAULT_LIMITS: SafeguardLimits = { all: 500, perApp: 50, perUid: 200, quietMs: 10_000 };

/** Programs and users that are counted at the same time; of more, those that were quiet longest are forgotten. */
export const APPLICATIONS = 1024;
export const USERS = 256;
/** Of the offenders that are told. */
export const OFFENDERS = 10;

export type Scope = 'application' | 'user' | 'all';

/** A limit that was passed. */
export interface Trip {
  readonly scope: Scope;
  /** Key of the program; null for the wider scopes. */
  readonly application: string | null;
  /** null for the widest. */
  readonly uid: number | null;
  /** Flows a second at its height. */
  readonly rate: number;
  readonly sinceNs: BootNs;
}

export interface Offender {
  readonly application: string;
  readonly uid: number;
  /** Flows refused since it began. */
  readonly refused: number;
  /** Flows a second, now. */
  readonly rate: number;
}

export interface SafeguardState {
  readonly sinceNs: BootNs;
  /** The widest first. */
  readonly trips: readonly Trip[];
  /** In all, since it began. */
  readonly refused: number;
  /** Those with most refusals first, at most `OFFENDERS`. */
  readonly offenders: readonly Offender[];
}

/** One limit of one program, one user, or the machine. */
class Counter {
  readonly rate = new Rate();
  readonly scope: Scope;
  readonly application: string | null;
  readonly uid: number | null;
  /** null: the limit holds. */
  trippedNs: BootNs | null = null;
  height = 0;
  refused = 0;
  /** When there were last half as many as the limit. */
  #loudNs: BootNs = 0n;

  constructor(scope: Scope, application: string | null, uid: number | null) {
    this.scope = scope;
    this.application = application;
    this.uid = uid;
  }

  /** Counts a flow. True: it is over the limit. */
  take(limit: number, nowNs: BootNs): boolean {
    this.rate.add(nowNs);
    const rate = this.rate.at(nowNs);
    if (rate * 2 >= limit) this.#loudNs = nowNs;
    if (this.trippedNs === null && rate <= limit) return false;
    this.trippedNs ??= nowNs;
    this.height = Math.max(this.height, rate);
    return true;
  }

  endsNs(quietNs: bigint): BootNs {
    return this.#loudNs + quietNs;
  }

  reset(): void {
    this.trippedNs = null;
    this.height = 0;
  }

  trip(sinceNs: BootNs): Trip {
    return { scope: this.scope, application: this.application, uid: this.uid, rate: this.height, sinceNs };
  }
}

/** What one undecided flow is told: refused or not, and whether this is where the safeguard began. */
export type Admission = 'admitted' | 'refused' | 'began';

export class Safeguard {
  #limits: SafeguardLimits;
  #all = new Counter('all', null, null);
  readonly #users = new Map<string, Counter>();
  readonly #applications = new Map<string, Counter>();
  readonly #tripped = new Map<Counter, BootNs>();
  #sinceNs: BootNs | null = null;
  #refused = 0;
  #begins = 0;
  #everRefused = 0;

  constructor(limits: SafeguardLimits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  /** Limits that were passed hold on with the new numbers. */
  set limits(limits: SafeguardLimits) {
    this.#limits = limits;
  }

  get isOn(): boolean {
    return this.#sinceNs !== null;
  }

  /** How often it began, and what it refused, since the helper started. */
  get counts(): { readonly begins: number; readonly refused: number } {
    return { begins: this.#begins, refused: this.#everRefused };
  }

  /** A flow that nobody has decided. `application`: what is told of offenders, at most as long as a path. */
  take(application: string, uid: number, nowNs: BootNs): Admission {
    const own = counterOf(this.#applications, `${String(uid)} ${application}`, APPLICATIONS, () => new Counter('application', application, uid));
    const over = this.#over(own, uid, nowNs);
    if (over === null) return 'admitted';
    own.refused += 1;
    this.#refused += 1;
    this.#everRefused += 1;
    if (!this.#tripped.has(over)) this.#tripped.set(over, nowNs);
    if (this.#sinceNs !== null) return 'refused';
    this.#sinceNs = nowNs;
    this.#begins += 1;
    return 'began';
  }

  /** Takes back what has been quiet for long enough; nothing else does, so that whoever looks can tell. True: the safeguard has ended. */
  look(nowNs: BootNs): boolean {
    if (this.#sinceNs === null) return false;
    for (const counter of this.#tripped.keys()) {
      if (nowNs < counter.endsNs(this.#quietNs)) continue;
      counter.reset();
      this.#tripped.delete(counter);
    }
    if (this.#tripped.size > 0) return false;
    this.end();
    return true;
  }

  /** When it may be over; null while it is not on. */
  nextLookNs(): BootNs | null {
    let next: BootNs | null = null;
    for (const counter of this.#tripped.keys()) {
      const endsNs = counter.endsNs(this.#quietNs);
      if (next === null || endsNs < next) next = endsNs;
    }
    return next;
  }

  /** Begins to count anew. */
  end(): void {
    this.#all = new Counter('all', null, null);
    this.#users.clear();
    this.#applications.clear();
    this.#tripped.clear();
    this.#sinceNs = null;
    this.#refused = 0;
  }

  /** null while it is not on. */
  state(nowNs: BootNs): SafeguardState | null {
    const sinceNs = this.#sinceNs;
    if (sinceNs === null) return null;
    const trips = [...this.#tripped].map(([counter, trippedNs]) => counter.trip(trippedNs));
    return {
      sinceNs,
      trips: trips.sort((one, other) => WIDTH[other.scope] - WIDTH[one.scope] || other.rate - one.rate).slice(0, OFFENDERS),
      refused: this.#refused,
      offenders: this.#offenders(nowNs),
    };
  }

  get #quietNs(): bigint {
    return BigInt(this.#limits.quietMs) * 1_000_000n;
  }

  /** The narrowest limit that this flow is over; null for none. */
  #over(own: Counter, uid: number, nowNs: BootNs): Counter | null {
    const { all, perApp, perUid } = this.#limits;
    if (own.take(perApp, nowNs)) return own;
    const user = counterOf(this.#users, String(uid), USERS, () => new Counter('user', null, uid));
    if (user.take(perUid, nowNs)) return user;
    return this.#all.take(all, nowNs) ? this.#all : null;
  }

  #offenders(nowNs: BootNs): readonly Offender[] {
    return [...this.#applications.values()]
      .filter(({ refused }) => refused > 0)
      .sort((one, other) => other.refused - one.refused)
      .slice(0, OFFENDERS)
      .map(({ application, uid, refused, rate }) => ({ application: application ?? '', uid: uid ?? -1, refused, rate: rate.at(nowNs) }));
  }
}

const WIDTH: Readonly<Record<Scope, number>> = { application: 0, user: 1, all: 2 };

/** The counter of that key, now the last of its table; makes room by the one that was quiet longest. */
function counterOf(table: Map<string, Counter>, key: string, limit: number, make: () => Counter): Counter {
  const counter = table.get(key) ?? make();
  table.delete(key);
  if (table.size >= limit) {
    for (const [oldest, { trippedNs }] of table) {
      if (trippedNs !== null) continue;
      table.delete(oldest);
      break;
    }
  }
  // A table that holds nothing but passed limits takes no more: what is new is counted for its user and the machine.
  if (table.size < limit) table.set(key, counter);
  return counter;
}
