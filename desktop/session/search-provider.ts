/**
 * Applications and rules in the shell's search: org.gnome.Shell.SearchProvider2 under a name of its own. The helper is asked
 * when a search begins, not for each letter, and at most twice a minute; nothing is kept when nobody searches.
 * Source: GNOME Shell, data/dbus-interfaces/org.gnome.ShellSearchProvider2.xml and js/ui/remoteSearch.js.
 */
import { allRows } from '../../helper/contract/pages.ts';
import type { AllRows } from '../../helper/contract/pages.ts';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { BusConnection } from '../../helper/contract/transport.ts';
import { connectSessionBus } from '../client/session-bus.ts';
import { SEARCH_LIMITS, SearchIndex, searchTerms } from '../model/search.ts';
import type { SearchTarget } from '../model/search.ts';
import type { FindProgram } from '../model/program-name.ts';
import { serveObjects, variant } from '../tray/dispatcher.ts';
import type { BusInterface, BusMethod, Variant } from '../tray/dispatcher.ts';

export const SEARCH_NAME = 'org.bastionfirewall.Desktop.SearchProvider';
export const SEARCH_PATH = '/org/bastionfirewall/Desktop/SearchProvider';
export const SEARCH_INTERFACE = 'org.gnome.Shell.SearchProvider2';

/** How long a reading is good, and how long it is kept after the last question. */
const FRESH_MS = 30_000;
const KEPT_MS = 60_000;
/** The first letters of a search wait this long for the helper, then get what is there. */
const PATIENCE_MS = 40;
const ROWS_LIMIT = 4000;
const ICON_NAME = /^[\w.+-]{1,128}$/;

export interface SearchProviderParts {
  readonly client: HelperClient;
  readonly find: FindProgram;
  /** Monotonic, ms. */
  readonly nowMs: () => number;
  /** ms since 1970. */
  readonly wallMs: () => number;
  readonly open: (target: SearchTarget) => void;
  /** Opens the window with these words in its search. */
  readonly search: (words: string) => void;
}

/** The object that the shell calls. */
export class SearchProvider implements BusInterface {
  readonly name = SEARCH_INTERFACE;
  readonly #parts: SearchProviderParts;
  #index = new SearchIndex([], [], () => null, 0);
  #readAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | null = null;
  #forget: NodeJS.Timeout | null = null;

  constructor(parts: SearchProviderParts) {
    this.#parts = parts;
  }

  readonly properties = (): Readonly<Record<string, Variant>> => ({});

  readonly methods: Readonly<Record<string, BusMethod>> = {
    GetInitialResultSet: { in: 'as', out: 'as', run: ([terms]) => this.#find(words(terms)) },
    GetSubsearchResultSet: { in: 'asas', out: 'as', run: ([, terms]) => this.#find(words(terms)) },
    GetResultMetas: { in: 'as', out: 'aa{sv}', run: ([ids]) => [this.#metas(words(ids))] },
    ActivateResult: {
      in: 'sasu', out: '', run: ([id]) => {
        const target = typeof id === 'string' ? this.#index.target(id) : null;
        if (target !== null) this.#parts.open(target);
        return [];
      },
    },
    LaunchSearch: {
      in: 'asu', out: '', run: ([terms]) => {
        this.#parts.search(words(terms).slice(0, SEARCH_LIMITS.terms).join(' ').slice(0, SEARCH_LIMITS.textLength));
        return [];
      },
    },
  };

  readonly xml = [
    `<interface name="${SEARCH_INTERFACE}">`,
    '<method name="GetInitialResultSet"><arg type="as" name="terms" direction="in"/><arg type="as" name="results" direction="out"/></method>',
    '<method name="GetSubsearchResultSet"><arg type="as" name="previous_results" direction="in"/><arg type="as" name="terms" direction="in"/><arg type="as" name="results" direction="out"/></method>',
    '<method name="GetResultMetas"><arg type="as" name="identifiers" direction="in"/><arg type="aa{sv}" name="metas" direction="out"/></method>',
    '<method name="ActivateResult"><arg type="s" name="identifier" direction="in"/><arg type="as" name="terms" direction="in"/><arg type="u" name="timestamp" direction="in"/></method>',
    '<method name="LaunchSearch"><arg type="as" name="terms" direction="in"/><arg type="u" name="timestamp" direction="in"/></method>',
    '</interface>',
  ].join('\n');

  stop(): void {
    if (this.#forget !== null) clearTimeout(this.#forget);
    this.#forget = null;
  }

  /** A longer word can find what a shorter one had not room for, so each search looks at everything: it takes a millisecond. */
  async #find(terms: readonly string[]): Promise<readonly unknown[]> {
    if (searchTerms(terms).length === 0) return [[]];
    await this.#refresh();
    return [this.#index.find(terms)];
  }

  #metas(ids: readonly string[]): readonly Readonly<Record<string, Variant>>[] {
    return this.#index.metas(ids).map(({ id, title, text, icon }) => ({
      id: variant('s', id), name: variant('s', title), description: variant('s', text),
      // A name of the theme or a file's path: GIcon's own text form. Anything else would be taken for a description of an icon.
      ...(ICON_NAME.test(icon) || icon.startsWith('/') ? { gicon: variant('s', icon) } : {}),
    }));
  }

  /** Begins a reading where the last one is old; waits for it a moment. */
  async #refresh(): Promise<void> {
    this.#keep();
    const { client, nowMs } = this.#parts;
    if (this.#reading === null && client.connected && nowMs() - this.#readAtMs > FRESH_MS) {
      this.#readAtMs = nowMs();
      this.#reading = this.#read().catch(() => undefined).finally(() => { this.#reading = null; });
    }
    if (this.#reading === null) return;
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => { timer = setTimeout(resolve, PATIENCE_MS); });
    await Promise.race([this.#reading, patience]).finally(() => { clearTimeout(timer); });
  }

  async #read(): Promise<void> {
    const { client, find, wallMs } = this.#parts;
    const [applications, rules] = await Promise.all([
      found(allRows((limit, cursor) => client.listApplications({}, limit, cursor), ROWS_LIMIT)),
      found(allRows((limit, cursor) => client.listRules(limit, cursor), ROWS_LIMIT)),
    ]);
    this.#index = new SearchIndex(applications, rules, find, wallMs());
  }

  #keep(): void {
    this.stop();
    this.#forget = setTimeout(() => {
      this.#forget = null;
      this.#index = new SearchIndex([], [], () => null, 0);
      this.#readAtMs = Number.NEGATIVE_INFINITY;
    }, KEPT_MS);
  }
}

function words(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((word): word is string => typeof word === 'string') : [];
}

/** What cannot be read is not found. */
function found<T>(reading: Promise<AllRows<T>>): Promise<readonly T[]> {
  return reading.then(({ rows }) => rows, () => []);
}

/** Serves the provider on a connection of its own; returns the way to stop. Without a session bus nothing happens. */
export async function serveSearch(address: string, parts: SearchProviderParts): Promise<() => void> {
  const bus: BusConnection | null = await connectSessionBus(address);
  if (bus === null) return () => undefined;
  const provider = new SearchProvider(parts);
  serveObjects(bus, new Map<string, BusInterface>([[SEARCH_PATH, provider]]));
  // Another owner, say of a second version that is tried: then that one answers.
  await bus.requestName(SEARCH_NAME).catch(() => undefined);
  return () => {
    provider.stop();
    bus.close();
  };
}
