/** One plain sentence that says why a flow was decided as it was. */
import { assertNever } from '../contract/errors.ts';
import type { KnownName, Rule, RuleAction, Tier } from '../contract/vocabulary.ts';
import type { FlowRecord } from '../engine-api.ts';
import { orderStep, rankRule } from '../policy/order.ts';
import type { OrderStep } from '../policy/order.ts';

const DONE: Readonly<Record<RuleAction, string>> = {
  allow: 'Allowed', deny: 'Refused', drop: 'Dropped', ask: 'Refused',
};
const WHOSE: Readonly<Record<Tier, string>> = {
  administrator: "the administrator's rule", user: 'the rule', vendor: "the vendor's rule", 'built-in': 'the built-in rule',
};
const BECAUSE: Readonly<Record<OrderStep, string>> = {
  tier: 'its file comes first',
  priority: 'its priority is higher',
  program: 'it names the program',
  address: 'its destination is more exact',
  port: 'its ports are more exact',
  protocol: 'its protocols are more exact',
  user: 'it names the user',
  ancestor: 'it names who started the program',
  action: 'a refusal goes before an allowance',
  age: 'it is the older one',
  id: 'of two equal rules one goes first',
};

/** Why `rule` goes before `next`, as a clause: `it names the program`. Both match the flow. */
export function whyBefore(rule: Rule, next: Rule): string {
  const [first, second] = [rankRule(rule), rankRule(next)];
  return BECAUSE[first === null || second === null ? 'id' : orderStep(first, second)];
}

function byRule(record: FlowRecord, rule: Rule | null, next: Rule | null): string {
  const done = DONE[record.decision.action];
  if (rule === null) return `${done} by the rule ${record.decision.ruleId ?? ''}, which is not there any more`;
  const winner = rankRule(rule);
  const second = next === null ? null : rankRule(next);
  if (winner === null || second === null || next === null) {
    return `${done} by ${WHOSE[rule.tier]} “${rule.name}”, the only one that matches`;
  }
  const because = BECAUSE[orderStep(winner, second)];
  return `${done} by ${WHOSE[rule.tier]} “${rule.name}”, because ${because}; next would have been “${next.name}”`;
}

function sentence(record: FlowRecord, rule: Rule | null, next: Rule | null): string {
  const done = DONE[record.decision.action];
  switch (record.decision.reason) {
    case 'rule':
      return byRule(record, rule, next);
    case 'mode-learning':
      return `${done} because the mode is learning and no rule refuses it`;
    case 'paused':
      return `${done} because the firewall was paused and no rule refuses it`;
    case 'default-action':
      return `${done} by the default action, because no rule matches`;
    case 'prompt-answer':
      if (record.decision.ruleId === null) return `${done} by an answer to a prompt, for this once`;
      return `${done} by an answer to a prompt, which made the rule “${rule?.name ?? record.decision.ruleId}”`;
    case 'prompt-expired':
      return `${done} because nobody answered the prompt in time`;
    case 'no-owner':
      return `${done} because no program could be found that owns it`;
    case 'reply':
      return `${done} because it answers a peer that spoke first, and no rule refuses it`;
    case 'forwarded':
      return `${done} because of what bastion.toml says of forwarded packets (forwarded), and no rule decides`;
    case 'inbound':
      return `${done} because bastion.toml lets in connections to this port for another program only (allow of the zone, application)`;
    case 'limit':
      return `${done} without a prompt, because too many were waiting`;
    case 'safeguard':
      return `${done} without a prompt, because there were too many new connections (safeguard)`;
    case 'remembered':
      if (record.decision.ruleId === null) return `${done} in the kernel, by what it remembers of an earlier decision`;
      return `${done} in the kernel, by what it remembers of ${rule === null ? `the rule ${record.decision.ruleId}, which is not there any more` : `${WHOSE[rule.tier]} “${rule.name}”`}`;
    case 'helper-stopping':
      return `${done} because the firewall was stopping`;
    default:
      return assertNever(record.decision.reason);
  }
}

function identification(record: FlowRecord): string {
  if (record.forwardedFrom !== null) return `forwarded for: ${record.forwardedFrom}`;
  if (record.evidence === 'kernel') {
    return record.confidence === 'certain'
      ? 'identified in the kernel, certain'
      : 'identified in the kernel, but its file could not be verified';
  }
  if (record.evidence === 'sock_diag') return 'identified through the process list, likely';
  return 'not identified';
}

const NAMED: Readonly<Record<KnownName['source'], string>> = {
  program: 'the name that the program asked for', hosts: 'the name in /etc/hosts', machine: 'perhaps the name, which a service of the system asked for',
};

/** `; example.org is the name that the program asked for`; '' without a name. */
function naming({ names: [first] }: FlowRecord): string {
  return first === undefined ? '' : `; ${first.name} is ${NAMED[first.source]}`;
}

/** `rule` and `next` are those of the record's ids, null when they have gone. */
export function explainFlow(record: FlowRecord, rule: Rule | null, next: Rule | null): string {
  return `${sentence(record, rule, next)}${naming(record)}; ${identification(record)}.`;
}
