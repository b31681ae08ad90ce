/**
 * Every prompt from its first flow to its end. A prompt is queued behind another of its application, visible, expired (in the
 * inbox), or gone. Pure: time comes as an argument, nonces and ids from the caller.
 *
 * Invariants: a held flow belongs to exactly one prompt; an ended prompt never comes back; a nonce is good once.
 */
import type { BootNs } from '../contract/vocabulary.ts';
import { applicationKey, questionKey } from './question.ts';
import type { Question } from './question.ts';

export const PROMPT_LIMITS = {
  /** Prompts whose flows are held, visible and queued together. */
  pending: 256,
  pendingPerUid: 64,
  pendingPerApplication: 16,
  /** Flows that one prompt holds; more are refused. */
  flowsPerPrompt: 1024,
  /** Expired prompts that can still be answered; the oldest leaves. */
  inbox: 200,
} as const;

/** Longest time that a flow is held for a prompt, from the prompt's first flow, however often its time is renewed; ms. */
export const LONGEST_HOLD_MS = 300_000;
/** A renewal that would gain less is none: whoever asks for it all the time costs nothing. */
const LEAST_GAIN_NS = 1_000_000_000n;

export type PromptLimits = { readonly [K in keyof typeof PROMPT_LIMITS]: number };

export type PromptStatus = 'queued' | 'visible' | 'expired';

/** One prompt. `data` is the caller's: what it wants to show. */
export interface Prompt<D> {
  readonly id: string;
  readonly nonce: string;
  readonly key: string;
  readonly application: string;
  readonly question: Question;
  readonly data: D;
  readonly raisedNs: BootNs;
  readonly raisedMs: number;
  readonly timeoutMs: number;
  readonly deadlineNs: BootNs;
  readonly status: PromptStatus;
  /** Ids of the asks that are held for it, in the order in which they came; empty once expired. */
  readonly flows: readonly number[];
  /** Flows that ever joined. */
  readonly count: number;
}

interface Entry<D> extends Prompt<D> {
  status: PromptStatus;
  deadlineNs: BootNs;
  flows: number[];
  count: number;
}

export interface Now {
  readonly bootNs: BootNs;
  readonly wallMs: number;
}

export type Joined<D> =
  | { readonly outcome: 'raised' | 'queued' | 'joined'; readonly prompt: Prompt<D>; readonly replaced: Prompt<D> | null }
  /** Over a limit: the flow is not held. */
  | { readonly outcome: 'limit' };

/** A prompt that ended, and the one of its application that is shown in its place. */
export interface Ended<D> {
  readonly prompt: Prompt<D>;
  readonly raised: Prompt<D> | null;
}

export interface PromptBookDeps<D> {
  /** 128 bits in hexadecimal, never the same twice. */
  newNonce(): string;
  /** Called once for each new prompt; `flow` is its first. */
  describe(question: Question, flow: number): D;
  readonly limits?: Partial<PromptLimits>;
}

const NS_PER_MS = 1_000_000n;

export class PromptBook<D> {
  readonly #deps: PromptBookDeps<D>;
  readonly #limits: PromptLimits;
  readonly #pending = new Map<string, Entry<D>>();
  readonly #byNonce = new Map<string, Entry<D>>();
  readonly #byFlow = new Map<number, Entry<D>>();
  readonly #byApplication = new Map<string, Entry<D>[]>();
  readonly #perUid = new Map<number, number>();
  /** The oldest first. */
  readonly #inbox = new Map<string, Entry<D>>();
  #nextId = 1;
  #refusedByLimit = 0;

  constructor(deps: PromptBookDeps<D>) {
    this.#deps = deps;
    this.#limits = { ...PROMPT_LIMITS, ...deps.limits };
  }

