/** Rules as sentences. */
import type { RuleInfo } from '../../helper/contract/types.ts';
import type { RuleAction, Tier } from '../../helper/contract/vocabulary.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { agoText, clockText, countText } from './durations.ts';
import { visible } from './plain-text.ts';
import type { FindProgram } from './program-name.ts';
import { conditionWords, hostWords, programWords } from './rule-others.ts';
import type { RuleOthers } from './rule-others.ts';
import { scheduleWords } from './rule-schedule.ts';
import { serviceName } from './service-name.ts';

/** What a sentence needs of a rule; the editor shows one for a rule that does not exist yet. */
export type RuleWords = Pick<RuleInfo, 'action' | 'path' | 'address' | 'port' | 'protocol' | 'user' | 'lifetime' | 'schedule'> & {
  readonly until_ms?: number | undefined;
} & RuleOthers;

const ACTIONS: Readonly<Record<RuleAction, () => string>> = {
  allow: () => _('{program} may reach {target}'),
  deny: () => _('{program} may not reach {target}'),
  drop: () => _('{program} is silently blocked from {target}'),
  ask: () => _('Ask when {program} wants to reach {target}'),
};

export function actionName(action: RuleAction): string {
  const names: Record<RuleAction, string> = {
    allow: _('Allow'),
    deny: _('Deny'),
    drop: _('Drop silently'),
    ask: _('Ask'),
  };
  return names[action];
}

function portWords(rule: RuleWords): string {
  const protocol = visible(rule.protocol, 64).toUpperCase();
  if (rule.port === '') return rule.protocol === '' ? '' : fill(_('over {protocol}'), { protocol });
  const single = /^\d{1,5}$/.test(rule.port);
  if (single && (rule.protocol === 'tcp' || rule.protocol === 'udp')) {
    return fill(_('for {service}'), { service: serviceName(rule.protocol, Number(rule.port)) });
  }
  const ports = single
    ? fill(_('on port {ports}'), { ports: rule.port })
    : fill(_('on ports {ports}'), { ports: visible(rule.port, 64).replaceAll(',', ', ') });
  return rule.protocol === '' ? ports : `${ports} (${protocol})`;
}

/** `Firefox may reach any host for encrypted web (443).` */
export function ruleText(rule: RuleWords, find: FindProgram, nowMs: number): string {
  const program = programWords(rule, find);
  const target = [hostWords(rule), portWords(rule)].filter((part) => part !== '').join(' ');
  const parts = [fill(ACTIONS[rule.action](), { program, target }), ...conditionWords(rule, find)];
  if (rule.user !== '') parts.push(fill(_('as user {user}'), { user: visible(rule.user, 64) }));
  const when = scheduleWords(rule.schedule);
  if (when !== '') parts.push(when);
  const lifetime = lifetimeWords(rule, nowMs);
  if (lifetime !== '') parts.push(lifetime);
  return `${parts.join(', ')}.`;
}

function lifetimeWords(rule: RuleWords, nowMs: number): string {
  switch (rule.lifetime) {
    case 'always': return '';
    case 'once': return _('once');
    case 'process': return _('while it runs');
    case 'session': return _('until you log out');
    case 'boot': return _('until this computer restarts');
    case 'until': return fill(_('until {time}'), { time: clockText(rule.until_ms ?? 0, nowMs) });
    default: return '';
  }
}

export function tierText(tier: Tier): string {
  const texts: Record<Tier, string> = {
    administrator: _('The administrator’s rule'),
    user: _('Your rule'),
    vendor: _('Part of Bastion Firewall'),
    'built-in': _('Built in'),
  };
  return texts[tier];
}

/** Has the rule's time passed? */
export function isExpired(rule: RuleInfo, nowMs: number): boolean {
  return rule.lifetime === 'until' && (rule.until_ms ?? 0) <= nowMs;
}

/** `The administrator’s rule · used 12 times, last 3 minutes ago`. Use is counted since the service started; marks say whether it holds.
 * `withGroup`: no heading above it names its group. */
export function ruleSubtitle(rule: RuleInfo, nowMs: number, withGroup = true): string {
  const parts = [rule.tier === 'user' ? '' : tierText(rule.tier), rule.name === rule.id ? '' : visible(rule.name, 128)];
  if (rule.group !== '' && withGroup) parts.push(visible(rule.group, 64));
  parts.push(useText(rule, nowMs));
  return parts.filter((part) => part !== '').join('  ·  ');
}

function useText(rule: RuleInfo, nowMs: number): string {
  if (rule.hits === 0) return _('not used yet');
  const times = fill(ngettext('used {number} time', 'used {number} times', rule.hits), { number: countText(rule.hits) });
  return rule.last_hit_ms === 0 ? times : fill(_('{times}, last {when}'), { times, when: agoText(rule.last_hit_ms, nowMs) });
}
