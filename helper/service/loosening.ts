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

/** Does the answer's rule name a domain instead of an address? */
function isByName(prompt: PromptInfo, scope: Answer['scope']): boolean {
  return scope === 'domain' || (scope === 'host' && prompt.by_name !== undefined);
}

/** Can one flow match both the rule and what the answer allows? */
function overlaps(rule: RuleInfo, prompt: PromptInfo, scope: Answer['scope']): boolean {
  // A name that may be looked up for good may be reached by any port.
  if (scope === 'any' || (prompt.is_lookup && isByName(prompt, scope))) return true;
  // An allowed lookup is allowed over TCP too, whatever it was asked about.
  const protocols = rule.protocol === '' || prompt.port === DNS_PORT || rule.protocol.split(',').includes(prompt.protocol);
  return protocols && holdsPort(rule.port, prompt.port);
}

/** Could the rule forbid other flows of this program than the one that was asked about? Then an answer may go before it. */
function hangsOnMore(rule: RuleInfo): boolean {
  const { script, sha256, container, ancestor, zone, interface: interfaceName, profile, pin } = rule;
  if (rule.schedule !== '' || pin === true || rule.include_children === true) return true;
  if ([script, sha256, container, ancestor, zone, interfaceName, profile].some((part) => part !== undefined && part !== '')) return true;
  return rule.path !== '' && [rule.domain, rule.list].some((part) => part !== undefined && part !== '');
}

/**
 * Could the answer reach further than the flow that was asked about, to what the rule forbids to all programs? Whoever owns a
 * name can give it another address, a forbidden one too; a rule for one name meets no list of names, but those below it may.
 */
function reachesMore(rule: RuleInfo, prompt: PromptInfo, scope: Answer['scope']): boolean {
  if (scope !== 'host') return true;
  return prompt.by_name !== undefined && rule.address !== '';
}

/** Is the rule for some program? Of one that is named by more than its path the prompt does not tell whether it is this one. */
function isOfAnother(rule: RuleInfo, prompt: PromptInfo): boolean {
  return rule.path !== '' && rule.path !== prompt.path && rule.include_children !== true;
}

/**
 * `answer` has its lifetime and scope. The administrator's files always go first, and so does a higher priority or, for the same
 * program, a rule with an address; a rule for the same flow would have decided it, unless its hours are others.
 */
export function loosens(prompt: PromptInfo, answer: Answer, rules: readonly RuleInfo[]): boolean {
  if (answer.action !== 'allow' || answer.lifetime === 'once') return false;
  return rules.some((rule) => {
    if (!rule.enabled || rule.group_enabled === false || (rule.action !== 'deny' && rule.action !== 'drop')) return false;
    if (rule.tier === 'administrator' || rule.priority > 0) return false;
    if (rule.user !== '' && rule.user !== prompt.user) return false;
    // What the program starts may be any program: also one that is forbidden this.
    if (answer.include_children === true) return overlaps(rule, prompt, answer.scope);
    if (isOfAnother(rule, prompt)) return false;
    const undone = hangsOnMore(rule) || (rule.path === '' && reachesMore(rule, prompt, answer.scope));
    return undone && overlaps(rule, prompt, answer.scope);
  });
}
