/**
 * What the desktop knows of the helper, kept up to date: connection, status, rules, prompts, agent. Widgets read it and
 * listen to `changed`; nothing here knows of widgets.
 */
import type { HelperClient, HelperStatus } from '../../helper/contract/client.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { Answer, AnswerResult, PromptEnd, PromptInfo, RuleInfo } from '../../helper/contract/types.ts';
import { errorText, isNotAuthorized } from '../model/error-text.ts';
import { PromptQueue } from '../model/prompt-queue.ts';
import type { AgentProblem, Knowledge } from '../model/status-text.ts';
import { Emitter } from './emitter.ts';

/** More rules than a person reads; the rest is counted, and reached with bastionctl. */
export const RULES_LIMIT = 20_000;
const PAGE_ROWS = 500;
/** Below the limit on registrations that the helper sets each user. */
const REGISTER_AGAIN_MS = 15_000;

export type RulesState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready'; readonly rules: readonly RuleInfo[]; readonly cut: boolean }
  | { readonly kind: 'not-allowed'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string };

/** Both clocks of the desktop. */
export interface Clocks {
  /** Monotonic, ms. */
  readonly nowMs: () => number;
  /** ms since 1970. */
  readonly wallMs: () => number;
}

export interface PromptListener {
  /** A prompt came, or one that is known changed. */
  raised(prompt: PromptInfo): void;
  ended(nonce: string, why: PromptEnd): void;
}

export class HelperSession {
  readonly client: HelperClient;
  readonly clocks: Clocks;
  readonly queue = new PromptQueue();
  /** Connection, status, agent or the number of waiting prompts changed. */
  readonly changed = new Emitter();
  readonly rulesChanged = new Emitter();
  rules: RulesState = { kind: 'loading' };
  #connected = false;
  #sinceMs: number;
  #status: HelperStatus | null = null;
  #agentProblem: AgentProblem | null = null;
  #agent: 'none' | 'asked' | 'registered' = 'none';
  #listener: PromptListener | null = null;
  /** A change that came while the rules were read asks for one more reading, however many changes it were. */
  #rulesReading: 'no' | 'yes' | 'again' = 'no';
  #retry: NodeJS.Timeout | null = null;

  constructor(client: HelperClient, clocks: Clocks) {
    this.client = client;
    this.clocks = clocks;
    this.#sinceMs = clocks.wallMs();
  }

  get knowledge(): Knowledge {
    return {
      connected: this.#connected, sinceMs: this.#sinceMs, status: this.#status, waiting: this.queue.pending().length,
      agentProblem: this.#agentProblem,
    };
  }

  start(listener: PromptListener): void {
    this.#listener = listener;
    this.client.on('connected', (connected) => { this.#onConnected(connected); });
    this.client.on('status', (status) => {
      this.#status = status;
      this.changed.emit();
    });
    this.client.on('rulesChanged', () => { this.loadRules(); });
    this.client.on('promptRaised', (prompt) => { this.#onRaised(prompt); });
    this.client.on('promptWithdrawn', (nonce, why) => { this.#onEnded(nonce, why); });
    if (this.client.connected) this.#onConnected(true);
  }

  /** Rejects as the client does; the prompt leaves the queue when the helper has taken the answer or knows it no more. */
  async answer(nonce: string, answer: Answer): Promise<AnswerResult> {
    try {
      const result = await this.client.answer(nonce, answer);
      this.#drop(nonce);
      return result;
    } catch (error: unknown) {
      if (error instanceof BastionError && error.code === 'PromptGone') this.#drop(nonce);
      throw error;
    }
  }

  /** Lets go of a prompt whose flow has been refused and that is shown no more. */
  forget(nonce: string): void {
    this.#drop(nonce);
  }

  /** Reads every page of the rules; the result is in `rules`. */
  loadRules(): void {
    if (this.rules.kind !== 'ready') {
      this.rules = { kind: 'loading' };
      this.rulesChanged.emit();
    }
    if (this.#rulesReading !== 'no') {
      this.#rulesReading = 'again';
      return;
    }
    this.#rulesReading = 'yes';
    const finish = (state: RulesState): void => {
      const again = this.#rulesReading === 'again';
      this.#rulesReading = 'no';
      this.rules = state;
      this.rulesChanged.emit();
      if (again) this.loadRules();
    };
    this.#readRules().then(finish, (error: unknown) => {
      finish({ kind: isNotAuthorized(error) ? 'not-allowed' : 'failed', message: errorText(error) });
    });
  }

  async #readRules(): Promise<RulesState> {
    const rules: RuleInfo[] = [];
    let cursor = '';
    do {
      const page = await this.client.listRules(PAGE_ROWS, cursor);
      rules.push(...page.rows);
      if (page.next === cursor) break;
      cursor = page.next;
    } while (cursor !== '' && rules.length < RULES_LIMIT);
    return { kind: 'ready', rules, cut: cursor !== '' };
  }

  #onConnected(connected: boolean): void {
    if (connected === this.#connected) return;
    this.#connected = connected;
    this.#sinceMs = this.clocks.wallMs();
    if (connected) {
      this.#register();
      this.#readStatus();
      this.#readPrompts();
      this.loadRules();
    } else {
      const waiting = this.queue.pending();
      this.queue.clear();
      for (const prompt of waiting) this.#listener?.ended(prompt.info.nonce, 'withdrawn');
    }
    this.changed.emit();
  }

  /** The client registers again by itself once it has succeeded; a refusal is tried again when the helper comes back. */
  #register(): void {
    if (this.#agent !== 'none') return;
    this.#agent = 'asked';
    this.client.registerAgent().then(
      ({ verified }) => {
        this.#agent = 'registered';
        this.#agentProblem = verified ? null : 'unverified';
        this.changed.emit();
        // What was held before may be answered here now.
        this.#readPrompts();
      },
      (error: unknown) => {
        this.#agent = 'none';
        if (error instanceof BastionError) {
          this.#agentProblem = refusalOf(error);
          if (this.#agentProblem !== 'refused') this.#registerLater();
        }
        this.changed.emit();
      },
    );
  }

  /** The other agent may leave, and no signal tells. Not after a refusal: asking again would ask for a password again. */
  #registerLater(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      this.#retry = null;
      if (this.#connected) this.#register();
    }, REGISTER_AGAIN_MS);
  }

  #readStatus(): void {
    this.client.status().then(
      (status) => {
        this.#status = status;
        this.changed.emit();
      },
      () => { this.changed.emit(); },
    );
  }

  #readPrompts(): void {
    this.client.listPrompts(PAGE_ROWS, '').then(
      (page) => {
        for (const prompt of page.rows) if (prompt.status === 'pending') this.#onRaised(prompt);
      },
      () => { this.changed.emit(); },
    );
  }

  #onRaised(prompt: PromptInfo): void {
    if (!this.queue.put(prompt, this.clocks.nowMs())) return;
    this.#listener?.raised(prompt);
    this.changed.emit();
  }

  #onEnded(nonce: string, why: PromptEnd): void {
    if (why === 'expired') this.queue.expire(nonce);
    else this.queue.remove(nonce);
    this.#listener?.ended(nonce, why);
    this.changed.emit();
  }

  #drop(nonce: string): void {
    this.queue.remove(nonce);
    this.changed.emit();
  }
}

function refusalOf(error: BastionError): AgentProblem {
  if (error.code === 'AgentExists') return 'elsewhere';
  return error.code === 'NotAuthorized' ? 'refused' : 'failed';
}
