/** From a flow and what the rules say to a decision. The default of everything that cannot decide is refusal. */
import { assertNever } from '../contract/errors.ts';
import type { Decision, Mode, RuleAction, Verdict } from '../contract/vocabulary.ts';
import type { Facts } from '../policy/facts.ts';
import type { Evaluation } from '../policy/rule-index.ts';
import type { Ask } from '../ports.ts';

/** What the helper is set to at one moment. */
export interface Posture {
  readonly mode: Mode;
  readonly paused: boolean;
  readonly defaultAction: RuleAction;
  readonly untracked: 'drop' | 'pass';
}

/** What rules may know of a held flow. */
export function factsOf({ attribution, tuple }: Ask): Facts {
  const { owner, identity, claimedPath, confidence, evidence } = attribution;
  return {
    path: identity.path,
    claimedPath,
    confidence: owner === null ? 'unknown' : confidence,
    evidence: owner === null ? 'none' : evidence,
    uid: owner?.uid ?? null,
    process: owner,
    tuple,
  };
}

function byRule(action: RuleAction, evaluation: Evaluation): Decision {
  return { action, reason: 'rule', ruleId: evaluation.rule?.id ?? null };
}

/**
 * `ask` means: nobody has decided yet, raise a prompt. Deny rules hold in every mode and while paused; allow rules are named
 * as the reason even where the mode would have allowed anyway.
 */
export function decide({ ask, facts }: { readonly ask: Pick<Ask, 'answersPeer'>; readonly facts: Facts }, evaluation: Evaluation, posture: Posture): Decision {
  const action = evaluation.rule?.action ?? null;
  if (action === 'deny' || action === 'drop' || action === 'allow') return byRule(action, evaluation);
  if (posture.paused) return { action: 'allow', reason: 'paused', ruleId: null };
  if (posture.mode === 'learning') return { action: 'allow', reason: 'mode-learning', ruleId: null };
  if (facts.uid === null) {
    return { action: posture.untracked === 'pass' ? 'allow' : 'drop', reason: 'no-owner', ruleId: null };
  }
  if (action === 'ask') return byRule('ask', evaluation);
  if (ask.answersPeer) return { action: 'allow', reason: 'reply', ruleId: null };
  return { action: posture.defaultAction, reason: 'default-action', ruleId: null };
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
