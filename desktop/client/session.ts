/**
 * What the desktop knows of the helper, kept up to date: connection, status, rules, prompts, agent. Widgets read it and
 * listen to `changed`; nothing here knows of widgets.
 */
import { allRows } from '../../helper/contract/pages.ts';
import type { HelperClient, HelperStatus, Page } from '../../helper/contract/client.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { Answer, AnswerResult, PromptEnd, PromptInfo, RuleInfo, SafeguardInfo } from '../../helper/contract/types.ts';
import { errorText, isNotAuthorized } from '../model/error-text.ts';
import { PromptQueue } from '../model/prompt-queue.ts';
import type { AgentProblem, Knowledge } from '../model/status-text.ts';
import { Emitter } from './emitter.ts';

/** More rules than a person reads; the rest is counted, and reached with bastionctl. */
export const RULES_LIMIT = 100_000;
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

/** Where the answers of a window go: the process of the session is the agent that the helper knows. */
export interface PromptRelay {
  /** Rejects as HelperClient.answer does. */
  answer(nonce: string, answer: Answer): Promise<AnswerResult>;
  forget(nonce: string): void;
  /** Rejects as HelperClient.holdPrompt does; the new deadline comes by `reflectPut`. */
  hold(nonce: string): Promise<void>;
  /** Rejects as HelperClient.listPrompts does. */
  listPrompts(cursor: string): Promise<Page<PromptInfo>>;
  /** Rejects as HelperClient.dismissPrompts does. */
  dismissPrompts(nonces: readonly string[]): Promise<number>;
}

/**
 * With a relay it is a window's: prompts are a copy that `reflect*` keeps, and no agent registers. Without one it is the
 * agent's, which reads no rules.
 */
export class HelperSession {
  readonly client: HelperClient;
  readonly clocks: Clocks;
  readonly queue = new PromptQueue();
  /** Connection, status, agent or the number of waiting prompts changed. */
  readonly changed = new Emitter();
  readonly rulesChanged = new Emitter();
  /** A prompt came, changed or ended, waiting or in the inbox; or the helper did. */
  readonly promptsChanged = new Emitter();
  readonly #relay: PromptRelay | null;
  rules: RulesState = { kind: 'loading' };
  #connected = false;
  #sinceMs: number;
  #status: HelperStatus | null = null;
  #safeguard: SafeguardInfo | null = null;
  #agentProblem: AgentProblem | null = null;
  #agent: 'none' | 'asked' | 'registered' = 'none';
  #listener: PromptListener | null = null;
  /** A change that came while the rules were read asks for one more reading, however many changes it were. */
  #rulesReading: 'no' | 'yes' | 'again' = 'no';
  #retry: NodeJS.Timeout | null = null;
  #telling = false;

  constructor(client: HelperClient, clocks: Clocks, relay: PromptRelay | null = null) {
    this.client = client;
    this.clocks = clocks;
    this.#relay = relay;
    this.#sinceMs = clocks.wallMs();
  }

  get knowledge(): Knowledge {
    return {
      connected: this.#connected, sinceMs: this.#sinceMs, status: this.#status, waiting: this.queue.pending().length,
      agentProblem: this.#agentProblem, ...(this.#safeguard === null ? {} : { safeguard: this.#safeguard }),
    };
  }

