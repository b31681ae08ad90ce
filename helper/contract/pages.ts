/** Lists that come in pages. */
import type { Page } from './client.ts';
import { WIRE_LIMITS } from './names.ts';

/** A page may be empty and still not the last, so pages are bounded too. */
const MOST_PAGES = 100_000;

export interface AllRows<T> {
  readonly rows: readonly T[];
  /** There are more. */
  readonly isCut: boolean;
}

/** Reads page after page: at most `limit` rows, and at most `mostPages` pages. Rejects as `read` does. */
export async function allRows<T>(
  read: (limit: number, cursor: string) => Promise<Page<T>>, limit: number, mostPages: number = MOST_PAGES,
): Promise<AllRows<T>> {
  const rows: T[] = [];
  let cursor = '';
  for (let pages = 0; pages < mostPages && rows.length < limit; pages += 1) {
    const found = await read(Math.min(WIRE_LIMITS.pageRows, limit - rows.length), cursor);
    rows.push(...found.rows);
    if (found.next === '' || found.next === cursor) return { rows: rows.slice(0, limit), isCut: rows.length > limit };
    cursor = found.next;
  }
  return { rows: rows.slice(0, limit), isCut: true };
}
