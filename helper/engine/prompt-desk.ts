/** Held flows and their prompts: the state machine of prompt/ joined with asks, deadlines and what is shown. */
import { BastionError } from '../contract/errors.ts';
import type { PromptEnd } from '../contract/types.ts';
import type { BootNs, Decision, KnownName } from '../contract/vocabulary.ts';
import type { PromptView } from '../engine-api.ts';
import type { Facts } from '../policy/facts.ts';
import { PromptBook } from '../prompt/book.ts';
import type { Ended, Prompt } from '../prompt/book.ts';
import type { Choices } from '../prompt/choices.ts';
import { isLookup } from '../prompt/question.ts';
import type { Question } from '../prompt/question.ts';
import type { Ask } from '../ports.ts';
import { Alarm } from './alarm.ts';
import type { Held } from './decider.ts';
import type { EngineDeps } from './deps.ts';
import type { FlowLog } from './flow-log.ts';
import type { Lineage } from './lineage.ts';
import type { Modes } from './modes.ts';
import type { KeptPrompt } from './run-state.ts';
import type { Turn } from './turn.ts';
import { choicesOf, promptView } from './view.ts';
import type { PromptExtras, ViewContext } from './view.ts';

/** The data path waits this much longer, so that it is the engine that ends a prompt and knows why. */
export const GRACE_NS = 2_000_000_000n;
const NS_PER_MS = 1_000_000n;
/** A program that retries at once after a prompt expired is refused quietly, not asked about again, on the same socket. */
const AFTER_EXPIRY_MS = 10_000;
/** Rules that one answer makes at most, one for each address of the name; flows to further ones are answered once. */
export const ADDRESSES_OF_ANSWER = 8;

export type HeldPrompt = Prompt<PromptExtras>;

export interface PromptDeskOptions {
  readonly deps: EngineDeps;
  readonly modes: Modes;
  readonly log: FlowLog;
  readonly lineage: Lineage;
  namesOf(ask: Ask): readonly KnownName[];
  /** The earliest deadline has come. */
  onDue(): void;
  /** The inbox changed. */
  onInbox(): void;
}

export class PromptDesk {
  readonly #deps: EngineDeps;
  readonly #modes: Modes;
  readonly #log: FlowLog;
  readonly #namesOf: (ask: Ask) => readonly KnownName[];
  readonly #onInbox: () => void;
  readonly #book: PromptBook<PromptExtras>;
  readonly #held = new Map<number, Held>();
  readonly #alarm: Alarm;
  /** Nonces that listeners were told: only of these they hear the end. */
  readonly #told = new Set<string>();
  #raised = 0;
  #expired = 0;
  #renewed = 0;

