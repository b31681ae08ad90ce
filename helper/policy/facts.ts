/** What is known about a flow when a rule is asked, and whether one rule matches it. */
import type {
  Ancestor, BootNs, Confidence, ContainerEnd, Evidence, Identity, KnownName, Rule, Tuple,
} from '../contract/vocabulary.ts';
import { matchesContainer } from './containers.ts';
import { holdsPlace, matchesName } from './places.ts';
import type { Places } from './places.ts';
import { hasPorts, ICMP, ICMPV6 } from './ports.ts';
import { ancestryMatches, namesProcess, namesProgram, partsMatch, scriptMatches } from './program.ts';
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
  /** All that is known of the program; its path is `path`. */
  readonly identity?: Identity;
  /** Who started it, the nearest first; absent: nobody knows. */
  readonly ancestors?: readonly Ancestor[];
  /** Are the ancestors the kernel's record, or what /proc says now? */
  readonly lineage?: 'kernel' | 'procfs';
  /** Names that the flow may have come from, the likeliest first. */
  readonly names?: readonly KnownName[];
  /** A DNS query to a name server; the only name is what it asks for. */
  readonly isLookup?: boolean;
  /** By which the flow leaves; '' where that is not known. */
  readonly interfaceName?: string;
  /** Containers at its ends; absent: none is known. */
  readonly containers?: readonly ContainerEnd[];
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
  /** Zones and lists as they are now; absent: there are none. */
  readonly places?: Places;
  /**
   * Is there a container on the machine's own network that this names? Its programs are told from others by nothing that the
   * kernel's keys hold. Absent: there is none.
   */
  readonly sharesNetwork?: (container: string) => boolean;
}

/** Rules for names and lists, where names may be what decides. */
export function namesPlace({ match }: Rule): boolean {
  return match.domain !== undefined || match.list !== undefined;
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

/** Who may reach a name may ask for it: an allow rule for a domain covers the lookup, whatever its port. */
export function coversLookup(rule: Rule, facts: Facts): boolean {
  return facts.isLookup === true && rule.action === 'allow' && rule.match.domain !== undefined;
}

/** Is the rule's refusal certain to be right even of a program that only claims to be the one it names? */
function refuses(rule: Rule): boolean {
  return rule.action === 'deny' || rule.action === 'drop';
}

/** May this knowledge of the program be the ground of an allow rule that names a program or a process? */
function identityAllows({ match }: Rule, facts: Facts, requireKernelIdentity: boolean): boolean {
  const named = namesProgram(match);
  if (!named && match.process === undefined) return true;
  if (facts.confidence === 'certain') return true;
  if (facts.confidence === 'likely') return !requireKernelIdentity;
  return !named && facts.evidence === 'kernel';
}

/**
 * Does the rule name this executable, as far as the executable says it: not its script, nor who started it? An allow rule
 * names no changed file, and an interpreter only with its script or with `allScripts`.
 */
export function matchesProgram(rule: Rule, facts: Facts, moment: Pick<Moment, 'requireKernelIdentity'>): boolean {
  const { match } = rule;
  const identity = facts.identity ?? { path: facts.path };
  const claims = refuses(rule);
  const path = claims ? facts.path ?? facts.claimedPath : facts.path;
  if (!partsMatch(match, { ...identity, path })) return false;
  if (claims || rule.action === 'ask') return true;
  if (!namesProgram(match)) return identityAllows(rule, facts, moment.requireKernelIdentity);
  if (identity.integrity === 'changed' || (match.pin === true && match.script === undefined && identity.trusted !== true)) return false;
  if (identity.interpreter === true && match.script === undefined && match.allScripts !== true) return false;
  return identityAllows(rule, facts, moment.requireKernelIdentity);
}

/** Is the program one that another started which the rule names with `includeChildren`? */
function matchesAsChild(rule: Rule, facts: Facts): boolean {
  return rule.match.includeChildren === true && ancestryMatches(rule.match, facts, refuses(rule));
}

/**
 * Does the rule match as far as the kernel's own keys can say it: user, port, protocol, executable? The address and the name
 * are not looked at here, the index has done that; what else changes without the executable or the destination is
 * `matchesNow`'s.
 */
export function matchesLasting(rule: Rule, facts: Facts, moment: Moment): boolean {
  const { uid } = rule.match;
  if (uid !== undefined && uid !== facts.uid) return false;
  if (!coversLookup(rule, facts) && !(matchesProtocol(rule, facts.tuple.protocol) && matchesPort(rule, facts))) return false;
  return rule.match.includeChildren === true || matchesProgram(rule, facts, moment);
}

/** Has the time of an `until` rule passed? It stays passed. */
export function isOver(rule: Rule, nowMs: number): boolean {
  return typeof rule.lifetime === 'object' && nowMs >= rule.lifetime.until;
}

/** Does the rule hold for this process, its script and ancestors, names and way out, in these sessions, at this time? */
export function matchesNow(rule: Rule, facts: Facts, moment: Moment): boolean {
  const { process, session, schedule, ancestor, includeChildren } = rule.match;
  if (process !== undefined && (facts.process?.pid !== process.pid || facts.process.startNs !== process.startNs)) return false;
  if (session !== undefined && !moment.sessions.has(session)) return false;
  if (schedule !== undefined && !scheduleHolds(schedule, moment.local)) return false;
  if (isOver(rule, moment.nowMs)) return false;
  if (includeChildren === true && !(isOwn(rule, facts, moment) || matchesAsChild(rule, facts))) return false;
  if (includeChildren !== true && !scriptMatches(rule.match, facts, refuses(rule))) return false;
  if (ancestor !== undefined && !ancestryMatches(ancestor, facts, refuses(rule))) return false;
  return matchesContainer(rule, facts.containers) && matchesName(rule, facts, moment.places) && holdsPlace(rule, facts, moment.places);
}

/** Does the rule name the program itself, and not one that started it? */
function isOwn(rule: Rule, facts: Facts, moment: Moment): boolean {
  return matchesProgram(rule, facts, moment) && scriptMatches(rule.match, facts, refuses(rule));
}

/** Does something besides executable, user and destination decide whether the rule holds for this flow? */
export function isDynamic(rule: Rule, facts: Facts, moment: Moment): boolean {
  return typeof rule.lifetime === 'object' || isBeyondKey(rule, facts, moment);
}

/** The same, but for the end of the rule. */
export function isBeyondKey(rule: Rule, facts: Facts, moment: Pick<Moment, 'requireKernelIdentity'>): boolean {
  const { container, process, session, schedule, ancestor, includeChildren, zone, interface: way } = rule.match;
  return container !== undefined || process !== undefined || session !== undefined || schedule !== undefined || ancestor !== undefined
    || namesProcess(rule.match, facts.identity) || namesPlace(rule) || zone !== undefined || way !== undefined
    || (includeChildren === true && !matchesProgram(rule, facts, moment));
}
