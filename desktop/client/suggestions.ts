/** What learning suggests, read while somebody looks at it, and added rule by rule. */
import { NotConnectedError } from '../../helper/contract/client.ts';
import type { Proposal, RuleEdit, RuleFinding } from '../../helper/contract/types.ts';
import { Emitter } from './emitter.ts';
import { Refresher } from './refresher.ts';
import type { HelperSession } from './session.ts';

/** The helper looks through the whole history for an answer. */
const REFRESH_MS = 5000;

export type SuggestionsState =
  | { readonly kind: 'loading' }
  | {
      readonly kind: 'ready';
      /** What no rule decides by now. */
      readonly open: readonly Proposal[];
      /** The same with what rules decide by now; only in learning mode. */
      readonly all: readonly Proposal[];
      /** What could be tidied up; not in learning mode. */
      readonly findings: readonly RuleFinding[];
    }
  | { readonly kind: 'failed'; readonly error: unknown };

/** What became of rules that were to be added. */
export interface AddedRules {
  readonly ids: readonly string[];
  /** Why the rest was not added; null where all were. */
  readonly error: unknown;
}

const known = new WeakMap<HelperSession, Suggestions>();

export class Suggestions {
  readonly changed = new Emitter();
  state: SuggestionsState = { kind: 'loading' };
  readonly #session: HelperSession;
  readonly #refresher: Refresher;
  #active = false;
  /** Connections decided, and the mode, when they were last read. */
  #seen = '';

  private constructor(session: HelperSession) {
    this.#session = session;
    this.#refresher = new Refresher(() => this.#read(), session.clocks.nowMs, REFRESH_MS);
    session.changed.on(() => { this.#onChanged(); });
    session.rulesChanged.on(() => { this.#refresher.ask(); });
  }

  /** One for each session: the page and the number beside its name read the same. */
  static of(session: HelperSession): Suggestions {
    const found = known.get(session) ?? new Suggestions(session);
    known.set(session, found);
    return found;
  }

  start(): void {
    this.#active = true;
    this.#refresher.start();
  }

  stop(): void {
    this.#active = false;
    this.#refresher.stop();
  }

  /** Reads once, for the number beside the page's name. */
  peek(): void {
    this.#refresher.start();
    if (!this.#active) this.#refresher.stop();
  }

  reload(): void {
    if (this.state.kind === 'failed') this.#set({ kind: 'loading' });
    this.#refresher.now();
  }

  /** One after the other; what was added before a refusal stays, and is told. Never rejects. */
  async add(rules: readonly RuleEdit[], progress: (done: number) => void): Promise<AddedRules> {
    const ids: string[] = [];
    try {
      for (const rule of rules) {
        ids.push(await this.#session.client.addRule(rule));
        progress(ids.length);
      }
      return { ids, error: null };
    } catch (error: unknown) {
      return { ids, error };
    }
  }

  /** Takes rules away again. Rejects as the client does, after the first that could not be removed. */
  async remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) await this.#session.client.removeRule(id);
  }

  #onChanged(): void {
    const { connected, status } = this.#session.knowledge;
    if (!connected) {
      this.#seen = '';
      if (this.state.kind !== 'failed') this.#set({ kind: 'failed', error: new NotConnectedError('not connected') });
      return;
    }
    const seen = status === null ? '' : `${status.mode} ${String(status.statistics.allowed)}`;
    if (seen === this.#seen) return;
    const isAnotherMode = seen.split(' ')[0] !== this.#seen.split(' ')[0];
    this.#seen = seen;
    if (isAnotherMode) this.reload();
    else this.#refresher.ask();
  }

  async #read(): Promise<void> {
    const { client } = this.#session;
    try {
      const learning = this.#session.knowledge.status?.mode === 'learning';
      const open = await client.proposeRules({});
      const all = learning ? await client.proposeRules({ include_decided: true }) : [];
      const findings = learning ? [] : await client.reviewRules();
      this.#set({ kind: 'ready', open, all, findings });
    } catch (error: unknown) {
      this.#set({ kind: 'failed', error });
    }
  }

  #set(state: SuggestionsState): void {
    this.state = state;
    this.changed.emit();
  }
}
