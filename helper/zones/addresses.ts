/** Which addresses a zone has at one moment: those of its interfaces and of its containers. */

/** What of a network interface counts here. */
export interface PlacedLink {
  readonly name: string;
  readonly up: boolean;
  readonly addresses: readonly {
    /** Canonical text. */
    readonly address: string;
    /** The network gave it for some time. */
    readonly dynamic: boolean;
    /** Nobody may use it before the kernel knows that no other machine has it. */
    readonly tentative?: boolean;
  }[];
}

/** Where an interface belongs. */
export interface Place {
  readonly zone: string;
  /** Only the addresses that the network gave. */
  readonly dynamicOnly: boolean;
}

/** What of a container counts here. */
export interface PlacedContainer {
  /** '' for none. */
  readonly zone: string;
  readonly addresses: readonly { readonly address: string }[];
}

/** The addresses of a zone, each once, in canonical text. */
export interface ZoneAddresses {
  readonly 4: ReadonlySet<string>;
  readonly 6: ReadonlySet<string>;
}

const NONE: ZoneAddresses = { 4: new Set(), 6: new Set() };

/** fe80::/10 is the same on every link. Source: RFC 4291 section 2.5.6. */
const LINK_LOCAL_6 = /^fe[89ab][0-9a-f]:/;

interface Growing {
  readonly 4: Set<string>;
  readonly 6: Set<string>;
}

/**
 * The addresses of all zones that have any. `placeOf`: null for an interface of no zone. IPv4 addresses that are written as IPv6
 * are left out: no packet has them.
 */
export function addressesOf<L extends PlacedLink>(
  links: readonly L[], containers: readonly PlacedContainer[], placeOf: (link: L) => Place | null,
): ReadonlyMap<string, ZoneAddresses> {
  const zones = new Map<string, Growing>();
  const add = (zone: string, address: string): void => {
    const kept = zones.get(zone) ?? { 4: new Set<string>(), 6: new Set<string>() };
    zones.set(zone, kept);
    if (!address.includes(':')) kept[4].add(address);
    else if (!LINK_LOCAL_6.test(address) && !address.includes('.')) kept[6].add(address);
  };
  for (const link of links) {
    const place = link.up ? placeOf(link) : null;
    if (place === null) continue;
    for (const { address, dynamic, tentative } of link.addresses) {
      if (tentative !== true && (dynamic || !place.dynamicOnly)) add(place.zone, address);
    }
  }
  for (const { zone, addresses } of containers) if (zone !== '') for (const { address } of addresses) add(zone, address);
  return zones;
}

/** Those of a zone; empty for one that has none. */
export function ofZone(all: ReadonlyMap<string, ZoneAddresses>, zone: string): ZoneAddresses {
  return all.get(zone) ?? NONE;
}
