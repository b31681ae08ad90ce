/** The chain for forwarded packets: containers, virtual machines, machines behind this one. helper/DESIGN.md, "Forwarded packets". */
import type { DeniedDestination, RulesetSpec } from '../../ports.ts';
import type { Family } from './rules.ts';

export const FORWARD_BUILT_IN = [
  { id: 'forwarded-open', name: 'Forwarded packets of flows that were decided when they opened, answers and ICMP errors to them' },
  { id: 'forwarded-link', name: 'Bridged packets that stay on the link: DHCP, IPv6 neighbours, multicast membership' },
] as const;

const NOT_FIRST_SYN = '-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN';

const ICMP = 1;
const ICMPV6 = 58;
/** TCP, UDP, DCCP, SCTP, UDP-Lite: those that the match multiport knows. Source: iptables-extensions(8). */
const WITH_PORTS = [6, 17, 33, 132, 136];
/** A range takes two. Source: linux/netfilter/xt_multiport.h, XT_MULTI_PORTS. */
const MULTIPORT_PLACES = 15;
/** What canonical addresses and prefixes are made of; anything else must not get into the text of a rule. */
const ADDRESS = /^[0-9a-f.:]{2,45}(?:\/[0-9]{1,3})?$/u;
/** Neighbour discovery; never forwarded between links. Source: RFC 4861 section 4. */
const NDP_TYPES = [133, 134, 135, 136];
/** Multicast listener query, report, done, version 2 report. Source: RFC 2710, RFC 3810. */
const MLD_TYPES = [130, 131, 132, 143];

function passes(id: (typeof FORWARD_BUILT_IN)[number]['id'], match: string): string {
  return `${match} -m comment --comment "bastion: ${id}" -j RETURN`;
}

/** ICMP stands for both versions in a rule; each family has one of them. */
function protocolOfFamily(protocol: number, family: Family): number {
  const icmp = protocol === ICMP || protocol === ICMPV6;
  return icmp ? (family === 4 ? ICMP : ICMPV6) : protocol;
}

/** '' where there are too many for one match: then every port is asked about. */
function portMatch({ ports }: DeniedDestination): string {
  if (ports === undefined) return '';
  const places = ports.reduce((sum, { first, last }) => sum + (first === last ? 1 : 2), 0);
  if (places > MULTIPORT_PLACES) return '';
  const list = ports.map(({ first, last }) => (first === last ? String(first) : `${String(first)}:${String(last)}`)).join(',');
  return ` -m multiport --dports ${list}`;
}

/** Everything that the destination says in this family, and rather more than less: the queue decides. */
function deniedMatches(family: Family, denied: DeniedDestination): string[] {
  const { address, from, protocols, ports } = denied;
  const ends = [address, from].filter((one) => one !== undefined);
  if (ends.some((one) => !ADDRESS.test(one))) return [''];
  if (ends.some((one) => one.includes(':') !== (family === 6))) return [];
  const to = `${from === undefined ? '' : `-s ${from} `}${address === undefined ? '' : `-d ${address} `}`;
  if (protocols === undefined && ports === undefined) return [to.trim()];
  const wanted = new Set((protocols ?? WITH_PORTS).map((protocol) => protocolOfFamily(protocol, family)));
  return [...wanted].map((protocol) => {
    const withPorts = WITH_PORTS.includes(protocol);
    return `${to}-p ${String(protocol)}${withPorts ? portMatch(denied) : ''}`;
  });
}

/**
 * DHCP and the housekeeping of IPv6 and multicast, seen here only where br_netfilter shows what a bridge passes on. The kernel
 * routes none of it: it has lowered the hop limit before this chain, and does not forward broadcasts or link-local addresses.
 */
