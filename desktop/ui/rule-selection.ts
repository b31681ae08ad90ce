/** Which rules are selected, and whether rules are being selected at all. */
import type { ToggleButton } from '../gtk.ts';
import { between } from '../model/rule-list.ts';
import type { RuleRow } from '../model/rule-list.ts';

export class RuleSelection {
  readonly #mode: ToggleButton;
  readonly #changed: () => void;
  readonly #ids = new Set<string>();
  /** Where the last row was selected: Shift goes on from there. */
  #anchor = '';

  /** `mode` is the button that begins and ends it; `changed` is told of everything. */
  constructor(mode: ToggleButton, changed: () => void) {
    this.#mode = mode;
    this.#changed = changed;
    mode.on('toggled', () => {
      if (!mode.getActive()) this.#ids.clear();
      if (!mode.getActive()) this.#anchor = '';
      changed();
    });
  }

  get isOn(): boolean {
    return this.#mode.getActive();
  }

  get ids(): readonly string[] {
    return [...this.#ids];
  }

  get size(): number {
    return this.#ids.size;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  toggle(id: string): void {
    if (!this.#ids.delete(id)) this.#ids.add(id);
    this.#anchor = id;
    this.#begin();
  }

  /** From the last one to this one, as the list shows them. */
  extendTo(id: string, entries: readonly string[]): void {
    for (const one of between(entries, this.#anchor, id)) this.#ids.add(one);
    this.#anchor = id;
    this.#begin();
  }

  /** False where nothing is being selected. */
  addAll(rows: readonly RuleRow[]): boolean {
    if (!this.isOn) return false;
    for (const row of rows) this.#ids.add(row.rule.id);
    this.#changed();
    return true;
  }

  /** Lets go of what is not there any more. */
  keep(isThere: (id: string) => boolean): void {
    for (const id of this.#ids) if (!isThere(id)) this.#ids.delete(id);
  }

  /** Ends it; false where it had not begun. */
  leave(): boolean {
    if (!this.isOn) return false;
    this.#mode.setActive(false);
    return true;
  }

  /** The button's own signal tells of what it changes; where it is pressed already nobody else does. */
  #begin(): void {
    if (this.isOn) this.#changed();
    else this.#mode.setActive(true);
  }
}
