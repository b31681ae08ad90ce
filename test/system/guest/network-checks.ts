/** What the kernel itself must be able to send while programs are held: without it the machine loses its network. */
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { endChild } from '../../lab/process.ts';
import { ADDRESSES, ROUTED_PREFIX, ip, ipAtPeer } from './machine.ts';
import type { Machine } from './machine.ts';
import { compiled } from './programs.ts';
import type { Check } from './report.ts';

/** errno of a refused connection. */
const ECONNREFUSED = 111;
const CLOSED_PORT = '4999';
const END_GRACE_MS = 2000;
const BYTES = 300_000;

function forgetNeighbours(): void {
  for (const run of [ip, ipAtPeer]) run('neigh flush all');
}

/** ARP, neighbour advertisements and echo replies: the peer knows nobody's address when it begins. */
async function pingIsAnswered(machine: Machine): Promise<string> {
  forgetNeighbours();
  const facts: string[] = [];
  for (const address of [ADDRESSES.client4, ADDRESSES.client6]) {
    const { status, stdout } = await machine.runAtPeer('ping', '-c3', '-i0.2', '-W5', address);
    assert.equal(status, 0, stdout);
    facts.push(/\d+ received/u.exec(stdout)?.[0] ?? '');
  }
  return `of 3 echo requests each: ${facts.join(', ')}`;
}

async function closedPortsRefuse(machine: Machine): Promise<string> {
  forgetNeighbours();
  for (const [mode, address] of [
    ['tcp', ADDRESSES.client4], ['tcp', ADDRESSES.client6], ['udp-echo', ADDRESSES.client4], ['udp-echo', ADDRESSES.client6],
  ] as const) {
    const { status, durationMs } = await machine.runAtPeer(machine.undecided, mode, address, CLOSED_PORT);
    assert.equal(status, ECONNREFUSED, `${mode} to a closed port of ${address}: status ${String(status)} after ${durationMs.toFixed(0)} ms`);
  }
  return 'TCP reset and ICMP port unreachable, IPv4 and IPv6';
}

async function serversAnswer(machine: Machine): Promise<string> {
  forgetNeighbours();
  const server = await machine.startServer();
  try {
    for (const host of [ADDRESSES.client4, `[${ADDRESSES.client6}]`]) {
      const page = await machine.runAtPeer('curl', '--silent', '--max-time', '40', '--output', '/dev/null', '--write-out', '%{size_download}', `http://${host}/bytes/${String(BYTES)}`);
      assert.equal(page.stdout, String(BYTES), `over TCP from ${host}: ${page.stderr}`);
    }
    for (const address of [ADDRESSES.client4, ADDRESSES.client6]) {
      const { status } = await machine.runAtPeer(machine.undecided, 'udp-echo', address, '7');
      assert.equal(status, 0, `the UDP server's answer from ${address}: status ${String(status)}`);
    }
  } finally {
    await server.close();
  }
  return `${String(BYTES)} bytes over TCP, an answer over UDP, IPv4 and IPv6`;
}

/** The link comes up only now: duplicate address detection and the router solicitation go through the firewall. */
async function configuresIpv6(machine: Machine): Promise<string> {
  const router = machine.start([compiled('neighbour', machine.folder), 'router', 'eth0', ROUTED_PREFIX], 'peer');
  await router.line(/^ready$/u);
  await machine.peer.watch();
  const monitor = machine.start(['ip', '-6', 'monitor', 'address']);
  ip('link set eth0 up');
  const line = await monitor.line(new RegExp(`inet6 ${ROUTED_PREFIX}(?!.*tentative)`, 'u'));
  for (const { child } of [router, monitor]) await endChild(child, END_GRACE_MS);
  const counts = await machine.peer.counts();
  assert.ok(counts.of('icmp6/133') > 0, 'no router solicitation arrived');
  return `${line.trim()}; ${String(counts.of('icmp6/133'))} router and ${String(counts.of('icmp6/135'))} neighbour solicitations arrived`;
}

const DHCP_SCRIPT = `#!/bin/sh
case $1 in
  bound) ip address replace "$ip/24" dev eth0; echo "bound $ip" ;;
  renew) echo "renew $ip" ;;
esac
`;
const DHCP_SERVER = `start 10.77.0.100
end 10.77.0.110
interface eth0
lease_file /dev/null
option subnet 255.255.255.0
option lease 600
`;

/**
 * The lease comes through a packet socket, which no firewall sees; the renewal is an ordinary datagram, and only if that is
 * refused is the packet socket tried again.
 */
async function dhcpWorks(machine: Machine): Promise<string> {
  const [script, config] = [join(machine.folder, 'dhcp-script'), join(machine.folder, 'udhcpd.conf')];
  writeFileSync(script, DHCP_SCRIPT);
  chmodSync(script, 0o755);
  writeFileSync(config, DHCP_SERVER);
  const server = machine.start(['busybox', 'udhcpd', '-f', config], 'peer');
  const client = machine.start(['sh', '-c', 'exec busybox udhcpc -f -i eth0 -s "$1" -t 10 -T 3 2>&1', 'sh', script]);
  try {
    const bound = await client.line(/^bound /u);
    client.child.kill('SIGUSR1');
    const renewed = await client.line(/^renew /u);
    assert.ok(!client.lines().includes('udhcpc: broadcasting renew'), client.lines().join(' | '));
    return `${bound}, ${renewed}`;
  } finally {
    for (const { child } of [client, server]) await endChild(child, END_GRACE_MS);
  }
}

/** Sent by programs that configure networks: from a raw socket and from port 546. */
async function linkLocalLeaves(machine: Machine): Promise<string> {
  await machine.peer.watch();
  for (const mode of ['solicit', 'dhcp']) {
    const { status, stderr } = await machine.run(compiled('neighbour', machine.folder), mode, 'eth0');
    assert.equal(status, 0, `${mode}: ${stderr}`);
  }
  const counts = await machine.peer.counts();
  assert.deepEqual([counts.of('icmp6/133'), counts.of('udp6/547')], [1, 1]);
  return 'a router solicitation and a DHCPv6 request arrived';
}

/** Before the first packet. */
export const firstChecks: readonly Check[] = [
  { name: 'IPv6 configures itself from a router when the link comes up', run: configuresIpv6 },
];

/** At any time, also with nothing but the gate. */
export const networkChecks: readonly Check[] = [
  { name: 'a peer that knows no address of ours pings us', run: pingIsAnswered },
  { name: 'closed ports refuse the peer', run: closedPortsRefuse },
  { name: 'a server without a rule answers the peer', run: serversAnswer },
  { name: 'a DHCP client gets a lease and renews it', run: dhcpWorks },
  { name: 'a network manager solicits a router and a DHCPv6 server', run: linkLocalLeaves },
];