  /** Flows that were not held because of a limit. */
  get refusedByLimit(): number {
    return this.#refusedByLimit;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Holds a flow for the prompt that asks the same, or for a new one. */
  join(question: Question, flow: number, timeoutMs: number, now: Now): Joined<D> {
    const key = questionKey(question);
    const found = this.#pending.get(key);
    if (found !== undefined) {
      if (found.flows.length >= this.#limits.flowsPerPrompt) return this.#overLimit();
      found.flows.push(flow);
      found.count += 1;
      this.#byFlow.set(flow, found);
      return { outcome: 'joined', prompt: found, replaced: null };
    }
    const application = applicationKey(question);
    const uid = question.owner.uid;
    const queue = this.#byApplication.get(application) ?? [];
    if (
      this.#pending.size >= this.#limits.pending ||
      (this.#perUid.get(uid) ?? 0) >= this.#limits.pendingPerUid ||
      queue.length >= this.#limits.pendingPerApplication
    ) {
      return this.#overLimit();
    }
    const replaced = this.#inbox.get(key) ?? null;
    if (replaced !== null) this.#forget(replaced);
    const entry = this.#make(question, flow, timeoutMs, now, queue.length === 0 ? 'visible' : 'queued');
    this.#byApplication.set(application, [...queue, entry]);
    this.#perUid.set(uid, (this.#perUid.get(uid) ?? 0) + 1);
    this.#pending.set(key, entry);
    this.#byNonce.set(entry.nonce, entry);
    this.#byFlow.set(flow, entry);
    return { outcome: entry.status === 'visible' ? 'raised' : 'queued', prompt: entry, replaced };
  }

  /** A visible or expired prompt; null for a nonce that is unknown, used, or not shown yet. */
  byNonce(nonce: string): Prompt<D> | null {
    const entry = this.#byNonce.get(nonce);
    return entry === undefined || entry.status === 'queued' ? null : entry;
  }

  /**
   * Gives a visible prompt its whole time again, and those that are queued behind it, each up to `LONGEST_HOLD_MS` after its
   * first flow. Returns the prompts whose deadline has moved; null for a prompt that is not visible (any more) or is due.
   */
  renew(nonce: string, now: BootNs): readonly Prompt<D>[] | null {
    const entry = this.#byNonce.get(nonce);
    if (entry?.status !== 'visible' || entry.deadlineNs <= now) return null;
    const moved: Entry<D>[] = [];
    for (const one of this.#byApplication.get(entry.application) ?? []) {
      const [whole, longest] = [now + BigInt(one.timeoutMs) * NS_PER_MS, one.raisedNs + BigInt(LONGEST_HOLD_MS) * NS_PER_MS];
      const deadlineNs = whole < longest ? whole : longest;
      if (one.deadlineNs <= now || deadlineNs < one.deadlineNs + LEAST_GAIN_NS) continue;
      one.deadlineNs = deadlineNs;
      moved.push(one);
    }
    return moved;
  }

  /** Takes an expired prompt out of the inbox, without an answer; null for any other. */
  dismiss(nonce: string): Prompt<D> | null {
    const entry = this.#byNonce.get(nonce);
    if (entry?.status !== 'expired') return null;
    this.#forget(entry);
    return entry;
  }

  /** Ends a prompt by an answer: its nonce is used. Null when it cannot be answered (again). */
  answer(nonce: string): Ended<D> | null {
    const entry = this.#byNonce.get(nonce);
    if (entry === undefined || entry.status === 'queued') return null;
    return this.#end(entry);
  }

  /** Ends a prompt without an answer. The caller decides its flows. */
  withdraw(prompt: Prompt<D>): Ended<D> | null {
    const entry = this.#byNonce.get(prompt.nonce);
    return entry === undefined ? null : this.#end(entry);
  }

  /**
   * Flows that are no longer held. Returns the prompts that have none left; they stay until they are withdrawn or expire, for
   * the caller knows why.
   */
  left(flows: readonly number[]): readonly Prompt<D>[] {
    const empty = new Set<Entry<D>>();
    for (const flow of flows) {
      const entry = this.#byFlow.get(flow);
      if (entry === undefined) continue;
      this.#byFlow.delete(flow);
      const at = entry.flows.indexOf(flow);
      if (at >= 0) entry.flows.splice(at, 1);
      if (entry.flows.length === 0) empty.add(entry);
    }
    return [...empty];
  }

  /**
   * Moves what is past its deadline into the inbox. `prompt.flows` of the result are the flows to refuse; `raised` is shown
   * now, and `dropped` is what left the full inbox.
   */
  expire(now: BootNs): readonly (Ended<D> & { readonly flows: readonly number[]; readonly dropped: Prompt<D> | null })[] {
    const due = [...this.#pending.values()].filter((entry) => entry.deadlineNs <= now);
    // All leave before the next is raised: one that is due itself must not be shown for an instant.
    return due.map((entry) => this.toInbox(entry, now)).filter((ended) => ended !== null);
  }

  /** One prompt to the inbox before its time: its flows met their end elsewhere. */
  toInbox(
    prompt: Prompt<D>, now: BootNs,
  ): (Ended<D> & { readonly flows: readonly number[]; readonly dropped: Prompt<D> | null }) | null {
    const entry = this.#byNonce.get(prompt.nonce);
    if (entry === undefined || entry.status === 'expired') return null;
    const flows = entry.flows;
    const raised = this.#leavePending(entry, now);
    entry.status = 'expired';
    entry.flows = [];
    return { prompt: entry, raised, flows, dropped: this.#intoInbox(entry) };
  }

  /** Puts an expired prompt of an earlier run back. Ignored when its nonce or question is here already. */
  restore(prompt: Omit<Prompt<D>, 'status' | 'flows' | 'key' | 'application'>): void {
    const key = questionKey(prompt.question);
    if (this.#byNonce.has(prompt.nonce) || this.#inbox.has(key)) return;
    this.#intoInbox({ ...prompt, key, application: applicationKey(prompt.question), status: 'expired', flows: [] });
  }

  /** The earliest deadline, null when nothing is pending. */
  nextDeadlineNs(): BootNs | null {
    let earliest: BootNs | null = null;
    for (const { deadlineNs } of this.#pending.values()) {
      if (earliest === null || deadlineNs < earliest) earliest = deadlineNs;
    }
    return earliest;
  }

  /** Visible and queued ones, in the order in which they came. */
  pending(): readonly Prompt<D>[] {
    return [...this.#pending.values()];
  }

  /** Expired ones, the newest first. */
  inbox(): readonly Prompt<D>[] {
    return [...this.#inbox.values()].reverse();
  }

  #make(question: Question, flow: number, timeoutMs: number, now: Now, status: PromptStatus): Entry<D> {
    const id = `p${this.#nextId.toString(36)}`;
    this.#nextId += 1;
    return {
      id,
      nonce: this.#deps.newNonce(),
      key: questionKey(question),
      application: applicationKey(question),
      question,
      data: this.#deps.describe(question, flow),
      raisedNs: now.bootNs,
      raisedMs: now.wallMs,
      timeoutMs,
      deadlineNs: now.bootNs + BigInt(timeoutMs) * NS_PER_MS,
      status,
      flows: [flow],
      count: 1,
    };
  }

  #overLimit(): { readonly outcome: 'limit' } {
    this.#refusedByLimit += 1;
    return { outcome: 'limit' };
  }

  #end(entry: Entry<D>): Ended<D> {
    const wasPending = entry.status !== 'expired';
    const raised = wasPending ? this.#leavePending(entry, null) : null;
    this.#forget(entry);
    return { prompt: entry, raised };
  }

  /** `now`: a successor that is due at that time is not raised, it is about to expire too. */
  #leavePending(entry: Entry<D>, now: BootNs | null): Entry<D> | null {
    this.#pending.delete(entry.key);
    for (const flow of entry.flows) this.#byFlow.delete(flow);
    const uid = entry.question.owner.uid;
    const held = (this.#perUid.get(uid) ?? 1) - 1;
    if (held === 0) this.#perUid.delete(uid);
    else this.#perUid.set(uid, held);
    const queue = (this.#byApplication.get(entry.application) ?? []).filter((other) => other !== entry);
    if (queue.length === 0) this.#byApplication.delete(entry.application);
    else this.#byApplication.set(entry.application, queue);
    const successor = queue.find((other) => now === null || other.deadlineNs > now);
    if (entry.status !== 'visible' || successor === undefined) return null;
    successor.status = 'visible';
    return successor;
  }

  #intoInbox(entry: Entry<D>): Entry<D> | null {
    const same = this.#inbox.get(entry.key);
    if (same !== undefined) this.#forget(same);
    this.#inbox.set(entry.key, entry);
    this.#byNonce.set(entry.nonce, entry);
    if (this.#inbox.size <= this.#limits.inbox) return null;
    const [oldest] = this.#inbox.values();
    if (oldest !== undefined) this.#forget(oldest);
    return oldest ?? null;
  }

  #forget(entry: Entry<D>): void {
    this.#byNonce.delete(entry.nonce);
    if (this.#inbox.get(entry.key) === entry) this.#inbox.delete(entry.key);
  }
}
