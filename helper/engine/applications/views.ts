/** The registry as lists show it: one row for each application, however many files it has. */
import { createHash } from 'node:crypto';
import type { ApplicationState, ApplicationUseView, ApplicationView, TrafficTotal } from '../../engine-api.ts';
import { judgeIntegrity } from '../../policy/integrity.ts';
import type { TrustedApplication } from '../../ports.ts';
import type { NamedProgram, RuleNames } from './rule-names.ts';
import { NOBODY } from './table.ts';
import type { Application } from './table.ts';

/** Hexadecimal digits of an id. */
const ID_LENGTH = 20;

/** Is the file there, and still the one that was hashed? */
export type Presence = 'there' | 'missing' | 'other';

export interface ViewSources {
  readonly trusted: ReadonlyMap<string, TrustedApplication>;
  readonly names: RuleNames;
  readonly totals: readonly TrafficTotal[];
  presence(path: string): Presence;
}

function idOf(kind: string, name: string): string {
  return createHash('sha256').update(`${kind}:${name}`).digest('hex').slice(0, ID_LENGTH);
}

/** Stable over updates: a Flatpak's or Snap's files lie elsewhere after each. */
export function applicationId(one: Pick<Application, 'path' | 'flatpak' | 'snap'>): string {
  if (one.flatpak !== null) return idOf('flatpak', one.flatpak);
  return one.snap === null ? idOf('path', one.path) : idOf('snap', one.snap);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Whether the file is the one that it was known as, by what was last seen of it. */
export function stateOf(
  one: Application, trusted: TrustedApplication | undefined, presence: Presence,
): Pick<ApplicationView, 'state' | 'reason' | 'trusted'> {
  if (presence === 'missing') return { state: 'missing', reason: '', trusted: false };
  if (one.seen === null || presence === 'other') return { state: 'unknown', reason: '', trusted: false };
  const { integrity, reason, trusted: byHand } = judgeIntegrity({
    trusted: trusted?.sha256 ?? null, known: one.known, sha256: one.seen.sha256, packageState: one.seen.packageState,
  });
  return { state: integrity, reason, trusted: byHand };
}

/** A script's interpreter runs other scripts too, so its traffic is not the script's. */
function trafficOf(one: Application, totals: ReadonlyMap<string, readonly TrafficTotal[]>): readonly TrafficTotal[] {
  if (one.kind === 'script') return [];
  return [one.path, ...(one.runs === null ? [] : [one.runs])].flatMap((path) => totals.get(path) ?? []);
}

function usersOf(one: Application, traffic: readonly TrafficTotal[]): Map<number, ApplicationUseView> {
  const users = new Map<number, ApplicationUseView>();
  for (const [uid, use] of one.users) users.set(uid, { ...use, sentBytes: 0, receivedBytes: 0 });
  for (const { uid, sentBytes, receivedBytes } of traffic) {
    const use = users.get(uid ?? NOBODY) ?? { firstSeenMs: 0, lastSeenMs: 0, allowed: 0, refused: 0, sentBytes: 0, receivedBytes: 0 };
    users.set(uid ?? NOBODY, { ...use, sentBytes: use.sentBytes + sentBytes, receivedBytes: use.receivedBytes + receivedBytes });
  }
  return users;
}

function kindOf(one: Application): ApplicationView['kind'] {
  if (one.flatpak !== null) return 'flatpak';
  return one.snap === null ? one.kind : 'snap';
}

function viewOf(one: Application, sources: ViewSources, traffic: readonly TrafficTotal[]): ApplicationView {
  const trusted = sources.trusted.get(one.path);
  return {
    id: applicationId(one),
    name: trusted?.name ?? one.flatpak ?? one.snap ?? baseName(one.path),
    kind: kindOf(one),
    path: one.path,
    interpreter: one.kind === 'script' ? one.runs ?? '' : '',
    package: one.package ?? '',
    flatpak: one.flatpak ?? '',
    snap: one.snap ?? '',
    sha256: one.seen?.sha256 ?? '',
    knownSha256: trusted?.sha256 ?? one.known?.sha256 ?? '',
    ...stateOf(one, trusted, sources.presence(one.path)),
    rules: sources.names.count(one),
    change: one.change,
    users: usersOf(one, traffic),
  };
}

function added(a: ApplicationUseView, b: ApplicationUseView | undefined): ApplicationUseView {
  if (b === undefined) return a;
  return {
    // 0 where only the traffic is known.
    firstSeenMs: Math.min(a.firstSeenMs || b.firstSeenMs, b.firstSeenMs || a.firstSeenMs),
    lastSeenMs: Math.max(a.lastSeenMs, b.lastSeenMs),
    allowed: a.allowed + b.allowed,
    refused: a.refused + b.refused,
    sentBytes: a.sentBytes + b.sentBytes,
    receivedBytes: a.receivedBytes + b.receivedBytes,
  };
}

/** A changed file goes before one that was seen later: one row must not hide it. */
function joined(later: ApplicationView, earlier: ApplicationView): ApplicationView {
  const shown = earlier.state === 'changed' && later.state !== 'changed' ? earlier : later;
  const users = new Map(later.users);
  for (const [uid, use] of earlier.users) users.set(uid, added(use, users.get(uid)));
  return { ...shown, users };
}

const NEVER_SEEN: Pick<ApplicationView, 'interpreter' | 'package' | 'flatpak' | 'snap' | 'sha256' | 'reason' | 'trusted' | 'change'> = {
  interpreter: '', package: '', flatpak: '', snap: '', sha256: '', reason: '', trusted: false, change: null,
};

/** A program that a rule, or applications.toml, names and that was not seen. */
function namedView(
  { kind, name }: NamedProgram, rules: number, sources: ViewSources,
): ApplicationView {
  const isFile = kind === 'path' || kind === 'appImage' || kind === 'script';
  const path = isFile ? name : '';
  const trusted = sources.trusted.get(path);
  const state: ApplicationState = isFile && sources.presence(path) === 'missing' ? 'missing' : 'unknown';
  return {
    ...NEVER_SEEN,
    id: isFile ? idOf('path', name) : idOf(kind, name),
    name: trusted?.name ?? (isFile ? baseName(name) : name),
    kind: kind === 'path' ? 'program' : kind === 'appImage' ? 'appimage' : kind,
    path,
    ...(isFile ? {} : { [kind]: name }),
    knownSha256: trusted?.sha256 ?? '',
    state,
    rules,
    users: new Map(),
  };
}

/** The last seen first, then what is only named, `namedLimit` of them at most. */
export function applicationViews(
  all: readonly Application[], sources: ViewSources, namedLimit: number,
): readonly ApplicationView[] {
  const totals = Map.groupBy(sources.totals.filter(({ path }) => path !== null), ({ path }) => path ?? '');
  const views = new Map<string, ApplicationView>();
  const packages = new Set<string>();
  for (const one of all.toReversed()) {
    const view = viewOf(one, sources, trafficOf(one, totals));
    const later = views.get(view.id);
    views.set(view.id, later === undefined ? view : joined(later, view));
    if (one.package !== null) packages.add(one.package);
  }
  for (const { rules, ...named } of sources.names.programs(namedLimit)) {
    const view = namedView(named, rules, sources);
    if (!views.has(view.id) && !(named.kind === 'package' && packages.has(named.name))) views.set(view.id, view);
  }
  for (const { path } of sources.trusted.values()) {
    const view = namedView({ kind: 'path', name: path }, 0, sources);
    if (!views.has(view.id)) views.set(view.id, view);
  }
  return [...views.values()];
}
