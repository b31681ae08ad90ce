/** Which rules concern packets that this machine forwards for others: those that ask neither for a program nor for a user. */
import type { Forwarded, Rule } from '../contract/vocabulary.ts';
import { namesProgram } from '../policy/program.ts';
import type { DeniedDestination, ForwardSpec } from '../ports.ts';

/** More denials than this are not told apart in netfilter: every packet is asked about. Two rules of netfilter for each. */
const DENIED_LIMIT = 256;

const DNS = { first: 53, last: 53 } as const;

/** The addresses of containers as they are now. */
export interface ForwardedContainers {
  addressesOf(container: string): readonly string[];
  /** Addresses that had another owner before; null: too many. */
  readonly released: readonly string[] | null;
}

const NO_CONTAINERS: ForwardedContainers = { addressesOf: () => [], released: [] };

/** Does the rule refuse forwarded flows? One with a schedule or an end counts all the time: the engine knows when it holds. */
function deniesForwarded({ action, enabled, match }: Rule): boolean {
  if (!enabled || (action !== 'deny' && action !== 'drop')) return false;
  const { ancestor, uid, process, session } = match;
  return !namesProgram(match) && ancestor === undefined && uid === undefined && process === undefined && session === undefined;
}

/**
 * The names of forwarded flows are not known, so a rule for a domain can refuse only the lookup. What a list, a zone or an
 * interface says the engine finds out.
 */
function destinationOf({ match: { address, domain, ports, protocols } }: Rule): DeniedDestination {
  if (domain !== undefined) return { ports: [DNS] };
  return {
    ...(address === undefined ? {} : { address }),
    ...(ports === undefined ? {} : { ports }),
    ...(protocols === undefined ? {} : { protocols }),
  };
}

/** The same from a container, and into it. Without a container of this name there is nothing to hold. */
function ofContainer(rule: Rule, container: string, containers: ForwardedContainers): readonly DeniedDestination[] {
  const to = destinationOf(rule);
  return containers.addressesOf(container).flatMap((address) => {
    // Which of the two is meant does not matter here: more is asked about than has to be.
    const into: DeniedDestination = { ...to, address };
    const otherFamily = to.address !== undefined && to.address.includes(':') !== address.includes(':');
    return otherFamily ? [] : [{ from: address, ...to }, into];
  });
}

/** May a flow have been let pass because of the container that it is of? */
function allowsContainers({ action, enabled, match }: Rule): boolean {
  return enabled && match.container !== undefined && (action === 'allow' || action === 'ask');
}

/**
 * What has to be held of forwarded packets: with `pass` what a rule may refuse, and nothing at all without such a rule (null);
 * with the other values each new flow too. Where rules allow containers something, an address that went from one to another is
 * asked about packet by packet: its open flows were another one's.
 */
export function forwardSpec(setting: Forwarded, rules: Iterable<Rule>, containers: ForwardedContainers = NO_CONTAINERS): ForwardSpec | null {
  const holdsAll = setting !== 'pass';
  const denied: DeniedDestination[] = [];
  let allows = false;
  for (const rule of rules) {
    allows ||= allowsContainers(rule);
    if (!deniesForwarded(rule)) continue;
    const { container } = rule.match;
    denied.push(...(container === undefined ? [destinationOf(rule)] : ofContainer(rule, container, containers)));
    if (denied.length > DENIED_LIMIT) return { holdsAll, denied: 'any' };
  }
  if (holdsAll && allows) {
    const { released } = containers;
    if (released === null || denied.length + released.length > DENIED_LIMIT) return { holdsAll, denied: 'any' };
    denied.push(...released.flatMap((address) => [{ from: address }, { address }]));
  }
  return holdsAll || denied.length > 0 ? { holdsAll, denied } : null;
}
