/** The chains for what comes in, zone by zone. helper/DESIGN.md, "What comes in", has the reason for each rule. */
import type { InboundMatch, InboundSpec } from '../../ports.ts';
import type { Chain, Family } from './rules.ts';

export const INBOUND_BUILT_IN = [
  { id: 'inbound-loopback', name: 'From this machine to itself (loopback), where zones refuse what comes in' },
  { id: 'inbound-open', name: 'Answers from outside to what this machine began, and packets of open TCP connections' },
  { id: 'inbound-errors', name: 'ICMP errors about what this machine sent' },
  { id: 'inbound-dhcp', name: 'Answers of DHCP and DHCPv6 servers' },
  { id: 'inbound-neighbours', name: 'IPv6 routers and neighbours on the link (NDP)' },
  { id: 'inbound-multicast', name: 'Multicast membership on the link (IGMP, MLD)' },
  { id: 'inbound-mdns', name: 'Multicast DNS on the link' },
  { id: 'inbound-ping', name: 'Ping from outside, at most 20 a second' },
] as const;

type InboundId = (typeof INBOUND_BUILT_IN)[number]['id'];

const CHAIN = 'BASTION_INBOUND';
/** A range takes two. Source: linux/netfilter/xt_multiport.h, XT_MULTI_PORTS. */
const MULTIPORT_PLACES = 15;
/** What canonical addresses and prefixes are made of; anything else must not get into the text of a rule. */
const ADDRESS = /^[0-9a-f.:]{2,45}(?:\/[0-9]{1,3})?$/u;
/**
 * Solicitations and advertisements of routers and neighbours, inverse discovery, certification paths. Not redirects. Source:
 * RFC 4890 section 4.4.1.
 */
const NEIGHBOUR_TYPES = [133, 134, 135, 136, 141, 142, 148, 149];
/** Multicast listener query, report, done, version 2 report; multicast router discovery. Source: the same. */
const MULTICAST_TYPES = [130, 131, 132, 143, 151, 152, 153];

function passes(id: InboundId, match: string): string {
  return `${match} -m comment --comment "bastion: ${id}" -j RETURN`;
}

function link4(): string[] {
  return [
    passes('inbound-dhcp', '-p udp -m udp --sport 67 --dport 68'),
    passes('inbound-multicast', '-d 224.0.0.0/4 -p igmp'),
    passes('inbound-mdns', '-d 224.0.0.251 -p udp -m udp --dport 5353'),
    passes('inbound-mdns', '-p udp -m udp --sport 5353 --dport 5353 -m ttl --ttl-eq 255'),
    passes('inbound-ping', '-p icmp -m icmp --icmp-type 8 -m limit --limit 20/second --limit-burst 40'),
  ];
}

function link6(): string[] {
  return [
    ...NEIGHBOUR_TYPES.map((type) => passes('inbound-neighbours', `-p icmpv6 -m icmp6 --icmpv6-type ${String(type)} -m hl --hl-eq 255`)),
    ...MULTICAST_TYPES.map((type) => passes('inbound-multicast', `-p icmpv6 -m icmp6 --icmpv6-type ${String(type)} -m hl --hl-eq 1`)),
    passes('inbound-dhcp', '-s fe80::/10 -p udp -m udp --dport 546'),
    passes('inbound-mdns', '-d ff02::fb -p udp -m udp --dport 5353'),
    passes('inbound-mdns', '-p udp -m udp --sport 5353 --dport 5353 -m hl --hl-eq 255'),
    passes('inbound-ping', '-p icmpv6 -m icmp6 --icmpv6-type 128 -m limit --limit 20/second --limit-burst 40'),
  ];
}

function exceptions(family: Family): string[] {
  return [
    passes('inbound-loopback', '-i lo'),
    passes('inbound-open', '-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN'),
    passes('inbound-open', '! -p tcp -m conntrack --ctstate ESTABLISHED'),
    passes('inbound-errors', `-p ${family === 4 ? 'icmp' : 'icmpv6'} -m conntrack --ctstate RELATED`),
    ...(family === 4 ? link4() : link6()),
  ];
}

/** As many ports as one match takes, `80,443,6000:6010`. */
function portLists(ports: NonNullable<InboundMatch['ports']>): readonly string[] {
  const lists: string[][] = [];
  let places = MULTIPORT_PLACES;
  for (const { first, last } of ports) {
    const needs = first === last ? 1 : 2;
    if (places + needs > MULTIPORT_PLACES) {
      lists.push([]);
      places = 0;
    }
    lists.at(-1)?.push(first === last ? String(first) : `${String(first)}:${String(last)}`);
    places += needs;
  }
  return lists.map((list) => list.join(','));
}

function allowed(family: Family, { protocol, ports, from }: InboundMatch): string[] {
  if (from !== undefined && (!ADDRESS.test(from) || from.includes(':') !== (family === 6))) return [];
  const source = from === undefined ? '' : `-s ${from} `;
  if (protocol === undefined) return [`${source}-j RETURN`];
  if (ports === undefined) return [`${source}-p ${protocol} -j RETURN`];
  return portLists(ports).map((list) => `${source}-p ${protocol} -m multiport --dports ${list} -j RETURN`);
}

/** Quoted as iptables-restore reads it; a `*` at the end is its `+`. */
function byInterface(name: string): string {
  if (name === '') return '';
  const pattern = name.endsWith('*') ? `${name.slice(0, -1)}+` : name;
  return `-i "${pattern.replaceAll(/["\\]/gu, '\\$&')}" `;
}

/** Name of the chain of the zone in this place. */
function chainOf(index: number): string {
  return `${CHAIN}_${String(index + 1)}`;
}

/** The chains of one family; the first is the one that packets come to. None where no zone refuses anything. */
export function inboundChains(family: Family, spec: InboundSpec | undefined): Chain[] {
  if (spec === undefined) return [];
  const places = new Map(spec.zones.map(({ name }, index) => [name, index]));
  const ways = spec.ways.map(({ interface: name, zone }) => {
    const place = places.get(zone);
    return byInterface(name) + (place === undefined ? '-j RETURN' : `-g ${chainOf(place)}`);
  });
  return [
    { name: CHAIN, base: 'INPUT', jump: `-j ${CHAIN}`, rules: [...exceptions(family), ...ways] },
    ...spec.zones.map(({ allow }, index) => ({
      name: chainOf(index), base: '', jump: '', rules: [...allow.flatMap((one) => allowed(family, one)), '-j DROP'],
    })),
  ];
}

/** Packets that each zone has refused, out of a listing with counters (`iptables-save -c`). */
export function refusedIn(listing: string, { zones }: InboundSpec): Map<string, number> {
  const refused = new Map<string, number>();
  for (const [, packets = '', index = ''] of listing.matchAll(/^\[(\d+):\d+\] -A BASTION_INBOUND_(\d+) -j DROP$/gmu)) {
    const zone = zones[Number(index) - 1];
    if (zone !== undefined) refused.set(zone.name, Number(packets));
  }
  return refused;
}
