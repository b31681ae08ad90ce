/** Network interfaces and their addresses as the kernel announces them: port `LinkMonitor`. */
import { existsSync } from 'node:fs';
import { BastionError } from '../contract/errors.ts';
import type { NativeBinding, NativeLinkNews } from '../../native/binding.ts';
import type { LinkMonitor, Logger, NetworkLink } from '../ports.ts';
import { LinkTable } from './link-table.ts';

/** Announcements that wait in the kernel; each takes about 1 kB there. */
const RECEIVE_BYTES = 4 * 1024 * 1024;
/** As long as a question waits for the first listing. */
const FIRST_MS = 5000;

export interface LinkMonitorOptions {
  readonly native: Pick<NativeBinding, 'watchLinks'>;
  readonly logger: Logger;
  /** Default: 4 MiB. */
  readonly receiveBytes?: number;
  /** Is this interface of hardware a wireless one? Default: as /sys says. */
  readonly isWireless?: (name: string) => boolean;
}

/** The interfaces, and when to look for gateways again. */
export interface WatchedLinks extends LinkMonitor {
  /** After a default route came, went or became another one. Returns the way to stop. */
  onRoutes(changed: () => void): () => void;
}

function wirelessInSys(name: string): boolean {
  return existsSync(`/sys/class/net/${name}/phy80211`);
}

class RtnetlinkMonitor implements WatchedLinks {
  readonly #logger: Logger;
  readonly #table: LinkTable;
  readonly #listeners = new Set<() => void>();
  readonly #routeListeners = new Set<() => void>();
  readonly #first = Promise.withResolvers<undefined>();
  readonly #close: () => void;
  /** Why nothing can be told; null while something can. */
  readonly #failure: BastionError | null;
  #changes = 0;
  #resyncs = 0;

  constructor({ native, logger, receiveBytes = RECEIVE_BYTES, isWireless = wirelessInSys }: LinkMonitorOptions) {
    this.#logger = logger;
    this.#table = new LinkTable(isWireless);
    try {
      const watch = native.watchLinks(receiveBytes, (news) => { this.#take(news); });
      this.#close = () => { watch.close(); };
      this.#failure = null;
    } catch (error: unknown) {
      const why = error instanceof Error ? error.message : String(error);
      logger.log('warning', 'the network interfaces cannot be followed', { why });
      this.#close = () => undefined;
      this.#failure = new BastionError('Failed', `The network interfaces cannot be followed: ${why}`, { cause: error });
      this.#first.resolve(undefined);
    }
  }

  get current(): readonly NetworkLink[] {
    return this.#table.current;
  }

  get counters(): LinkMonitor['counters'] {
    return { changes: this.#changes, resyncs: Math.max(0, this.#resyncs - 1) };
  }

  async list(): Promise<readonly NetworkLink[]> {
    const late = Promise.withResolvers<'late'>();
    const timer = setTimeout(() => { late.resolve('late'); }, FIRST_MS).unref();
    const won = await Promise.race([this.#first.promise, late.promise]);
    clearTimeout(timer);
    if (this.#failure !== null) throw this.#failure;
    if (won === 'late') throw new BastionError('Failed', 'The kernel has not told of the network interfaces yet.');
    return this.current;
  }

  onChanged(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  onRoutes(changed: () => void): () => void {
    this.#routeListeners.add(changed);
    return () => this.#routeListeners.delete(changed);
  }

  close(): void {
    this.#close();
    this.#listeners.clear();
    this.#routeListeners.clear();
    this.#first.resolve(undefined);
  }

  #take(news: NativeLinkNews): void {
    const isFirst = this.#resyncs === 0;
    if (!isFirst && news.resyncs > this.#resyncs) {
      this.#logger.log('debug', 'the network interfaces were read again: what the kernel told was not all taken', { times: news.resyncs - 1 });
    }
    this.#resyncs = news.resyncs;
    // Before everything was told, a change says nothing of what there is.
    const changed = (news.whole || !isFirst) && this.#table.take(news);
    if (changed) this.#changes += 1;
    if (news.whole) this.#first.resolve(undefined);
    if (changed) for (const listener of [...this.#listeners]) listener();
    if (news.routes) for (const listener of [...this.#routeListeners]) listener();
  }
}

/** Follows the interfaces of this process's network namespace. Never throws: where they cannot be followed, `list` says why. */
export function watchLinks(options: LinkMonitorOptions): WatchedLinks {
  return new RtnetlinkMonitor(options);
}
