/** What stands behind "Details" of a prompt. */
import type { PromptInfo } from '../../helper/contract/types.ts';
import { Gtk } from '../gtk.ts';
import type { Box } from '../gtk.ts';
import { promptDetails } from '../model/prompt-details.ts';
import { loadUi } from './load-ui.ts';

/** Replaces what is in `rows`. */
export function fillDetails(rows: Box, prompt: PromptInfo): void {
  for (let child = rows.getFirstChild(); child !== null; child = rows.getFirstChild()) rows.remove(child);
  for (const detail of promptDetails(prompt)) {
    const row = loadUi('detail-row');
    row.get('title', Gtk.Label).setLabel(detail.title);
    row.get('text', Gtk.Label).setLabel(detail.text);
    rows.append(row.get('row', Gtk.Box));
  }
}
