/**
 * What the overview shows beside the state: traffic once a second, and what was refused when there is more of it. Nothing is
 * asked while the page is not shown, and nothing again after a refusal until the person wants it: each question could ask for
 * a password.
 */
import type { FlowInfo } from '../../helper/contract/types.ts';
import { TrafficLog } from '../model/traffic.ts';
import { Emitter } from './emitter.ts';
import type { HelperSession } from './session.ts';

const READ_MS = 1000;
/** What is refused in swarms is read once for all. */
const REFUSED_MS = 3000;
/** Newest flows of each kind; alike ones become one row. */
const REFUSED_FLOWS = 50;

export type FeedState =
  | { readonly kind: 'reading' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly error: unknown };

export class OverviewFeed {
  readonly log = new TrafficLog();
  /** Traffic was read, or could not be. */
  readonly changed = new Emitter();
  readonly refusedChanged = new Emitter();
  state: FeedState = { kind: 'reading' };
  refused: readonly FlowInfo[] = [];
  readonly #session: HelperSession;
  #shown = false;
  #reading = false;
  #timer: NodeJS.Timeout | null = null;
  #refusedTimer: NodeJS.Timeout | null = null;
  #refusedSeen = -1;
  #refusedReadAtMs = Number.NEGATIVE_INFINITY;

  constructor(session: HelperSession) {
    this.#session = session;
    session.changed.on(() => { this.#onChanged(); });
  }

  start(): void {
    if (this.#shown) return;
    this.#shown = true;
    this.#begin();
  }

  stop(): void {
    this.#shown = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#refusedTimer !== null) clearTimeout(this.#refusedTimer);
    this.#timer = null;
    this.#refusedTimer = null;
  }

  /** After a failure. */
  retry(): void {
    this.state = { kind: 'reading' };
    this.changed.emit();
    this.#begin();
  }

  #begin(): void {
    if (this.#canRead() && !this.#reading && this.#timer === null) this.#read(true);
  }

  #canRead(): boolean {
    return this.#shown && this.#session.knowledge.connected && this.state.kind !== 'failed';
  }

  #onChanged(): void {
    if (!this.#session.knowledge.connected) {
      this.log.restart();
      this.#refusedSeen = -1;
      this.state = { kind: 'reading' };
      return;
    }
    this.#begin();
    this.#readRefusedSoon();
  }

  /** The first reading after a pause asks for the minutes before, too. */
  #read(first: boolean): void {
    const { client, clocks } = this.#session;
    this.#reading = true;
    client.totals().then(
      (rows) => {
        this.#reading = false;
        this.log.add(rows, clocks.wallMs());
        this.state = { kind: 'ready' };
        if (first) this.#readMinutes();
        this.#readRefusedSoon();
        this.changed.emit();
        this.#readLater();
      },
      (error: unknown) => {
        this.#reading = false;
        this.state = { kind: 'failed', error };
        this.changed.emit();
      },
    );
  }

  #readLater(): void {
    if (!this.#canRead() || this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#canRead() && !this.#reading) this.#read(false);
    }, READ_MS);
  }

  /** A history that cannot be read leaves a gap in the graph, and says so on its own page. */
  #readMinutes(): void {
    this.#session.client.historyTotals('hour', 'minute').then(
      (rows) => {
        this.log.setMinutes(rows, this.#session.clocks.wallMs());
        this.changed.emit();
      },
      () => undefined,
    );
  }

  #readRefusedSoon(): void {
    const denied = this.#session.knowledge.status?.statistics.denied ?? 0;
    if (this.state.kind !== 'ready' || !this.#shown || denied === this.#refusedSeen || this.#refusedTimer !== null) return;
    const waitMs = Math.max(0, this.#refusedReadAtMs + REFUSED_MS - this.#session.clocks.nowMs());
    this.#refusedTimer = setTimeout(() => {
      this.#refusedTimer = null;
      this.#refusedSeen = this.#session.knowledge.status?.statistics.denied ?? 0;
      this.#refusedReadAtMs = this.#session.clocks.nowMs();
      this.#readRefused();
    }, waitMs);
  }

  #readRefused(): void {
    const { client } = this.#session;
    Promise.all([client.queryFlows({ action: 'deny' }, REFUSED_FLOWS, ''), client.queryFlows({ action: 'drop' }, REFUSED_FLOWS, '')]).then(
      ([denied, dropped]) => {
        this.refused = [...denied.rows, ...dropped.rows];
        this.refusedChanged.emit();
      },
      () => undefined,
    );
  }
}
