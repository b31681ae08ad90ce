/** Pages of lists that may change while somebody turns them. */

/** One page; `next` is '' at the end. */
export interface PageOf<T> {
  readonly rows: readonly T[];
  readonly next: string;
}

/**
 * Rows after `cursor`, which names the last row told and where it was: a row that has gone or moved neither ends the list nor
 * starts it again. A cursor that was never given begins at the start.
 */
export function pageOf<T>(rows: readonly T[], idOf: (row: T) => string, limit: number, cursor: string): PageOf<T> {
  const start = startOf(rows, idOf, cursor);
  const page = rows.slice(start, start + limit);
  const last = page.at(-1);
  const end = start + page.length;
  return { rows: page, next: last === undefined || end >= rows.length ? '' : `${String(end)}:${idOf(last)}` };
}

function startOf<T>(rows: readonly T[], idOf: (row: T) => string, cursor: string): number {
  const colon = cursor.indexOf(':');
  const place = Number(cursor.slice(0, Math.max(0, colon)));
  if (colon < 1 || !Number.isSafeInteger(place) || place < 1) return 0;
  const id = cursor.slice(colon + 1);
  const there = rows[place - 1];
  if (there !== undefined && idOf(there) === id) return place;
  const moved = rows.findIndex((row) => idOf(row) === id);
  return moved >= 0 ? moved + 1 : Math.min(place - 1, rows.length);
}
