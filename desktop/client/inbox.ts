/** What the helper keeps for the person: prompts that wait, and those that ran out of time. Read anew when something changes. */
import { allRows } from '../../helper/contract/pages.ts';
import { DISMISS_LIMIT } from '../../helper/contract/types.ts';
import type { PromptInfo } from '../../helper/contract/types.ts';
import { Emitter } from './emitter.ts';
import type { HelperSession } from './session.ts';

/** The helper keeps fewer; a list that never ends is cut. */
const ROWS_LIMIT = 1000;
/** Many that come together are read once; later where only their number is shown. */
const GATHER_MS = 200;
const GATHER_COUNT_MS = 1000;
/** What another agent or the command line has decided shows itself no later than this after other news. */
const STALE_MS = 5000;

export type InboxState =
  | { readonly kind: 'reading' }
  | { readonly kind: 'ready'; readonly prompts: readonly PromptInfo[] }
  | { readonly kind: 'failed'; readonly error: unknown };

const known = new WeakMap<HelperSession, Inbox>();

export class Inbox {
  readonly changed = new Emitter();
  readonly #session: HelperSession;
  #state: InboxState = { kind: 'reading' };
  #isCounted = false;
  #isLookedAt = false;
  #reading: 'no' | 'yes' | 'again' = 'no';
  #gather: NodeJS.Timeout | null = null;
  #readAtMs = Number.NEGATIVE_INFINITY;

  private constructor(session: HelperSession) {
    this.#session = session;
    session.promptsChanged.on(() => { this.#readSoon(); });
    session.changed.on(() => { if (this.#isLookedAt && session.clocks.nowMs() - this.#readAtMs > STALE_MS) this.#readSoon(); });
  }

  /** One for each session: the page and the number beside its name read the same. */
  static of(session: HelperSession): Inbox {
    const found = known.get(session) ?? new Inbox(session);
    known.set(session, found);
    return found;
  }

  get state(): InboxState {
    return this.#state;
  }

  /** Follows the helper until `stop`. */
  start(): void {
    if (this.#isLookedAt) return;
    this.#isLookedAt = true;
    this.read();
  }

  stop(): void {
    this.#isLookedAt = false;
    this.#rest();
  }

  /** Follows the helper for the number beside the page's name alone, or ceases to. */
  count(on: boolean): void {
    if (this.#isCounted === on) return;
    this.#isCounted = on;
    if (on) this.read();
    else this.#rest();
  }

  read(): void {
    if (!this.#session.knowledge.connected) return;
    if (this.#reading !== 'no') {
      this.#reading = 'again';
      return;
    }
    this.#reading = 'yes';
    this.#readAtMs = this.#session.clocks.nowMs();
    this.#readAll().then(
      (prompts) => { this.#finish({ kind: 'ready', prompts }); },
      (error: unknown) => { this.#finish({ kind: 'failed', error }); },
    );
  }

  /** Takes expired prompts out. Returns how many were there; rejects as the client does. */
  async dismiss(nonces: readonly string[]): Promise<number> {
    let count = 0;
    for (let from = 0; from < nonces.length; from += DISMISS_LIMIT) {
      count += await this.#session.dismissPrompts(nonces.slice(from, from + DISMISS_LIMIT));
    }
    this.read();
    return count;
  }

  #readSoon(): void {
    if (!this.#isLookedAt && !this.#isCounted) return;
    this.#gather ??= setTimeout(() => {
      this.#gather = null;
      this.read();
    }, this.#isLookedAt ? GATHER_MS : GATHER_COUNT_MS);
  }

  #rest(): void {
    if (this.#isLookedAt || this.#isCounted) return;
    if (this.#gather !== null) clearTimeout(this.#gather);
    this.#gather = null;
  }

  async #readAll(): Promise<readonly PromptInfo[]> {
    return (await allRows((_limit, cursor) => this.#session.listPrompts(cursor), ROWS_LIMIT)).rows;
  }

  #finish(state: InboxState): void {
    const again = this.#reading === 'again';
    this.#reading = 'no';
    this.#state = state;
    this.changed.emit();
    if (again) this.read();
  }
}
