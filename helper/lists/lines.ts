/** Pieces of lines as bytes, without a string for each: a list has millions of them. */

const SPACE = 32;
const TAB = 9;
const CARRIAGE_RETURN = 13;
const DOT = 46;
const HYPHEN = 45;
const LONGEST_NAME = 253;
const LONGEST_LABEL = 63;

export function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB || byte === CARRIAGE_RETURN;
}

/** A piece of a line: from the first byte to before `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The first word at or after `from`, empty at the end of the line. */
export function wordAt(bytes: Uint8Array, from: number, lineEnd: number): Span {
  let start = from;
  while (start < lineEnd && isBlank(bytes[start])) start += 1;
  let end = start;
  while (end < lineEnd && !isBlank(bytes[end])) end += 1;
  return { from: start, to: end };
}

/** ASCII text of a piece; every other byte becomes some character that is in no address. */
export function textOf(bytes: Buffer, { from, to }: Span): string {
  return bytes.toString('latin1', from, to);
}

export function startsWith(bytes: Uint8Array, { from, to }: Span, text: string): boolean {
  if (to - from < text.length) return false;
  for (let at = 0; at < text.length; at += 1) {
    if (bytes[from + at] !== text.charCodeAt(at)) return false;
  }
  return true;
}

/** What bytes are as a host name: `plain` ones were put into small letters in place; `foreign` ones hold other letters. */
export type NameKind = 'plain' | 'foreign' | 'none';

/** Two or more labels of letters, digits, hyphens and underscores, the last one no number; no dot at the end. */
export function lowerName(bytes: Uint8Array, { from, to }: Span): NameKind {
  if (to - from > LONGEST_NAME) return 'none';
  let labelStart = from;
  let lastIsNumber = true;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === DOT) {
      if (!isLabel(bytes, labelStart, at)) return 'none';
      labelStart = at + 1;
      lastIsNumber = true;
    } else if (byte >= 97 && byte <= 122) {
      lastIsNumber = false;
    } else if (byte >= 65 && byte <= 90) {
      bytes[at] = byte + 32;
      lastIsNumber = false;
    } else if (byte === HYPHEN || byte === 95) {
      lastIsNumber = false;
    } else if (byte >= 128) {
      return 'foreign';
    } else if (byte < 48 || byte > 57) {
      return 'none';
    }
  }
  return labelStart > from && !lastIsNumber && isLabel(bytes, labelStart, to) ? 'plain' : 'none';
}

function isLabel(bytes: Uint8Array, from: number, to: number): boolean {
  return to > from && to - from <= LONGEST_LABEL && bytes[from] !== HYPHEN && bytes[to - 1] !== HYPHEN;
}

/** Number of dots, up to `limit`. */
export function dotsIn(bytes: Uint8Array, { from, to }: Span, limit: number): number {
  let dots = 0;
  for (let at = from; at < to && dots < limit; at += 1) if (bytes[at] === DOT) dots += 1;
  return dots;
}