function link(family: Family): string[] {
  const rules =
    family === 4
      ? [
          '-d 255.255.255.255 -p udp -m udp --sport 68 --dport 67',
          '-d 255.255.255.255 -p udp -m udp --sport 67 --dport 68',
          '-d 224.0.0.0/4 -p igmp -m ttl --ttl-eq 1',
        ]
      : [
          '-d fe80::/10 -p udp -m udp --dport 546:547',
          '-d ff02::1:2 -p udp -m udp --sport 546 --dport 547',
          ...NDP_TYPES.map((type) => `-p icmpv6 -m icmp6 --icmpv6-type ${String(type)} -m hl --hl-eq 255`),
          ...MLD_TYPES.map((type) => `-d ff02::/16 -p icmpv6 -m icmp6 --icmpv6-type ${String(type)} -m hl --hl-eq 1`),
        ];
  return rules.map((match) => passes('forwarded-link', match));
}

/**
 * The rules of the chain, none where forwarded packets are not looked at. Unlike in the machine's own chain the state of
 * conntrack counts: no program shares a source address and port with another one, and an answer from outside is no flow of
 * its own. A first SYN never passes by state.
 */
export function forwardRules(family: Family, spec: RulesetSpec): string[] {
  const { forward } = spec;
  if (forward === undefined) return [];
  const bypass = spec.bypass || !forward.holdsAll;
  const queue = `-j NFQUEUE --queue-num ${String(spec.queueNumber)}${bypass ? ' --queue-bypass' : ''}`;
  const denied = forward.denied === 'any' ? [''] : [...new Set(forward.denied.flatMap((one) => deniedMatches(family, one)))];
  const answers = [NOT_FIRST_SYN, '! -p tcp'].map((match) => passes('forwarded-open', `${match} -m conntrack --ctdir REPLY`));
  const asked = denied.map((match) => `${match} ${queue}`.trim());
  if (!forward.holdsAll) return asked.length === 0 ? [] : [...answers, ...asked];
  return [
    ...answers,
    ...asked,
    ...[NOT_FIRST_SYN, '! -p tcp'].map((match) => passes('forwarded-open', `${match} -m conntrack --ctstate ESTABLISHED`)),
    passes('forwarded-open', `-p ${family === 4 ? 'icmp' : 'icmpv6'} -m conntrack --ctstate RELATED`),
    ...link(family),
    // Late and stray packets of a flow that has ended: nobody is asked about them.
    ...(bypass ? [] : ['-m conntrack --ctstate INVALID -j DROP']),
    queue,
  ];
}

/**
 * The sender chose a source address that is not his: an answer to it leaves by another interface, to somebody who was perhaps
 * not to be reached, with what was refused inside. Noted in the connection's mark, because only here the way back is compared.
 * Packets of such a flow are decided like others; only what this machine would answer by itself is left out.
 */
export function sourceRules(spec: RulesetSpec): string[] {
  if (spec.forward?.holdsAll !== true) return [];
  return [`-m conntrack --ctstate NEW -m rpfilter --invert -j CONNMARK --set-xmark ${bitOf(spec)}/${bitOf(spec)}`];
}

/** What goes before the refusals of forwarded packets. */
export function silentRefusals(spec: RulesetSpec): string[] {
  if (spec.forward?.holdsAll !== true) return [];
  return [`-m connmark --mark ${bitOf(spec)}/${bitOf(spec)} -j DROP`, '-m conntrack --ctstate INVALID,UNTRACKED -j DROP'];
}

/** ICMP of this machine itself, errors and echoes, that a packet with such a source asked for. */
export function silentAnswers(family: Family, spec: RulesetSpec): string[] {
  if (spec.forward?.holdsAll !== true) return [];
  const icmp = `-p ${family === 4 ? 'icmp' : 'icmpv6'} -m addrtype --src-type LOCAL`;
  return [`${icmp} -m connmark --mark ${bitOf(spec)}/${bitOf(spec)} -j DROP`];
}

function bitOf({ refuseMark }: RulesetSpec): string {
  return `0x${refuseMark.toString(16)}`;
}
