/** Saves what the rule editor has, and knows how to take it back. */
import type { RuleEdit, RuleInfo } from '../../helper/contract/types.ts';
import { _ } from '../i18n.ts';
import { revertOf, sameContent } from '../model/rule-form.ts';
import type { HelperSession } from './session.ts';

/** `other`: somebody else changed the rule since it was read, and nothing was saved. */
export type SavedRule =
  | { readonly kind: 'saved'; readonly message: string; readonly undo: (() => Promise<void>) | null }
  | { readonly kind: 'other'; readonly now: RuleInfo };

/** Makes a new rule where `rule` is null. What others changed since it was read is not written over unsaid. Rejects as the client does. */
export async function saveRule({ client, clocks }: HelperSession, rule: RuleInfo | null, edit: RuleEdit): Promise<SavedRule> {
  if (rule === null) {
    const id = await client.addRule(edit);
    return { kind: 'saved', message: _('Rule added'), undo: () => client.removeRule(id) };
  }
  const now = await client.getRule(rule.id);
  if (!sameContent(now, rule)) return { kind: 'other', now };
  const back = revertOf(now, edit, clocks.wallMs());
  await client.updateRule(rule.id, edit);
  return { kind: 'saved', message: _('Rule saved'), undo: back === null ? null : () => client.updateRule(rule.id, back) };
}
