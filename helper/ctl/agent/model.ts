/** The terminal agent's prompts: which one is shown, what is chosen, what a key does. No terminal and no clock in here. */
import type { Answer, PromptEnd, PromptInfo } from '../../contract/types.ts';
import { KERNEL_PATH } from '../../contract/vocabulary.ts';
import type { Scope } from '../../contract/vocabulary.ts';
import { parseLifetime } from '../text/duration.ts';

/** A key pressed sooner was meant for something else, or for the prompt before. */
export const WAKE_MS = 400;
/** Prompts kept here at most; more stay with the helper and are listed there. */
export const QUEUE_LIMIT = 256;

/** Offered when the helper offers fewer, with a mark: they cost a password. */
const EVERY_LIFETIME = ['once', 'process', 'session', 'boot', '1h', 'always'] as const;

export interface LifetimeChoice {
  /** As `--lifetime` takes it. */
  readonly value: string;
  /** Costs no authorization. */
  readonly free: boolean;
}

export interface Shown {
  readonly prompt: PromptInfo;
  /** When the helper ends it, on the clock of `nowMs`. */
  readonly deadlineMs: number;
  /** Keys that decide do nothing before. */
  readonly awakeAtMs: number;
  readonly lifetime: LifetimeChoice;
  readonly scope: Scope;
  /** Also for what the program starts; counts where `offersChildren`. */
  readonly children: boolean;
  readonly details: boolean;
  /** The answer is on its way. */
  readonly answering: boolean;
}

/** What the terminal side has to do next. */
export type Effect =
  | { readonly kind: 'present'; readonly shown: Shown }
  | { readonly kind: 'answer'; readonly shown: Shown; readonly answer: Answer }
  | { readonly kind: 'ended'; readonly prompt: PromptInfo; readonly why: PromptEnd }
  | { readonly kind: 'details'; readonly prompt: PromptInfo }
  | { readonly kind: 'hold'; readonly nonce: string }
  | { readonly kind: 'quit' }
  | { readonly kind: 'stop' };

/**
 * The lifetimes of a prompt, what is free first. What could not be identified for certain is never offered for longer than
 * the helper says: nobody knows what program such a rule would be for.
 */
export function lifetimeChoices(prompt: PromptInfo): readonly LifetimeChoice[] {
  const free = prompt.lifetimes.map((value): LifetimeChoice => ({ value: value === 'until' ? '1h' : value, free: true }));
  if (prompt.confidence !== 'certain' && free.length > 0) return free;
  const rest = EVERY_LIFETIME.filter((value) => !free.some((one) => one.value === value));
  return [...free, ...rest.map((value): LifetimeChoice => ({ value, free: false }))];
}

/** Can an answer for this long cover what the program starts? Not one that is for this process alone. */
export function offersChildren(prompt: PromptInfo, lifetime: string): boolean {
  return prompt.named_by !== undefined && prompt.named_by !== 'container' && prompt.path !== KERNEL_PATH && lifetime !== 'once' && lifetime !== 'process';
}

/** Is it wanted, and offered? */
export function coversChildren({ prompt, lifetime, children }: Pick<Shown, 'prompt' | 'lifetime' | 'children'>): boolean {
  return children && offersChildren(prompt, lifetime.value);
}

function proposedLifetime(prompt: PromptInfo): LifetimeChoice {
  const choices = lifetimeChoices(prompt);
  const free = choices.filter((one) => one.free);
  return free.find((one) => one.value === prompt.default_lifetime) ?? free.at(-1) ?? choices[0] ?? { value: 'once', free: true };
}

function after<T>(values: readonly T[], isCurrent: (value: T) => boolean, otherwise: T): T {
  return values[(values.findIndex(isCurrent) + 1) % Math.max(values.length, 1)] ?? otherwise;
}

interface Waiting {
  readonly prompt: PromptInfo;
  readonly deadlineMs: number;
}

export class AgentModel {
  #shown: Shown | null = null;
  #queue: Waiting[] = [];
  #aside: Waiting[] = [];
  #overflow = 0;

  /** null when nothing waits, or all was put aside. */
  get shown(): Shown | null {
    return this.#shown;
  }

  /** Prompts behind the one that is shown. */
  get waiting(): number {
    return this.#queue.length;
  }

  get aside(): number {
    return this.#aside.length;
  }

  /** Prompts that found no place here since the start. */
  get overflow(): number {
    return this.#overflow;
  }

