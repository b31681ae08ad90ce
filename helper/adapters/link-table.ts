/**
 * Interfaces and addresses as they stand after each message of rtnetlink.
 * Source: netdevice(7), IFF_UP and IFF_LOWER_UP; Linux if_arp.h, if_addr.h (IFA_F_*), rtnetlink.h (RT_SCOPE_*).
 */
import { isDeepStrictEqual } from 'node:util';
import ipaddr from 'ipaddr.js';
import type { NativeLink, NativeLinkAddress, NativeLinkNews } from '../../native/binding.ts';
import type { LinkAddress, NetworkLink } from '../ports.ts';

export const LINKS_LIMIT = 2048;
export const ADDRESSES_LIMIT = 4096;
/** What is remembered of all interfaces together. */
const REMEMBERED_LINKS = 16_384;
const REMEMBERED_ADDRESSES = 131_072;
/** Source: IFNAMSIZ, dev_valid_name of Linux: no slash, no space. */
const NAME = /^[^\s/]{1,15}$/u;

const IFF_UP = 1;
const IFF_LOWER_UP = 0x1_0000;
const ARPHRD = { ether: 1, loopback: 772, none: 65_534 } as const;
const IFA_F = { temporary: 0x01, optimistic: 0x04, dadFailed: 0x08, deprecated: 0x20, tentative: 0x40, permanent: 0x80 } as const;
const SCOPES: Readonly<Record<number, LinkAddress['scope']>> = { 0: 'global', 253: 'link', 254: 'host' };

const KINDS: Readonly<Record<string, NetworkLink['kind']>> = {
  bridge: 'bridge', bond: 'bridge', veth: 'container', tun: 'tunnel', wireguard: 'tunnel', ipip: 'tunnel', sit: 'tunnel', gre: 'tunnel',
  ip6tnl: 'tunnel', vti: 'tunnel', xfrm: 'tunnel', vxlan: 'tunnel', dummy: 'virtual', ifb: 'virtual', vlan: 'virtual', macvlan: 'virtual',
};

interface Entry {
  link: NativeLink;
  readonly addresses: Map<string, NativeLinkAddress>;
  /** As it is told; null when it has to be made anew. */
  told: NetworkLink | null;
}

/** What makes an address another one. Source: __inet_insert_ifa, ipv6_add_addr of Linux. */
function keyOf({ family, address, peer, prefix }: NativeLinkAddress): string {
  return family === 6 ? address : `${address}/${String(prefix)} ${peer}`;
}

/** Not while the kernel tries whether somebody else has it, nor if so. */
function isUsable({ family, flags }: NativeLinkAddress): boolean {
  if (family === 4) return true;
  if ((flags & IFA_F.dadFailed) !== 0) return false;
  return (flags & IFA_F.tentative) === 0 || (flags & IFA_F.optimistic) !== 0;
}

function addressOf({ family, address, prefix, scope, flags }: NativeLinkAddress): LinkAddress {
  return {
    // The C library writes IPv4 within IPv6 in another way.
    address: address.includes('.') && family === 6 ? ipaddr.parse(address).toString() : address,
    prefixLength: prefix, scope: SCOPES[scope] ?? 'other', dynamic: (flags & IFA_F.permanent) === 0,
    // With IPv4 the same bit means "secondary".
    temporary: family === 6 && (flags & IFA_F.temporary) !== 0, deprecated: (flags & IFA_F.deprecated) !== 0,
  };
}

function kindOf({ name, type, kind }: NativeLink, isWireless: (name: string) => boolean): NetworkLink['kind'] {
  if (type === ARPHRD.loopback) return 'loopback';
  if (kind !== '') return Object.hasOwn(KINDS, kind) ? (KINDS[kind] ?? 'other') : 'other';
  if (type === ARPHRD.none) return 'tunnel';
  if (type !== ARPHRD.ether) return 'other';
  return isWireless(name) ? 'wireless' : 'ethernet';
}

/** Takes news, and knows what there is. */
export class LinkTable {
  readonly #isWireless: (name: string) => boolean;
  #entries = new Map<number, Entry>();
  #addresses = 0;
  #current: readonly NetworkLink[] = [];
  /** What was told last of each, by index. */
  readonly #last = new Map<number, NetworkLink>();

  constructor(isWireless: (name: string) => boolean) {
    this.#isWireless = isWireless;
  }

  /** By index; those whose name no interface can have are left out. */
  get current(): readonly NetworkLink[] {
    return this.#current;
  }

  /** True when `current` tells something else now. */
  take({ whole, changes }: Pick<NativeLinkNews, 'whole' | 'changes'>): boolean {
    if (whole) {
      this.#entries = new Map();
      this.#addresses = 0;
    }
    for (const change of changes) {
      if ('name' in change) this.#takeLink(change);
      else this.#takeAddress(change);
    }
    return this.#renew();
  }

  #takeLink(link: NativeLink): void {
    const entry = this.#entries.get(link.index);
    if (link.gone) {
      this.#entries.delete(link.index);
      this.#addresses -= entry?.addresses.size ?? 0;
    } else if (entry !== undefined) {
      entry.link = link;
      entry.told = null;
    } else if (this.#entries.size < REMEMBERED_LINKS) {
      this.#entries.set(link.index, { link, addresses: new Map(), told: null });
    }
  }

  #takeAddress(address: NativeLinkAddress): void {
    const entry = this.#entries.get(address.index);
    if (entry === undefined) return;
    const key = keyOf(address);
    const known = entry.addresses.has(key);
    if (address.gone) entry.addresses.delete(key);
    else if (known || this.#addresses < REMEMBERED_ADDRESSES) entry.addresses.set(key, address);
    this.#addresses += Number(entry.addresses.has(key)) - Number(known);
    entry.told = null;
  }

  /** Makes `current` anew; what looks as before stays the same object. */
  #renew(): boolean {
    const links: NetworkLink[] = [];
    for (const index of [...this.#entries.keys()].sort((a, b) => a - b)) {
      const entry = this.#entries.get(index);
      if (entry === undefined || !NAME.test(entry.link.name)) continue;
      if (links.length === LINKS_LIMIT) break;
      entry.told ??= this.#tell(entry);
      this.#last.set(index, entry.told);
      links.push(entry.told);
    }
    for (const index of this.#last.keys()) if (!this.#entries.has(index)) this.#last.delete(index);
    const same = links.length === this.#current.length && links.every((link, at) => link === this.#current[at]);
    if (!same) this.#current = links;
    return !same;
  }

  #tell({ link, addresses }: Entry): NetworkLink {
    const { index, name, flags, mac } = link;
    const kind = kindOf(link, this.#isWireless);
    const usable = [...addresses.values()].filter(isUsable).sort((a, b) => a.family - b.family);
    const told: NetworkLink = {
      name, kind, up: (flags & IFF_UP) !== 0, connected: (flags & IFF_LOWER_UP) !== 0, mac: kind === 'loopback' ? '' : mac,
      addresses: usable.slice(0, ADDRESSES_LIMIT).map(addressOf), addressesLeftOut: Math.max(0, usable.length - ADDRESSES_LIMIT),
    };
    const last = this.#last.get(index);
    return last !== undefined && isDeepStrictEqual(told, last) ? last : told;
  }
}
