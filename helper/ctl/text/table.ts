/** Columns under headings, as nmcli prints them. */
import type { Paint } from './format.ts';
import { cutMiddle, displayWidth, printable } from './escape.ts';

export interface Column<T> {
  readonly title: string;
  /** Raw text: the table escapes it. '' is shown as `--`. */
  readonly cell: (row: T) => string;
  readonly right?: boolean;
  /** May lose its middle when the terminal is too narrow; the others keep their text. */
  readonly flexible?: boolean;
  /** Left out where the terminal is too narrow for it, the highest number first; `show` and --json have it. */
  readonly spare?: number;
  readonly paint?: (row: T) => Paint;
}

const GAP = '  ';
const NARROWEST = 8;
/** A flexible column that is cut further can hardly be told from the next: others are left out before. */
const READABLE = 20;

function pad(text: string, width: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return right ? space + text : text + space;
}

/** Takes columns from the widest flexible one until the line fits or all are as narrow as they may be. */
function fit(widths: number[], flexible: readonly boolean[], limit: number): void {
  const total = (): number => widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1);
  while (total() > limit) {
    let widest = -1;
    for (const [index, width] of widths.entries()) {
      if (flexible[index] === true && width > NARROWEST && width > (widths[widest] ?? 0)) widest = index;
    }
    const width = widths[widest];
    if (width === undefined) return;
    widths[widest] = width - 1;
  }
}

/** What is left when spare columns go until the rest can be read in `limit`. */
function affordable<T>(columns: readonly Column<T>[], widths: ReadonlyMap<Column<T>, number>, limit: number): readonly Column<T>[] {
  const needed = columns.reduce((sum, column) => {
    const width = widths.get(column) ?? 0;
    return sum + (column.flexible === true ? Math.min(width, READABLE) : width);
  }, GAP.length * (columns.length - 1));
  const spare = Math.max(...columns.map((column) => column.spare ?? 0));
  if (needed <= limit || spare === 0) return columns;
  return affordable(columns.filter((column) => column.spare !== spare), widths, limit);
}

/**
 * A heading line and one line for each row, each ending in a line feed. `width` is the terminal's, null for no limit (then
 * nothing is cut). The last column is never padded.
 */
export function table<T>(all: readonly Column<T>[], rows: readonly T[], width: number | null, heading: Paint): string {
  const natural = new Map(all.map((column) => [column, rows.reduce(
    (most, row) => Math.max(most, displayWidth(printable(column.cell(row)) || '--')), displayWidth(column.title))]));
  const columns = width === null ? all : affordable(all, natural, width);
  const cells = rows.map((row) => columns.map((column) => printable(column.cell(row)) || '--'));
  const widths = columns.map((column) => natural.get(column) ?? 0);
  if (width !== null) fit(widths, columns.map((column) => column.flexible === true), width);
  const line = (texts: readonly string[], paints: readonly (Paint | undefined)[]): string =>
    columns.map((column, index) => {
      const room = widths[index] ?? 0;
      const cut = cutMiddle(texts[index] ?? '', room);
      const last = index === columns.length - 1 && column.right !== true;
      const padded = last ? cut : pad(cut, room, column.right === true);
      return paints[index]?.(padded) ?? padded;
    }).join(GAP);
  const head = columns.map((column) => column.title);
  const lines = [
    line(head, head.map(() => heading)),
    ...rows.map((row, index) => line(cells[index] ?? [], columns.map((column) => column.paint?.(row)))),
  ];
  return `${lines.join('\n')}\n`;
}

/** `Name:   value` lines, aligned; values are escaped, and '' leaves the line out. A value that was styled comes as `styled`. */
export interface Detail {
  readonly name: string;
  readonly value: string;
  readonly paint?: Paint;
}

/** Aligned name and value lines, each ending in a line feed. */
export function details(entries: readonly Detail[]): string {
  const shown = entries.filter((entry) => entry.value !== '');
  const width = shown.reduce((most, entry) => Math.max(most, displayWidth(entry.name)), 0) + 1;
  return shown
    .map(({ name, value, paint }) => {
      const text = printable(value);
      return `${pad(`${name}:`, width, false)} ${paint?.(text) ?? text}\n`;
    })
    .join('');
}
