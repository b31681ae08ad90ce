/**
 * Addresses as text and as numbers. One address has one canonical text (RFC 5952 for IPv6) and one number form, so that no
 * spelling gets round a rule. Source: RFC 4291 section 2.5.5.2 for mapped addresses.
 */
import ipaddr from 'ipaddr.js';
import { failed, parsed, quoted } from './parsed.ts';
import type { Parsed } from './parsed.ts';

/** Longest text that can be an address with a prefix length. */
const LONGEST_TEXT = 64;
const MAPPED_BITS = 96;

/** A prefix as numbers: one 32-bit word for IPv4, four for IPv6, host bits zero. */
export interface Prefix {
  readonly family: 4 | 6;
  readonly words: readonly number[];
  /** 0 to 32 or 128; the full length is one exact address. */
  readonly bits: number;
}

interface Spelled {
  readonly family: 4 | 6;
  readonly bytes: readonly number[];
  readonly bits: number;
}

function toWords(bytes: readonly number[]): readonly number[] {
  const word = (at: number): number => (
    (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
  );
  return bytes.length === 4 ? [word(0)] : [word(0), word(4), word(8), word(12)];
}

/** The 32-bit word with all but the first `bits` cleared; `bits` outside 0 to 32 is cut to it. */
export function maskWord(word: number, bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? word : (word & (0xffff_ffff << (32 - bits))) >>> 0;
}

function spell(address: string, lengthText: string | undefined): Spelled | null {
  if (lengthText !== undefined && !/^(?:0|[1-9][0-9]{0,2})$/.test(lengthText)) return null;
  const dotted = ipaddr.IPv4.isValidFourPartDecimal(address) && !/(?:^|\.)0[0-9]/.test(address);
  if (!dotted && (!address.includes(':') || address.includes('%') || !ipaddr.IPv6.isValid(address))) return null;
  const bytes = (dotted ? ipaddr.IPv4.parse(address) : ipaddr.IPv6.parse(address)).toByteArray();
  const bits = lengthText === undefined ? bytes.length * 8 : Number(lengthText);
  if (bits > bytes.length * 8) return null;
  const mapped = bytes.length === 16 && bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  if (mapped && bits >= MAPPED_BITS) return { family: 4, bytes: bytes.slice(12), bits: bits - MAPPED_BITS };
  return { family: bytes.length === 4 ? 4 : 6, bytes, bits };
}

function masked(bytes: readonly number[], bits: number): number[] {
  return bytes.map((byte, index) => {
    const kept = Math.min(8, Math.max(0, bits - index * 8));
    return byte & (0xff << (8 - kept)) & 0xff;
  });
}

function textOf(bytes: number[]): string {
  return bytes.length === 4 ? new ipaddr.IPv4(bytes).toString() : new ipaddr.IPv6(bytes).toRFC5952String();
}

/**
 * An address or a CIDR prefix in canonical text; '' is any (undefined). A mapped IPv4 address becomes IPv4. Host bits of a
 * prefix are cleared with a complaint. A prefix of full length becomes the plain address.
 */
export function parseAddress(text: string): Parsed<string | undefined> {
  const trimmed = text.trim();
  if (trimmed === '') return parsed(undefined);
  if (plainWord(trimmed) !== null) return parsed(trimmed);
  const [address = '', lengthText, ...rest] = trimmed.split('/');
  const spelled = trimmed.length <= LONGEST_TEXT && rest.length === 0 ? spell(address, lengthText) : null;
  if (spelled === null) {
    return failed(`${quoted(text)} is no address; write one such as 192.0.2.7, 192.0.2.0/24, 2001:db8::7 or 2001:db8::/32`);
  }
  const network = masked(spelled.bytes, spelled.bits);
  const canonical = textOf(network);
  if (spelled.bits === spelled.bytes.length * 8) return parsed(canonical);
  const prefix = `${canonical}/${String(spelled.bits)}`;
  const complaint = network.some((byte, index) => byte !== spelled.bytes[index])
    ? `${quoted(trimmed)} has bits set behind the prefix; it was read as ${prefix}`
    : undefined;
  return parsed(prefix, complaint);
}

/** Number form of an address or prefix that `parseAddress` made (or the kernel printed); null if it is neither. */
export function toPrefix(text: string): Prefix | null {
  if (text.length > LONGEST_TEXT) return null;
  const exact = plainWord(text);
  if (exact !== null) return { family: 4, words: [exact], bits: 32 };
  const [address = '', lengthText, ...rest] = text.split('/');
  const spelled = rest.length === 0 ? spell(address, lengthText) : null;
  if (spelled === null) return null;
  return { family: spelled.family, words: toWords(masked(spelled.bytes, spelled.bits)), bits: spelled.bits };
}

/** Four octets as one word, or null. By hand, because every undecided flow passes here. */
function dottedWord(text: string): number | null {
  let word = 0;
  let octet = -1;
  let dots = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 46 && octet >= 0 && dots < 3) {
      word = word * 256 + octet;
      octet = -1;
      dots += 1;
    } else if (code >= 48 && code <= 57) {
      octet = octet < 0 ? code - 48 : octet * 10 + (code - 48);
      if (octet > 255) return null;
    } else {
      return null;
    }
  }
  return dots === 3 && octet >= 0 ? word * 256 + octet : null;
}

/** One IPv4 address without leading zeros, which is its canonical text, as one word; null for anything else. */
function plainWord(text: string): number | null {
  return /(?:^|\.)0[0-9]/.test(text) ? null : dottedWord(text);
}

/** Groups of hexadecimal digits between single colons; null if there is anything else. '' is no group. */
function groups(text: string): readonly number[] | null {
  if (text === '') return [];
  const found: number[] = [];
  for (const part of text.split(':')) {
    if (!/^[0-9a-f]{1,4}$/.test(part)) return null;
    found.push(Number.parseInt(part, 16));
  }
  return found;
}

/** An IPv6 address as the kernel prints it, four words; null for every other spelling (which is not to say that it is wrong). */
function colonWords(text: string): readonly number[] | null {
  const gap = text.indexOf('::');
  const head = groups(gap < 0 ? text : text.slice(0, gap));
  const tail = gap < 0 ? [] : groups(text.slice(gap + 2));
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (gap < 0 ? missing !== 0 : missing < 1) return null;
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const word = (at: number): number => (all[at] ?? 0) * 65_536 + (all[at + 1] ?? 0);
  const words = [word(0), word(2), word(4), word(6)];
  // A mapped IPv4 address is family 4: the careful way decides.
  return words[0] === 0 && words[1] === 0 && words[2] === 0xffff ? null : words;
}

/** Number form of one address of a packet; null for text that is none. */
export function addressWords(text: string): readonly number[] | null {
  if (text.length > LONGEST_TEXT) return null;
  const word = dottedWord(text);
  if (word !== null) return [word];
  const words = colonWords(text);
  if (words !== null) return words;
  const prefix = text.includes('/') ? null : toPrefix(text);
  return prefix === null ? null : prefix.words;
}