  constructor(options: PromptDeskOptions) {
    this.#deps = options.deps;
    this.#modes = options.modes;
    this.#log = options.log;
    this.#namesOf = (ask) => options.namesOf(ask);
    this.#onInbox = () => {
      options.onInbox();
    };
    this.#alarm = new Alarm(options.deps.schedule, () => {
      options.onDue();
    });
    this.#book = new PromptBook({
      newNonce: () => options.deps.newNonce(),
      describe: ({ owner }, flow) => {
        const told = this.#held.get(flow)?.ask.attribution.ancestors ?? [];
        return { ancestors: told.length > 0 ? told : options.lineage.of(owner).ancestors };
      },
    });
  }

  /** Prompts made and expired since the helper started, and how often the time of one was renewed. */
  get counts(): { readonly raised: number; readonly expired: number; readonly renewed: number } {
    return { raised: this.#raised, expired: this.#expired, renewed: this.#renewed };
  }

  get refusedByLimit(): number {
    return this.#book.refusedByLimit;
  }

  /** Holds the flow for a prompt; false when a limit forbids it. */
  hold(ask: Ask, facts: Facts, turn: Turn): boolean {
    const { owner, identity, claimedPath, confidence, evidence } = ask.attribution;
    if (owner === null) return false;
    const names = this.#namesOf(ask);
    const question: Question = {
      path: identity.path, claimedPath, confidence, evidence, identity, owner, tuple: ask.tuple,
      names,
      name: names[0]?.name ?? null,
      isLookup: isLookup(ask.tuple, ask.dnsQuestion),
      ...(ask.answersPeer ? { answersPeer: true } : {}),
      ...(facts.containers === undefined ? {} : { containers: facts.containers }),
    };
    const timeoutMs = this.#modes.settings.promptTimeoutMs;
    this.#held.set(ask.id, { ask, facts });
    const joined = this.#book.join(question, ask.id, timeoutMs, turn.instant);
    if (joined.outcome === 'limit') {
      this.#held.delete(ask.id);
      return false;
    }
    const { prompt, outcome, replaced } = joined;
    turn.batch.hold(ask.id, prompt.deadlineNs + GRACE_NS);
    if (replaced !== null) this.#tellEnd(replaced, 'withdrawn', turn);
    if (outcome !== 'joined') this.#raised += 1;
    if (outcome === 'raised') this.#tellRaised(prompt, turn);
    if (outcome === 'joined') this.#tellChanged(prompt, turn);
    this.#arm();
    return true;
  }

  /**
   * Somebody is deciding: the prompt gets its whole time again, see `PromptBook.renew`. Returns the time that is left, in ms.
   * Throws BastionError PromptGone for one that is not visible.
   */
  renew(nonce: string, turn: Turn): number {
    const nowNs = turn.instant.bootNs;
    const moved = this.#book.renew(nonce, nowNs);
    if (moved === null) throw new BastionError('PromptGone');
    for (const prompt of moved) {
      for (const id of prompt.flows) turn.batch.hold(id, prompt.deadlineNs + GRACE_NS);
      this.#renewed += 1;
      if (prompt.status === 'visible') this.#tellChanged(prompt, turn);
    }
    this.#arm();
    return Number((this.byNonce(nonce).deadlineNs - nowNs) / NS_PER_MS);
  }

  /** Expired prompts that nobody wants to answer leave the inbox. Returns how many did. */
  dismiss(nonces: readonly string[], turn: Turn): number {
    const gone = nonces.map((nonce) => this.#book.dismiss(nonce)).filter((prompt) => prompt !== null);
    for (const prompt of gone) this.#tellEnd(prompt, 'withdrawn', turn);
    if (gone.length > 0) this.#onInbox();
    return gone.length;
  }

  /** Refuses what is past its deadline. */
  expire(turn: Turn): void {
    for (const ended of this.#book.expire(turn.instant.bootNs)) {
      this.#refuse(ended.flows, turn);
      this.#tellExpired(ended, turn);
    }
    this.#arm();
  }

  /** Flows whose verdict the data path gave by itself. */
  ended(ids: readonly number[], turn: Turn): void {
    const action = this.#modes.defaultVerdict === 'accept' ? 'allow' : 'deny';
    for (const id of ids) {
      const held = this.#take(id);
      if (held !== null) turn.record(this.#log, held.ask, { action, reason: 'prompt-expired', ruleId: null }, null);
    }
    for (const prompt of this.#book.left(ids)) {
      if (prompt.deadlineNs > turn.instant.bootNs) {
        this.#finish(this.#book.withdraw(prompt), 'withdrawn', turn);
        continue;
      }
      const ended = this.#book.toInbox(prompt, turn.instant.bootNs);
      if (ended !== null) this.#tellExpired(ended, turn);
    }
    this.#arm();
  }

  /** Every flow that is held. */
  asks(): readonly Ask[] {
    return [...this.#held.values()].map(({ ask }) => ask);
  }

  /**
   * Asks `decideHeld` about every held flow again; a flow for which it gives true is no longer held, and a prompt without
   * flows is withdrawn.
   */
  reconsider(decideHeld: (held: Held, turn: Turn) => boolean, turn: Turn): void {
    const decided = [...this.#held.values()].filter((held) => decideHeld(held, turn)).map((held) => held.ask.id);
    if (decided.length === 0) return;
    for (const id of decided) this.#held.delete(id);
    for (const prompt of this.#book.left(decided)) this.#finish(this.#book.withdraw(prompt), 'withdrawn', turn);
    this.#arm();
  }

  /**
   * The question of a prompt as it is for each address that its flows go to, its own first: flows of one name join, and a
   * rule names one address. At most `ADDRESSES_OF_ANSWER`.
   */
  questionsOf(prompt: HeldPrompt): readonly Question[] {
    const tuples = new Map([[prompt.question.tuple.destinationAddress, prompt.question.tuple]]);
    for (const id of prompt.flows) {
      const tuple = this.#held.get(id)?.ask.tuple;
      if (tuple !== undefined && !tuples.has(tuple.destinationAddress)) tuples.set(tuple.destinationAddress, tuple);
      if (tuples.size === ADDRESSES_OF_ANSWER) break;
    }
    return [...tuples.values()].map((tuple) => ({ ...prompt.question, tuple }));
  }

  /** Uses the nonce: ends the prompt and gives its held flows to the caller, who must decide every one. Null: it is gone. */
  claim(nonce: string, turn: Turn): { readonly prompt: HeldPrompt; readonly flows: readonly Held[] } | null {
    const ended = this.#book.answer(nonce);
    if (ended === null) return null;
    const flows = ended.prompt.flows.map((id) => this.#take(id)).filter((held) => held !== null);
    this.#finish(ended, 'answered', turn);
    if (ended.prompt.status === 'expired') this.#onInbox();
    this.#arm();
    return { prompt: ended.prompt, flows };
  }

  /** The data path has gone, and with it everything that was held. */
  withdrawAll(turn: Turn): void {
    for (const prompt of this.#book.pending()) {
      this.#book.withdraw(prompt);
      this.#tellEnd(prompt, 'withdrawn', turn);
    }
    this.#held.clear();
    this.#arm();
  }

  /** Throws BastionError PromptGone. */
  byNonce(nonce: string): HeldPrompt {
    const prompt = this.#book.byNonce(nonce);
    if (prompt === null) throw new BastionError('PromptGone');
    return prompt;
  }

  view(prompt: HeldPrompt): PromptView {
    return promptView(prompt, this.#context());
  }

  choices(prompt: HeldPrompt): Choices {
    return choicesOf(prompt, this.#context());
  }

  /** Visible ones, then the inbox with the newest first. */
  views(): readonly PromptView[] {
    const visible = this.#book.pending().filter((prompt) => prompt.status === 'visible');
    return [...visible, ...this.#book.inbox()].map((prompt) => this.view(prompt));
  }

  /** The inbox as it is kept over a restart of the helper, the oldest first. */
  kept(): readonly KeptPrompt[] {
    return this.#book.inbox().toReversed().map(({ id, nonce, question, raisedNs, raisedMs, timeoutMs, deadlineNs, count }) => ({
      id, nonce, question, raisedNs, raisedMs, timeoutMs, deadlineNs, count,
    }));
  }

  restore(kept: readonly KeptPrompt[]): void {
    for (const prompt of kept) {
      this.#book.restore({ ...prompt, data: { ancestors: [] } });
      this.#told.add(prompt.nonce);
    }
  }

  close(): void {
    this.#alarm.set(null);
  }

  #context(): ViewContext {
    return {
      users: this.#deps.users,
      nowNs: this.#deps.clock.bootNs(),
      requireKernelIdentity: this.#modes.settings.requireKernelIdentity,
      isAlive: (pid, startNs) => this.#deps.processes.alive(pid, startNs),
      summaryOf: (name) => this.#deps.identities.summaryOf?.(name) ?? null,
      hasSession: (uid) => this.#deps.sessions.list().some((session) => session.uid === uid),
    };
  }

  #take(id: number): Held | null {
    const held = this.#held.get(id) ?? null;
    this.#held.delete(id);
    return held;
  }

  #refuse(flows: readonly number[], turn: Turn): void {
    const decision: Decision = { action: 'deny', reason: 'prompt-expired', ruleId: null };
    for (const id of flows) {
      const held = this.#take(id);
      if (held === null) continue;
      turn.batch.flow(id, decision, AFTER_EXPIRY_MS);
      turn.record(this.#log, held.ask, decision, null);
    }
  }

  #finish(ended: Ended<PromptExtras> | null, why: PromptEnd, turn: Turn): void {
    if (ended === null) return;
    this.#tellEnd(ended.prompt, why, turn);
    if (ended.raised !== null) this.#tellRaised(ended.raised, turn);
  }

  #tellExpired(ended: Ended<PromptExtras> & { readonly dropped: HeldPrompt | null }, turn: Turn): void {
    this.#expired += 1;
    turn.later((emitter) => {
      this.#told.add(ended.prompt.nonce);
      emitter.emit('promptEnded', this.view(ended.prompt), 'expired');
    });
    if (ended.dropped !== null) this.#tellEnd(ended.dropped, 'withdrawn', turn);
    if (ended.raised !== null) this.#tellRaised(ended.raised, turn);
    this.#onInbox();
  }

  #tellRaised(prompt: HeldPrompt, turn: Turn): void {
    turn.later((emitter) => {
      // Ended by something later in the same turn: it was never shown.
      if (this.#book.byNonce(prompt.nonce)?.status !== 'visible') return;
      this.#told.add(prompt.nonce);
      emitter.emit('promptRaised', this.view(prompt));
    });
  }

  #tellChanged(prompt: HeldPrompt, turn: Turn): void {
    turn.onceLater(prompt.nonce, (emitter) => {
      if (this.#told.has(prompt.nonce)) emitter.emit('promptChanged', this.view(prompt));
    });
  }

  #tellEnd(prompt: HeldPrompt, why: PromptEnd, turn: Turn): void {
    turn.later((emitter) => {
      if (this.#told.delete(prompt.nonce)) emitter.emit('promptEnded', this.view(prompt), why);
    });
  }

  #arm(): void {
    const next: BootNs | null = this.#book.nextDeadlineNs();
    this.#alarm.set(next);
  }
}
