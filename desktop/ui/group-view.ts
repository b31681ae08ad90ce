/** Connections added up by program or by destination: a list of its own, filled by one question to the helper. */
import type { HelperClient } from '../../helper/contract/client.ts';
import type { FlowFilter, GroupBy, TotalsInfo } from '../../helper/contract/types.ts';
import type { ListView } from '../gtk.ts';
import { groupTexts } from '../model/flow-text.ts';
import { PlaceList } from './place-list.ts';

export interface GroupViewActions {
  texts(): Parameters<typeof groupTexts>[1];
  /** A person opened a group; not those that stand for several. */
  open(row: TotalsInfo): void;
  /** The answer is there; `sinceMs` as of `groupFlows`. */
  loaded(count: number, sinceMs: number): void;
  failed(error: unknown): void;
}

export class GroupView {
  readonly #client: HelperClient;
  readonly #actions: GroupViewActions;
  readonly #list: PlaceList;
  #rows: readonly TotalsInfo[] = [];
  /** Answers to an earlier question are of no use. */
  #load = 0;

  constructor(client: HelperClient, view: ListView, actions: GroupViewActions) {
    this.#client = client;
    this.#actions = actions;
    this.#list = new PlaceList(view, {
      fill: (row, item, at) => {
        const found = this.#rows[at];
        if (found !== undefined) row.fillGroup(item, groupTexts(found, actions.texts()));
      },
      activate: (at) => {
        const found = this.#rows[at];
        if (found !== undefined && found.others === undefined) actions.open(found);
      },
    });
  }

  load(filter: FlowFilter, by: GroupBy): void {
    this.#load += 1;
    const load = this.#load;
    this.#client.groupFlows(filter, by).then(
      ({ rows, sinceMs }) => {
        if (load !== this.#load) return;
        this.#rows = rows;
        this.#list.setLength(rows.length);
        this.#actions.loaded(rows.length, sinceMs);
      },
      (error: unknown) => { if (load === this.#load) this.#actions.failed(error); },
    );
  }

  /** An answer that is on its way is thrown away. */
  stop(): void {
    this.#load += 1;
    this.#list.stop();
  }
}
