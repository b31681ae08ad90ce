/** One list, ready to be asked. */
import { addressWords } from '../policy/address.ts';
import { NameTable } from './name-table.ts';
import { Ranges } from './ranges.ts';
import type { ListContent, ListCounts } from './read-list.ts';

export class LoadedList {
  readonly counts: ListCounts;
  /** SHA-256 of the text, 64 small hexadecimal digits. */
  readonly sha256: string;
  readonly #names: NameTable;
  readonly #ranges: Ranges;

  constructor(content: ListContent, sha256: string) {
    const { table, ranges, ...counts } = content;
    this.counts = counts;
    this.sha256 = sha256;
    this.#names = new NameTable(table);
    this.#ranges = new Ranges(ranges);
  }

  get holdsNames(): boolean {
    return this.counts.domains > 0;
  }

  get holdsAddresses(): boolean {
    return !this.#ranges.isEmpty;
  }

  /** Is the name (small letters, no last dot), or one that it lies below, in the list and not excepted? */
  hasName(name: string): boolean {
    return this.holdsNames && this.#names.covers(name);
  }

  /** Is the address (canonical text) in the list? */
  hasAddress(address: string): boolean {
    if (!this.holdsAddresses) return false;
    const words = addressWords(address);
    return words !== null && this.#ranges.has(words);
  }
}
