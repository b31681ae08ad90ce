/** Where a flow goes beyond its address: names, lists, zones, interfaces. */
import type { KnownName, Rule, Tuple } from '../contract/vocabulary.ts';

/** Lists and zones as they are at one moment. */
export interface Places {
  /** Is the name, or one that it lies below, in the list? */
  listHasName(list: string, name: string): boolean;
  listHasAddress(list: string, address: string): boolean;
  /** The zone of an interface; null for one of none. */
  zoneOf(interfaceName: string): string | null;
}

interface Going {
  readonly tuple: Tuple;
  readonly names?: readonly KnownName[];
  readonly interfaceName?: string;
}

const NO_NAMES: readonly KnownName[] = [];

/** `example.org` is itself, `*.example.org` every name below it. Both in small letters. */
export function nameMatches(pattern: string, name: string): boolean {
  if (!pattern.startsWith('*.')) return pattern === name;
  return name.length > pattern.length - 1 && name.endsWith(pattern.slice(1));
}

/** The patterns that can match a name: itself, and a wildcard for each that it lies below. */
export function patternsOf(name: string): readonly string[] {
  const patterns = [name];
  for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) patterns.push(`*${name.slice(dot)}`);
  return patterns;
}

/**
 * The names that count for a rule. What allows rests on the name that this very program asked for last (or the
 * administrator's own, /etc/hosts); what refuses, on any.
 */
function countingNames({ action }: Rule, { names = NO_NAMES }: Going): readonly KnownName[] {
  if (action !== 'allow') return names;
  return names.slice(0, 1).filter(({ source }) => source !== 'machine');
}

/** Does the rule's domain or list hold the flow's name, or its list the address? */
export function matchesName(rule: Rule, going: Going, places: Places | undefined): boolean {
  const { domain, list } = rule.match;
  if (domain === undefined && list === undefined) return true;
  const names = countingNames(rule, going);
  if (domain !== undefined && !names.some(({ name }) => nameMatches(domain, name))) return false;
  if (list === undefined) return true;
  if (places === undefined) return false;
  return places.listHasAddress(list, going.tuple.destinationAddress) || names.some(({ name }) => places.listHasName(list, name));
}

/** `eth0`, or `wg*` for every interface whose name begins so. */
export function interfaceMatches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

/** Does the flow leave by the rule's interface and zone? */
export function holdsPlace({ match }: Rule, { interfaceName = '' }: Going, places: Places | undefined): boolean {
  const { zone, interface: way } = match;
  if (way !== undefined && (interfaceName === '' || !interfaceMatches(way, interfaceName))) return false;
  return zone === undefined || (interfaceName !== '' && places?.zoneOf(interfaceName) === zone);
}
