/**
 * A bounded table that several users fill. Who fills it loses his own oldest entries first; nobody can push another user's
 * entries out below a number that every user keeps.
 */

export interface SharedLimits {
  readonly total: number;
  readonly perUser: number;
  /** A full table takes nothing away from a user who has no more than this. */
  readonly kept: number;
}

/** Keys are one user's own: two users may use the same key. `user` is any whole number that stands for one budget. */
export class SharedTable<V> {
  readonly #limits: SharedLimits;
  readonly #onLeave: (value: V) => void;
  /** Each user's entries, the oldest first. */
  readonly #users = new Map<number, Map<string, V>>();
  #size = 0;
  #evicted = 0;
  #refused = 0;

  /** `onLeave` is told of every value that goes, also of one that is replaced or deleted. */
  constructor(limits: SharedLimits, onLeave: (value: V) => void = () => undefined) {
    this.#limits = limits;
    this.#onLeave = onLeave;
  }

  get size(): number {
    return this.#size;
  }

  /** Entries that left because a limit was reached. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Entries that were not taken because the table was full. */
  get refused(): number {
    return this.#refused;
  }

  get(user: number, key: string): V | undefined {
    return this.#users.get(user)?.get(key);
  }

  /** Entries of one user. */
  sizeOf(user: number): number {
    return this.#users.get(user)?.size ?? 0;
  }

  /** One user's values, the oldest first. */
  values(user: number): Iterable<V> {
    return this.#users.get(user)?.values() ?? [];
  }

  /** Everybody's values, the oldest of each user first. */
  all(): readonly V[] {
    return [...this.#users.values()].flatMap((entries) => [...entries.values()]);
  }

  /** Puts the value in as the user's newest; false when there is no room that may be taken. */
  set(user: number, key: string, value: V): boolean {
    this.delete(user, key);
    if (!this.#makeRoom(user)) {
      this.#refused += 1;
      return false;
    }
    const entries = this.#users.get(user) ?? new Map<string, V>();
    this.#users.set(user, entries.set(key, value));
    this.#size += 1;
    return true;
  }

  delete(user: number, key: string): boolean {
    const entries = this.#users.get(user);
    const value = entries?.get(key);
    if (entries === undefined || value === undefined) return false;
    entries.delete(key);
    if (entries.size === 0) this.#users.delete(user);
    this.#size -= 1;
    this.#onLeave(value);
    return true;
  }

  /** Takes out of one user's entries what `over` says; looks at every one. */
  prune(user: number, over: (value: V) => boolean): void {
    for (const [key, value] of this.#users.get(user) ?? []) if (over(value)) this.delete(user, key);
  }

  #makeRoom(user: number): boolean {
    if (this.sizeOf(user) >= this.#limits.perUser) return this.#evictOldest(user);
    if (this.#size < this.#limits.total) return true;
    let [largest, most] = [user, 0];
    for (const [one, { size }] of this.#users) if (size > most) [largest, most] = [one, size];
    return most > this.#limits.kept && this.#evictOldest(largest);
  }

  #evictOldest(user: number): boolean {
    const [oldest] = this.#users.get(user)?.keys() ?? [];
    if (oldest === undefined) return false;
    this.#evicted += 1;
    return this.delete(user, oldest);
  }
}
