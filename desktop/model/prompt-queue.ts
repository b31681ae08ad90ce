/** The prompts that wait, in the order in which they came. Pure: `now` is an argument. */
import type { PromptInfo } from '../../helper/contract/types.ts';

/** What replaces `once` when its flow is gone. A program of one errand is another process at its next attempt. */
const NEXT_ATTEMPT = ['until', 'session', 'boot', 'always', 'process'] as const;

/** The helper's own limits are lower; what comes beyond is counted and left to its list. */
export const QUEUE_LIMIT = 256;

export interface WaitingPrompt {
  readonly info: PromptInfo;
  /** On the caller's monotonic clock, ms. Meaningless once expired. */
  readonly deadlineMs: number;
  /** The flow has been refused; an answer applies to the next attempt. */
  readonly expired: boolean;
}

export class PromptQueue {
  readonly #waiting = new Map<string, WaitingPrompt>();
  /** Prompts that found the queue full. */
  overflowed = 0;

  /** Adds a prompt or renews one that is known (more flows joined, a new deadline). False when the queue is full. */
  put(info: PromptInfo, nowMs: number): boolean {
    if (!this.#waiting.has(info.nonce) && this.#waiting.size >= QUEUE_LIMIT) {
      this.overflowed += 1;
      return false;
    }
    this.#waiting.set(info.nonce, { info, deadlineMs: nowMs + info.expires_in_ms, expired: info.status === 'expired' });
    return true;
  }

  /** The helper gives a prompt another deadline; `leftMs` from now. */
  renew(nonce: string, leftMs: number, nowMs: number): void {
    const prompt = this.#waiting.get(nonce);
    if (prompt !== undefined && !prompt.expired) this.#waiting.set(nonce, { ...prompt, deadlineMs: nowMs + leftMs });
  }

  /** Marks a prompt whose flow has been refused. */
  expire(nonce: string): void {
    const prompt = this.#waiting.get(nonce);
    if (prompt !== undefined) this.#waiting.set(nonce, { ...prompt, info: forNextAttempt(prompt.info), expired: true });
  }

  remove(nonce: string): void {
    this.#waiting.delete(nonce);
  }

  clear(): void {
    this.#waiting.clear();
  }

  get(nonce: string): WaitingPrompt | null {
    return this.#waiting.get(nonce) ?? null;
  }

  /** All of them, the oldest first. */
  all(): readonly WaitingPrompt[] {
    return [...this.#waiting.values()];
  }

  /** Those that still hold a flow, the oldest first. */
  pending(): readonly WaitingPrompt[] {
    return [...this.#waiting.values()].filter((prompt) => !prompt.expired);
  }

  /** How many different programs wait. */
  programs(): number {
    return new Set(this.pending().map((prompt) => [prompt.info.path, prompt.info.script ?? '', String(prompt.info.uid)].join('\0'))).size;
  }
}

/** What the helper still takes for a prompt whose flow has been refused: `once` meant that flow. */
function forNextAttempt(info: PromptInfo): PromptInfo {
  const lifetimes = info.lifetimes.filter((lifetime) => lifetime !== 'once');
  const kept = lifetimes.find((lifetime) => lifetime === info.default_lifetime);
  const chosen = kept ?? NEXT_ATTEMPT.find((lifetime) => lifetimes.includes(lifetime));
  return { ...info, status: 'expired', lifetimes, default_lifetime: chosen ?? info.default_lifetime };
}

/** The part of the time that is left, 0 to 1. */
export function fractionLeft(prompt: WaitingPrompt, nowMs: number): number {
  if (prompt.expired || prompt.info.timeout_ms <= 0) return 0;
  return Math.min(1, Math.max(0, (prompt.deadlineMs - nowMs) / prompt.info.timeout_ms));
}
