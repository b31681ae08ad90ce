/**
 * The closed base rules: what holds from the start of the machine until the helper has its own rules in place, and when it
 * cannot be started. The build writes them as files (tools/build.ts) for data/boot/bastion-boot; they are made of the same
 * exceptions as the helper's rules, so that the two cannot drift apart.
 */
import { DHCPV6_SERVERS, DHCP_SERVERS, NDP_TYPES, OPEN_TCP, THROUGH_LOOPBACK, exceptions, loopback, withoutProcess } from './rules.ts';
import type { BuiltInId, Family } from './rules.ts';

/** The addon knows it too (native/src/base_rules.cpp), because it is removed without nft. */
export const BOOT_TABLE = 'bastion_boot';
/** Where there is no nft. A name that the helper's own rules replace within their transaction. */
const BOOT_CHAIN = 'BASTION_BOOT';
/**
 * Before mangle, so that nobody is asked about what is still dropped here, and after conntrack. Source:
 * include/uapi/linux/netfilter_ipv4.h, enum nf_ip_hook_priorities.
 */
const PRIORITY = -155;
/** Every user; nft and xt_owner have a program's packet match it, and none without a socket's open file. */
const EVERY_UID = '0-4294967294';

function passes(id: BuiltInId, match: string): string {
  return `    ${match} accept comment "bastion: ${id}"`;
}

function nftExceptions(): string[] {
  return [
    passes('loopback', 'oif "lo" ip saddr 127.0.0.0/8'),
    passes('loopback', 'oif "lo" ip6 saddr ::1'),
    passes('loopback', 'oif "lo" fib saddr type local'),
    passes('open-tcp', 'tcp flags & syn == 0'),
    passes('open-tcp', 'tcp flags & (fin | syn | rst | ack) == syn | ack'),
    passes('dhcp-client', `ip daddr { ${DHCP_SERVERS.join(', ')} } udp sport 68 udp dport 67`),
    passes('dhcpv6-client', `ip6 daddr { ${DHCPV6_SERVERS.join(', ')} } udp sport 546 udp dport 547`),
    passes('neighbour-discovery', `ip6 daddr ff02::/16 ip6 hoplimit 255 icmpv6 type { ${NDP_TYPES.join(', ')} }`),
  ];
}

/**
 * For `nft -f`: one transaction, which fails where the table is there already. Answers of servers pass, as they do while no
 * helper listens; the direction tells them from what this machine began.
 */
export function closedNft(): string {
  return [
    '# Made by the build out of the exceptions of helper/adapters/netfilter/rules.ts.',
    `create table inet ${BOOT_TABLE}`,
    `table inet ${BOOT_TABLE} {`,
    '  chain output {',
    `    type filter hook output priority ${String(PRIORITY)}; policy drop;`,
    ...nftExceptions(),
    '    meta nfproto ipv4 meta l4proto { icmp, igmp } jump kernel',
    '    meta nfproto ipv6 meta l4proto ipv6-icmp jump kernel',
    '    meta l4proto != tcp ct state established ct direction reply accept',
    '  }',
    '  chain kernel {',
    `    meta skuid ${EVERY_UID} return`,
    '    accept comment "bastion: kernel-icmp, kernel-igmp"',
    '  }',
    '}',
    '',
  ].join('\n');
}

/** More for the same transaction where the root file system is on the network: its connections are the kernel's. */
export function networkRootNft(): string {
  return [
    '# Made by the build. For a root file system on the network, whose connections are the kernel\'s.',
    `add rule inet ${BOOT_TABLE} output meta l4proto { tcp, udp } jump kernel`,
    '',
  ].join('\n');
}

/** The same for iptables-restore and ip6tables-restore, after the rules of their family. */
export function networkRootIptables(): string {
  const rules = ['tcp', 'udp'].map((protocol) => `-I ${BOOT_CHAIN} 1 -p ${protocol} ${withoutProcess([EVERY_UID])} -j RETURN`);
  return ['# Made by the build. For a root file system on the network, whose connections are the kernel\'s.', '*mangle', ...rules, 'COMMIT', ''].join('\n');
}

/** For `iptables-restore --noflush`, or ip6tables-restore, where there is no nft: the same, atomic for one family. */
export function closedIptables(family: Family): string {
  const rules = [
    loopback(family),
    THROUGH_LOOPBACK,
    ...OPEN_TCP,
    ...exceptions(family, [EVERY_UID]),
    '! -p tcp -m conntrack --ctstate ESTABLISHED --ctdir REPLY -j RETURN',
    '-j DROP',
  ];
  return [
    '# Made by the build out of the exceptions of helper/adapters/netfilter/rules.ts.',
    '*mangle',
    `:${BOOT_CHAIN} - [0:0]`,
    ...rules.map((rule) => `-A ${BOOT_CHAIN} ${rule}`),
    `-I OUTPUT 1 -j ${BOOT_CHAIN}`,
    'COMMIT',
    '',
  ].join('\n');
}
