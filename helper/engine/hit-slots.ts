/**
 * Where the kernel counts uses of each rule. The places follow from the rules alone, so that a new helper counts on where the
 * last one was; with a change of the rules every place is read, given anew, and read again.
 */
import type { Rule } from '../contract/vocabulary.ts';

/** Slots 1 to this. Source: BASTION_HIT_SLOTS, native/bpf/wire.h; 0 stands for none. Rules behind are counted by the engine alone. */
const LAST_SLOT = 16_383;

/** `count` more uses of a rule. */
export type CountHits = (ruleId: string, count: number) => void;

export class HitSlots {
  #slots: ReadonlyMap<string, number> = new Map();
  /** The rules that the kernel's entries count for now, by slot. */
  #rules: readonly string[] = [];
  #next: readonly string[] = [];
  /** What was counted in each slot before, for whomever. */
  #bases: readonly number[] = [];

  /** 0 for none. */
  slotOf(ruleId: string | null): number {
    return ruleId === null ? 0 : (this.#slots.get(ruleId) ?? 0);
  }

  /** Gives the rules their slots: for entries that are made from now on. */
  assign(rules: readonly Rule[]): void {
    this.#next = ['', ...rules.slice(0, LAST_SLOT).map(({ id }) => id)];
    this.#slots = new Map(this.#next.map((id, slot) => [id, slot]));
  }

  /** Tells what was counted since the last call. */
  count(hits: readonly number[], tell: CountHits): void {
    for (const [slot, ruleId] of this.#rules.entries()) {
      const more = slot === 0 ? 0 : (hits[slot] ?? 0) - (this.#bases[slot] ?? 0);
      if (more > 0) tell(ruleId, more);
    }
    this.#bases = hits;
  }

  /** From now on the kernel counts for the rules of the last `assign`, beginning with `hits`. */
  begin(hits: readonly number[]): void {
    this.#rules = this.#next;
    this.#bases = hits;
  }
}
