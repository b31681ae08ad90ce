/** `inbound` and `allow` of a `[[zone]]`: what comes in by its interfaces. */
import ipaddr from 'ipaddr.js';
import { INBOUND_SERVICES } from '../../contract/inbound-services.ts';
import { INBOUND_POLICIES } from '../../contract/types.ts';
import { mergedPorts } from '../../contract/port-ranges.ts';
import type { PortRange } from '../../contract/vocabulary.ts';
import type { AllowedInbound, ZoneSettings } from '../../ports.ts';
import { FieldReader } from './field-reader.ts';
import type { TextResult } from './field-reader.ts';
import { LIMITS } from './limits.ts';
import { didYouMean, shown } from './text.ts';
import type { Item, Position, Problem } from './toml.ts';

/** Keys of `[[zone]]` that are read here. */
export const INBOUND_KEYS = ['inbound', 'allow'] as const;

const ALLOW_KEYS = ['service', 'port', 'protocol', 'application', 'from'] as const;
const PROTOCOLS = ['tcp', 'udp'] as const;
const LAST_PORT = 65_535;
const HIGHEST_PREFIX = { ipv4: 32, ipv6: 128 } as const;

type Inbound = Pick<ZoneSettings, 'inbound' | 'inboundAllow'>;

/** What `reader`, on a `[[zone]]`, says of new connections from outside; what is wrong is among its problems. */
export function readInbound(reader: FieldReader): Inbound {
  const inboundAllow = readAllowed(reader);
  const text = reader.text('inbound', LIMITS.termLength);
  const inbound = text === null ? 'off' : INBOUND_POLICIES.find((one) => one === text);
  if (inbound === undefined) {
    const choices = INBOUND_POLICIES.map((one) => `"${one}"`).join(', ');
    reader.complainAbout('inbound', `${shown(text ?? '')} is no value for "inbound"; the values are ${choices}.${didYouMean(text ?? '', INBOUND_POLICIES)}`);
  }
  return { inbound: inbound ?? 'off', inboundAllow };
}

function readAllowed(reader: FieldReader): readonly AllowedInbound[] {
  const item = reader.item('allow');
  if (item === null) return [];
  if (item.value.kind !== 'array') {
    reader.complainAbout('allow', '"allow" must be a list such as ["ssh", { port = "80,443", protocol = "tcp" }].');
    return [];
  }
  const { items } = item.value;
  if (items.length > LIMITS.inboundAllow) {
    reader.complainAbout('allow', `A zone lets in at most ${String(LIMITS.inboundAllow)} things. Use ranges of ports, or fewer.`);
    return [];
  }
  return items.flatMap((one) => {
    const { allowed, problems } = readOne(one);
    for (const { message, ...at } of problems) reader.complain(at, message);
    return problems.length > 0 || allowed === null ? [] : [allowed];
  });
}

interface Read {
  readonly allowed: AllowedInbound | null;
  readonly problems: readonly Problem[];
}

function readOne({ at, value }: Item): Read {
  if (value.kind === 'string') {
    const problem = unknownService(value.value, at);
    return { allowed: { service: value.value }, problems: problem === null ? [] : [problem] };
  }
  if (value.kind !== 'table') {
    return { allowed: null, problems: [{ ...at, message: 'Write the name of a service, such as "ssh", or a table such as { port = "22", protocol = "tcp" }.' }] };
  }
  const reader = new FieldReader(value.table, at);
  reader.keys(ALLOW_KEYS, [], 'allow.');
  const allowed = readTable(reader);
  if (!reader.isWrong && Object.keys(allowed).length === 0) {
    reader.complainHere('An entry of "allow" without a key would let in everything. Write inbound = "allow" if that is meant.');
  }
  return { allowed, problems: reader.problems };
}

function readTable(reader: FieldReader): AllowedInbound {
  const service = reader.text('service', LIMITS.termLength);
  if (service !== null) {
    const problem = unknownService(service, reader.item('service')?.at ?? reader.at);
    if (problem !== null) reader.complain(problem, problem.message);
    if (reader.has('port') || reader.has('protocol')) reader.complainAbout('service', 'A service says port and protocol itself. Give one or the other.');
  }
  const ports = reader.parsed('port', readPorts);
  const protocol = readProtocol(reader);
  const application = reader.parsedText('application', (text) => (
    /^\/[^\p{Cc}]+$/u.test(text) ? { ok: true, value: text } : { ok: false, message: `${shown(text)} is no path of a program; write one such as "/usr/sbin/sshd"` }
  ));
  const from = reader.parsed('from', readPrefix);
  return {
    ...(service === null ? {} : { service }), ...(ports === null ? {} : { ports }), ...(protocol === null ? {} : { protocol }),
    ...(application === null ? {} : { application }), ...(from === null ? {} : { from }),
  };
}

function unknownService(name: string, at: Position): Problem | null {
  if (INBOUND_SERVICES.has(name)) return null;
  const known = [...INBOUND_SERVICES.keys()];
  const hint = didYouMean(name, known) || ` Known are ${known.join(', ')}.`;
  return { ...at, message: `There is no service ${shown(name)}.${hint} Or write { port = "8080", protocol = "tcp" }.` };
}

function readProtocol(reader: FieldReader): 'tcp' | 'udp' | null {
  const text = reader.text('protocol', LIMITS.termLength);
  if (text === null) return null;
  return PROTOCOLS.find((one) => one === text) ?? reader.complainAbout('protocol', `"protocol" is "tcp" or "udp", or is left out for both.`);
}

/** `80,443,6000-6010`, in the form that an edit over the bus has too: an entry that says the same is the same. */
function readPorts(text: string): TextResult<readonly PortRange[]> {
  const ranges: PortRange[] = [];
  for (const word of text.split(',')) {
    const [, from = '', to = from] = /^\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*$/.exec(word) ?? [];
    const [first, last] = [Number(from), Number(to)];
    if (from === '' || last > LAST_PORT || first > last) {
      return { ok: false, message: `${shown(word.trim())} is no port or range of ports; write such as "443" or "80,443,6000-6010"` };
    }
    ranges.push({ first, last });
  }
  return ranges.length > LIMITS.inboundPorts
    ? { ok: false, message: `more than ${String(LIMITS.inboundPorts)} ports and ranges; use several entries` }
    : { ok: true, value: mergedPorts(ranges) };
}

/** Address or prefix, canonical. */
function readPrefix(text: string): TextResult<string> {
  const [address = '', length, ...rest] = text.trim().split('/');
  const wrong = { ok: false, message: `${shown(text)} is no address; write one such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32` } as const;
  const isAddress = ipaddr.IPv4.isValidFourPartDecimal(address) || (address.includes(':') && !address.includes('%') && ipaddr.IPv6.isValid(address));
  if (!isAddress || rest.length > 0) return wrong;
  const parsed = ipaddr.parse(address);
  const highest = HIGHEST_PREFIX[parsed.kind()];
  if (length === undefined) return { ok: true, value: parsed.toString() };
  if (!/^\d{1,3}$/.test(length) || Number(length) > highest) return wrong;
  const network = parsed.kind() === 'ipv4'
    ? ipaddr.IPv4.networkAddressFromCIDR(`${address}/${length}`)
    : ipaddr.IPv6.networkAddressFromCIDR(`${address}/${length}`);
  return { ok: true, value: Number(length) === highest ? network.toString() : `${network.toString()}/${String(Number(length))}` };
}
