/** Counts what many faults led to. */
import { placeOf } from './places.ts';
import type { Site } from './rig.ts';
import { faultName } from './trial.ts';
import type { Outcome, Verdict } from './trial.ts';

export class Report {
  readonly #sites = new Set<string>();
  readonly #outcomes = new Map<Outcome, number>();
  readonly #defects: string[] = [];
  #runs = 0;
  #notMet = 0;
  #restarts = 0;

  met(sites: readonly Site[]): void {
    for (const { name } of sites) this.#sites.add(name);
  }

  /** null: the call was not made this time. */
  add(verdict: Verdict | null): void {
    if (verdict === null) {
      this.#notMet += 1;
      return;
    }
    const { fault, outcome, mended, defects } = verdict;
    this.#runs += 1;
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
    if (mended === 'restart') this.#restarts += 1;
    if (defects.length > 0) this.#defects.push(`${faultName({ ...fault, site: placeOf(fault.site) })}: ${defects.join('; ')}`);
  }

  defects(): readonly string[] {
    return this.#defects;
  }

  size(): string {
    return `${String(this.#runs)} faults at ${String(this.#sites.size)} call sites`;
  }

  figures(): readonly string[] {
    const outcomes = [...this.#outcomes].sort().map(([outcome, count]) => `${outcome} ${String(count)}`);
    return [`defects: ${String(this.#defects.length)}`, outcomes.join(', '), `whole again by itself ${String(this.#runs - this.#restarts)}, after a restart ${String(this.#restarts)}`];
  }

  line(): string {
    return `${this.size()}; ${this.figures().join('; ')}; ${String(this.#notMet)} not met`;
  }
}
