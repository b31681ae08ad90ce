/** Ports and protocols as text. Source: IANA protocol numbers; RFC 792 and RFC 4443 for ICMP. */
import { mergedPorts } from '../contract/port-ranges.ts';
import type { PortRange } from '../contract/vocabulary.ts';
import { failed, parsed, quoted } from './parsed.ts';
import type { Parsed } from './parsed.ts';

const HIGHEST_PORT = 65_535;
/** A rule with more ranges than a person could oversee is better written as several. */
const MOST_RANGES = 64;
const MOST_PROTOCOLS = 32;

export const ICMP = 1;
export const ICMPV6 = 58;
const NAMES = new Map<string, readonly number[]>([
  ['tcp', [6]],
  ['udp', [17]],
  ['icmp', [ICMP, ICMPV6]],
]);
/** TCP, UDP, DCCP, SCTP, UDP-Lite. */
const WITH_PORTS: ReadonlySet<number> = new Set([6, 17, 33, 132, 136]);

/** Does the protocol carry port numbers? For ICMP the place of the port holds the type, which is not one. */
export function hasPorts(protocol: number): boolean {
  return WITH_PORTS.has(protocol);
}

function parseNumber(text: string, high: number): number | null {
  if (!/^(?:0|[1-9][0-9]{0,4})$/.test(text)) return null;
  const value = Number(text);
  return value <= high ? value : null;
}

function parseRange(text: string): Parsed<PortRange> {
  const [low = '', high, ...rest] = text.split('-').map((part) => part.trim());
  const first = parseNumber(low, HIGHEST_PORT);
  const last = high === undefined ? first : parseNumber(high, HIGHEST_PORT);
  if (first === null || last === null || rest.length > 0) {
    return failed(`${quoted(text)} is no port; write a number from 0 to 65535 or a range such as 8000-8080`);
  }
  if (first > last) return failed(`the range ${quoted(text)} ends before it begins`);
  return parsed({ first, last });
}

/**
 * `443` or `80,443,8000-8080`; '' is any (undefined). The result is sorted, without overlaps, and at most 64 ranges. For a
 * rule that names ICMP the numbers are types.
 */
export function parsePorts(text: string): Parsed<readonly PortRange[] | undefined> {
  if (text.trim() === '') return parsed(undefined);
  const ranges: PortRange[] = [];
  for (const part of text.split(',')) {
    const range = parseRange(part.trim());
    if (!range.ok) return range;
    ranges.push(range.value);
    if (ranges.length > MOST_RANGES) return failed(`more than ${String(MOST_RANGES)} ports and ranges; make several rules`);
  }
  return parsed(mergedPorts(ranges));
}

export function formatPorts(ports: readonly PortRange[] | undefined): string {
  if (ports === undefined) return '';
  return ports
    .map(({ first, last }) => (first === last ? String(first) : `${String(first)}-${String(last)}`))
    .join(',');
}

/** `tcp,udp`, icmp (both versions) or a number; '' is any (undefined). Sorted numbers; 1 and 58 always come together. */
export function parseProtocols(text: string): Parsed<readonly number[] | undefined> {
  if (text.trim() === '') return parsed(undefined);
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const word = part.trim().toLowerCase();
    const number = parseNumber(word, 255);
    const named = NAMES.get(word) ?? (number === ICMP || number === ICMPV6 ? [ICMP, ICMPV6] : null);
    if (named === null && number === null) {
      return failed(`${quoted(part)} is no protocol; write tcp, udp, icmp or a number from 0 to 255`);
    }
    for (const one of named ?? [number ?? 0]) found.add(one);
    if (found.size > MOST_PROTOCOLS) return failed(`more than ${String(MOST_PROTOCOLS)} protocols; leave the protocol out`);
  }
  return parsed([...found].sort((a, b) => a - b));
}

/** tcp, udp, icmp (both versions) or the number. */
export function protocolName(protocol: number): string {
  for (const [name, numbers] of NAMES) {
    if (numbers.includes(protocol)) return name;
  }
  return String(protocol);
}

export function formatProtocols(protocols: readonly number[] | undefined): string {
  return protocols === undefined ? '' : [...new Set(protocols.map(protocolName))].join(',');
}
