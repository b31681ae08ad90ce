/** What an import would do or has done, in words. */
import type { ImportItemInfo, ImportSummary } from '../../helper/contract/types.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { countText, listText } from './format.ts';
import { visible } from './plain-text.ts';

export type ImportOutcome = ImportItemInfo['outcome'];
/** What a person has to look at stands first. */
export const OUTCOMES = ['review', 'changed', 'skipped', 'kept'] as const;

export interface ImportRow {
  readonly icon: string;
  /** `To check`, `Left out` and so on. */
  readonly verdict: string;
  readonly title: string;
  /** `line 12` and the file, where there is one. */
  readonly place: string;
}

export function outcomeText(outcome: ImportOutcome): string {
  const texts: Readonly<Record<ImportOutcome, string>> = { kept: _('Unchanged'), changed: _('Changed'), review: _('Please check'), skipped: _('Left out') };
  return texts[outcome];
}

const ICONS: Readonly<Record<ImportOutcome, string>> = {
  kept: 'emblem-ok-symbolic', changed: 'document-edit-symbolic', review: 'dialog-warning-symbolic', skipped: 'action-unavailable-symbolic',
};

/** The report's rows: what has to be looked at first, then by file and line. */
export function importRows(items: readonly ImportItemInfo[]): readonly ImportRow[] {
  const rank = (item: ImportItemInfo): number => OUTCOMES.indexOf(item.outcome);
  return [...items].sort((a, b) => rank(a) - rank(b) || (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line)).map((item) => ({
    icon: ICONS[item.outcome],
    verdict: outcomeText(item.outcome),
    title: [visible(item.source, 256), visible(item.text, 512)].filter((part) => part !== '').join(': '),
    place: placeText(item),
  }));
}

function placeText({ file, line }: ImportItemInfo): string {
  const at = line === 0 ? '' : fill(_('line {number}'), { number: countText(line) });
  return [visible(file, 128), at].filter((part) => part !== '').join(', ');
}

/** `12 taken over, 3 changed, 1 to check, 2 left out`. */
export function importSummaryText({ kept, changed, review, skipped }: ImportSummary): string {
  const part = (count: number, text: string): string => (count === 0 ? '' : fill(text, { number: countText(count) }));
  const parts = [
    part(kept, ngettext('{number} rule unchanged', '{number} rules unchanged', kept)),
    part(changed, ngettext('{number} changed to fit', '{number} changed to fit', changed)),
    part(review, ngettext('{number} to check', '{number} to check', review)),
    part(skipped, ngettext('{number} left out', '{number} left out', skipped)),
  ].filter((text) => text !== '');
  return parts.length === 0 ? _('It contains nothing that could be added.') : listText(parts);
}

/** What the format was taken for, and why. */
export function formatText({ format, guess }: ImportSummary): string {
  const names: Readonly<Record<ImportSummary['format'], string>> = {
    bastion: _('a file of Bastion Firewall'), 'bastion-rules': _('exported rules of Bastion Firewall'), 'bastion-config': _('settings of an older Bastion Firewall'),
    identities: _('a list of trusted programs'), 'rules-toml': _('a rule file (TOML)'), opensnitch: _('rules of OpenSnitch'), lsrules: _('rules of Little Snitch'),
    'network-manager': _('networks of NetworkManager'),
  };
  const name = names[format];
  return guess === '' ? fill(_('Read as {format}.'), { format: name }) : fill(_('Read as {format}: {why}'), { format: name, why: visible(guess, 200) });
}

/** `Add 12 rules` */
export function addButtonText(count: number): string {
  return fill(ngettext('_Add {number} Rule', '_Add {number} Rules', count), { number: countText(count) });
}
