/** What has to change in a set for it to hold the addresses of its zone. */
import { numberOf, rangeOf, textOf, without } from './ranges.ts';
import type { Element, Range } from './ranges.ts';

/** An element that the kernel takes out sooner than this is put in anew. */
export const RENEW_BELOW_S = 1_000_000;

/** A set's content as it was found, and as it is after each difference that the kernel has taken. */
export class Content {
  /** Single addresses, and in how many seconds the kernel takes them out; null for never. */
  readonly singles = new Map<string, number | null>();
  readonly ranges: { readonly element: Element; readonly range: Range }[] = [];

  constructor(elements: readonly Element[]) {
    for (const element of elements) {
      if (element.first === element.last) this.singles.set(element.first, element.expiresS);
      else this.#addRange(element);
    }
  }

  #addRange(element: Element): void {
    const range = rangeOf(element);
    if (range !== null) this.ranges.push({ element, range });
  }

  get size(): number {
    return this.singles.size + this.ranges.length;
  }

  /** As text for people: `192.0.2.1`, `10.0.0.1-10.0.0.9`. */
  texts(limit: number): readonly string[] {
    const texts: string[] = [];
    for (const address of this.singles.keys()) {
      if (texts.length >= limit) return texts;
      texts.push(address);
    }
    return [...texts, ...this.ranges.slice(0, limit - texts.length).map(({ element: { first, last } }) => `${first}-${last}`)];
  }

  /** After the kernel has taken a difference. */
  applied({ remove, add }: Difference): void {
    const gone = new Set(remove);
    for (const { first, last } of remove) if (first === last) this.singles.delete(first);
    const left = this.ranges.filter(({ element }) => !gone.has(element));
    this.ranges.length = 0;
    for (const one of left) this.ranges.push(one);
    for (const element of add) {
      if (element.first === element.last) this.singles.set(element.first, element.expiresS);
      else this.#addRange(element);
    }
  }
}

export interface Wish {
  readonly version: 4 | 6;
  /** Canonical text. */
  readonly wanted: ReadonlySet<string>;
  readonly found: Content;
  /** Addresses that we have put in, as far as we remember. */
  readonly ours: ReadonlySet<string>;
  /** What others put in stays. */
  readonly keepOthers: boolean;
}

export interface Difference {
  /** Elements as they were found. */
  readonly remove: readonly Element[];
  readonly add: readonly Element[];
  /** Addresses that are ours once the kernel has taken it. */
  readonly ours: ReadonlySet<string>;
}

function endsSoon(expiresS: number | null): boolean {
  return expiresS !== null && expiresS < RENEW_BELOW_S;
}

/** How many of the sorted numbers are below one. */
function countBelow(sorted: readonly bigint[], number: bigint): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0n) < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

function within({ first, last }: Range, sorted: readonly bigint[]): readonly bigint[] {
  return sorted.slice(countBelow(sorted, first), countBelow(sorted, last + 1n));
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}

/** Sorted, so that the cost of many ranges and many addresses is not that of each with each. */
function numbersOf(addresses: Iterable<string>): readonly bigint[] {
  const numbers: bigint[] = [];
  for (const address of addresses) {
    const number = numberOf(address);
    if (number !== null) numbers.push(number);
  }
  return numbers.sort(ascending);
}

/** Whether an address is in one of many ranges. */
class Cover {
  readonly #firsts: readonly bigint[];
  /** The highest end of the ranges up to each. */
  readonly #ends: bigint[] = [];

  constructor(ranges: readonly Range[]) {
    const sorted = [...ranges].sort((a, b) => ascending(a.first, b.first));
    this.#firsts = sorted.map(({ first }) => first);
    let end = -1n;
    for (const { last } of sorted) {
      if (last > end) end = last;
      this.#ends.push(end);
    }
  }

  has(number: bigint): boolean {
    return number <= (this.#ends[countBelow(this.#firsts, number + 1n) - 1] ?? -1n);
  }
}

class Making {
  readonly remove: Element[] = [];
  readonly add: Element[] = [];
  readonly ours = new Set<string>();
  readonly #wish: Wish;
  /** Of ranges that stay by themselves. */
  readonly #cover: Cover;
  /** Only where there are ranges. */
  readonly #wantedNumbers: readonly bigint[];
  readonly #leavingNumbers: readonly bigint[];

  constructor(wish: Wish) {
    this.#wish = wish;
    const { wanted, ours, found: { ranges } } = wish;
    this.#cover = new Cover(ranges.filter(({ element }) => !endsSoon(element.expiresS)).map(({ range }) => range));
    this.#wantedNumbers = ranges.length === 0 ? [] : numbersOf(wanted);
    this.#leavingNumbers = ranges.length === 0 ? [] : numbersOf([...ours].filter((address) => !wanted.has(address)));
  }

  make(): Difference {
    this.#wantedOnes();
    this.#unwantedSingles();
    for (const { element, range } of this.#wish.found.ranges) this.#inRange(element, range);
    return { remove: this.remove, add: this.add, ours: this.ours };
  }

  #put(address: string): void {
    this.add.push({ first: address, last: address, expiresS: null });
  }

  /** An address that others have put in is left to them, as long as it stays by itself. */
  #wantedOnes(): void {
    const { wanted, found: { singles, ranges }, ours } = this.#wish;
    for (const address of wanted) {
      const expiresS = singles.get(address);
      if (expiresS === undefined) {
        if (ranges.length > 0 && this.#isCovered(address)) {
          if (ours.has(address)) this.ours.add(address);
          continue;
        }
        this.#put(address);
        this.ours.add(address);
      } else if (endsSoon(expiresS)) {
        this.remove.push({ first: address, last: address, expiresS });
        this.#put(address);
        this.ours.add(address);
      } else if (ours.has(address)) {
        this.ours.add(address);
      }
    }
  }

  #isCovered(address: string): boolean {
    const number = numberOf(address);
    return number !== null && this.#cover.has(number);
  }

  #unwantedSingles(): void {
    const { wanted, found: { singles }, ours, keepOthers } = this.#wish;
    if (keepOthers) {
      for (const address of ours) {
        const expiresS = wanted.has(address) ? undefined : singles.get(address);
        if (expiresS !== undefined) this.remove.push({ first: address, last: address, expiresS });
      }
      return;
    }
    for (const [address, expiresS] of singles) if (!wanted.has(address)) this.remove.push({ first: address, last: address, expiresS });
  }

  /** The kernel may have merged neighbours: of such a range only the addresses that have gone are taken out. */
  #inRange(element: Element, range: Range): void {
    const { keepOthers, version } = this.#wish;
    const ends = endsSoon(element.expiresS);
    if (keepOthers) {
      // What is wanted of a range that ends is put in by itself.
      const cut = [...within(range, this.#leavingNumbers), ...ends ? within(range, this.#wantedNumbers) : []];
      if (cut.length === 0) return;
      this.remove.push(element);
      for (const { first, last } of without(range, cut)) {
        this.add.push({ first: textOf(first, version), last: textOf(last, version), expiresS: element.expiresS });
      }
      return;
    }
    const kept = ends ? [] : within(range, this.#wantedNumbers);
    if (!ends && BigInt(kept.length) === range.last - range.first + 1n) return;
    this.remove.push(element);
    for (const number of kept) {
      const address = textOf(number, version);
      this.#put(address);
      this.ours.add(address);
    }
  }
}

/**
 * The difference between what a set holds and what it shall hold: nothing that is in both is touched. Removals come before
 * additions.
 */
export function differenceOf(wish: Wish): Difference {
  return new Making(wish).make();
}
