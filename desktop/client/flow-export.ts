/** Writes the flows of a filter into a file, page after page: however long the history is, little of it is in memory. */
import { open, rename, unlink } from 'node:fs/promises';
import type { HelperClient } from '../../helper/contract/client.ts';
import { flowWriter } from '../../helper/contract/flow-export.ts';
import type { FlowFormat } from '../../helper/contract/flow-export.ts';
import type { FlowFilter } from '../../helper/contract/types.ts';

/** Small, so that the window goes on meanwhile. */
const PAGE_ROWS = 100;
/** About 300 MB; whoever wants more uses bastionctl. */
export const EXPORT_LIMIT = 1_000_000;

export interface Exported {
  readonly flows: number;
  /** There are more. */
  readonly isCut: boolean;
}

/** Rejects as the client and the file system do; the file is there only when it is whole. */
export async function exportFlows(client: HelperClient, filter: FlowFilter, format: FlowFormat, path: string, limit: number = EXPORT_LIMIT): Promise<Exported> {
  const part = `${path}.part`;
  const file = await open(part, 'w', 0o600);
  try {
    const writer = flowWriter(format);
    await file.appendFile(writer.head);
    let flows = 0;
    let cursor = '';
    for (;;) {
      const page = await client.queryFlows(filter, Math.min(PAGE_ROWS, limit - flows), cursor);
      await file.appendFile(page.rows.map((one, at) => writer.row(one, flows + at === 0)).join(''));
      flows += page.rows.length;
      const isEnd = page.next === '' || page.next === cursor;
      cursor = page.next;
      if (isEnd || flows >= limit) {
        await file.appendFile(writer.tail);
        await file.sync();
        await file.close();
        await rename(part, path);
        return { flows, isCut: !isEnd };
      }
    }
  } catch (error: unknown) {
    await file.close().catch(() => undefined);
    await unlink(part).catch(() => undefined);
    throw error;
  }
}
