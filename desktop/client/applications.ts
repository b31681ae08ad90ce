/** The applications that the helper knows, read page by page, and again when the helper says that they changed. */
import { allRows } from '../../helper/contract/pages.ts';
import type { HelperClient } from '../../helper/contract/client.ts';
import { NotConnectedError } from '../../helper/contract/client.ts';
import type { ApplicationInfo } from '../../helper/contract/types.ts';
import { Emitter } from './emitter.ts';
import { Refresher } from './refresher.ts';

/** More than a person looks through; the rest is reached with bastionctl. */
export const APPLICATIONS_LIMIT = 20_000;
/** Programs speak all the time; nobody reads faster than this. */
const REFRESH_MS = 2000;

export type ApplicationsState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready'; readonly applications: readonly ApplicationInfo[]; readonly cut: boolean }
  | { readonly kind: 'failed'; readonly error: unknown };

export class Applications {
  /** `state` is another one. */
  readonly changed = new Emitter();
  state: ApplicationsState = { kind: 'loading' };
  readonly #client: HelperClient;
  readonly #refresher: Refresher;

  constructor(client: HelperClient, nowMs: () => number) {
    this.#client = client;
    this.#refresher = new Refresher(() => this.#read(), nowMs, REFRESH_MS);
    client.on('applicationsChanged', () => { this.#refresher.ask(); });
    client.on('rulesChanged', () => { this.#refresher.ask(); });
    client.on('connected', (connected) => { this.#onConnected(connected); });
  }

  /** Somebody looks from now on. */
  start(): void {
    this.#refresher.start();
  }

  stop(): void {
    this.#refresher.stop();
  }

  /** Reads at once. */
  reload(): void {
    if (this.state.kind === 'failed') this.#set({ kind: 'loading' });
    this.#refresher.now();
  }

  #onConnected(connected: boolean): void {
    if (connected) this.reload();
    else this.#set({ kind: 'failed', error: new NotConnectedError('not connected') });
  }

  async #read(): Promise<void> {
    try {
      const { rows, isCut } = await allRows((limit, cursor) => this.#client.listApplications({}, limit, cursor), APPLICATIONS_LIMIT);
      // One that moved between two pages is told twice.
      const found = new Map(rows.map((one) => [one.id, one]));
      this.#set({ kind: 'ready', applications: [...found.values()], cut: isCut });
    } catch (error: unknown) {
      this.#set({ kind: 'failed', error });
    }
  }

  #set(state: ApplicationsState): void {
    this.state = state;
    this.changed.emit();
  }
}
