/** org.bastionfirewall.Helper1.Applications: who has a rule or has spoken, and whether its file is as it was. */
import { array, string, text } from '../contract/codec.ts';
import { BastionError } from '../contract/errors.ts';
import { ACTIONS, INTERFACES, WIRE_LIMITS } from '../contract/names.ts';
import { applicationFilter, applicationInfo, rehashRow, rehashSummary } from '../contract/types.ts';
import type { ApplicationFilter, ApplicationInfo, RehashInfo, RehashSummary } from '../contract/types.ts';
import type { ApplicationsApi, ApplicationUseView, ApplicationView, RehashRow } from '../engine-api.ts';
import { method } from './method.ts';
import type { Call, ServedInterface } from './method.ts';
import { pageOf } from './paging.ts';
import { clipped, forDialog } from './text.ts';
import { cursor, limit, rows } from './wire-types.ts';

/** Changed and RehashProgress at most this often. */
const SIGNAL_MS = 100;
/** An id, an equals sign and a hash. */
const target = text(160);
const targets = array(target, WIRE_LIMITS.pageRows);

/** Sends a signal of this interface; to everybody without a receiver. */
export type SendSignal = (receiver: string | null, member: string, signature: string, body: readonly unknown[]) => void;

export interface ApplicationsDeps {
  readonly applications: ApplicationsApi;
  readonly send: SendSignal;
  /** Is this connection still there? */
  isThere(callerName: string): boolean;
}

const NOTHING: ApplicationUseView = { firstSeenMs: 0, lastSeenMs: 0, allowed: 0, refused: 0, sentBytes: 0, receivedBytes: 0 };

/** What the users did whom the caller may see: one, or with null all. */
function usesOf(view: ApplicationView, uid: number | null): ApplicationUseView {
  const uses = uid === null ? [...view.users.values()] : [view.users.get(uid) ?? NOTHING];
  const firsts = uses.map((use) => use.firstSeenMs).filter((ms) => ms > 0);
  const sum = (read: (use: ApplicationUseView) => number): number => uses.reduce((total, use) => total + read(use), 0);
  return {
    firstSeenMs: firsts.length === 0 ? 0 : Math.min(...firsts),
    lastSeenMs: Math.max(0, ...uses.map((use) => use.lastSeenMs)),
    allowed: sum((use) => use.allowed),
    refused: sum((use) => use.refused),
    sentBytes: sum((use) => use.sentBytes),
    receivedBytes: sum((use) => use.receivedBytes),
  };
}

/** An application as the contract tells it to who may see `uid`, or with null everybody. */
export function applicationRow(view: ApplicationView, uid: number | null): ApplicationInfo {
  const use = usesOf(view, uid);
  const { change } = view;
  return {
    id: view.id,
    name: clipped(view.name),
    kind: view.kind,
    path: clipped(view.path),
    interpreter: clipped(view.interpreter),
    package: view.package,
    flatpak: view.flatpak,
    snap: view.snap,
    sha256: view.sha256,
    known_sha256: view.knownSha256,
    state: view.state,
    reason: view.reason,
    trusted: view.trusted,
    rules: view.rules,
    first_seen_ms: use.firstSeenMs,
    last_seen_ms: use.lastSeenMs,
    allowed: use.allowed,
    refused: use.refused,
    sent_bytes: use.sentBytes,
    received_bytes: use.receivedBytes,
    ...(change === null ? {} : { changed_ms: change.timeMs, changed_from: change.from, changed_by: change.by }),
  };
}

/** Rules are everybody's to see, what a user did is his own. */
function maySee(view: ApplicationView, uid: number | null): boolean {
  return uid === null || view.rules > 0 || view.trusted || view.users.has(uid);
}

function wanted(view: ApplicationView, { id, path, state }: ApplicationFilter): boolean {
  return (id === undefined || view.id === id) && (path === undefined || view.path === path) && (state === undefined || view.state === state);
}

function rehashInfo(row: RehashRow): RehashInfo {
  return {
    id: row.id, name: clipped(row.name), path: clipped(row.path), old_sha256: row.oldSha256, new_sha256: row.newSha256,
    state: row.state, result: row.result,
  };
}

