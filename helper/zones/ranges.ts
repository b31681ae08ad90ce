/** Addresses as whole numbers, for the ranges that sets with the flag `interval` hold. */
import { parseAddress, toPrefix } from '../policy/address.ts';

/** From one address to another, both included. */
export interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/** An element of a set, in canonical text: one address, or a range where `first` and `last` differ. */
export interface Element {
  readonly first: string;
  readonly last: string;
  /** Seconds until the kernel takes it out; null for never. */
  readonly expiresS: number | null;
}

/** null for text that is no address. */
export function numberOf(address: string): bigint | null {
  const prefix = toPrefix(address);
  if (prefix === null) return null;
  return prefix.words.reduce((sum, word) => sum * 0x1_0000_0000n + BigInt(word), 0n);
}

function hexGroups(address: bigint): string {
  return address.toString(16).padStart(32, '0').replaceAll(/(.{4})(?!$)/g, '$1:');
}

/** The canonical text of an address of IP `version`. */
export function textOf(address: bigint, version: 4 | 6): string {
  if (version === 4) return [24n, 16n, 8n, 0n].map((shift) => String((address >> shift) & 0xffn)).join('.');
  const text = hexGroups(address);
  const parsed = parseAddress(text);
  return parsed.ok ? parsed.value ?? text : text;
}

/** Number form of an element; null where its text is none. */
export function rangeOf({ first, last }: Element): Range | null {
  const [from, to] = [numberOf(first), numberOf(last)];
  return from === null || to === null ? null : { first: from, last: to };
}

/** What is left of a range without some addresses of it, in order. */
export function without(range: Range, addresses: readonly bigint[]): readonly Range[] {
  const left: Range[] = [];
  let { first } = range;
  for (const address of [...addresses].sort((a, b) => (a < b ? -1 : 1))) {
    if (address > first) left.push({ first, last: address - 1n });
    first = address + 1n;
  }
  if (first <= range.last) left.push({ first, last: range.last });
  return left;
}
