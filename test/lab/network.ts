/** Two network namespaces, a client's and a peer's, joined by a veth pair. */
import { tool } from './process.ts';

/** Fixed: each lab has namespaces of its own. Source: RFC 1918, RFC 4193. */
export const ADDRESSES = {
  client4: '10.77.0.2',
  client6: 'fd77::2',
  peer4: '10.77.0.1',
  peer6: 'fd77::1',
  /** The peer answers on every address of these, for tests that need many destinations. Source: RFC 2544. */
  peerRange4: '198.18.0.0/15',
  peerRange6: 'fd78::/64',
} as const;

function namespacePath(name: string): string {
  return `--net=/run/netns/${name}`;
}

/** What starts a program in the namespace without remounting /sys, as `ip netns exec` would. */
export function enterNamespace(name: string): string[] {
  return ['nsenter', namespacePath(name), '--'];
}

/** Not `ip -n`, which wants to remount / and cannot in a plain chroot. */
function ip(namespace: string, args: readonly string[], input = ''): void {
  const [command = '', ...rest] = [...enterNamespace(namespace), 'ip', ...args];
  tool(command, rest, input);
}

function setting(namespace: string, path: string, value: string): void {
  tool('nsenter', [namespacePath(namespace), '--', 'sh', '-c', 'echo "$2" > "/proc/sys/net/$1"', 'sh', path, value]);
}

function addresses(namespace: string, address4: string, address6: string, rest: readonly string[]): void {
  for (const path of ['default', 'all', 'eth0']) setting(namespace, `ipv6/conf/${path}/accept_dad`, '0');
  setting(namespace, 'ipv6/conf/eth0/router_solicitations', '0');
  const lines = [
    'link set lo up',
    'link set eth0 up',
    `address add ${address4}/24 dev eth0`,
    `address add ${address6}/64 dev eth0 nodad`,
    ...rest,
  ];
  ip(namespace, ['-batch', '-'], lines.join('\n'));
}

/** Makes both namespaces. Throws when the system refuses; `removeTraces` takes away what was made. */
export function makeNetwork(client: string, peer: string): void {
  tool('ip', ['netns', 'add', client]);
  tool('ip', ['netns', 'add', peer]);
  ip(client, ['link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', peer]);
  const { client4, client6, peer4, peer6, peerRange4, peerRange6 } = ADDRESSES;
  addresses(peer, peer4, peer6, [`route add local ${peerRange4} dev lo`, `route add local ${peerRange6} dev lo`]);
  addresses(client, client4, client6, [`route add default via ${peer4}`, `route add ::/0 via ${peer6}`]);
  setting(peer, 'core/somaxconn', '4096');
  setting(peer, 'ipv4/tcp_max_syn_backlog', '16384');
}

/** Lets everybody use ping sockets in the client's namespace, as systemd does for the whole machine. */
export function allowPing(client: string, lastGroup: number): void {
  setting(client, 'ipv4/ping_group_range', `0 ${String(lastGroup)}`);
}
