/** Decided flows as rules see them once more: what was recorded of a flow, and the moment at which it was decided. */
import type { Ancestor, Confidence, ContainerEnd, Decision, Evidence, Identity, KnownName, Tuple } from '../contract/vocabulary.ts';
import type { Facts, Moment } from './facts.ts';
import type { Places } from './places.ts';
import type { LocalTime } from './schedule.ts';

/** As much of a recorded flow as rules can ask for. What earlier versions did not record is absent. */
export interface RecordedFlow {
  readonly id: string;
  /** Wall time, ms since 1970. */
  readonly timeMs: number;
  readonly tuple: Tuple;
  readonly path: string | null;
  readonly uid: number | null;
  readonly forwardedFrom: string | null;
  readonly names: readonly KnownName[];
  readonly interfaceName: string;
  readonly decision: Decision;
  readonly confidence: Confidence;
  readonly evidence: Evidence;
  readonly identity?: Identity;
  readonly claimedPath?: string | null;
  readonly ancestors?: readonly Ancestor[];
  readonly lineage?: 'kernel' | 'procfs';
  readonly isLookup?: boolean;
  readonly answersPeer?: boolean;
  readonly origin?: 'process' | 'kernel' | 'forwarded';
  readonly containers?: readonly ContainerEnd[];
}

/** In place of a user for a forwarded flow: no rule matches it. */
const NO_USER = -1;
const MINUTE_MS = 60_000;
const NO_SESSIONS: ReadonlySet<string> = new Set();

export function isForwarded(record: RecordedFlow): boolean {
  return record.forwardedFrom !== null || record.origin === 'forwarded';
}

/**
 * What rules may know of a recorded flow. Its process has gone, and its login session with it: rules for one process or
 * session match no recorded flow.
 */
export function recordedFacts(record: RecordedFlow): Facts {
  const { path, identity = { path }, claimedPath = null, confidence, evidence, uid, tuple, names, interfaceName } = record;
  const { containers } = record;
  const where = {
    tuple, names, interfaceName, isLookup: record.isLookup === true, process: null,
    ...(containers === undefined ? {} : { containers }),
  };
  if (isForwarded(record)) {
    return { path: null, claimedPath: null, confidence: 'unknown', evidence: 'none', uid: NO_USER, ancestors: [], ...where };
  }
  const { ancestors, lineage } = record;
  return {
    ...where,
    identity,
    // Nobody starts the kernel.
    ...(record.origin === 'kernel' ? { ancestors: [] } : lineage === undefined ? {} : { ancestors: ancestors ?? [], lineage }),
    path: identity.path,
    claimedPath,
    confidence: uid === null ? 'unknown' : confidence,
    evidence: uid === null ? 'none' : evidence,
    uid,
  };
}

/** Local weekday and minute of a wall time, in the time zone of this process. */
export function localTimeOf(wallMs: number): LocalTime {
  const local = new Date(wallMs);
  return { weekday: (local.getDay() + 6) % 7, minute: local.getHours() * 60 + local.getMinutes() };
}

/** Moments of recorded flows. Neighbours in time share their local time, which is slow to work out. */
export class RecordedMoments {
  readonly #requireKernelIdentity: boolean;
  readonly #places: Places;
  #minute = Number.NaN;
  #local: LocalTime = { weekday: 0, minute: 0 };

  constructor(settings: { readonly requireKernelIdentity: boolean; readonly places: Places }) {
    this.#requireKernelIdentity = settings.requireKernelIdentity;
    this.#places = settings.places;
  }

  at(timeMs: number): Moment {
    const minute = Math.floor(timeMs / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#local = localTimeOf(timeMs);
    }
    return {
      nowMs: timeMs,
      local: this.#local,
      sessions: NO_SESSIONS,
      requireKernelIdentity: this.#requireKernelIdentity,
      places: this.#places,
    };
  }
}
