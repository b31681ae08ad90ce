/** What the network page shows, read when it is opened and when the helper says that it is different. */
import { allRows } from '../../helper/contract/pages.ts';
import type { NetworkView } from '../model/network-text.ts';
import { Emitter } from './emitter.ts';
import type { HelperSession } from './session.ts';

/** The helper tells of no more interfaces. */
const ROWS_LIMIT = 2500;
/** Nor of more containers. */
const CONTAINERS_LIMIT = 4096;
/** The helper looks for changes while somebody has asked within two minutes. */
const ASK_AGAIN_MS = 60_000;

export type NetworkFeedState =
  | { readonly kind: 'reading' }
  | { readonly kind: 'ready'; readonly view: NetworkView }
  | { readonly kind: 'failed'; readonly error: unknown };

export class NetworkFeed {
  readonly changed = new Emitter();
  state: NetworkFeedState = { kind: 'reading' };
  readonly #session: HelperSession;
  #shown = false;
  #reading: 'no' | 'yes' | 'again' = 'no';
  #timer: NodeJS.Timeout | null = null;
  #profile = '';
  #connected = false;

  constructor(session: HelperSession) {
    this.#session = session;
    session.client.on('networkChanged', () => { this.#readIfShown(); });
    session.rulesChanged.on(() => { this.#readIfShown(); });
    session.changed.on(() => { this.#onChanged(); });
  }

  start(): void {
    this.#shown = true;
    this.#connected = this.#session.knowledge.connected;
    this.#profile = this.#session.knowledge.status?.profile ?? '';
    this.read();
  }

  stop(): void {
    this.#shown = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Also after a failure, when the person wants it: it could ask for a password. */
  read(): void {
    if (this.#reading !== 'no') {
      this.#reading = 'again';
      return;
    }
    this.#reading = 'yes';
    this.#readAll().then(
      (view) => { this.#finish({ kind: 'ready', view }); },
      (error: unknown) => { this.#finish({ kind: 'failed', error }); },
    );
  }

  #readIfShown(): void {
    if (this.#shown && this.state.kind !== 'failed') this.read();
  }

  /** Counters change every second; only what the page shows matters. */
  #onChanged(): void {
    const { connected, status } = this.#session.knowledge;
    const profile = status?.profile ?? '';
    if (connected === this.#connected && profile === this.#profile) return;
    const came = connected && !this.#connected;
    this.#connected = connected;
    this.#profile = profile;
    if (this.#shown && (came || !connected || this.state.kind !== 'failed')) this.read();
  }

  async #readAll(): Promise<NetworkView> {
    const { client } = this.#session;
    // One after the other: the first that needs a password is the only one that asks for it.
    const interfaces = (await allRows((limit, cursor) => client.listInterfaces(limit, cursor), ROWS_LIMIT)).rows;
    const [zones, containers, state, profiles] = await Promise.all([
      allRows((limit, cursor) => client.listZones(limit, cursor), ROWS_LIMIT),
      allRows((limit, cursor) => client.listContainers(limit, cursor), CONTAINERS_LIMIT), client.network(), client.profiles(),
    ]);
    return { interfaces, zones: zones.rows, containers: containers.rows, state, profiles };
  }

  #finish(state: NetworkFeedState): void {
    const again = this.#reading === 'again';
    this.#reading = 'no';
    this.state = state;
    this.changed.emit();
    if (again) this.#readIfShown();
    if (!this.#shown || state.kind !== 'ready') return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#readIfShown();
    }, ASK_AGAIN_MS);
  }
}
