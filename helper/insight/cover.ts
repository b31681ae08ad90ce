/** Does one rule match whatever another one does? Said only where it is proved: every doubt is a no. */
import type { PortRange, Rule, RuleMatch } from '../contract/vocabulary.ts';
import { maskWord, toPrefix } from '../policy/address.ts';
import type { Prefix } from '../policy/address.ts';
import type { RankedRule } from '../policy/order.ts';
import { interfaceMatches, nameMatches } from '../policy/places.ts';
import { hasPorts, ICMP, ICMPV6 } from '../policy/ports.ts';
import { namesProgram, PROGRAM_PARTS } from '../policy/program.ts';

function refuses({ action }: Rule): boolean {
  return action === 'deny' || action === 'drop';
}

/** Is a part of the wider rule not there, or the same? */
function isSame(wide: unknown, narrow: unknown): boolean {
  return wide === undefined || JSON.stringify(wide, bigText) === JSON.stringify(narrow, bigText);
}

function bigText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

/** Does what matches depend on the action? Then only a rule that refuses, or one of the same action, is sure to match as much. */
function dependsOnAction({ match }: Rule): boolean {
  return namesProgram(match) || match.container !== undefined || match.ancestor !== undefined || match.domain !== undefined || match.list !== undefined
    || match.process !== undefined;
}

/** The same container, or one of those whose names begin so. A name and an id may mean the same one, which nobody knows here. */
function coversContainer(wide: string | undefined, narrow: string | undefined): boolean {
  if (wide === undefined || wide === narrow) return true;
  return narrow !== undefined && wide.endsWith('*') && wide.length > 1 && narrow.startsWith(wide.slice(0, -1)) && !isContainerId(narrow);
}

function isContainerId(text: string): boolean {
  return /^(?:[0-9a-f]{12}|[0-9a-f]{64})$/u.test(text);
}

function coversProgram(wide: RuleMatch, narrow: RuleMatch): boolean {
  if (!coversContainer(wide.container, narrow.container)) return false;
  if (!namesProgram(wide)) return wide.pin !== true;
  if (wide.pin === true && narrow.pin !== true) return false;
  // Children, scripts, and whatever script: each is a meaning of its own, which only its like has.
  if (wide.includeChildren !== narrow.includeChildren) return false;
  if ((narrow.allScripts === true || narrow.script !== undefined) && wide.script === undefined && wide.allScripts !== true) return false;
  return PROGRAM_PARTS.every((part) => wide[part] === undefined || wide[part] === narrow[part]);
}

function holdsPrefix(wide: Prefix, narrow: Prefix): boolean {
  return wide.family === narrow.family && wide.bits <= narrow.bits
    && wide.words.every((word, at) => word === maskWord(narrow.words[at] ?? 0, wide.bits - at * 32));
}

/** Is the one prefix (or address) inside the other? Texts that are neither are not. */
function coversAddress(wide: string, narrow: string): boolean {
  if (wide === narrow) return true;
  const [outer, inner] = [toPrefix(wide), toPrefix(narrow)];
  return outer !== null && inner !== null && holdsPrefix(outer, inner);
}

function coversDomain(wide: string, narrow: string): boolean {
  if (wide === narrow) return true;
  return narrow.startsWith('*.') ? wide.startsWith('*.') && nameMatches(wide, narrow.slice(2)) : nameMatches(wide, narrow);
}

function coversDestination(wide: RuleMatch, narrow: RuleMatch): boolean {
  const { address, domain, list, zone, interface: way } = wide;
  if (address !== undefined && (narrow.address === undefined || !coversAddress(address, narrow.address))) return false;
  if (domain !== undefined && (narrow.domain === undefined || !coversDomain(domain, narrow.domain))) return false;
  if (way !== undefined && way !== narrow.interface && !(narrow.interface?.endsWith('*') === false && interfaceMatches(way, narrow.interface))) {
    return false;
  }
  return isSame(list, narrow.list) && isSame(zone, narrow.zone);
}

