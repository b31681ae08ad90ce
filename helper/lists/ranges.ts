/** Addresses of a list as sorted ranges that do not touch: a lookup is one search by halves, whatever the prefixes were. */

/** IPv4: first and last address of each range. IPv6: four words of the first, four of the last. */
export interface RangeData {
  readonly v4: Uint32Array<ArrayBuffer>;
  readonly v6: Uint32Array<ArrayBuffer>;
}

const WORDS_V6 = 4;
const FULL = 0xffff_ffff;
const BITS_BASE = 64;

/** The word with all but its first `bits` set; `bits` outside 0 to 32 is cut to it. */
function lastOf(word: number, bits: number): number {
  if (bits <= 0) return FULL;
  return bits >= 32 ? word : (word | (FULL >>> bits)) >>> 0;
}

function compareWords(a: Uint32Array, atA: number, b: ArrayLike<number>, atB: number): number {
  for (let word = 0; word < WORDS_V6; word += 1) {
    const difference = (a[atA + word] ?? 0) - (b[atB + word] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Looks addresses up, by their words as policy/address.ts gives them. */
export class Ranges {
  readonly #v4: Uint32Array;
  readonly #v6: Uint32Array;

  constructor({ v4, v6 }: RangeData) {
    this.#v4 = v4;
    this.#v6 = v6;
  }

  get isEmpty(): boolean {
    return this.#v4.length === 0 && this.#v6.length === 0;
  }

  has(words: readonly number[]): boolean {
    return words.length === 1 ? this.#hasV4(words[0] ?? 0) : this.#hasV6(words);
  }

  #hasV4(word: number): boolean {
    let low = 0;
    let high = this.#v4.length / 2;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#v4[middle * 2 + 1] ?? 0) < word) low = middle + 1;
      else high = middle;
    }
    return low * 2 < this.#v4.length && (this.#v4[low * 2] ?? 0) <= word;
  }

  #hasV6(words: readonly number[]): boolean {
    const size = WORDS_V6 * 2;
    let low = 0;
    let high = this.#v6.length / size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareWords(this.#v6, middle * size + WORDS_V6, words, 0) < 0) low = middle + 1;
      else high = middle;
    }
    return low * size < this.#v6.length && compareWords(this.#v6, low * size, words, 0) <= 0;
  }
}

/** Takes prefixes in any order. */
export class RangeBuilder {
  readonly #v4: number[] = [];
  readonly #v6: { readonly words: readonly number[]; readonly bits: number }[] = [];

  get size(): number {
    return this.#v4.length + this.#v6.length;
  }

  /** Words with host bits zero. */
  add(words: readonly number[], bits: number): void {
    // The smallest prefix length of the same first address sorts first, so that it swallows the others.
    if (words.length === 1) this.#v4.push((words[0] ?? 0) * BITS_BASE + bits);
    else this.#v6.push({ words, bits });
  }

  finish(): RangeData {
    return { v4: this.#mergedV4(), v6: this.#mergedV6() };
  }

  #mergedV4(): Uint32Array<ArrayBuffer> {
    const keys = Float64Array.from(this.#v4).sort();
    const merged = new Uint32Array(keys.length * 2);
    let end = 0;
    for (const key of keys) {
      const first = Math.floor(key / BITS_BASE);
      const last = lastOf(first, key % BITS_BASE);
      if (end > 0 && first <= (merged[end - 1] ?? 0) + 1) {
        merged[end - 1] = Math.max(last, merged[end - 1] ?? 0);
        continue;
      }
      merged[end] = first;
      merged[end + 1] = last;
      end += 2;
    }
    return merged.slice(0, end);
  }

  #mergedV6(): Uint32Array<ArrayBuffer> {
    const sorted = this.#v6.sort((a, b) => {
      for (let word = 0; word < WORDS_V6; word += 1) {
        const difference = (a.words[word] ?? 0) - (b.words[word] ?? 0);
        if (difference !== 0) return difference;
      }
      return a.bits - b.bits;
    });
    const merged = new Uint32Array(sorted.length * WORDS_V6 * 2);
    let end = 0;
    for (const { words, bits } of sorted) {
      // Prefixes lie inside one another or apart: what begins inside the last one ends inside it.
      if (end > 0 && compareWords(merged, end - WORDS_V6, words, 0) >= 0) continue;
      for (let word = 0; word < WORDS_V6; word += 1) {
        merged[end + word] = words[word] ?? 0;
        merged[end + WORDS_V6 + word] = lastOf(words[word] ?? 0, bits - word * 32);
      }
      end += WORDS_V6 * 2;
    }
    return merged.slice(0, end);
  }
}
