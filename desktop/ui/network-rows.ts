/** What the network's texts are as rows of a group. */
import type { NetworkRow } from '../model/network-text.ts';
import type { LinkRow } from './row-group.ts';

/** `more`: where it leads, or its button. */
export function linkRow({ icon, title, text, isWrong }: NetworkRow, more: Pick<LinkRow, 'open' | 'button'> = {}): LinkRow {
  return { icon, title, subtitle: text, look: isWrong ? 'warning' : 'network', ...more };
}