  /** `listener`: null for a window's. */
  start(listener: PromptListener | null): void {
    this.#listener = listener;
    this.client.on('connected', (connected) => { this.#onConnected(connected); });
    this.client.on('status', (status) => { this.#setStatus(status); });
    if (this.#relay === null) {
      this.client.on('promptRaised', (prompt) => { this.#onRaised(prompt); });
      this.client.on('promptWithdrawn', (nonce, why) => { this.#onEnded(nonce, why); });
    } else {
      this.client.on('rulesChanged', () => { this.loadRules(); });
    }
    if (this.client.connected) this.#onConnected(true);
  }

  /** Rejects as the client does; the prompt leaves the queue when the helper has taken the answer or knows it no more. */
  async answer(nonce: string, answer: Answer): Promise<AnswerResult> {
    if (this.#relay !== null) return this.#relay.answer(nonce, answer);
    try {
      const result = await this.client.answer(nonce, answer);
      this.#drop(nonce);
      return result;
    } catch (error: unknown) {
      if (error instanceof BastionError && error.code === 'PromptGone') this.#drop(nonce);
      throw error;
    }
  }

  /** Somebody is deciding: the prompt gets its time anew. Rejects as the client does. */
  async hold(nonce: string): Promise<void> {
    if (this.#relay !== null) {
      await this.#relay.hold(nonce);
      return;
    }
    const leftMs = await this.client.holdPrompt(nonce);
    this.queue.renew(nonce, leftMs, this.clocks.nowMs());
    this.#tell();
  }

  /** Prompts that wait and those that ran out of time, also of system programs that this session is asked about. */
  listPrompts(cursor: string): Promise<Page<PromptInfo>> {
    return this.#relay?.listPrompts(cursor) ?? this.client.listPrompts(PAGE_ROWS, cursor);
  }

  /** Takes expired prompts out of the inbox; returns how many were there. */
  dismissPrompts(nonces: readonly string[]): Promise<number> {
    return this.#relay?.dismissPrompts(nonces) ?? this.client.dismissPrompts(nonces);
  }

  /** A window fills whole pages at every change, and hundreds may come together: there it is told once for all of them. */
  #tell(): void {
    if (this.#relay === null) {
      this.changed.emit();
      return;
    }
    if (this.#telling) return;
    this.#telling = true;
    setTimeout(() => {
      this.#telling = false;
      this.changed.emit();
    }, 0);
  }

  /** Lets go of a prompt whose flow has been refused and that is shown no more. */
  forget(nonce: string): void {
    this.#relay?.forget(nonce);
    this.#drop(nonce);
  }

  /** A prompt of the copy came or changed; `leftMs` until its deadline. */
  reflectPut(prompt: PromptInfo, leftMs: number, expired: boolean): void {
    if (!this.queue.put({ ...prompt, expires_in_ms: leftMs, status: expired ? 'expired' : 'pending' }, this.clocks.nowMs())) return;
    this.#tell();
  }

  /** What waits in the inbox is something else now. */
  reflectInbox(): void {
    this.promptsChanged.emit();
  }

  /** A prompt of the copy has gone. */
  reflectGone(nonce: string): void {
    this.#drop(nonce);
  }

  reflectAgent(problem: AgentProblem | null): void {
    this.#agentProblem = problem;
    this.#tell();
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
    const { rows, isCut } = await allRows((limit, cursor) => this.client.listRules(limit, cursor), RULES_LIMIT);
    return { kind: 'ready', rules: rows, cut: isCut };
  }

  #onConnected(connected: boolean): void {
    if (connected === this.#connected) return;
    this.#connected = connected;
    this.#sinceMs = this.clocks.wallMs();
    if (connected) this.#readStatus();
    if (this.#relay !== null) {
      if (connected) this.loadRules();
    } else if (connected) {
      this.#register();
      this.#readPrompts();
    } else {
      const waiting = this.queue.pending();
      this.queue.clear();
      for (const prompt of waiting) this.#listener?.ended(prompt.info.nonce, 'withdrawn');
    }
    this.promptsChanged.emit();
    this.#tell();
  }

  /** The client registers again by itself once it has succeeded; a refusal is tried again when the helper comes back. */
  #register(): void {
    if (this.#agent !== 'none') return;
    this.#agent = 'asked';
    this.client.registerAgent().then(
      ({ verified }) => {
        this.#agent = 'registered';
        this.#agentProblem = verified ? null : 'unverified';
        this.#tell();
        // What was held before may be answered here now.
        this.#readPrompts();
      },
      (error: unknown) => {
        this.#agent = 'none';
        if (error instanceof BastionError) {
          this.#agentProblem = refusalOf(error);
          if (this.#agentProblem !== 'refused') this.#registerLater();
        }
        this.#tell();
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
      (status) => { this.#setStatus(status); },
      () => { this.#tell(); },
    );
  }

  /** What the safeguard refuses is read when it begins: the state alone does not say it. */
  #setStatus(status: HelperStatus): void {
    const began = status.state === 'safeguard' && this.#status?.state !== 'safeguard';
    this.#status = status;
    if (status.state !== 'safeguard') this.#safeguard = null;
    this.#tell();
    if (!began) return;
    this.client.safeguard().then(
      (safeguard) => {
        if (this.#status?.state !== 'safeguard') return;
        this.#safeguard = safeguard;
        this.#tell();
      },
      () => undefined,
    );
  }

  #readPrompts(): void {
    this.client.listPrompts(PAGE_ROWS, '').then(
      (page) => {
        for (const prompt of page.rows) if (prompt.status === 'pending') this.#onRaised(prompt);
      },
      () => { this.#tell(); },
    );
  }

  #onRaised(prompt: PromptInfo): void {
    if (!this.queue.put(prompt, this.clocks.nowMs())) return;
    this.#listener?.raised(prompt);
    this.promptsChanged.emit();
    this.#tell();
  }

  #onEnded(nonce: string, why: PromptEnd): void {
    if (why === 'expired') this.queue.expire(nonce);
    else this.queue.remove(nonce);
    this.#listener?.ended(nonce, why);
    this.promptsChanged.emit();
    this.#tell();
  }

  #drop(nonce: string): void {
    this.queue.remove(nonce);
    this.promptsChanged.emit();
    this.#tell();
  }
}

function refusalOf(error: BastionError): AgentProblem {
  if (error.code === 'AgentExists') return 'elsewhere';
  return error.code === 'NotAuthorized' ? 'refused' : 'failed';
}
