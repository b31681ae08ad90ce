/** Rules and facts for tests, everything that a test does not name filled in. */
import type { Rule, RuleMatch, Tuple } from '../../helper/contract/vocabulary.ts';
import type { Facts, Moment } from '../../helper/policy/facts.ts';

export const PATH = '/usr/bin/curl';

export function rule(id: string, action: Rule['action'], match: RuleMatch = {}, change: Partial<Rule> = {}): Rule {
  return {
    id, name: id, action, enabled: true, match, lifetime: 'always', priority: 0, tier: 'user', group: '', created: 1, source: null,
    ...change,
  };
}

export function tuple(change: Partial<Tuple> = {}): Tuple {
  return {
    family: 4, protocol: 6, sourceAddress: '10.77.0.1', sourcePort: 40_000, destinationAddress: '10.77.0.2', destinationPort: 443,
    ...change,
  };
}

export function facts(change: Partial<Facts> = {}): Facts {
  return {
    path: PATH, claimedPath: null, confidence: 'certain', evidence: 'kernel', uid: 1000, process: { pid: 100, startNs: 5n },
    tuple: tuple(), ...change,
  };
}

export function moment(change: Partial<Moment> = {}): Moment {
  return {
    nowMs: 1_800_000_000_000, local: { weekday: 2, minute: 600 }, sessions: new Set(['s1']), requireKernelIdentity: false, ...change,
  };
}

export function ports(...list: readonly number[]): { readonly ports: RuleMatch['ports'] & object } {
  return { ports: list.map((port) => ({ first: port, last: port })) };
}
