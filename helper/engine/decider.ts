/** Joins rules, mode and answers into the verdict of one flow, and what may be remembered of it. */
import type { Answer } from '../contract/types.ts';
import type { Decision, Rule } from '../contract/vocabulary.ts';
import type { Facts } from '../policy/facts.ts';
import { remembering } from '../policy/remembering.ts';
import type { Evaluation } from '../policy/rule-index.ts';
import type { Ask } from '../ports.ts';
import { decide } from './decide.ts';
import type { FlowLog } from './flow-log.ts';
import { FollowUps } from './follow-ups.ts';
import type { Gave } from './follow-ups.ts';
import { OnceTable } from './once.ts';
import type { RuleBook } from './rule-book.ts';
import type { Turn } from './turn.ts';

/** One undecided flow. */
export interface Held {
  readonly ask: Ask;
  readonly facts: Facts;
}

/** What a person said to one prompt: the rule that it made, null for `once`. */
export interface Resolved {
  readonly action: Answer['action'];
  readonly rule: Rule | null;
  /** The name that the prompt was about; null for an address alone. */
  readonly name: string | null;
}

/** A flow that is answered `once` without a socket of its own to be known by (the fallback) is remembered this long. */
const ONCE_BY_TUPLE_MS = 60_000;

/** A server's answers to one peer are asked about again after this; nobody notices. */
const REPLY_MS = 60_000;

export class Decider {
  readonly #book: RuleBook;
  readonly #log: FlowLog;
  readonly #once = new OnceTable();
  readonly #followUps: FollowUps;

  constructor(book: RuleBook, log: FlowLog, gave: Gave) {
    this.#book = book;
    this.#log = log;
    this.#followUps = new FollowUps(gave);
  }

  /** Decides what needs no person: by a rule, the mode, or an answer that covers this very flow. False: nobody has decided. */
  tryDecide(held: Held, turn: Turn): boolean {
    const evaluation = this.#book.index.evaluate(held.facts, turn.instant.moment);
    const decision = decide(held, evaluation, turn.posture);
    if (decision.action !== 'ask') {
      this.#settle(held, decision, evaluation, turn);
      return true;
    }
    const once = this.#once.get(held.ask);
    if (once === null) return this.#followsAnswer(held, turn);
    // The flow was recorded when it was answered; this is more of the same.
    turn.batch.flow(held.ask.id, { action: once, reason: 'prompt-answer', ruleId: null }, null);
    return true;
  }

  /** What a person said holds, but for a rule that refuses: an allowance never outranks it. */
  resolve(held: Held, { action, rule, name }: Resolved, turn: Turn): void {
    const evaluation = this.#book.index.evaluate(held.facts, turn.instant.moment);
    const winner = evaluation.rule;
    if (action === 'allow' && (winner?.action === 'deny' || winner?.action === 'drop')) {
      this.#settle(held, { action: winner.action, reason: 'rule', ruleId: winner.id }, evaluation, turn);
      return;
    }
    if (name !== null) this.#followUps.answered(held.ask, action, name, turn.instant.bootNs);
    const decision: Decision = { action, reason: 'prompt-answer', ruleId: rule?.id ?? null };
    if (rule !== null && winner?.id === rule.id) {
      this.#settle(held, decision, evaluation, turn);
      return;
    }
    this.#settleOnce(held.ask, decision, winner?.id ?? null, turn);
  }

  /** An answer about a name covers the connection that belongs to it; see `FollowUps`. */
  #followsAnswer({ ask }: Held, turn: Turn): boolean {
    const action = this.#followUps.actionFor(ask, turn.instant.bootNs);
    if (action === null) return false;
    this.#settleOnce(ask, { action, reason: 'prompt-answer', ruleId: null }, null, turn);
    return true;
  }

  #settleOnce(ask: Ask, decision: Decision, nextRuleId: string | null, turn: Turn): void {
    const known = ask.attribution.owner?.cookie !== 0n;
    turn.batch.flow(ask.id, decision, known ? null : ONCE_BY_TUPLE_MS);
    this.#once.set(ask, decision.action);
    turn.record(this.#log, ask, decision, nextRuleId);
  }

  #settle({ ask, facts }: Held, decision: Decision, evaluation: Evaluation, turn: Turn): void {
    const memory = remembering(facts, evaluation, turn.instant.moment.nowMs);
    // Only this socket was spoken to: the program may not call that peer from another one.
    const said = decision.reason === 'reply' && memory.for === 'program' ? { for: 'socket', lastsMs: REPLY_MS } as const : memory;
    turn.batch.remember(ask, decision, said);
    if (decision.ruleId !== null) this.#book.hit(decision.ruleId, turn.instant.wallMs);
    turn.record(this.#log, ask, decision, evaluation.next?.id ?? null);
  }
}
