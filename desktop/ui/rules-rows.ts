/** The rows that the rules page shows: made of the rules, put in order, filtered and grouped, in slices so that the window goes on. */
import type { RuleInfo } from '../../helper/contract/types.ts';
import { compareText } from '../model/format.ts';
import type { FindProgram } from '../model/program-name.ts';
import { compareRows, ruleRow, rowsInSteps, summaryInSteps, viewInSteps } from '../model/rule-list.ts';
import type { Heading, RuleRow, RuleSort, RuleSummary, RuleView, ViewOptions } from '../model/rule-list.ts';
import { programWords } from '../model/rule-others.ts';
import { ruleText } from '../model/rule-text.ts';
import { runInSlices, sortInSteps } from '../model/stepwise.ts';

/** What is shown of the rows. */
export type RowsFilter = Pick<ViewOptions, 'filter' | 'findings'>;

export class RulesRows {
  readonly #find: FindProgram;
  readonly #programsLimit: number;
  #all: readonly RuleRow[] = [];
  #byId: ReadonlyMap<string, RuleRow> = new Map();
  #view: RuleView = { entries: [], headings: new Map(), found: [] };
  #sort: RuleSort = 'program';
  readonly #collapsed = new Set<string>();
  /** What rows are being made of. */
  #making: { readonly rules: readonly RuleInfo[]; readonly nowMs: number; readonly made: (summary: RuleSummary) => void } | null = null;
  #stopRows: () => void = () => undefined;
  #stopView: () => void = () => undefined;

  /** `programsLimit`: of so many programs the summary tells. */
  constructor(find: FindProgram, programsLimit: number) {
    this.#find = find;
    this.#programsLimit = programsLimit;
  }

  get isEmpty(): boolean {
    return this.#all.length === 0;
  }

  get sort(): RuleSort {
    return this.#sort;
  }

  /** Those that the filter lets through, below collapsed headings too. */
  get found(): readonly RuleRow[] {
    return this.#view.found;
  }

  /** Names of the groups that rules are in. */
  get groups(): readonly string[] {
    return [...new Set(this.#all.map((row) => row.rule.group))].filter((group) => group !== '').sort(compareText);
  }

  row(id: string): RuleRow | undefined {
    return this.#byId.get(id);
  }

  heading(key: string): Heading | null {
    return this.#view.headings.get(key) ?? null;
  }

  /** Other rules. `made` is told when their rows are there; those of before stay until then. */
  make(rules: readonly RuleInfo[], nowMs: number, made: (summary: RuleSummary) => void): void {
    this.#stopRows();
    this.#making = { rules, nowMs, made };
    this.#stopRows = runInSlices(this.#prepare(rules, nowMs), ({ rows, summary }) => {
      this.#making = null;
      this.#all = rows;
      this.#byId = summary.byId;
      made(summary);
    });
  }

  /** Another order; `sorted` is told when the rows are in it. */
  setSort(sort: RuleSort, sorted: () => void): void {
    this.#sort = sort;
    const making = this.#making;
    if (making !== null) {
      this.make(making.rules, making.nowMs, (summary) => {
        making.made(summary);
        sorted();
      });
      return;
    }
    this.#stopRows();
    this.#stopRows = runInSlices(sortInSteps(this.#all, compareRows(sort)), (rows) => {
      this.#all = rows;
      sorted();
    });
  }

  /** Looks through the rows; a look that is under way is given up. */
  look(options: RowsFilter, seen: (view: RuleView) => void): void {
    this.#stopView();
    this.#stopView = runInSlices(viewInSteps(this.#all, { ...options, sort: this.#sort, collapsed: this.#collapsed }), (view) => {
      this.#view = view;
      seen(view);
    });
  }

  /** From the next look on these headings are closed, and no other. */
  collapse(keys: readonly string[]): void {
    this.#collapsed.clear();
    for (const key of keys) this.#collapsed.add(key);
  }

  collapseAll(): void {
    this.collapse([...this.#view.headings.keys()]);
  }

  setCollapsed(key: string, collapsed: boolean): void {
    if (collapsed) this.#collapsed.add(key);
    else this.#collapsed.delete(key);
  }

  * #prepare(rules: readonly RuleInfo[], nowMs: number): Generator<void, { readonly rows: readonly RuleRow[]; readonly summary: RuleSummary }> {
    const find = this.#find;
    const rows = yield* rowsInSteps(rules, (rule) => ruleRow(rule, ruleText(rule, find, nowMs), programWords(rule, find)), this.#sort);
    return { rows, summary: yield* summaryInSteps(rows, this.#programsLimit) };
  }
}
