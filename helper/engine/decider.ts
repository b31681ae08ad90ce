/** Joins rules, mode and answers into the verdict of one flow, and what may be remembered of it. */
import type { Answer } from '../contract/types.ts';
import type { Decision, Rule, RuleAction } from '../contract/vocabulary.ts';
import type { Facts } from '../policy/facts.ts';
import type { Moment } from '../policy/facts.ts';
import { widestForm } from '../policy/forms.ts';
import type { Outcomes, Wide } from '../policy/forms.ts';
import { remembering } from '../policy/remembering.ts';
import type { Remembering } from '../policy/remembering.ts';
import type { Evaluation } from '../policy/rule-index.ts';
import type { Ask } from '../ports.ts';
import { decide, outcomesOf } from './decide.ts';
import type { FlowLog } from './flow-log.ts';
import { FollowUps } from './follow-ups.ts';
import type { Gave } from './follow-ups.ts';
import type { HitSlots } from './hit-slots.ts';
import type { Ledger, Remembered } from './ledger.ts';
import { hasProgramKey, isStream, memoryOf, memoryOfAnswer, untilOf } from './memory.ts';
import type { Memory } from './memory.ts';
import { momentAfter } from './modes.ts';
import { OnceTable } from './once.ts';
import type { RuleBook } from './rule-book.ts';
import { capOf } from './trial.ts';
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

export interface DeciderParts {
  readonly book: RuleBook;
  readonly log: FlowLog;
  readonly ledger: Ledger;
  readonly slots: HitSlots;
  readonly gave: Gave;
  /** Programs whose file was changed a moment ago are remembered like others. */
  readonly trustNewFiles: boolean;
}

/** A flow that is answered `once` without a socket of its own to be known by (the fallback) is remembered this long. */
const ONCE_BY_TUPLE_MS = 60_000;
const MINUTE_MS = 60_000;
/** The second in which a file was changed, and a clock that is read a little late. */
const YOUNG_MS = 2000;

/**
 * The kernel knows a file by its change time in whole seconds: within that second another content can take its place under the
 * same key.
 */
function mayChangeUnnoticed({ attribution: { owner } }: Ask, wallMs: number): boolean {
  return owner !== null && owner.executable.ctimeSec > 0 && wallMs < owner.executable.ctimeSec * 1000 + YOUNG_MS;
}

/** What only a mode on trial says ends with it: it makes no memory of what rules say any wider. */
const ON_TRIAL: Outcomes = { none: 'ask', ask: 'ask' };

export class Decider {
  readonly #book: RuleBook;
  readonly #log: FlowLog;
  readonly #ledger: Ledger;
  readonly #slots: HitSlots;
  readonly #once = new OnceTable();
  readonly #followUps: FollowUps;
  readonly #trustNewFiles: boolean;

  constructor({ book, log, ledger, slots, gave, trustNewFiles }: DeciderParts) {
    this.#trustNewFiles = trustNewFiles;
    this.#book = book;
    this.#log = log;
    this.#ledger = ledger;
    this.#slots = slots;
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
    this.#remember(held, { action: once, reason: 'prompt-answer', ruleId: null }, this.#onceMemory(held.ask, once, turn), turn);
    return true;
  }

  /** What is to be remembered now of a flow that was decided before; null where nobody has decided it any more. */
  redecide(held: Held, before: Memory, turn: Turn): Remembered | null {
    const evaluation = this.#book.index.evaluate(held.facts, turn.instant.moment);
    const decision = decide(held, evaluation, turn.posture);
    const once = decision.action === 'ask' ? this.#once.get(held.ask) : null;
    const action = once ?? decision.action;
    if (action === 'ask') return null;
    const memory = once === null ? this.#memory(held, decision, evaluation, turn, before) : this.#onceMemory(held.ask, once, turn);
    return memory === null ? null : { held, action, memory };
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
    this.#settleOnce(held, decision, winner?.id ?? null, turn);
  }

