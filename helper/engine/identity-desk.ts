/**
 * Flows wait here while it is looked up who their program is. What is known is told at once; what takes reading a file comes
 * later, and the flow is held meanwhile, by the data path's own deadline at the longest.
 */
import type { Attribution } from '../contract/vocabulary.ts';
import type { Ask, Identities, Logger } from '../ports.ts';

/** Flows that wait at the same time; one more is decided by what is known without looking. */
export const WAITING_LIMIT = 4096;

export interface IdentityDeskOptions {
  readonly identities: Identities;
  readonly logger: Logger;
  /** This one's program is known now. */
  onKnown(ask: Ask): void;
}

export class IdentityDesk {
  readonly #options: IdentityDeskOptions;
  /** By id; a flow that ended meanwhile is not there any more. */
  readonly #waiting = new Map<number, Ask>();
  /** What was told first, for looking again. */
  readonly #plain = new WeakMap<Attribution, Attribution>();
  #overLimit = 0;

  constructor(options: IdentityDeskOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Flows that were decided without looking, because too many waited. */
  get overLimit(): number {
    return this.#overLimit;
  }

  /** The flow with all that is known of its program; null: it waits, and `onKnown` gets it. */
  take(ask: Ask): Ask | null {
    const plain = ask.attribution;
    if (plain.owner === null || ask.origin !== 'process') return ask;
    const known = this.#options.identities.identify(plain);
    if (!(known instanceof Promise)) return this.#with(ask, plain, known);
    if (this.#waiting.size >= WAITING_LIMIT) {
      this.#overLimit += 1;
      return ask;
    }
    this.#waiting.set(ask.id, ask);
    known.then(
      (attribution) => { this.#arrived(this.#with(ask, plain, attribution)); },
      (error: unknown) => {
        this.#options.logger.log('error', 'a program could not be looked at', { error: String(error) });
        this.#arrived(ask);
      },
    );
    return null;
  }

  /** The same flow by what is known now; null where that has to be looked up first. */
  again(ask: Ask): Ask | null {
    const plain = this.#plain.get(ask.attribution);
    if (plain === undefined) return ask;
    const known = this.#options.identities.identify(plain);
    return known instanceof Promise ? null : this.#with(ask, plain, known);
  }

  /** Looks up what `again` would have to; then it knows. */
  async lookUp(asks: readonly Ask[]): Promise<void> {
    const { identities, logger } = this.#options;
    const plain = asks.map(({ attribution }) => this.#plain.get(attribution)).filter((one) => one !== undefined);
    try {
      await Promise.all(plain.map(async (attribution) => await identities.identify(attribution)));
    } catch (error: unknown) {
      logger.log('error', 'programs could not be looked at again', { error: String(error) });
    }
  }

  ended(ids: readonly number[]): void {
    for (const id of ids) this.#waiting.delete(id);
  }

  /** Nothing waits any more. */
  clear(): void {
    this.#waiting.clear();
  }

  #with(ask: Ask, plain: Attribution, attribution: Attribution): Ask {
    this.#plain.set(attribution, plain);
    return attribution === plain ? ask : { ...ask, attribution };
  }

  #arrived(ask: Ask): void {
    if (this.#waiting.delete(ask.id)) this.#options.onKnown(ask);
  }
}
