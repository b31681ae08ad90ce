/** Rules of one program by destination: exact addresses, prefixes, any. */
import { maskWord } from './address.ts';
import type { Prefix } from './address.ts';
import { Bucket } from './bucket.ts';
import type { RankedRule } from './order.ts';

type Key = number | string;

function keyOf(words: readonly number[], bits: number): Key {
  const [first = 0, second = 0, third = 0, fourth = 0] = words;
  if (words.length === 1) return maskWord(first, bits);
  const masked = [
    maskWord(first, bits), maskWord(second, bits - 32), maskWord(third, bits - 64), maskWord(fourth, bits - 96),
  ];
  return masked.map((word) => word.toString(36)).join(':');
}

interface Length {
  readonly bits: number;
  readonly buckets: Map<Key, Bucket>;
}

/**
 * One hash lookup for each prefix length that is in use, whatever the number of rules: at most 33 for IPv4 and 129 for IPv6,
 * in practice a handful.
 */
export class Destinations {
  #any: Bucket | null = null;
  readonly #lengths = new Map<4 | 6, Length[]>([[4, []], [6, []]]);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Every rule, in no order. */
  entries(): readonly RankedRule[] {
    const prefixed = [...this.#lengths.values()].flat().flatMap(({ buckets }) => [...buckets.values()]);
    return [...(this.#any === null ? [] : [this.#any]), ...prefixed].flatMap((bucket) => bucket.entries);
  }

  add(entry: RankedRule): void {
    this.#size += 1;
    this.#bucket(entry.prefix).add(entry);
  }

  /** `entries` in order: for loading many at once into an empty index. */
  fill(entries: readonly RankedRule[]): void {
    this.#size += entries.length;
    const groups = new Map<Bucket, RankedRule[]>();
    for (const entry of entries) {
      const bucket = this.#bucket(entry.prefix);
      const group = groups.get(bucket);
      if (group === undefined) groups.set(bucket, [entry]);
      else group.push(entry);
    }
    for (const [bucket, group] of groups) bucket.fill(group);
  }

  remove(entry: RankedRule): void {
    const { prefix, rule } = entry;
    this.#size -= 1;
    if (prefix === null) {
      this.#any?.remove(rule.id);
      if (this.#any?.size === 0) this.#any = null;
      return;
    }
    const lengths = this.#lengths.get(prefix.family) ?? [];
    const at = lengths.findIndex((length) => length.bits === prefix.bits);
    const buckets = lengths[at]?.buckets;
    const key = keyOf(prefix.words, prefix.bits);
    const bucket = buckets?.get(key);
    bucket?.remove(rule.id);
    if (bucket?.size === 0) buckets?.delete(key);
    if (buckets?.size === 0) lengths.splice(at, 1);
  }

  /** Adds the lists that can hold a match to `lists`; `words` null matches only rules for any destination. */
  collect(
    lists: (readonly RankedRule[])[], family: 4 | 6, words: readonly number[] | null, port: number, uid: number | null,
  ): void {
    if (words !== null) {
      for (const length of this.#lengths.get(family) ?? []) {
        length.buckets.get(keyOf(words, length.bits))?.collect(lists, port, uid);
      }
    }
    this.#any?.collect(lists, port, uid);
  }

  #bucket(prefix: Prefix | null): Bucket {
    if (prefix === null) return (this.#any ??= new Bucket());
    const lengths = this.#lengths.get(prefix.family) ?? [];
    let length = lengths.find(({ bits }) => bits === prefix.bits);
    if (length === undefined) {
      length = { bits: prefix.bits, buckets: new Map() };
      lengths.push(length);
    }
    const key = keyOf(prefix.words, prefix.bits);
    const found = length.buckets.get(key);
    if (found !== undefined) return found;
    const bucket = new Bucket();
    length.buckets.set(key, bucket);
    return bucket;
  }
}
