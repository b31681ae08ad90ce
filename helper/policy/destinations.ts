/** Rules of one program by destination: exact addresses, prefixes, domains, any. */
import { maskWord } from './address.ts';
import { Bucket } from './bucket.ts';
import type { Facts } from './facts.ts';
import type { RankedRule } from './order.ts';
import { patternsOf } from './places.ts';

type Key = number | string;

function keyOf(words: readonly number[], bits: number): Key {
  const [first = 0, second = 0, third = 0, fourth = 0] = words;
  if (words.length === 1) return maskWord(first, bits);
  const masked = [
    maskWord(first, bits), maskWord(second, bits - 32), maskWord(third, bits - 64), maskWord(fourth, bits - 96),
  ];
  return masked.map((word) => word.toString(36)).join(':');
}

/** A flow as the index looks for it. */
export interface Going {
  readonly facts: Facts;
  /** Of the destination; null matches only rules for any address. */
  readonly words: readonly number[] | null;
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
  readonly #domains = new Map<string, Bucket>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Every rule, in no order. */
  entries(): readonly RankedRule[] {
    const prefixed = [...this.#lengths.values()].flat().flatMap(({ buckets }) => [...buckets.values()]);
    return [...(this.#any === null ? [] : [this.#any]), ...prefixed, ...this.#domains.values()].flatMap((bucket) => bucket.entries);
  }

  get hasDomains(): boolean {
    return this.#domains.size > 0;
  }

  /** Rules for domains, in no order; at most `limit`, null when there are more. */
  domainEntries(limit: number): readonly RankedRule[] | null {
    const found: RankedRule[] = [];
    for (const bucket of this.#domains.values()) {
      found.push(...bucket.entries);
      if (found.length > limit) return null;
    }
    return found;
  }

  add(entry: RankedRule): void {
    this.#size += 1;
    this.#bucket(entry).add(entry);
  }

  /** `entries` in order: for loading many at once into an empty index. */
  fill(entries: readonly RankedRule[]): void {
    this.#size += entries.length;
    const groups = new Map<Bucket, RankedRule[]>();
    for (const entry of entries) {
      const bucket = this.#bucket(entry);
      const group = groups.get(bucket);
      if (group === undefined) groups.set(bucket, [entry]);
      else group.push(entry);
    }
    for (const [bucket, group] of groups) bucket.fill(group);
  }

  remove(entry: RankedRule): void {
    const { prefix, rule } = entry;
    this.#size -= 1;
    const { domain } = rule.match;
    if (prefix === null && domain !== undefined) {
      const bucket = this.#domains.get(domain);
      bucket?.remove(rule.id);
      if (bucket?.size === 0) this.#domains.delete(domain);
      return;
    }
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

  /** Adds the lists that can hold a match to `lists`. */
  collect(lists: (readonly RankedRule[])[], { facts, words }: Going): void {
    const { tuple: { family, destinationPort: port }, uid } = facts;
    if (words !== null) {
      for (const length of this.#lengths.get(family) ?? []) {
        length.buckets.get(keyOf(words, length.bits))?.collect(lists, port, uid);
      }
    }
    if (this.#domains.size > 0) this.#collectDomains(lists, facts);
    this.#any?.collect(lists, port, uid);
  }

  #collectDomains(lists: (readonly RankedRule[])[], { names = [], isLookup, tuple: { destinationPort: port }, uid }: Facts): void {
    const patterns = new Set(names.flatMap(({ name }) => patternsOf(name)));
    for (const pattern of patterns) {
      const bucket = this.#domains.get(pattern);
      if (bucket === undefined) continue;
      // A lookup goes to the name server's port, whatever port the rule allows.
      if (isLookup === true) lists.push(bucket.entries);
      else bucket.collect(lists, port, uid);
    }
  }

  #bucket({ prefix, rule: { match: { domain } } }: RankedRule): Bucket {
    if (prefix === null && domain !== undefined) {
      const known = this.#domains.get(domain);
      if (known !== undefined) return known;
      const made = new Bucket();
      this.#domains.set(domain, made);
      return made;
    }
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