function withBothIcmp(protocols: readonly number[]): ReadonlySet<number> {
  const all = new Set(protocols);
  if (all.has(ICMP) || all.has(ICMPV6)) all.add(ICMP).add(ICMPV6);
  return all;
}

function coversRanges(wide: readonly PortRange[], narrow: readonly PortRange[]): boolean {
  return narrow.every(({ first, last }) => wide.some((range) => range.first <= first && range.last >= last));
}

/** Protocols and ports, and that ports without a protocol mean protocols that have ports. */
function coversService(wide: Rule, narrow: Rule): boolean {
  const [outer, inner] = [wide.match, narrow.match];
  // An allowance for a name also covers the lookup of it, whatever its ports.
  const looksUp = narrow.action === 'allow' && inner.domain !== undefined;
  const isLimited = outer.protocols !== undefined || outer.ports !== undefined;
  if (looksUp && isLimited && !(wide.action === 'allow' && outer.domain !== undefined)) return false;
  if (outer.protocols !== undefined) {
    const all = withBothIcmp(outer.protocols);
    if (inner.protocols === undefined || ![...withBothIcmp(inner.protocols)].every((one) => all.has(one))) return false;
  }
  if (outer.ports === undefined) return true;
  if (inner.ports === undefined || !coversRanges(outer.ports, inner.ports)) return false;
  return outer.protocols !== undefined || inner.protocols === undefined || inner.protocols.every(hasPorts);
}

const LASTING: Readonly<Record<string, number>> = { once: 0, process: 0, session: 0, boot: 1, always: 2 };

function coversTime(wide: Rule, narrow: Rule): boolean {
  const { schedule, process, session } = wide.match;
  if (!isSame(schedule, narrow.match.schedule) || !isSame(process, narrow.match.process) || !isSame(session, narrow.match.session)) {
    return false;
  }
  const [outer, inner] = [wide.lifetime, narrow.lifetime];
  if (typeof outer === 'object') return typeof inner === 'object' && outer.until >= inner.until;
  if (typeof inner === 'object') return outer === 'always';
  return (LASTING[outer] ?? 0) >= (LASTING[inner] ?? 2);
}

/** Does `wide` match every flow that `narrow` matches, at every time? Both are taken to be switched on. */
export function coversRule(wide: Rule, narrow: Rule): boolean {
  if (dependsOnAction(wide) && wide.action !== narrow.action && !refuses(wide)) return false;
  return isSame(wide.match.uid, narrow.match.uid)
    && isSame(wide.profile, narrow.profile)
    && coversProgram(wide.match, narrow.match)
    && isSame(wide.match.ancestor, narrow.match.ancestor)
    && coversDestination(wide.match, narrow.match)
    && coversService(wide, narrow)
    && coversTime(wide, narrow);
}

function areApart<T>(a: T | undefined, b: T | undefined, apart: (a: T, b: T) => boolean): boolean {
  return a !== undefined && b !== undefined && apart(a, b);
}

/** Can there be a flow that both match? Every doubt is a yes. */
export function mayMeet(a: RankedRule, b: RankedRule): boolean {
  const [one, other] = [a.rule.match, b.rule.match];
  const differ = (left: unknown, right: unknown): boolean => left !== right;
  if (one.includeChildren !== true && other.includeChildren !== true) {
    if (PROGRAM_PARTS.some((part) => areApart(one[part], other[part], differ))) return false;
  }
  if (areApart(one.uid, other.uid, differ)) return false;
  if (a.prefix !== null && b.prefix !== null && !holdsPrefix(a.prefix, b.prefix) && !holdsPrefix(b.prefix, a.prefix)) return false;
  // Lookups of a name have ports of their own.
  if (one.domain !== undefined || other.domain !== undefined) return true;
  const meetProtocols = (left: readonly number[], right: readonly number[]): boolean =>
    [...withBothIcmp(left)].some((protocol) => withBothIcmp(right).has(protocol));
  if (areApart(one.protocols, other.protocols, (left, right) => !meetProtocols(left, right))) return false;
  return !areApart(one.ports, other.ports, (left, right) =>
    !left.some(({ first, last }) => right.some((range) => range.first <= last && range.last >= first)));
}
