/** The counters of the helper: those that say something to everybody, and the others behind expanders. */
import type { Statistics } from '../../helper/contract/types.ts';
import { Adw } from '../gtk.ts';
import type { ExpanderRow, PreferencesGroup } from '../gtk.ts';
import { FIGURE_GROUPS, figuresOf, groupTitle } from '../model/figures.ts';
import type { FigureGroup } from '../model/figures.ts';
import { TextRows, groupHolder } from './text-rows.ts';

interface Part {
  readonly name: FigureGroup;
  readonly rows: TextRows;
  /** Rows are made when it is first opened; null for what is always open. */
  readonly expander: ExpanderRow | null;
}

export class OverviewFigures {
  readonly #groups: readonly PreferencesGroup[];
  readonly #parts: readonly Part[];
  #numbers: Statistics | null = null;

  constructor(group: PreferencesGroup, more: PreferencesGroup) {
    this.#groups = [group, more];
    group.setTitle(groupTitle('decisions'));
    this.#parts = FIGURE_GROUPS.map((name) => (
      name === 'decisions' ? { name, rows: new TextRows(groupHolder(group)), expander: null } : this.#expander(more, name)
    ));
  }

  /** null hides everything. */
  fill(numbers: Statistics | null): void {
    this.#numbers = numbers;
    for (const group of this.#groups) group.setVisible(numbers !== null);
    for (const part of this.#parts) this.#fillPart(part);
  }

  #fillPart({ name, rows, expander }: Part): void {
    if (this.#numbers === null || expander?.getExpanded() === false) return;
    rows.fill(figuresOf(name, this.#numbers).map(({ title, text, value }) => ({ title, text, value })));
  }

  #expander(group: PreferencesGroup, name: FigureGroup): Part {
    const expander = new Adw.ExpanderRow({ title: groupTitle(name), useMarkup: false });
    group.add(expander);
    const part = { name, expander, rows: new TextRows({ add: (child) => { expander.addRow(child); }, setVisible: () => undefined }) };
    expander.on('notify::expanded', () => { this.#fillPart(part); });
    return part;
  }
}
