/** Destinations as foreign files write them: names, addresses, ranges of addresses. */
import { domainToASCII } from 'node:url';
import { parseAddress } from '../policy/text.ts';
import { isDomain } from './check.ts';

const IPV4_BITS = 32;
/** A range that needs more prefixes than this is not one that a person wrote. */
const MOST_PREFIXES = 32;

/** Where a rule goes: an address or prefix in canonical text, or a domain. */
export type Destination = { readonly address: string } | { readonly domain: string };

/** An address or prefix in canonical text; null for anything else. Host bits behind a prefix are an error: who wrote that? */
export function addressOf(text: string): string | null {
  const read = parseAddress(text);
  return read.ok && read.value !== undefined && read.complaint === undefined ? read.value : null;
}

/** A name of the DNS in small ASCII letters, `*.` before it stays; null for anything else. */
export function domainOf(text: string): string | null {
  if (text.length > 512) return null;
  const wild = text.startsWith('*.');
  const name = (wild ? text.slice(2) : text).replace(/\.$/, '');
  // The URL parser would also read numbers, percent signs and slashes.
  if (/[\s%/\\:?#@[\]*]/.test(name)) return null;
  const ascii = domainToASCII(name).toLowerCase();
  return isDomain(ascii) ? (wild ? `*.${ascii}` : ascii) : null;
}

/** An address, a prefix or a name. */
export function destinationOf(text: string): Destination | null {
  const address = addressOf(text);
  if (address !== null) return { address };
  const domain = domainOf(text);
  return domain === null ? null : { domain };
}

/** `192.0.2.1-192.0.2.9` as exactly the prefixes that make it up; null for anything else. IPv4 only. */
export function rangeOf(text: string): readonly string[] | null {
  const [first, last, ...rest] = text.split('-').map((part) => ipv4Number(part.trim()));
  if (first === undefined || last === undefined || first === null || last === null || rest.length > 0 || first > last) return null;
  const prefixes: string[] = [];
  for (let at = first; at <= last;) {
    let bits = IPV4_BITS;
    while (bits > 0) {
      const size = 2 ** (IPV4_BITS - bits + 1);
      if (at % size !== 0 || at + size - 1 > last) break;
      bits -= 1;
    }
    prefixes.push(bits === IPV4_BITS ? ipv4Text(at) : `${ipv4Text(at)}/${String(bits)}`);
    if (prefixes.length > MOST_PREFIXES) return null;
    at += 2 ** (IPV4_BITS - bits);
  }
  return prefixes;
}

function ipv4Number(text: string): number | null {
  const address = text.includes('/') || text.includes(':') ? null : addressOf(text);
  return address === null ? null : address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function ipv4Text(value: number): string {
  return [24, 16, 8, 0].map((shift) => String(Math.trunc(value / 2 ** shift) % 256)).join('.');
}
