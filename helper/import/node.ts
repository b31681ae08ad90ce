/** Values of a foreign file, whatever language it is in, with the places where they stand. */
import { IMPORT_LIMITS, refuse, tooMuch } from './types.ts';
import type { Place } from './types.ts';

interface At {
  /** Offset in the text, in UTF-16 code units. */
  readonly at: number;
}
export type TextNode = At & { readonly kind: 'text'; readonly value: string };
export type NumberNode = At & { readonly kind: 'number'; readonly value: number };
export type FlagNode = At & { readonly kind: 'flag'; readonly value: boolean };
export type TimeNode = At & { readonly kind: 'time'; readonly value: number; readonly zoned: boolean };
export type NullNode = At & { readonly kind: 'null' };
export type ListNode = At & { readonly kind: 'list'; readonly items: readonly Node[] };
/** A Map, so that no key of a file can meet a property of an object. `at` of an entry is its key's. */
export type TableNode = At & { readonly kind: 'table'; readonly entries: ReadonlyMap<string, Entry> };
export interface Entry extends At {
  readonly value: Node;
}
export type Node = TextNode | NumberNode | FlagNode | TimeNode | NullNode | ListNode | TableNode;

/** Tells line and column of an offset. */
export class Lines {
  readonly #starts: number[] = [0];

  constructor(text: string) {
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) this.#starts.push(at + 1);
  }

  place(at: number): Place {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: at - (this.#starts[low] ?? 0) + 1 };
  }
}

/** A file that was read. */
export interface Document {
  readonly root: Node;
  readonly lines: Lines;
}

/** Counts values while a file is read, so that a small text cannot become a large memory. */
export class Budget {
  #left: number = IMPORT_LIMITS.values;

  take(): void {
    this.#left -= 1;
    if (this.#left < 0) tooMuch(`The file has more than ${String(IMPORT_LIMITS.values)} values; import it in parts.`);
  }
}

/** Refuses a text that is longer than its language is read. */
export function checkLength(text: string, limit: number): void {
  if (text.length > limit) tooMuch(`The file has more than ${String(limit / 1024)} KiB; import it in parts.`);
}

/** A table in the making: a key that stands twice is an error, because readers differ in which one counts. */
export class TableMaker {
  readonly entries = new Map<string, Entry>();
  readonly #lines: Lines;

  constructor(lines: Lines) {
    this.#lines = lines;
  }

  add(name: string, at: number, value: Node): void {
    const before = this.entries.get(name);
    if (before !== undefined) {
      const first = this.#lines.place(before.at).line;
      refuse(this.#lines.place(at), `this key stands in line ${String(first)} already. Remove one of them.`);
    }
    this.entries.set(name, { at, value });
  }
}

/** The value of a key, undefined when it is not there. */
export function get(table: TableNode, name: string): Node | undefined {
  return table.entries.get(name)?.value;
}

/** The text of a key; null when it is absent or no text. */
export function textAt(table: TableNode, name: string): string | null {
  const node = get(table, name);
  return node?.kind === 'text' ? node.value : null;
}

/** true or false of a key; null when it is absent or neither. */
export function flagAt(table: TableNode, name: string): boolean | null {
  const node = get(table, name);
  return node?.kind === 'flag' ? node.value : null;
}

/** A text, or a list of texts, as a list; null for anything else. */
export function textsOf(node: Node | undefined): readonly TextNode[] | null {
  if (node?.kind === 'text') return [node];
  if (node?.kind !== 'list') return null;
  const texts = node.items.filter((one): one is TextNode => one.kind === 'text');
  return texts.length === node.items.length ? texts : null;
}
