/** What a person is told once on the way from the first start to enforcing. Pure: `nowMs` is an argument. */
import type { Proposal } from '../../helper/contract/types.ts';
import type { HelperStatus } from '../../helper/contract/client.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { countText } from './format.ts';

/** Habits of a week show in its first days. */
export const LEARNED_AFTER_MS = 3 * 86_400_000;

export interface Guidance {
  readonly title: string;
  readonly body: string;
}

/** At the first start, while the firewall learns; null for a person who has seen the first steps, or where it does not learn. */
export function welcome(status: HelperStatus | null, seen: boolean): Guidance | null {
  if (seen || status?.mode !== 'learning' || status.state === 'off') return null;
  return {
    title: _('Bastion Firewall is learning'),
    body: _('Programs may connect, and what they do is recorded on this computer. See what comes next.'),
  };
}

/** When learning has gone on for days and has found rules; null before. */
export function learnedEnough(status: HelperStatus | null, proposals: readonly Proposal[], nowMs: number): Guidance | null {
  if (status?.mode !== 'learning' || status.state === 'off') return null;
  const rules = proposals.filter((one) => one.kind === 'rule' && one.rule !== undefined);
  const first = Math.min(...rules.map((one) => one.first_ms));
  if (rules.length === 0 || nowMs - first < LEARNED_AFTER_MS) return null;
  const text = ngettext(
    'Bastion Firewall has learned enough: {number} suggestion', 'Bastion Firewall has learned enough: {number} suggestions', rules.length,
  );
  return {
    title: fill(text, { number: countText(rules.length) }),
    body: _('Add the rules that you want to keep. After that you are only asked about new programs.'),
  };
}
