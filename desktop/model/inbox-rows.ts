/** The inbox as a flat list: a heading for each program, its questions below. Pure. */
import type { PromptInfo } from '../../helper/contract/types.ts';
import { _, fill } from '../i18n.ts';
import { agoText } from './durations.ts';
import { visible } from './plain-text.ts';
import { groupPrompts } from './prompt-groups.ts';
import type { PromptGroup } from './prompt-groups.ts';
import type { FindProgram } from './program-name.ts';
import { hostTitle } from './prompt-text.ts';
import { showHost } from './host-name.ts';
import { serviceName } from './service-name.ts';

/** One line of the list. `id` stays the same while it says the same; it holds no NUL, which the toolkit's lists cut at. */
export type InboxRow =
  | { readonly id: string; readonly kind: 'program'; readonly group: PromptGroup }
  | { readonly id: string; readonly kind: 'question'; readonly prompt: PromptInfo };

/** In the order of the helper: what waits first, then the newest; programs in the order of their first question. */
export function inboxRows(prompts: readonly PromptInfo[], find: FindProgram): readonly InboxRow[] {
  return groupPrompts(prompts, find).flatMap((group) => [
    { id: `program ${JSON.stringify(group.key)}`, kind: 'program', group } as const,
    ...group.prompts.map((prompt) => ({ id: `question ${prompt.nonce}`, kind: 'question', prompt } as const)),
  ]);
}

/** Under a program's name: where it lies, and whose it is where that is somebody else. */
export function programSubtitle({ file, user, prompts }: PromptGroup, uid: number): string {
  const whose = prompts[0]?.uid === uid ? '' : fill(_('as user {user}'), { user: visible(user, 64) });
  return [visible(file), whose].filter((part) => part !== '').join('  ·  ');
}

/** Where it wants to go; the punycode beside letters that could deceive. */
export function questionTitle(prompt: PromptInfo): string {
  const { other } = showHost(prompt.destination);
  return other === '' ? hostTitle(prompt) : `${hostTitle(prompt)} (${other})`;
}

/** `encrypted web (443)  ·  waiting now`, `…  ·  refused 3 minutes ago`. Wall times in ms since 1970. */
export function questionSubtitle(prompt: PromptInfo, nowMs: number): string {
  const when = prompt.status === 'pending' ? _('waiting now') : fill(_('refused {when}'), { when: agoText(prompt.raised_ms + prompt.timeout_ms, nowMs) });
  return [serviceName(prompt.protocol, prompt.port), when].join('  ·  ');
}

/** Can it still be answered here? Not where nobody knows the program, and not by an agent that may give no lasting answer. */
export function isAnswerable(prompt: PromptInfo): boolean {
  return prompt.lifetimes.length > 0;
}
