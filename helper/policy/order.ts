/**
 * Which rule wins. One comparator says it for evaluation, lists and explanations:
 *
 * 1. tier: administrator's deny and drop, user, administrator's allow and ask, vendor, built-in
 * 2. priority: the higher first
 * 3. specificity, in lexicographic order: program (hash, script, AppImage = Flatpak = Snap, path, container,
 *    package), destination (exact
 *    address, the longest prefix, exact domain, the longest wildcard, list, interface, zone), ports, protocols, user,
 *    ancestor; of two sets of ports or protocols the smaller is the more specific
 * 4. action: deny, drop, ask, allow
 * 5. age: the older first
 *
 * The id ends every tie, so that the order is total and does not depend on the order of files.
 */
import { assertNever } from '../contract/errors.ts';
import type { Rule, RuleAction, RuleMatch, Tier } from '../contract/vocabulary.ts';
import { toPrefix } from './address.ts';
import type { Prefix } from './address.ts';
import { containerRank } from './containers.ts';
import { programSpecificity } from './program.ts';

/** What put one rule before another, the first that told them apart. */
export const ORDER_STEPS = [
  'tier', 'priority', 'program', 'address', 'port', 'protocol', 'user', 'ancestor', 'action', 'age', 'id',
] as const;
export type OrderStep = (typeof ORDER_STEPS)[number];

/** A rule with its place in the order, computed once. */
export interface RankedRule {
  readonly rule: Rule;
  /** Number form of `match.address`; null for any. */
  readonly prefix: Prefix | null;
  /** One number for each of ORDER_STEPS but the last; the smaller goes first. */
  readonly rank: readonly number[];
}

const ALL_PORTS = 65_536;
const ALL_PROTOCOLS = 256;
/** Above every prefix length. */
const EXACT = 129;

function tierRank(tier: Tier, action: RuleAction): number {
  switch (tier) {
    case 'administrator':
      return action === 'deny' || action === 'drop' ? 0 : 2;
    case 'user':
      return 1;
    case 'vendor':
      return 3;
    case 'built-in':
      return 4;
    default:
      return assertNever(tier);
  }
}

function actionRank(action: RuleAction): number {
  switch (action) {
    case 'deny':
      return 0;
    case 'drop':
      return 1;
    case 'ask':
      return 2;
    case 'allow':
      return 3;
    default:
      return assertNever(action);
  }
}

/** Every prefix goes before every name, and every name before a list. */
const PREFIX = -1000;
const EXACT_DOMAIN = -900;
const WILDCARD = -500;
const [LIST, INTERFACE, ZONE, ANYWHERE] = [-3, -2, -1, 0];

function destinationRank({ domain, list, interface: way, zone }: RuleMatch, prefix: Prefix | null): number {
  if (prefix !== null) {
    const exact = prefix.bits === (prefix.family === 4 ? 32 : 128);
    return PREFIX - (exact ? EXACT : prefix.bits);
  }
  // A name has at most 253 characters: the longer wildcard is below the shorter one, or has nothing to do with it.
  if (domain !== undefined) return domain.startsWith('*') ? WILDCARD - domain.length : EXACT_DOMAIN;
  if (list !== undefined) return LIST;
  if (way !== undefined) return INTERFACE;
  return zone === undefined ? ANYWHERE : ZONE;
}

/** Behind a path with what it starts, before a package. */
const CONTAINER = 3.6;
const CONTAINERS_SPAN = 0.3;

/** A rule that also covers what its program starts says less than one that names the started program. */
function programRank(match: RuleMatch): number {
  if (match.container !== undefined) return CONTAINER + CONTAINERS_SPAN * containerRank(match.container);
  return programSpecificity(match) + (match.includeChildren === true ? 0.5 : 0);
}

/** A rule whose address is no address (validation has let it through by mistake) is null: it must not match everything. */
export function rankRule(rule: Rule): RankedRule | null {
  const { match } = rule;
  const prefix = match.address === undefined ? null : toPrefix(match.address);
  if (match.address !== undefined && prefix === null) return null;
  const ports = match.ports?.reduce((sum, range) => sum + range.last - range.first + 1, 0) ?? ALL_PORTS + 1;
  const rank = [
    tierRank(rule.tier, rule.action),
    -rule.priority,
    programRank(match),
    destinationRank(match, prefix),
    ports,
    match.protocols?.length ?? ALL_PROTOCOLS + 1,
    match.uid === undefined ? 1 : 0,
    match.ancestor === undefined ? 1 : 0,
    actionRank(rule.action),
    rule.created,
  ];
  return { rule, prefix, rank };
}

/** Negative when `a` goes before `b`; 0 only for rules with the same id. */
export function compareRules(a: RankedRule, b: RankedRule): number {
  for (let step = 0; step < a.rank.length; step += 1) {
    const difference = (a.rank[step] ?? 0) - (b.rank[step] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.rule.id < b.rule.id ? -1 : a.rule.id > b.rule.id ? 1 : 0;
}

/** The step that tells two rules apart. */
export function orderStep(a: RankedRule, b: RankedRule): OrderStep {
  const at = a.rank.findIndex((value, step) => value !== b.rank[step]);
  return ORDER_STEPS[at] ?? 'id';
}

/** Where `entry` is, or would be, in a list that is in order. */
export function lowerBound(list: readonly RankedRule[], entry: RankedRule): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = list[middle];
    if (at !== undefined && compareRules(at, entry) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
