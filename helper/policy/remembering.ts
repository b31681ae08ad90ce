/**
 * How long, and for whom, the kernel may repeat a decision by itself. The kernel's keys are the program (file, user, network
 * namespace, destination) and the socket; a memory never says more than the rules would say when asked again.
 */
import type { Rule } from '../contract/vocabulary.ts';
import type { Facts } from './facts.ts';
import { namesPlace } from './facts.ts';
import { namesProcess } from './program.ts';
import type { Wide, WideForm } from './forms.ts';
import type { Evaluation } from './rule-index.ts';

export type Remembering =
  /** Every flow of this program and user that the form stands for; null: until the rules change. */
  | { readonly for: 'program'; readonly form: 'exact' | WideForm; readonly lastsMs: number | null }
  /** This socket only; null: until the rules change or the socket is closed. */
  | { readonly for: 'socket'; readonly lastsMs: number | null }
  | { readonly for: 'nothing' };

export interface RememberingOptions {
  /** A connection known by the cookie of its socket, which is never used again. */
  readonly stream?: boolean;
  /** See `widestForm`. */
  readonly wide?: Wide | null;
  /** Every flow of the program is to be seen, not only the first: the socket only. */
  readonly each?: boolean;
  /** Until the local minute is full; as `nowMs` says where it is not given, which differs after the clock was set back. */
  readonly minuteLeftMs?: number;
}

const MINUTE_MS = 60_000;
/** An owner found through /proc is known by the tuple, and a tuple can be used again by somebody else. */
const LIKELY_MS = 10_000;
/** Nobody's tuple: long enough to spare a burst, too short to be found by the next owner. */
const OWNERLESS_MS = 1_000;

/** What changes with time and the machine, and not with the socket. */
function changesBy({ match: { process, session, schedule, zone, interface: way } }: Rule): boolean {
  return process !== undefined || session !== undefined || schedule !== undefined || zone !== undefined || way !== undefined;
}

/** Said by what the kernel's keys do not hold. */
function isBeyondKey(rule: Rule, { identity }: Facts): boolean {
  const { ancestor, container, includeChildren } = rule.match;
  return container !== undefined || changesBy(rule) || namesPlace(rule) || namesProcess(rule.match, identity) || ancestor !== undefined || includeChildren === true;
}

/**
 * What may be remembered of a decision that `evaluation` gave for `facts` at `nowMs`.
 *
 * - A rule bound to a process, a session, a schedule or a way out cannot be said in the kernel's key: the socket only, until
 *   the next full minute, which is also when a schedule may change its mind.
 * - Neither can names, scripts, parents and containers: the socket only. A socket to a name server asks for many names: nothing at all.
 * - Learning wants to see each flow: the socket only.
 * - A rule that ends at a wall time bounds the memory. A minute at most, because the wall clock may be set forward and the
 *   kernel's memory runs on the boot clock.
 * - Not certain who it is: the socket, for a short time unless it can be nobody else's.
 */
export function remembering(
  facts: Facts, evaluation: Evaluation, nowMs: number, options: RememberingOptions = {},
): Remembering {
  const { stream = false, wide = null, each = false, minuteLeftMs = MINUTE_MS - (nowMs % MINUTE_MS) } = options;
  const { dynamic, depends } = evaluation;
  if (facts.isLookup === true && (wide === null || each) && (depends.names || dynamic.some(namesPlace))) return { for: 'nothing' };
  if (facts.uid === null) return { for: 'socket', lastsMs: OWNERLESS_MS };
  const certain = facts.confidence === 'certain';
  if (certain && wide !== null && !each) return { for: 'program', ...wide };
  let lastsMs = Infinity;
  let socketOnly = each || depends.names || depends.process;
  for (const rule of dynamic) {
    socketOnly ||= isBeyondKey(rule, facts);
    if (changesBy(rule)) lastsMs = Math.min(lastsMs, minuteLeftMs);
    if (typeof rule.lifetime === 'object') lastsMs = Math.min(lastsMs, MINUTE_MS, rule.lifetime.until - nowMs);
  }
  if (lastsMs <= 0) return { for: 'nothing' };
  if (!certain && !stream) lastsMs = Math.min(lastsMs, LIKELY_MS);
  const finite = lastsMs === Infinity ? null : lastsMs;
  if (!certain || socketOnly) return { for: 'socket', lastsMs: finite };
  return { for: 'program', form: 'exact', lastsMs: finite };
}
