/** The rules themselves, as text for `iptables-restore`. helper/DESIGN.md, "Netfilter", has the reason for each. */
import { BastionError } from '../../contract/errors.ts';
import type { BuiltInRule, RulesetSpec, XtPrograms } from '../../ports.ts';
import { FORWARD_BUILT_IN, forwardRules, silentAnswers, silentRefusals, sourceRules } from './forward.ts';
import { INBOUND_BUILT_IN, inboundChains } from './inbound.ts';

export type Family = 4 | 6;

/** A chain of ours: the base chain whose first rule jumps to it ('' for one that only chains of ours lead to), and its rules in order. */
export interface Chain {
  readonly name: string;
  readonly base: string;
  /** What follows the chain's name in the jump. */
  readonly jump: string;
  readonly rules: readonly string[];
}

export interface TableRules {
  readonly table: 'mangle' | 'filter';
  readonly chains: readonly Chain[];
}

/** What the ruleset lets pass without asking anybody. The ids are the comments of the rules. */
export const BUILT_IN = [
  { id: 'loopback', name: 'Programs of this machine among themselves (loopback)' },
  { id: 'open-tcp', name: 'Packets of TCP connections that were decided when they opened' },
  { id: 'dhcp-client', name: 'Getting an IPv4 address (DHCP)' },
  { id: 'dhcpv6-client', name: 'Getting an IPv6 address (DHCPv6)' },
  { id: 'neighbour-discovery', name: 'Finding IPv6 routers and neighbours on the link (NDP)' },
  { id: 'kernel-icmp', name: 'ICMP that the kernel itself sends: answers, errors, IPv6 neighbours and multicast (MLD)' },
  { id: 'kernel-igmp', name: 'IPv4 multicast membership that the kernel itself reports (IGMP)' },
  ...FORWARD_BUILT_IN,
  ...INBOUND_BUILT_IN,
] as const satisfies readonly BuiltInRule[];

export type BuiltInId = (typeof BUILT_IN)[number]['id'];

/**
 * Where a DHCP server may be for the built-in exception: the link, and addresses that no provider routes. One with a public
 * address is reached through the rule of the DHCP client's program. Source: RFC 1918, RFC 3927, RFC 6598.
 */
