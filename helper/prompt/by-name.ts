/**
 * When an answer is for a name instead of an address: the addresses of a name change, and nobody wants to be asked again then.
 * Only for what the program itself asked for, or the administrator wrote into /etc/hosts; only such a name lets a rule allow.
 */
import { canonicalName, suggestedDomains, suggestedPattern } from '../policy/domains.ts';
import type { Question } from './question.ts';

/** The name that scope `host` makes its rule for; null for a rule by address. */
export function ruleName({ names, answersPeer }: Pick<Question, 'names' | 'answersPeer'>): string | null {
  const [first] = names;
  // Whoever spoke first was not reached by a name.
  if (first === undefined || first.source === 'machine' || answersPeer === true) return null;
  return canonicalName(first.name) === first.name ? first.name : null;
}

/** What scope `domain` stands for: `*.example.org`; null where it is not offered. */
export function rulePattern(question: Question): string | null {
  const name = ruleName(question);
  return name === null ? null : suggestedPattern(name);
}

/** The domains of the rules that scope `domain` makes, the one that decides this flow first. */
export function ruleDomains(question: Question): readonly string[] {
  const name = ruleName(question);
  return name === null ? [] : suggestedDomains(name);
}