  /** An answer about a name covers the connection that belongs to it; see `FollowUps`. */
  #followsAnswer(held: Held, turn: Turn): boolean {
    const action = this.#followUps.actionFor(held.ask, turn.instant.bootNs);
    if (action === null) return false;
    this.#settleOnce(held, { action, reason: 'prompt-answer', ruleId: null }, null, turn);
    return true;
  }

  #settleOnce(held: Held, decision: Decision, nextRuleId: string | null, turn: Turn): void {
    this.#remember(held, decision, this.#onceMemory(held.ask, decision.action, turn), turn);
    this.#once.set(held.ask, decision.action);
    turn.record(this.#log, held.ask, decision, nextRuleId);
  }

  #settle(held: Held, decision: Decision, evaluation: Evaluation, turn: Turn): void {
    this.#remember(held, decision, this.#memory(held, decision, evaluation, turn), turn);
    if (decision.ruleId !== null) this.#book.hit(decision.ruleId, turn.instant.wallMs);
    turn.record(this.#log, held.ask, decision, evaluation.next?.id ?? null);
  }

  #remember(held: Held, decision: Decision, memory: Memory | null, turn: Turn): void {
    turn.batch.remember(held.ask, decision, memory);
    if (memory !== null) this.#ledger.put({ held, action: decision.action, memory });
  }

  #onceMemory(ask: Ask, action: RuleAction, { instant, capNs }: Turn): Memory {
    const lastsMs = ask.attribution.owner?.cookie === 0n ? ONCE_BY_TUPLE_MS : null;
    return memoryOfAnswer(ask, { action, reason: 'prompt-answer', ruleId: null }, untilOf(instant.bootNs, lastsMs, capNs));
  }

  #memory(held: Held, decision: Decision, evaluation: Evaluation, turn: Turn, before: Memory | null = null): Memory | null {
    const { instant } = turn;
    const capNs = capOf(decision, instant.bootNs, turn.capNs, turn.trial);
    const what = this.#remembering(held, decision, evaluation, turn, instant.moment);
    const hitSlot = decision.ruleId === null ? 0 : this.#slots.slotOf(decision.ruleId);
    const sameAfter = this.#sameAfter(held, decision, what, turn);
    return memoryOf(held.ask, decision, what, { nowNs: instant.bootNs, capNs, hitSlot, sameAfter, before });
  }

  #remembering(
    { ask, facts }: Held, { action, reason }: Pick<Decision, 'action' | 'reason'>, evaluation: Evaluation,
    { instant, posture, trial }: Turn, moment: Moment,
  ): Remembering {
    const rules = facts.path === null || !hasProgramKey(ask) ? null : this.#book.index.rulesFor(facts);
    const wide: Wide | null = rules === null
      ? null
      : widestForm({ rules, facts, moment, action, outcomes: trial === null ? outcomesOf({ ask, facts }, posture) : ON_TRIAL, reply: ask.answersPeer });
    const minuteLeftMs = MINUTE_MS - (instant.wallMs % MINUTE_MS);
    // What learning lets pass it records, flow by flow. What servers answer would not be asked about anyway.
    // The kernel's key of a program has no place for the port that it serves.
    const limited = ask.answersPeer && posture.inbound !== undefined;
    const each = limited || (reason === 'mode-learning' && !ask.answersPeer) || (action === 'allow' && !this.#trustNewFiles && mayChangeUnnoticed(ask, instant.wallMs));
    return remembering(facts, evaluation, moment.nowMs, { stream: isStream(ask), wide, each, minuteLeftMs });
  }

  /** Would the same be remembered, as widely, at the moment when this memory ends? */
  #sameAfter(held: Held, { action }: Decision, what: Remembering, turn: Turn): boolean {
    if (what.for === 'nothing' || what.lastsMs === null) return false;
    const moment = momentAfter(turn.instant, what.lastsMs);
    const evaluation = this.#book.index.evaluate(held.facts, moment);
    const after = decide(held, evaluation, turn.posture);
    if (after.action !== action) return false;
    const then = this.#remembering(held, after, evaluation, turn, moment);
    if (then.for === 'program') return what.for === 'socket' || then.form === 'program' || then.form === what.form;
    return then.for === what.for;
  }
}