export const DHCP_SERVERS = ['255.255.255.255', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', '100.64.0.0/10'];

/** Where a DHCPv6 server or relay is: on the link. Source: RFC 8415 section 7.1. */
export const DHCPV6_SERVERS = ['fe80::/10', 'ff02::1:2'];

/** Router solicitation and advertisement, neighbour solicitation and advertisement. Source: RFC 4861 section 4. */
export const NDP_TYPES = [133, 134, 135, 136];

/** Kernel limit of the path that xt_bpf takes. Source: include/uapi/linux/netfilter/xt_bpf.h XT_BPF_PATH_MAX. */
const XT_BPF_PATH_MAX_BYTES = 512;

/** One rule that lets pass what matches. */
export function returns(id: BuiltInId, match: string): string {
  return `${match} -m comment --comment "bastion: ${id}" -j RETURN`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/**
 * Matches a packet that no process's socket sent: xt_owner's inverted uid range is true only where there is no open file.
 * `uidRanges` are the inclusive ranges that the user namespace maps. Source: net/netfilter/xt_owner.c owner_mt.
 */
export function withoutProcess(uidRanges: readonly string[]): string {
  return uidRanges.map((range) => `-m owner ! --uid-owner ${range}`).join(' ');
}

/** From any address of this machine to itself; costs a route lookup. */
export const THROUGH_LOOPBACK = returns('loopback', '-o lo -m addrtype --src-type LOCAL');

/** Loopback's own addresses go first, which spares local traffic the look at the kernel's decisions. */
export function loopback(family: Family): string {
  return returns('loopback', `-o lo -s ${family === 4 ? '127.0.0.0/8' : '::1'}`);
}

/** DHCP, neighbour discovery, and what the kernel itself sends. `uidRanges`: see `mappedUidRanges`. */
export function exceptions(family: Family, uidRanges: readonly string[]): string[] {
  const kernel = withoutProcess(uidRanges);
  if (family === 4) {
    return [
      ...DHCP_SERVERS.map((server) => returns('dhcp-client', `-d ${server} -p udp -m udp --sport 68 --dport 67`)),
      returns('kernel-icmp', `-p icmp ${kernel}`),
      returns('kernel-igmp', `-p igmp ${kernel}`),
    ];
  }
  return [
    ...DHCPV6_SERVERS.map((to) => returns('dhcpv6-client', `-d ${to} -p udp -m udp --sport 546 --dport 547`)),
    ...NDP_TYPES.map((type) =>
      returns('neighbour-discovery', `-d ff02::/16 -p icmpv6 -m icmp6 --icmpv6-type ${String(type)} -m hl --hl-eq 255`)),
    returns('kernel-icmp', `-p icmpv6 ${kernel}`),
  ];
}

/** What the rules say where the kernel remembers decisions: most packets meet the first two only. */
function holdByPrograms(family: Family, spec: RulesetSpec, programs: XtPrograms, uidRanges: readonly string[]): string[] {
  const mark = hex(spec.refuseMark);
  const queue = `-j NFQUEUE --queue-num ${String(spec.queueNumber)}`;
  const says = (path: string): string => `-m bpf --object-pinned ${path}`;
  return [
    // Others mark their packets too, and some of their marks have this bit.
    `-m mark --mark ${mark}/${mark} -j MARK --set-xmark 0x0/${mark}`,
    returns('open-tcp', '-p tcp -m tcp --tcp-flags SYN NONE'),
    loopback(family),
    `${says(programs.allow)} -j RETURN`,
    THROUGH_LOOPBACK,
    `${says(programs.refuse)} -j MARK --set-xmark ${mark}/${mark}`,
    `-m mark --mark ${mark}/${mark} -j ACCEPT`,
    ...exceptions(family, uidRanges),
    `${says(programs.hold)} ${queue}${spec.bypass ? ' --queue-bypass' : ''}`,
    // Servers go on answering while no helper listens; what is denied ended above.
    `${says(programs.reply)} ${queue} --queue-bypass`,
    '-j DROP',
  ];
}

/** TCP other than a first SYN. */
export const OPEN_TCP = [
  returns('open-tcp', '-p tcp -m tcp --tcp-flags SYN NONE'),
  returns('open-tcp', '-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN,ACK'),
] as const;

/** The stateful fallback: nothing is remembered in the kernel, so flows pass by what conntrack says of them. */
function holdByState(family: Family, spec: RulesetSpec, uidRanges: readonly string[]): string[] {
  const mark = hex(spec.refuseMark);
  return [
    `-m mark --mark ${mark}/${mark} -j MARK --set-xmark 0x0/${mark}`,
    ...OPEN_TCP,
    loopback(family),
    THROUGH_LOOPBACK,
    '! -p tcp -m conntrack --ctstate ESTABLISHED -j RETURN',
    ...exceptions(family, uidRanges),
    `-j NFQUEUE --queue-num ${String(spec.queueNumber)}${spec.bypass ? ' --queue-bypass' : ''}`,
  ];
}

function hold(family: Family, spec: RulesetSpec, uidRanges: readonly string[]): string[] {
  const { xtPrograms } = spec;
  return xtPrograms === null ? holdByState(family, spec, uidRanges) : holdByPrograms(family, spec, xtPrograms, uidRanges);
}

/**
 * A refusal of what this machine sends goes to no address but its own: a program can choose a source that is not ours
 * (IPV6_FREEBIND takes no privilege), and the refusal would carry what was refused to it.
 */
const FOREIGN_SOURCE = '-m addrtype ! --src-type LOCAL -j DROP';

function refuse(family: Family): string[] {
  return [
    '-p tcp -j REJECT --reject-with tcp-reset',
    `-j REJECT --reject-with ${family === 4 ? 'icmp-admin-prohibited' : 'icmp6-adm-prohibited'}`,
    '-j DROP',
  ];
}

/**
 * The whole set of one family. mangle comes first: when a table fails, what is there holds or drops, and never opens.
 * `uidRanges`: see `mappedUidRanges`.
 */
export function rulesOf(family: Family, spec: RulesetSpec, uidRanges: readonly string[]): readonly TableRules[] {
  const marked = `-m mark --mark ${hex(spec.refuseMark)}/${hex(spec.refuseMark)}`;
  const forwarded = forwardRules(family, spec);
  const jump = `${marked} -j BASTION_REFUSE`;
  const refusals: Chain[] = [{ name: 'BASTION_REFUSE', base: 'OUTPUT', jump, rules: [FOREIGN_SOURCE, ...refuse(family)] }];
  const held: Chain[] = [];
  if (forwarded.length > 0) {
    held.push({ name: 'BASTION_FORWARD', base: 'FORWARD', jump: '-j BASTION_FORWARD', rules: forwarded });
    const name = 'BASTION_REFUSE_FORWARD';
    refusals.push({ name, base: 'FORWARD', jump: `${marked} -j ${name}`, rules: [...silentRefusals(spec), ...refuse(family)] });
  }
  const sources = sourceRules(spec);
  if (sources.length > 0) held.push({ name: 'BASTION_SOURCE', base: 'PREROUTING', jump: '-j BASTION_SOURCE', rules: sources });
  const belt = [`${marked} -j DROP`, ...silentAnswers(family, spec)];
  return [
    {
      table: 'mangle',
      chains: [
        { name: 'BASTION_HOLD', base: 'OUTPUT', jump: '-j BASTION_HOLD', rules: hold(family, spec, uidRanges) },
        { name: 'BASTION_BELT', base: 'POSTROUTING', jump: '-j BASTION_BELT', rules: belt },
        ...held,
        ...inboundChains(family, spec.inbound),
      ],
    },
    { table: 'filter', chains: refusals },
  ];
}

/** Throws BastionError InvalidArgument for a number out of range, a mark of more than one bit, or a path with odd letters. */
export function checkSpec(spec: RulesetSpec): void {
  const { queueNumber, refuseMark, xtPrograms } = spec;
  if (!Number.isInteger(queueNumber) || queueNumber < 0 || queueNumber > 0xffff) {
    throw new BastionError('InvalidArgument', 'The queue number must be from 0 to 65535.');
  }
  if (!Number.isInteger(refuseMark) || refuseMark < 1 || refuseMark > 0x8000_0000 || !Number.isInteger(Math.log2(refuseMark))) {
    throw new BastionError('InvalidArgument', 'The refusal mark must be one bit of 32.');
  }
  for (const path of xtPrograms === null ? [] : [xtPrograms.allow, xtPrograms.refuse, xtPrograms.hold, xtPrograms.reply]) {
    if (!/^\/[A-Za-z0-9_./-]+$/u.test(path) || path.length >= XT_BPF_PATH_MAX_BYTES) {
      throw new BastionError('InvalidArgument', 'The path of a pinned program is not usable in a rule.');
    }
  }
}

/**
 * Inclusive uid ranges of /proc/self/uid_map, as xt_owner takes them: the first namespace gives `0-4294967294`.
 * Lines that are not three numbers are left out. Source: user_namespaces(7).
 */
export function mappedUidRanges(uidMap: string): string[] {
  const ranges: string[] = [];
  for (const line of uidMap.split('\n')) {
    const match = /^\s*(\d{1,10})\s+\d{1,10}\s+(\d{1,10})\s*$/u.exec(line);
    if (match === null) continue;
    const first = Number(match[1]);
    ranges.push(`${String(first)}-${String(first + Number(match[2]) - 1)}`);
  }
  return ranges;
}
