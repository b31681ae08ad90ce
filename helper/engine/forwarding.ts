/** Which rules concern packets that this machine forwards for others: those that ask neither for a program nor for a user. */
import type { Forwarded, Rule } from '../contract/vocabulary.ts';
import type { DeniedDestination, ForwardSpec } from '../ports.ts';

/** More denials than this are not told apart in netfilter: every packet is asked about. Two rules of netfilter for each. */
const DENIED_LIMIT = 256;

/** Does the rule refuse forwarded flows? One with a schedule or an end counts all the time: the engine knows when it holds. */
function deniesForwarded({ action, enabled, match }: Rule): boolean {
  if (!enabled || (action !== 'deny' && action !== 'drop')) return false;
  const { path, uid, process, session } = match;
  return path === undefined && uid === undefined && process === undefined && session === undefined;
}

function destinationOf({ match: { address, ports, protocols } }: Rule): DeniedDestination {
  return {
    ...(address === undefined ? {} : { address }),
    ...(ports === undefined ? {} : { ports }),
    ...(protocols === undefined ? {} : { protocols }),
  };
}

/**
 * What has to be held of forwarded packets: with `pass` what a rule may refuse, and nothing at all without such a rule (null);
 * with the other values each new flow too.
 */
export function forwardSpec(setting: Forwarded, rules: Iterable<Rule>): ForwardSpec | null {
  const holdsAll = setting !== 'pass';
  const denied: DeniedDestination[] = [];
  for (const rule of rules) {
    if (!deniesForwarded(rule)) continue;
    if (denied.length === DENIED_LIMIT) return { holdsAll, denied: 'any' };
    denied.push(destinationOf(rule));
  }
  return holdsAll || denied.length > 0 ? { holdsAll, denied } : null;
}
