/** From a flow and what the rules say to a decision. The default of everything that cannot decide is refusal. */
import { assertNever } from '../contract/errors.ts';
import type { ContainerEnd, Decision, Forwarded, KnownName, Mode, Rule, RuleAction, Verdict } from '../contract/vocabulary.ts';
import type { Facts } from '../policy/facts.ts';
import type { Outcomes } from '../policy/forms.ts';
import { isLookup } from '../prompt/question.ts';
import type { Ask } from '../ports.ts';
import type { InboundLimits } from './inbound.ts';

/** What the helper is set to at one moment. */
export interface Posture {
  readonly mode: Mode;
  readonly paused: boolean;
  readonly defaultAction: RuleAction;
  readonly untracked: 'drop' | 'pass';
  readonly forwarded: Forwarded;
  /** Which answers to peers are refused whatever allows them; absent: none. */
  readonly inbound?: Pick<InboundLimits, 'refuses'>;
  /** Goes with `inbound`. */
  readonly requireKernelIdentity?: boolean;
}

/** In place of a user for a forwarded flow: the uid that its owner record carries says who is asked, and no rule matches it. */
const NO_USER = -1;

/** As much of a held flow as decides. */
interface Flow {
  readonly ask: Pick<Ask, 'answersPeer' | 'origin'>;
  readonly facts: Facts;
}

/** What rules may know of a held flow; `names` are those that it may have come from, `containers` those at its ends. */
export function factsOf(
  { attribution, tuple, dnsQuestion, interfaceName, origin }: Ask, names: readonly KnownName[] = [], containers: readonly ContainerEnd[] = [],
): Facts {
  const { owner, identity, claimedPath, confidence, evidence, ancestors, lineage } = attribution;
  const where = { tuple, names, interfaceName, isLookup: isLookup(tuple, dnsQuestion), ...(containers.length === 0 ? {} : { containers }) };
  if (owner?.forwardedFrom !== undefined) {
    return { path: null, claimedPath: null, confidence: 'unknown', evidence: 'none', uid: NO_USER, process: null, ancestors: [], ...where };
  }
  return {
    ...where,
    identity,
    // Nobody starts the kernel.
    ...(origin === 'kernel' ? { ancestors: [] } : lineage === undefined ? {} : { ancestors, lineage }),
    path: identity.path,
    claimedPath,
    confidence: owner === null ? 'unknown' : confidence,
    evidence: owner === null ? 'none' : evidence,
    uid: owner?.uid ?? null,
    process: owner,
  };
}

/** The rule that wins, as far as it matters; null when none matches. */
interface Winner {
  readonly rule: Pick<Rule, 'action' | 'id'> | null;
}

const NO_RULE: Winner = { rule: null };
const SOME_QUESTION: Winner = { rule: { action: 'ask', id: '' } };

function byRule(action: RuleAction, evaluation: Winner): Decision {
  return { action, reason: 'rule', ruleId: evaluation.rule?.id ?? null };
}

/** What the setting says of a forwarded flow that no rule decides. */
function byForwarded(action: RuleAction | null, evaluation: Winner, setting: Forwarded): Decision {
  if (setting === 'pass') return { action: 'allow', reason: 'forwarded', ruleId: null };
  if (action === 'ask') return byRule('ask', evaluation);
  return { action: setting, reason: 'forwarded', ruleId: null };
}

/** Did the peer speak to a port that is open for another program only? */
function isForAnother(facts: Facts, { inbound, requireKernelIdentity = false }: Posture): boolean {
  return inbound?.refuses(facts, { requireKernelIdentity }) === true;
}

/**
 * `ask` means: nobody has decided yet, raise a prompt. Deny rules, and what zones let in for certain programs only, hold in every mode and while paused; allow rules are named
 * as the reason even where the mode would have allowed anyway.
 */
export function decide({ ask, facts }: Flow, evaluation: Winner, posture: Posture): Decision {
  const action = evaluation.rule?.action ?? null;
  if (action === 'deny' || action === 'drop') return byRule(action, evaluation);
  if (ask.answersPeer && isForAnother(facts, posture)) return { action: 'drop', reason: 'inbound', ruleId: null };
  if (action === 'allow') return byRule(action, evaluation);
  if (posture.paused) return { action: 'allow', reason: 'paused', ruleId: null };
  if (posture.mode === 'learning') return { action: 'allow', reason: 'mode-learning', ruleId: null };
  if (ask.origin === 'forwarded') return byForwarded(action, evaluation, posture.forwarded);
  if (facts.uid === null) {
    return { action: posture.untracked === 'pass' ? 'allow' : 'drop', reason: 'no-owner', ruleId: null };
  }
  if (action === 'ask') return byRule('ask', evaluation);
  if (ask.answersPeer) return { action: 'allow', reason: 'reply', ruleId: null };
  return { action: posture.defaultAction, reason: 'default-action', ruleId: null };
}

/** What becomes of flows like this one, whatever their destination, that no rule decides. */
export function outcomesOf(flow: Flow, posture: Posture): Outcomes {
  return { none: decide(flow, NO_RULE, posture).action, ask: decide(flow, SOME_QUESTION, posture).action };
}

/** What the kernel is told; an undecided flow is refused when it comes to that. */
export function verdictOf(action: RuleAction): Verdict {
  switch (action) {
    case 'allow':
      return 'accept';
    case 'drop':
      return 'drop';
    case 'deny':
    case 'ask':
      return 'refuse';
    default:
      return assertNever(action);
  }
}
