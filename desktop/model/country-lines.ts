/**
 * Which country an address is of, by the sorted text files of Tor's address database. Pure: the caller reads pieces of the file.
 * Source: src/lib/geoip/geoip.c of Tor: `INTIPLOW,INTIPHIGH,CC` in decimal for IPv4, `IPLOW,IPHIGH,CC` for IPv6; `??` is nobody.
 */
import ipaddr from 'ipaddr.js';

/** Longest line: two IPv6 addresses and a country. */
const LINE_BYTES = 96;
/** Two lines, so that a whole one is in it wherever it begins. */
const PIECE_BYTES = 2 * LINE_BYTES;

/** `length` bytes from `offset` on as text, fewer at the end of the file. */
export type ReadPiece = (offset: number, length: number) => string;

interface Range {
  readonly first: bigint;
  readonly last: bigint;
  readonly country: string;
}

function numberOf(address: string): bigint | null {
  if (/^\d{1,10}$/.test(address)) return BigInt(address);
  if (!ipaddr.isValid(address)) return null;
  return ipaddr.parse(address).toByteArray().reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

function rangeOf(line: string): Range | null {
  const [low = '', high = '', country = ''] = line.split(',');
  const [first, last] = [numberOf(low), numberOf(high)];
  return first === null || last === null ? null : { first, last, country };
}

interface Line {
  /** null for what is none. */
  readonly range: Range | null;
  /** Comments stand before all ranges, anything else that is none behind them. */
  readonly comment: boolean;
  readonly begin: number;
  readonly end: number;
}

/** The first whole line that begins at `from` or later; null where none does. */
function lineAfter(read: ReadPiece, from: number): Line | null {
  // What begins the piece is the rest of an earlier line, unless it is the file's first.
  let begin = from;
  if (from > 0) {
    const piece = read(from - 1, PIECE_BYTES);
    const at = piece.indexOf('\n');
    if (at < 0) return null;
    begin = from + at;
  }
  const piece = read(begin, PIECE_BYTES);
  const length = piece.indexOf('\n');
  if (piece === '') return null;
  const line = length < 0 ? piece : piece.slice(0, length);
  return { range: rangeOf(line), comment: line.startsWith('#'), begin, end: begin + line.length + 1 };
}

/** Two capital letters, or '' where nobody is known. `size`: of the file, in bytes. */
export function countryIn(read: ReadPiece, size: number, address: string): string {
  const wanted = numberOf(address);
  if (wanted === null) return '';
  let [low, high] = [0, size];
  // Each step leaves one half; a file of two lines that never meet ends the search, too.
  for (let step = 0; low < high && step < 64; step += 1) {
    const middle = Math.floor((low + high) / 2);
    const line = lineAfter(read, middle);
    if (line === null || line.begin >= high) high = middle;
    else if (line.range === null ? line.comment : wanted > line.range.last) low = line.end;
    else if (line.range === null || wanted < line.range.first) high = middle;
    else return /^[A-Z]{2}$/.test(line.range.country) ? line.range.country : '';
  }
  return '';
}
