/** Tunnels between the machine and its peer: packets of programs travel inside packets that the kernel makes. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tool } from '../../lab/process.ts';
import { ADDRESSES, ip, ipAtPeer, toolAtPeer } from './machine.ts';

const { client4: HERE, peer4: THERE } = ADDRESSES;
const WIREGUARD_PORT = 51_820;
const SPI = { out: '0x101', in: '0x102' } as const;

export interface Tunnel {
  readonly name: string;
  /** Addresses inside: the machine's and the peer's. */
  readonly innerHere: string;
  readonly innerThere: string;
  /** Interface that packets inside leave through. */
  readonly device: string;
  /** Of the packet outside: how the peer counts it, and its protocol and port. */
  readonly outerKey: string;
  readonly outerProtocol: number;
  readonly outerPort: number;
  /** Makes both ends; `folder` is for keys. */
  make(folder: string): void;
}

type Place = Pick<Tunnel, 'innerHere' | 'innerThere' | 'device'>;

function place(number: number, device: string): Place {
  return { innerHere: `10.88.${String(number)}.2`, innerThere: `10.88.${String(number)}.1`, device };
}

/** Nothing speaks inside by itself: no IPv6 address, so no neighbour discovery. */
function up(device: string, address: string): string[] {
  return [`link set ${device} addrgenmode none`, `address add ${address}/24 dev ${device}`, `link set ${device} up`];
}

function vxlan(): Tunnel {
  const inner = place(1, 'vxlan0');
  const add = (local: string, remote: string): string => `link add vxlan0 type vxlan id 7 local ${local} remote ${remote} dstport 4789`;
  return {
    ...inner, name: 'VXLAN', outerKey: 'udp/4789', outerProtocol: 17, outerPort: 4789,
    make() {
      ip(add(HERE, THERE), ...up('vxlan0', inner.innerHere));
      ipAtPeer(add(THERE, HERE), ...up('vxlan0', inner.innerThere));
    },
  };
}

function ipip(): Tunnel {
  const inner = place(2, 'ipip0');
  const add = (local: string, remote: string): string => `link add ipip0 type ipip local ${local} remote ${remote}`;
  return {
    ...inner, name: 'IPIP', outerKey: 'other/4', outerProtocol: 4, outerPort: 0,
    make() {
      ip(add(HERE, THERE), ...up('ipip0', inner.innerHere));
      ipAtPeer(add(THERE, HERE), ...up('ipip0', inner.innerThere));
    },
  };
}

interface WireguardEnd {
  readonly address: string;
  readonly endpoint: string;
  readonly run: (...argv: readonly string[]) => string;
}

function wireguard(): Tunnel {
  const inner = place(3, 'wg0');
  return {
    ...inner, name: 'WireGuard', outerKey: `udp/${String(WIREGUARD_PORT)}`, outerProtocol: 17, outerPort: WIREGUARD_PORT,
    make(folder) {
      ip('link add wg0 type wireguard');
      ipAtPeer('link add wg0 type wireguard');
      const here: WireguardEnd = { address: inner.innerHere, endpoint: HERE, run: (...argv) => tool('wg', argv) };
      const there: WireguardEnd = { address: inner.innerThere, endpoint: THERE, run: (...argv) => toolAtPeer('wg', argv) };
      const keys = [here, there].map((_, number) => {
        const path = join(folder, `wireguard-${String(number)}`);
        const secret = tool('wg', ['genkey']).trim();
        writeFileSync(path, secret, { mode: 0o600 });
        return { path, open: tool('wg', ['pubkey'], secret).trim() };
      });
      for (const [end, other, own, others] of [[here, there, keys[0], keys[1]], [there, here, keys[1], keys[0]]] as const) {
        end.run('set', 'wg0', 'listen-port', String(WIREGUARD_PORT), 'private-key', own?.path ?? '', 'peer', others?.open ?? '',
          'allowed-ips', `${other.address}/32`, 'endpoint', `${other.endpoint}:${String(WIREGUARD_PORT)}`);
      }
      ip(...up('wg0', inner.innerHere));
      ipAtPeer(...up('wg0', inner.innerThere));
    },
  };
}

/** There is no device: a policy wraps what goes to the inner address. Source: RFC 4303. */
function esp(): Tunnel {
  const inner = place(4, 'eth0');
  const keys = `enc cbc(aes) 0x${randomBytes(16).toString('hex')} auth-trunc hmac(sha256) 0x${randomBytes(32).toString('hex')} 128`;
  const lines = (local: string, remote: string, innerLocal: string, innerRemote: string, out: string, back: string): string[] => [
    `address add ${innerLocal}/24 dev eth0`,
    `xfrm state add src ${local} dst ${remote} proto esp spi ${out} mode tunnel ${keys}`,
    `xfrm state add src ${remote} dst ${local} proto esp spi ${back} mode tunnel ${keys}`,
    `xfrm policy add src ${innerLocal} dst ${innerRemote} dir out tmpl src ${local} dst ${remote} proto esp mode tunnel`,
    `xfrm policy add src ${innerRemote} dst ${innerLocal} dir in tmpl src ${remote} dst ${local} proto esp mode tunnel`,
  ];
  return {
    ...inner, name: 'ESP', outerKey: 'other/50', outerProtocol: 50, outerPort: 0,
    make() {
      ip(...lines(HERE, THERE, inner.innerHere, inner.innerThere, SPI.out, SPI.in));
      ipAtPeer(...lines(THERE, HERE, inner.innerThere, inner.innerHere, SPI.in, SPI.out));
    },
  };
}

export const TUNNELS: readonly Tunnel[] = [vxlan(), ipip(), wireguard(), esp()];
