/** Fills the list of flows: all ids of a filter first, rows as they come into view, live flows as they are decided. */
import type { HelperClient } from '../../helper/contract/client.ts';
import type { FlowFilter, FlowInfo } from '../../helper/contract/types.ts';
import { FlowList, flowNumber } from '../model/flow-list.ts';
import { matchesFlow } from '../model/flow-match.ts';
import { Emitter } from './emitter.ts';

/** Rows that are asked for at a time: more than a screen, and decoded within a frame. */
export const PAGE_ROWS = 50;
/** Pages that wait; who scrolls on does not need what he passed. */
const PAGES_WAITING = 4;
const BASE = 36;

export type SourceState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly error: unknown };

export class FlowSource {
  readonly list = new FlowList();
  /** The length of the list, its state, or the number of waiting flows changed. */
  readonly changed = new Emitter();
  /** Rows came that were missing, or have news. */
  readonly filled = new Emitter();
  readonly #client: HelperClient;
  #filter: FlowFilter = {};
  #state: SourceState = { kind: 'loading' };
  /** Answers to an earlier load are of no use. */
  #load = 0;
  #version = 0;
  #wanted: number[] = [];
  #fetching = false;
  #isWhole = false;
  /** Ids that the helper has no row for any more. */
  readonly #gone = new Set<string>();
  /** The helper left some live flows out. */
  #hasLost = false;

  constructor(client: HelperClient) {
    this.#client = client;
  }

  get state(): SourceState {
    return this.#state;
  }

  /** Another number for each list that was read, of whatever length. */
  get version(): number {
    return this.#version;
  }

  /** Every flow of the filter is in the list. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Live flows are missing: `load` brings them. */
  get hasLost(): boolean {
    return this.#hasLost;
  }

  /** Reads the list anew. What is shown stays until the first answer. */
  load(filter: FlowFilter): void {
    this.#load += 1;
    this.#filter = filter;
    this.#hasLost = false;
    if (this.#state.kind !== 'ready') this.#state = { kind: 'loading' };
    const load = this.#load;
    this.#readAll(load).catch((error: unknown) => {
      if (load !== this.#load) return;
      this.list.clear();
      this.#state = { kind: 'failed', error };
      this.changed.emit();
    });
  }

  /** Answers that are on their way are thrown away. */
  stop(): void {
    this.#load += 1;
    this.#wanted = [];
  }

  async #readAll(load: number): Promise<void> {
    let cursor = '';
    let isFirst = true;
    for (;;) {
      // The rows of the first screen come together with the ids, unless each of two calls would ask for the password.
      const first = isFirst && this.#filter.everybody !== true ? this.#client.queryFlows(this.#filter, PAGE_ROWS, '') : null;
      const [page, rows] = await Promise.all([this.#client.indexFlows(this.#filter, cursor), first]);
      if (load !== this.#load) return;
      if (isFirst) {
        this.list.clear();
        this.#gone.clear();
        this.#version += 1;
      }
      isFirst = false;
      const hasRoom = this.list.append(page.rows);
      if (rows !== null) this.list.put(rows.rows);
      const isEnd = page.next === '' || page.next === cursor;
      if (!hasRoom && !isEnd) this.list.cut();
      this.#isWhole = isEnd;
      this.#state = { kind: 'ready' };
      this.changed.emit();
      if (isEnd || !hasRoom) return;
      cursor = page.next;
    }
  }

  /** The row at a place, or null while it is asked for. */
  rowAt(position: number): FlowInfo | null {
    const row = this.list.rowAt(position);
    if (row === null && position < this.list.length && !this.#gone.has(this.list.idAt(position))) this.#want(Math.floor(position / PAGE_ROWS));
    return row;
  }

  /** Live flows; `matching` ones wait in the list. */
  observe(flows: readonly FlowInfo[]): void {
    this.#hasLost ||= flows.some((flow) => flow.lost !== undefined);
    const wanted = flows.filter((flow) => matchesFlow(flow, this.#filter));
    if (wanted.length === 0) return;
    this.list.observe(wanted);
    this.filled.emit();
    this.changed.emit();
  }

  #want(page: number): void {
    this.#wanted = [page, ...this.#wanted.filter((one) => one !== page)].slice(0, PAGES_WAITING);
    if (this.#fetching) return;
    this.#fetching = true;
    this.#fetchAll().catch(() => undefined).finally(() => { this.#fetching = false; });
  }

  async #fetchAll(): Promise<void> {
    // What is wanted in one go is asked for in the order of the screen.
    await Promise.resolve();
    for (let page = this.#wanted.pop(); page !== undefined; page = this.#wanted.pop()) await this.#fetch(page);
  }

  /** A page may come in pieces: the helper stops looking after some time. */
  async #fetch(page: number): Promise<void> {
    const load = this.#load;
    const first = this.list.idAt(page * PAGE_ROWS);
    const end = Math.min(this.list.length, (page + 1) * PAGE_ROWS);
    const ids = Array.from({ length: Math.max(0, end - page * PAGE_ROWS) }, (_none, at) => this.list.idAt(page * PAGE_ROWS + at));
    const last = ids.at(-1);
    if (last === undefined) return;
    let cursor = `f${(flowNumber(first) + 1).toString(BASE)}`;
    let left = PAGE_ROWS;
    while (left > 0) {
      const found = await this.#client.queryFlows(this.#filter, left, cursor);
      if (load !== this.#load) return;
      this.list.put(found.rows);
      this.filled.emit();
      left -= found.rows.length;
      const isPast = found.next === '' || found.next === cursor || flowNumber(found.next) <= flowNumber(last);
      if (isPast) break;
      cursor = found.next;
    }
    for (const id of ids) if (this.list.row(id) === null) this.#gone.add(id);
  }
}
