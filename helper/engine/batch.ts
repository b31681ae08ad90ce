/** Everything that one turn of the engine tells the data path: memories first, then verdicts, in one call each. */
import type { BootNs, Decision } from '../contract/vocabulary.ts';
import type { Ask, AskAnswer, DataPath, RememberedDecision } from '../ports.ts';
import { verdictOf } from './decide.ts';
import { untilOf } from './memory.ts';
import type { Memory } from './memory.ts';

export class Batch {
  readonly #nowNs: BootNs;
  /** Boot time after which nothing of this turn may be remembered (the end of a pause), null for no such time. */
  readonly #capNs: BootNs | null;
  readonly #answers: AskAnswer[] = [];
  readonly #remembered = new Map<string, RememberedDecision>();

  constructor(nowNs: BootNs, capNs: BootNs | null) {
    this.#nowNs = nowNs;
    this.#capNs = capNs;
  }

  /** Gives the verdict and no more. */
  verdict(id: number, decision: Decision): void {
    this.#answers.push({ id, verdict: verdictOf(decision.action) });
  }

  /** Holds the flow; past `deadlineNs` the data path gives its default verdict by itself. */
  hold(id: number, deadlineNs: BootNs): void {
    this.#answers.push({ id, verdict: 'hold', deadlineNs });
  }

  /** Gives the verdict for this flow as long as its socket lives, or for `lastsMs`. */
  flow(id: number, decision: Decision, lastsMs: number | null): void {
    const rememberUntilNs = untilOf(this.#nowNs, lastsMs, this.#capNs);
    this.#answers.push({ id, verdict: verdictOf(decision.action), rememberUntilNs });
  }

  /** Gives the verdict, remembered as `memory` says; null: only the verdict. */
  remember(ask: Ask, decision: Decision, memory: Memory | null): void {
    const verdict = verdictOf(decision.action);
    if (memory === null) {
      this.#answers.push({ id: ask.id, verdict });
    } else if (memory.program === null) {
      this.#answers.push({ id: ask.id, verdict, rememberUntilNs: memory.untilNs, hitSlot: memory.hitSlot });
    } else {
      this.#remembered.set(memory.key, memory.program);
      this.#answers.push({ id: ask.id, verdict });
    }
  }

  /** The memory is there before a verdict is given: the next packet of the same program finds it. */
  send(dataPath: DataPath): void {
    if (this.#remembered.size > 0) dataPath.remember([...this.#remembered.values()]);
    if (this.#answers.length > 0) dataPath.answer(this.#answers);
  }
}