  /** A new prompt, or one that changed (more flows joined, the deadline moved). */
  raised(prompt: PromptInfo, nowMs: number): readonly Effect[] {
    const waiting = { prompt, deadlineMs: nowMs + prompt.expires_in_ms };
    const same = (one: Waiting): boolean => one.prompt.nonce === prompt.nonce;
    if (this.#shown?.prompt.nonce === prompt.nonce) {
      this.#shown = { ...this.#shown, ...waiting };
      return [];
    }
    for (const list of [this.#queue, this.#aside]) {
      const index = list.findIndex(same);
      if (index >= 0) {
        list[index] = waiting;
        return [];
      }
    }
    if (this.#queue.length + this.#aside.length >= QUEUE_LIMIT) {
      this.#overflow += 1;
      return [];
    }
    this.#queue.push(waiting);
    return this.#next(nowMs);
  }

  /** The helper ended it: somebody else answered, its time is over, or its flow has gone. */
  withdrawn(nonce: string, why: PromptEnd, nowMs: number): readonly Effect[] {
    const other = (one: Waiting): boolean => one.prompt.nonce !== nonce;
    const known = [this.#shown, ...this.#queue, ...this.#aside].find((one) => one?.prompt.nonce === nonce);
    this.#queue = this.#queue.filter(other);
    this.#aside = this.#aside.filter(other);
    if (known === undefined || known === null) return [];
    if (this.#shown?.prompt.nonce !== nonce) return why === 'expired' ? [{ kind: 'ended', prompt: known.prompt, why }] : [];
    // Our own answer comes back as `answered` before the call returns: that one is told by the call.
    if (this.#shown.answering) return [];
    this.#shown = null;
    return [{ kind: 'ended', prompt: known.prompt, why }, ...this.#next(nowMs)];
  }

  /** The answer's call has returned, well or not: the next prompt comes. */
  answered(nonce: string, nowMs: number): readonly Effect[] {
    if (this.#shown?.prompt.nonce !== nonce) return [];
    this.#shown = null;
    return this.#next(nowMs);
  }

  /** The call failed but the prompt is still there (a password was refused): it is asked again. */
  answerFailed(nonce: string, nowMs: number): readonly Effect[] {
    if (this.#shown?.prompt.nonce !== nonce) return [];
    this.#shown = { ...this.#shown, answering: false, awakeAtMs: nowMs + WAKE_MS };
    return this.#shown.deadlineMs > nowMs ? [] : this.answered(nonce, nowMs);
  }

  /** The helper went away: its nonces are worth nothing now. */
  disconnected(): void {
    this.#shown = null;
    this.#queue = [];
    this.#aside = [];
  }

  key(key: string, nowMs: number): readonly Effect[] {
    switch (key) {
      case 'q':
      case 'end':
      case 'interrupt': return [{ kind: 'quit' }];
      case 'suspend': return [{ kind: 'stop' }];
      default: return this.#shown === null || this.#shown.answering ? this.#idleKey(key, nowMs) : this.#promptKey(this.#shown, key, nowMs);
    }
  }

  #idleKey(key: string, nowMs: number): readonly Effect[] {
    if (key !== 'b' || this.#shown !== null) return [];
    this.#queue.push(...this.#aside.splice(0));
    return this.#next(nowMs);
  }

  #promptKey(shown: Shown, key: string, nowMs: number): readonly Effect[] {
    const { prompt } = shown;
    // Whoever looks around is deciding: the time starts anew.
    const hold: Effect = { kind: 'hold', nonce: prompt.nonce };
    switch (key) {
      case 'a': return this.#answer(shown, 'allow', nowMs);
      case 'd':
      case 'enter': return this.#answer(shown, 'deny', nowMs);
      case 'l':
        this.#shown = { ...shown, lifetime: after(lifetimeChoices(prompt), (one) => one.value === shown.lifetime.value, shown.lifetime) };
        return [hold];
      case 's':
        this.#shown = { ...shown, scope: after(prompt.scopes, (one) => one === shown.scope, shown.scope) };
        return [hold];
      case 'c':
        if (offersChildren(prompt, shown.lifetime.value)) this.#shown = { ...shown, children: !shown.children };
        return [hold];
      case 'i':
        this.#shown = { ...shown, details: true };
        return shown.details ? [hold] : [{ kind: 'details', prompt }, hold];
      case 'n':
      case 'escape':
        if (nowMs < shown.awakeAtMs) return [];
        this.#aside.push({ prompt, deadlineMs: shown.deadlineMs });
        this.#shown = null;
        return this.#next(nowMs);
      default: return [];
    }
  }

  #answer(shown: Shown, action: Answer['action'], nowMs: number): readonly Effect[] {
    if (nowMs < shown.awakeAtMs) return [];
    this.#shown = { ...shown, answering: true };
    const answer: Answer = { action, scope: shown.scope, ...parseLifetime(shown.lifetime.value, nowMs), ...(coversChildren(shown) ? { include_children: true } : {}) };
    return [{ kind: 'answer', shown: this.#shown, answer }];
  }

  #next(nowMs: number): readonly Effect[] {
    if (this.#shown !== null) return [];
    const waiting = this.#queue.shift();
    if (waiting === undefined) return [];
    const { prompt } = waiting;
    this.#shown = {
      ...waiting,
      awakeAtMs: nowMs + WAKE_MS,
      lifetime: proposedLifetime(prompt),
      scope: prompt.default_scope,
      children: false,
      details: false,
      answering: false,
    };
    return [{ kind: 'present', shown: this.#shown }];
  }
}
