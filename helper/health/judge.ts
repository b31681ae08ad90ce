/**
 * Judges from what answered whether the helper works: whether the service manager is told so, whether something is to be mended
 * first, or whether only a new start helps.
 */

/** What answered in one look at the data path. */
export interface Answers {
  /** When the receiver thread last turned; it turns at least once a second. */
  readonly lastTurnNs: bigint;
  /** The kernel says that the packet queue is ours. */
  readonly queue: boolean;
  /** What is wrong with the pinned maps and links; '' if nothing is. */
  readonly kernelFault: string;
}

export interface Judgement {
  /** Everything that is attached has answered within its time. */
  readonly alive: boolean;
  /** What is to be attached anew, said once for each time that it went missing; null for nothing. */
  readonly mend: string | null;
  /** Why no mending can help; null while it may. */
  readonly hopeless: string | null;
}

/** How long a part may be silent, in shares of the interval in which the manager wants to hear of the helper. */
const PATIENCE = {
  /** Two turns of an idle thread, where the interval is three seconds. */
  receiver: 2 / 3,
  /** The receiver thread opens a queue again that failed, every 100 ms: it comes first. */
  mend: 1 / 3,
  /** From the mending on. */
  mended: 2 / 3,
} as const;
/** Looks in one interval. */
const LOOKS = 6;

const WELL: Judgement = { alive: true, mend: null, hopeless: null };

/** A part that is there or not, and that can be attached anew. */
interface Fault {
  silentMs: number;
  /** Silence at which it was to be mended; null before that. */
  mendedAtMs: number | null;
}

/**
 * Counts silence by looks, and a late one not for more than one that is in time: a machine that slept, or a process that was stopped and goes on, does not make
 * the parts look dead that had no more time than this one.
 */
export class HealthJudge {
  readonly #intervalMs: number;
  #lookedMs: number | null = null;
  #turnNs: bigint | null = null;
  #receiverMs = 0;
  #queue: Fault = { silentMs: 0, mendedAtMs: null };
  #kernel: Fault = { silentMs: 0, mendedAtMs: null };

  /** `intervalMs`: in which the manager wants to hear of the helper. */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** How often `look` is to be called. */
  get everyMs(): number {
    return this.#intervalMs / LOOKS;
  }

  /** `answers` is null while nothing is attached: off, or the queue cannot be had, which its own reason says. */
  look(answers: Answers | null, nowMs: number): Judgement {
    const passedMs = Math.min(Math.max(nowMs - (this.#lookedMs ?? nowMs), 0), this.everyMs);
    this.#lookedMs = nowMs;
    if (answers === null) {
      this.#forget();
      return WELL;
    }
    const turned = answers.lastTurnNs !== this.#turnNs;
    this.#turnNs = answers.lastTurnNs;
    this.#receiverMs = turned ? 0 : this.#receiverMs + passedMs;
    this.#queue = silence(this.#queue, answers.queue, passedMs);
    this.#kernel = silence(this.#kernel, answers.kernelFault === '', passedMs);
    if (this.#receiverMs >= this.#intervalMs * PATIENCE.receiver) {
      return { alive: false, mend: null, hopeless: 'the receiver thread does not turn' };
    }
    const queue = this.#judge(this.#queue, 'the packet queue is not the helper\'s any more');
    return queue === WELL ? this.#judge(this.#kernel, answers.kernelFault) : queue;
  }

  #judge(fault: Fault, why: string): Judgement {
    if (fault.mendedAtMs !== null) {
      const hopeless = fault.silentMs - fault.mendedAtMs >= this.#intervalMs * PATIENCE.mended;
      return hopeless ? { alive: false, mend: null, hopeless: why } : WELL;
    }
    if (fault.silentMs < this.#intervalMs * PATIENCE.mend) return WELL;
    fault.mendedAtMs = fault.silentMs;
    return { alive: true, mend: why, hopeless: null };
  }

  #forget(): void {
    this.#turnNs = null;
    this.#receiverMs = 0;
    this.#queue = { silentMs: 0, mendedAtMs: null };
    this.#kernel = { silentMs: 0, mendedAtMs: null };
  }
}

function silence(before: Fault, answered: boolean, passedMs: number): Fault {
  return answered ? { silentMs: 0, mendedAtMs: null } : { ...before, silentMs: before.silentMs + passedMs };
}
