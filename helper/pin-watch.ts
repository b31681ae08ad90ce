/**
 * Notices that another program took away what the kernel needs of ours: pins that were deleted, programs that were detached.
 * Nothing tells of that, so it is looked at; the kernel's packet rules hold meanwhile.
 */
import type { DataPath, Logger } from './ports.ts';

/** A look costs about a tenth of a millisecond. */
const LOOK_MS = 500;
/** What could not be put back is tried again after this, and after twice as long each time, up to the last. */
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;
/** A tool that takes the same away again and again gets one line of the journal in this time. */
const MEND_LINE_MS = 10_000;

export interface PinWatchDeps {
  readonly logger: Logger;
  /** Milliseconds of a steady clock. */
  nowMs(): number;
  /** What is open now. */
  dataPath(): Pick<DataPath, 'lostPins' | 'mendPins'> | null;
  /** `failure` has changed. */
  onFailure(): void;
}

export class PinWatch {
  readonly #deps: PinWatchDeps;
  #timer: NodeJS.Timeout | null = null;
  #failure: string | null = null;
  #retryMs = FIRST_RETRY_MS;
  #nextMs = Number.NEGATIVE_INFINITY;
  /** Mends that the journal has not told of yet; of what it last did, and when. */
  #unsaid = 0;
  #said = '';
  #saidMs = Number.NEGATIVE_INFINITY;

  constructor(deps: PinWatchDeps) {
    this.#deps = deps;
  }

  /** Why the kernel's part could not be put back; null while it is whole. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Does nothing while it watches already. */
  start(): void {
    this.#timer ??= setInterval(() => { this.look(); }, LOOK_MS).unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#whole(null);
  }

  /** Looks now, and puts back what is missing. True if something was. */
  look(): boolean {
    const dataPath = this.#deps.dataPath();
    const lost = dataPath?.lostPins() ?? [];
    if (dataPath === null || lost.length === 0) {
      this.#whole(null);
      return false;
    }
    if (this.#deps.nowMs() < this.#nextMs) return false;
    const why = dataPath.mendPins();
    const lostNames = lost.join(', ');
    if (why === '') {
      this.#sayMended(lostNames);
      this.#whole(null);
      return true;
    }
    if (why !== this.#failure) {
      this.#deps.logger.log('error', 'the kernel programs were taken away by somebody else and cannot be put back', { lost: lostNames, why });
    }
    this.#nextMs = this.#deps.nowMs() + this.#retryMs;
    this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS);
    this.#whole(why);
    return false;
  }

  #sayMended(lost: string): void {
    this.#unsaid += 1;
    const nowMs = this.#deps.nowMs();
    if (lost === this.#said && nowMs - this.#saidMs < MEND_LINE_MS) return;
    this.#deps.logger.log('warning', 'the kernel programs were taken away by somebody else and put back', { lost, times: this.#unsaid });
    this.#unsaid = 0;
    this.#said = lost;
    this.#saidMs = nowMs;
  }

  #whole(failure: string | null): void {
    if (failure === null) {
      this.#retryMs = FIRST_RETRY_MS;
      this.#nextMs = Number.NEGATIVE_INFINITY;
    }
    if (failure === this.#failure) return;
    this.#failure = failure;
    this.#deps.onFailure();
  }
}
