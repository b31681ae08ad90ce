/**
 * Where the kernel counts uses of each rule. The places follow from the rules alone, so that a new helper counts on where the
 * last one was; with a change of the rules every place is read, given anew, and read again.
 */
/** Slots 1 to this. Source: BASTION_HIT_SLOTS, native/bpf/wire.h; 0 stands for none. Rules behind are counted by the engine alone. */
export const LAST_SLOT = 16_383;

/** `count` more uses of a rule. */
export type CountHits = (ruleId: string, count: number) => void;

/** Generations whose rules are still known, for what is told late. */
const GENERATIONS = 16;

export class HitSlots {
  #slots: ReadonlyMap<string, number> = new Map();
  /** The rules that the kernel's entries count for now, by slot. */
  #rules: readonly string[] = [];
  #next: readonly string[] = [];
  #given: readonly string[] | null = null;
  /** What was counted in each slot before, for whomever. */
  #bases: readonly number[] = [];
  /** Rules by slot, of the last generations of what is remembered. */
  readonly #generations = new Map<number, readonly string[]>();

  /** 0 for none. */
  slotOf(ruleId: string | null): number {
    return ruleId === null ? 0 : (this.#slots.get(ruleId) ?? 0);
  }

  /** Gives the rules their slots, in this order: for entries that are made from now on. */
  assign(ids: readonly string[]): void {
    if (ids === this.#given) return;
    this.#given = ids;
    this.#next = ['', ...ids.slice(0, LAST_SLOT)];
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

  /** From now on the kernel counts for the rules of the last `assign`, beginning with `hits`; its entries have this generation. */
  begin(hits: readonly number[], generation: number): void {
    this.#rules = this.#next;
    this.#bases = hits;
    this.#generations.delete(generation);
    this.#generations.set(generation, this.#rules);
    const oldest = this.#generations.keys().next();
    if (this.#generations.size > GENERATIONS && oldest.done !== true) this.#generations.delete(oldest.value);
  }

  /** The rule that an entry of this generation counts for; null for none, and where that is not known any more. */
  ruleOf(slot: number, generation: number): string | null {
    const id = this.#generations.get(generation)?.[slot] ?? '';
    return id === '' ? null : id;
  }
}
