/**
 * What the data path was let remember, and of which flow, so that a change of the rules can say of each what becomes of it
 * without asking again. What is not in here any more is asked about again, and no more than that.
 */
import type { BootNs, RuleAction } from '../contract/vocabulary.ts';
import { programKey } from '../flow/names.ts';
import { SharedTable } from '../flow/shared-table.ts';
import type { SharedLimits } from '../flow/shared-table.ts';
import type { Users } from '../ports.ts';
import type { Held } from './decider.ts';
import type { Memory } from './memory.ts';

export const LEDGER_LIMITS: SharedLimits = { total: 16_384, perUser: 8192, kept: 1024 };
/** From here on a user may own thousands of uids for containers. Source: subuid(5), login.defs(5) SUB_UID_MIN. */
const FIRST_SUBORDINATE_UID = 65_536;
/** The one share of all those that are no users of this machine. */
const STRANGERS = -1;

/** What a flow was decided to be, and what is remembered of that. */
export interface Remembered {
  readonly held: Held;
  readonly action: RuleAction;
  readonly memory: Memory;
}

export interface LedgerEntry extends Remembered {
  /** One text for the program's file and the path that it was verified at; '' without one. */
  readonly file: string;
}

export interface LedgerOptions {
  readonly users: Pick<Users, 'name'>;
  readonly limits?: SharedLimits;
}

export class Ledger {
  readonly #users: Pick<Users, 'name'>;
  readonly #limits: SharedLimits;
  #entries: SharedTable<LedgerEntry>;
  #endsNs: BootNs | null = null;
  #lost = 0;

  constructor({ users, limits = LEDGER_LIMITS }: LedgerOptions) {
    this.#users = users;
    this.#limits = limits;
    this.#entries = new SharedTable(limits);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Entries that a limit pushed out or kept out. */
  get lost(): number {
    return this.#lost + this.#entries.evicted + this.#entries.refused;
  }

  /** The earliest end of an entry, or an earlier time at which one ended that is no more; null for none. */
  get endsNs(): BootNs | null {
    return this.#endsNs;
  }

  /** Keeps this as the newest of its user, if it is worth keeping. */
  put(remembered: Remembered): void {
    const { held: { ask: { attribution: { owner, identity: { path } }, origin } }, memory } = remembered;
    if (owner === null || origin === 'forwarded' || !memory.lasting) return;
    const file = path === null || origin !== 'process' ? '' : `${programKey(owner.executable, 0)} ${path}`;
    this.#set(owner.uid, { ...remembered, file });
  }

  /** Every entry, the oldest of each user first. */
  all(): readonly LedgerEntry[] {
    return this.#entries.all();
  }

  /** These entries, in this order, in place of all others. */
  fill(entries: readonly LedgerEntry[]): void {
    this.#lost = this.lost;
    this.#entries = new SharedTable(this.#limits);
    this.#endsNs = null;
    for (const entry of entries) this.#set(entry.held.ask.attribution.owner?.uid ?? STRANGERS, entry);
  }

  #set(uid: number, entry: LedgerEntry): void {
    const { endsNs, key } = entry.memory;
    if (endsNs !== null && (this.#endsNs === null || endsNs < this.#endsNs)) this.#endsNs = endsNs;
    this.#entries.set(this.#budget(uid), key, entry);
  }

  #budget(uid: number): number {
    return uid < FIRST_SUBORDINATE_UID || this.#users.name(uid) !== String(uid) ? uid : STRANGERS;
  }
}
