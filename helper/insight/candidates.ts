/** Rules that could be proposed for what was seen. */
import type { Rule, RuleMatch } from '../contract/vocabulary.ts';
import { compareRules, rankRule } from '../policy/order.ts';
import type { RankedRule } from '../policy/order.ts';
import type { Application } from './application.ts';
import { mayMeet } from './cover.ts';
import { reachesOf } from './patterns.ts';
import type { Reach } from './patterns.ts';
import type { Sighting } from './sightings.ts';

/** What one application did for one user. */
export interface Group {
  readonly key: string;
  readonly application: Application;
  readonly uid: number;
  readonly sightings: readonly Sighting[];
}

export interface Candidate {
  /** What it says, whatever its place in a list. */
  readonly key: string;
  readonly rule: Rule;
  readonly application: Application;
  readonly uids: readonly number[];
  /** Keys of the groups that it is for. */
  readonly groups: readonly string[];
}

const LOWEST_PRIORITY = -1000;
/** Rules for one group; who reaches more, exactly taken, is not covered whole. */
const MOST_REACHES = 256;

interface Draft {
  readonly group: Group;
  readonly reach: Reach;
}

function ruleOf(id: string, match: RuleMatch, priority: number): Rule {
  return {
    id, name: id, action: 'allow', enabled: true, match, lifetime: 'always', priority, tier: 'user', group: '',
    // The youngest: of two equal rules the one that is there already wins.
    created: Number.MAX_SAFE_INTEGER, source: null,
  };
}

/** Behind every denial of the user that the rule might otherwise go before; null where there is no such place. */
function priorityBehind(rule: Rule, denials: readonly RankedRule[]): number | null {
  const own = rankRule(rule);
  if (own === null) return null;
  const lowest = denials.find((denial) => compareRules(own, denial) < 0 && mayMeet(own, denial))?.rule.priority;
  if (lowest === undefined) return 0;
  return lowest > LOWEST_PRIORITY ? Math.min(0, lowest - 1) : null;
}

function candidate(drafts: readonly Draft[], number: number, denials: readonly RankedRule[]): readonly Candidate[] {
  const [first] = drafts;
  if (first === undefined) return [];
  const { group: { application }, reach } = first;
  // What is forwarded is no user's of this machine.
  const users = application.match.container === undefined ? drafts : [];
  const uids = [...new Set(users.map(({ group }) => group.uid))].sort((a, b) => a - b);
  const [uid, ...others] = uids;
  const match: RuleMatch = { ...application.match, ...reach, ...(uid === undefined || others.length > 0 ? {} : { uid }) };
  const id = `p${String(number).padStart(6, '0')}`;
  const priority = priorityBehind(ruleOf(id, match, 0), denials);
  if (priority === null) return [];
  return [{ key: JSON.stringify(match), rule: ruleOf(id, match, priority), application, uids, groups: drafts.map(({ group }) => group.key) }];
}

/**
 * Rules that cover the groups; those whose key is in `exact` only what was seen of them. The same rule for several users is one
 * without a user. None goes before a denial in `denials` (those of the lowest priority first) that could match the same flow.
 */
export function candidatesOf(groups: readonly Group[], exact: ReadonlySet<string>, denials: readonly RankedRule[]): readonly Candidate[] {
  const drafts = groups.flatMap((group) => {
    const width = group.application.isShared || exact.has(group.key) ? 'exact' : 'wide';
    return reachesOf(group.sightings, width).slice(0, MOST_REACHES).map((reach) => ({ group, reach }));
  });
  const same = Map.groupBy(drafts, ({ group, reach }) => JSON.stringify([group.application.key, reach]));
  return [...same.values()].flatMap((own, number) => candidate(own, number, denials));
}
