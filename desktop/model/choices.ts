/** The choices of a prompt, as offered by the helper, in words; and the answer that they make. */
import type { Answer, PromptInfo } from '../../helper/contract/types.ts';
import { KERNEL_PATH } from '../../helper/contract/vocabulary.ts';
import type { Scope } from '../../helper/contract/vocabulary.ts';
import { _, fill } from '../i18n.ts';
import { showHost } from './host-name.ts';
import { portPhrase } from './service-name.ts';

const HOUR_MS = 3_600_000;

/** The lifetimes that an answer can name, the shortest first. */
const LIFETIME_ORDER = ['once', 'process', 'until', 'session', 'boot', 'always'] as const;
export type PromptLifetime = (typeof LIFETIME_ORDER)[number];

export interface Choice<T> {
  readonly value: T;
  readonly label: string;
}

/** What the person has chosen, before the button. */
export interface Chosen {
  readonly lifetime: PromptLifetime;
  readonly scope: Scope;
  /** Also for the programs that it starts, where the answer makes a rule that can say so. */
  readonly children?: boolean;
}

function lifetimeLabel(lifetime: PromptLifetime): string {
  const labels: Record<PromptLifetime, string> = {
    once: _('once'),
    process: _('while it runs'),
    until: _('1 hour'),
    session: _('this session'),
    boot: _('until restart'),
    always: _('always'),
  };
  return labels[lifetime];
}

function scopeLabel(prompt: PromptInfo, scope: Scope): string {
  const labels: Record<Scope, string> = {
    host: _('this host'),
    domain: domainWords(prompt),
    port: fill(_('any host, {port}'), { port: portPhrase(prompt.protocol, prompt.port) }),
    any: _('anything'),
  };
  return labels[scope];
}

/** What scope `domain` stands for: `*.example.org`, with the name itself where that is `example.org`. */
export function domainWords({ pattern = '', by_name: name = '' }: PromptInfo): string {
  const domain = pattern.replace(/^\*\./, '');
  const shown = showHost(domain).name;
  return domain === name ? fill(_('{host} and {pattern}'), { host: shown, pattern: `*.${shown}` }) : `*.${shown}`;
}

/** The lifetimes of `prompt.lifetimes` that this desktop knows; `once` alone if it knows none. */
export function lifetimeChoices(prompt: PromptInfo): readonly Choice<PromptLifetime>[] {
  const offered = LIFETIME_ORDER.filter((lifetime) => prompt.lifetimes.includes(lifetime));
  return (offered.length === 0 ? (['once'] as const) : offered).map((value) => ({ value, label: lifetimeLabel(value) }));
}

export function scopeChoices(prompt: PromptInfo): readonly Choice<Scope>[] {
  const offered: readonly Scope[] = prompt.scopes.length === 0 ? ['host'] : prompt.scopes;
  return offered.map((value) => ({ value, label: scopeLabel(prompt, value) }));
}

/** The helper's proposal, or the first of what it offers. */
export function defaultChoice(prompt: PromptInfo): Chosen {
  const lifetimes = lifetimeChoices(prompt).map((choice) => choice.value);
  const scopes = scopeChoices(prompt).map((choice) => choice.value);
  return {
    lifetime: lifetimes.find((value) => value === prompt.default_lifetime) ?? lifetimes[0] ?? 'once',
    scope: scopes.find((value) => value === prompt.default_scope) ?? scopes[0] ?? 'host',
  };
}

/** Can an answer for this long cover what the program starts? Not one that is for this process alone. */
export function offersChildren(prompt: PromptInfo, lifetime: PromptLifetime): boolean {
  return prompt.named_by !== undefined && prompt.named_by !== 'container' && prompt.path !== KERNEL_PATH && lifetime !== 'once' && lifetime !== 'process';
}

/** Is it wanted, and offered? */
export function coversChildren(prompt: PromptInfo, { children, lifetime }: Chosen): boolean {
  return children === true && offersChildren(prompt, lifetime);
}

/** `nowMs`: wall time, ms since 1970. */
export function answerOf(prompt: PromptInfo, action: 'allow' | 'deny', chosen: Chosen, nowMs: number): Answer {
  const children = coversChildren(prompt, chosen) ? { include_children: true } : {};
  const answer = { action, lifetime: chosen.lifetime, scope: chosen.scope, ...children };
  return chosen.lifetime === 'until' ? { ...answer, until_ms: nowMs + HOUR_MS } : answer;
}
