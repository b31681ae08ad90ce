/** How much of the service one caller, one user and all callers together can occupy. */

/** The numbers behind `Busy`. */
export const CALL_LIMITS = {
  /** Calls of one connection that wait for their answer. */
  waitingPerSender: 64,
  /** Calls of one user; root is not counted, so that it can always end what others do. */
  waitingPerUid: 256,
  waitingOverall: 1024,
  /** Calls that wait for polkit, which may wait for a person. */
  askingPerSender: 16,
  askingPerUid: 32,
  /** dbus-daemon gives a connection 128 open calls; what is left over is for root. */
  askingOverall: 96,
  askingOverallRoot: 120,
} as const;

/** Counts what is taken under a key and in all. */
export class Slots<K> {
  readonly #perKey: number;
  readonly #taken = new Map<K, number>();
  #overall = 0;
  #refused = 0;

  /** `perKey` at most for each key. */
  constructor(perKey: number) {
    this.#perKey = perKey;
  }

  /** Times that a slot was refused. */
  get refused(): number {
    return this.#refused;
  }

  /** Takes one; null at the limit. The result gives it back, once. */
  take(key: K, overallLimit: number): (() => void) | null {
    const taken = this.#taken.get(key) ?? 0;
    if (taken >= this.#perKey || this.#overall >= overallLimit) {
      this.#refused += 1;
      return null;
    }
    this.#taken.set(key, taken + 1);
    this.#overall += 1;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#give(key);
    };
  }

  #give(key: K): void {
    this.#overall -= 1;
    const left = (this.#taken.get(key) ?? 1) - 1;
    if (left === 0) this.#taken.delete(key);
    else this.#taken.set(key, left);
  }
}

/** Room for one more call; each method returns the way to give it back, or null for `Busy`. */
export class Admission {
  readonly #waitingBySender = new Slots<string>(CALL_LIMITS.waitingPerSender);
  readonly #waitingByUid = new Slots<number>(CALL_LIMITS.waitingPerUid);
  readonly #askingBySender = new Slots<string>(CALL_LIMITS.askingPerSender);
  readonly #askingByUid = new Slots<number>(CALL_LIMITS.askingPerUid);

  /** Calls that were refused because of a limit. */
  get refused(): number {
    return [this.#waitingBySender, this.#waitingByUid, this.#askingBySender, this.#askingByUid]
      .reduce((sum, slots) => sum + slots.refused, 0);
  }

  /** At arrival, when only the connection's name is known. */
  arrive(sender: string): (() => void) | null {
    return this.#waitingBySender.take(sender, CALL_LIMITS.waitingOverall);
  }

  /** When the user behind the connection is known. */
  enter(uid: number): (() => void) | null {
    return uid === 0 ? () => undefined : this.#waitingByUid.take(uid, Infinity);
  }

  /** Before polkit is asked. */
  ask(sender: string, uid: number): (() => void) | null {
    const overall = uid === 0 ? CALL_LIMITS.askingOverallRoot : CALL_LIMITS.askingOverall;
    const giveSender = this.#askingBySender.take(sender, overall);
    if (giveSender === null || uid === 0) return giveSender;
    const giveUid = this.#askingByUid.take(uid, Infinity);
    if (giveUid === null) {
      giveSender();
      return null;
    }
    return () => {
      giveSender();
      giveUid();
    };
  }
}
