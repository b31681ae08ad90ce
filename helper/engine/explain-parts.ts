/** An explanation's parts for programs that make sentences of their own: the flow's identity, its parents, and codes for the reasons. */
import type { Explanation } from '../contract/types.ts';
import type { Rule } from '../contract/vocabulary.ts';
import type { FlowRecord } from '../engine-api.ts';
import { orderStep, rankRule } from '../policy/order.ts';
import type { Users } from '../ports.ts';
import { ruleName } from '../prompt/by-name.ts';
import { lastingContainer, lastingProgram } from '../prompt/question.ts';
import type { MissedRule } from './explain-more.ts';
import { ancestorInfoOf, identityInfo } from './view.ts';

export interface ExplanationContext {
  /** Null where there is none, or none any more. */
  readonly rule: Rule | null;
  readonly next: Rule | null;
  readonly missed: MissedRule | null;
  readonly users: Pick<Users, 'name'>;
}

function becauseOf(rule: Rule | null, next: Rule | null): Pick<Explanation, 'because'> {
  const [first, second] = [rule === null ? null : rankRule(rule), next === null ? null : rankRule(next)];
  return first === null || second === null ? {} : { because: orderStep(first, second) };
}

/** What a rule made from this flow would name; see `promptInfo`. */
function ruleParts(record: FlowRecord): Pick<Explanation, 'named_by' | 'by_name'> {
  const { path, identity = { path }, confidence, containers = [], forwardedFrom, names, answersPeer = false } = record;
  const [namedBy] = forwardedFrom === null ? Object.keys(lastingProgram({ path, identity, confidence }) ?? {})
    : lastingContainer({ containers, owner: { forwardedFrom } }) === null ? [] : ['container'];
  const byName = ruleName({ names, answersPeer });
  return { ...(namedBy === undefined ? {} : { named_by: namedBy.toLowerCase() }), ...(byName === null ? {} : { by_name: byName }) };
}

export function explanationParts(record: FlowRecord, { rule, next, missed, users }: ExplanationContext): Partial<Explanation> {
  const { uid, command = '', identity, ancestors = [], lineage } = record;
  return {
    ...becauseOf(rule, next),
    ...(missed === null ? {} : { missed_rule_id: missed.rule.id, missed_because: missed.obstacle }),
    ...(uid === null ? {} : { user: users.name(uid) }),
    command,
    ...identityInfo(identity),
    ...ruleParts(record),
    ...(lineage === undefined ? {} : { lineage_evidence: lineage }),
    // The history keeps no pids of parents, and what is told of a flow is the same before and after.
    ancestors: ancestors.map((one) => ({ ...ancestorInfoOf(one), pid: 0 })),
  };
}
