/** What is known about a flow when a rule is asked, and whether one rule matches it. */
import type { BootNs, Confidence, Evidence, Rule, Tuple } from '../contract/vocabulary.ts';
import { hasPorts, ICMP, ICMPV6 } from './ports.ts';
import type { LocalTime } from './schedule.ts';
import { scheduleHolds } from './schedule.ts';

/** One flow as rules see it. */
export interface Facts {
  /** Verified executable path, null when none is known. */
  readonly path: string | null;
  /** A recorded path that could not be verified; only deny and drop rules look at it. */
  readonly claimedPath: string | null;
  readonly confidence: Confidence;
  readonly evidence: Evidence;
  /** null without an owner. */
  readonly uid: number | null;
  readonly process: { readonly pid: number; readonly startNs: BootNs } | null;
  readonly tuple: Tuple;
}

/** What is the same for every flow of one moment. */
export interface Moment {
  /** Wall time that never runs backwards, ms since 1970 (see time.ts). */
  readonly nowMs: number;
  readonly local: LocalTime;
  /** Login sessions that are there. */
  readonly sessions: ReadonlySet<string>;
  /** Settings: an owner found through /proc matches no allow rule that names a program. */
  readonly requireKernelIdentity: boolean;
}

/** Does the rule match the port, or the type of an ICMP message, of the flow? */
export function matchesPort(rule: Rule, facts: Facts): boolean {
  const { ports, protocols } = rule.match;
  if (ports === undefined) return true;
  const { protocol, destinationPort } = facts.tuple;
  // The port's place holds the type of an ICMP message: a rule for ports 1-1024 that names no protocol must not open ping.
  if (protocols === undefined && !hasPorts(protocol)) return false;
  for (const range of ports) {
    if (destinationPort >= range.first && destinationPort <= range.last) return true;
  }
  return false;
}

/** Does the rule match this IANA protocol number? */
export function matchesProtocol(rule: Rule, protocol: number): boolean {
  const { protocols } = rule.match;
  if (protocols === undefined || protocols.includes(protocol)) return true;
  return (protocol === ICMP && protocols.includes(ICMPV6)) || (protocol === ICMPV6 && protocols.includes(ICMP));
}

/** May this knowledge of the program be the ground of an allow rule that names a program or a process? */
function identityAllows(rule: Rule, facts: Facts, requireKernelIdentity: boolean): boolean {
  const { path, process } = rule.match;
  if (path === undefined && process === undefined) return true;
  if (facts.confidence === 'certain') return true;
  if (facts.confidence === 'likely') return !requireKernelIdentity;
  return path === undefined && facts.evidence === 'kernel';
}

function programMatches(rule: Rule, facts: Facts, requireKernelIdentity: boolean): boolean {
  const { path } = rule.match;
  const refuses = rule.action === 'deny' || rule.action === 'drop';
  if (path !== undefined && path !== facts.path && !(refuses && facts.path === null && path === facts.claimedPath)) return false;
  return rule.action !== 'allow' || identityAllows(rule, facts, requireKernelIdentity);
}

/**
 * Does the rule match but for what changes without the flow: time, process and session? The address is not looked at here,
 * the index has done that.
 */
export function matchesLasting(rule: Rule, facts: Facts, moment: Moment): boolean {
  const { uid } = rule.match;
  return (
    (uid === undefined || uid === facts.uid) &&
    matchesProtocol(rule, facts.tuple.protocol) &&
    matchesPort(rule, facts) &&
    programMatches(rule, facts, moment.requireKernelIdentity)
  );
}

/** Has the time of an `until` rule passed? It stays passed. */
export function isOver(rule: Rule, nowMs: number): boolean {
  return typeof rule.lifetime === 'object' && nowMs >= rule.lifetime.until;
}

/** Does the rule hold for this process, in these sessions, at this time? */
export function matchesNow(rule: Rule, facts: Facts, moment: Moment): boolean {
  const { process, session, schedule } = rule.match;
  if (process !== undefined && (facts.process?.pid !== process.pid || facts.process.startNs !== process.startNs)) return false;
  if (session !== undefined && !moment.sessions.has(session)) return false;
  if (schedule !== undefined && !scheduleHolds(schedule, moment.local)) return false;
  return !isOver(rule, moment.nowMs);
}

/** Does something besides the flow itself decide whether the rule holds? */
export function isDynamic(rule: Rule): boolean {
  const { process, session, schedule } = rule.match;
  return process !== undefined || session !== undefined || schedule !== undefined || typeof rule.lifetime === 'object';
}