function summaryOf(done: readonly RehashRow[]): RehashSummary {
  const count = (result: RehashRow['result']): number => done.filter((row) => row.result === result).length;
  return {
    files: done.length, same: count('same'), accepted: count('accepted'), missing: count('missing'), failed: count('failed'),
    rows: done.filter((row) => row.result !== 'same').slice(0, WIRE_LIMITS.pageRows).map(rehashInfo),
  };
}

/** The interface and the signals behind it. */
export class Applications {
  readonly #deps: ApplicationsDeps;
  readonly #stop: () => void;
  /** Rehashes that are running, by the connection that wanted them. */
  readonly #running = new Map<string, AbortController>();
  #timer: NodeJS.Timeout | null = null;

  constructor(deps: ApplicationsDeps) {
    this.#deps = deps;
    this.#stop = deps.applications.onListChanged(() => { this.#changed(); });
  }

  get served(): ServedInterface {
    return {
      name: INTERFACES.applications,
      methods: { ...this.#readMethods(), ...this.#editMethods() },
      properties: {},
      signals: { Changed: '', RehashProgress: 'tt' },
    };
  }

  /** The connection has ended: what it wanted stops. */
  remove(callerName: string): void {
    this.#running.get(callerName)?.abort();
  }

  close(): void {
    this.#stop();
    for (const one of this.#running.values()) one.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #readMethods(): ServedInterface['methods'] {
    return {
      List: method({
        input: [applicationFilter, limit, cursor],
        names: ['filter', 'limit', 'cursor'],
        output: [rows(applicationInfo), string],
        cost: (caller, filter) => (filter.uid === undefined || filter.uid === caller.uid ? null : ACTIONS.viewAll),
        run: async (call, filter, count, from) => {
          const uid = filter.uid ?? ((await call.allows(ACTIONS.viewAll)) ? null : call.caller.uid);
          const views = (await this.#deps.applications.list()).filter((view) => maySee(view, uid) && wanted(view, filter));
          const page = pageOf(views, (view) => view.id, count, from);
          return [page.rows.map((view) => applicationRow(view, uid)), page.next];
        },
      }),
    };
  }

  #editMethods(): ServedInterface['methods'] {
    return {
      Rehash: method({
        input: [targets],
        names: ['ids'],
        output: [rows(rehashRow)],
        details: (_caller, ids) => ({ subject: forDialog(`accept ${this.#deps.applications.called(ids).join(', ')}`) }),
        run: async (call, ids) => {
          const done = await this.#run(call, (options) => this.#deps.applications.rehash(ids, options));
          return [done.slice(0, WIRE_LIMITS.pageRows).map(rehashInfo)];
        },
      }),
      RehashAll: method({
        input: [],
        names: [],
        output: [rehashSummary],
        details: () => ({ subject: 'accept the files of all applications' }),
        run: async (call) => [summaryOf(await this.#run(call, (options) => this.#deps.applications.rehashAll(options)))],
      }),
    };
  }

  async #run(
    { caller }: Call, work: (options: Parameters<ApplicationsApi['rehashAll']>[0]) => Promise<readonly RehashRow[]>,
  ): Promise<readonly RehashRow[]> {
    if (this.#running.has(caller.name)) throw new BastionError('Busy');
    const abort = new AbortController();
    this.#running.set(caller.name, abort);
    // It may have left before anybody could be told to stop.
    if (!this.#deps.isThere(caller.name)) abort.abort();
    let sentMs = Number.NEGATIVE_INFINITY;
    try {
      return await work({
        signal: abort.signal,
        progress: (done, total) => {
          const nowMs = performance.now();
          if (done < total && nowMs - sentMs < SIGNAL_MS) return;
          sentMs = nowMs;
          this.#deps.send(caller.name, 'RehashProgress', 'tt', [BigInt(done), BigInt(total)]);
        },
      });
    } finally {
      this.#running.delete(caller.name);
    }
  }

  #changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#deps.send(null, 'Changed', '', []);
    }, SIGNAL_MS).unref();
  }
}
