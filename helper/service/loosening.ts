/**
 * Would an answer undo a rule that forbids? A rule of an answer names its program, which goes before a rule that forbids a
 * destination to all programs: "curl may reach anything" would open what an administrator closed with a password. Doubt is yes,
 * for the price is a password.
 */
import type { Answer, PromptInfo, RuleInfo } from '../contract/types.ts';

const DNS_PORT = 53;

function holdsPort(ports: string, port: number): boolean {
  return ports === '' || ports.split(',').some((range) => {
    const [first = Number.NaN, last = first] = range.split('-').map(Number);
    return first <= port && port <= last;
  });
}

/** Can one flow match both the rule and what the answer allows? */
function overlaps(rule: RuleInfo, prompt: PromptInfo, scope: Answer['scope']): boolean {
  if (scope === 'any') return true;
  // An allowed lookup is allowed over TCP too, whatever it was asked about.
  const protocols = rule.protocol === '' || prompt.port === DNS_PORT || rule.protocol.split(',').includes(prompt.protocol);
  return protocols && holdsPort(rule.port, prompt.port);
}

/**
 * `answer` has its lifetime and scope. The administrator's files always go first, and so does a higher priority or, for the same
 * program, a rule with an address; a rule for the same flow would have decided it, unless its hours are others.
 */
export function loosens(prompt: PromptInfo, answer: Answer, rules: readonly RuleInfo[]): boolean {
  if (answer.action !== 'allow' || answer.lifetime === 'once') return false;
  return rules.some((rule) => {
    if (!rule.enabled || (rule.action !== 'deny' && rule.action !== 'drop')) return false;
    if (rule.tier === 'administrator' || rule.priority > 0) return false;
    if (rule.user !== '' && rule.user !== prompt.user) return false;
    if (rule.path !== '' && rule.path !== prompt.path) return false;
    const undone = rule.schedule !== '' || (rule.path === '' && answer.scope !== 'host');
    return undone && overlaps(rule, prompt, answer.scope);
  });
}
