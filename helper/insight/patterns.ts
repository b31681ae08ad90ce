/** From what one application was seen to reach to the few rules that say it: ports together, hosts of one owner together. */
import type { PortRange, RuleMatch } from '../contract/vocabulary.ts';
import { matchesDomain, suggestedPattern } from '../policy/domains.ts';
import { patternsOf } from '../policy/places.ts';
import { hasPorts, ICMP, ICMPV6 } from '../policy/ports.ts';
import { isLocal, localPatterns } from './networks.ts';
import type { Sighting } from './sightings.ts';

/** wide: as people would write it. exact: nothing but the names, addresses and ports that were seen. */
export type Width = 'wide' | 'exact';

/** Owners of hosts, and addresses without a name, above which any address is proposed. */
const MOST_PARTIES = 5;
const MOST_NAMELESS = 2;
/** Name servers above which any is proposed: who moves between networks meets many. */
const MOST_NAME_SERVERS = 4;
/** Different ports of one protocol above which their whole range is proposed. */
const MOST_PORTS = 12;
const FIRST_HIGH_PORT = 1024;
const LAST_PORT = 65_535;
const RANGES_OF_A_RULE = 20;
const WEB_PORTS: ReadonlySet<number> = new Set([80, 443]);

/** A destination, and what is reached there. */
interface Aim {
  readonly destination: Pick<RuleMatch, 'address' | 'domain'>;
  readonly sightings: readonly Sighting[];
}

/** What a rule says of destination, ports and protocols. */
export type Reach = Pick<RuleMatch, 'address' | 'domain' | 'ports' | 'protocols'>;

function aim(destination: Aim['destination'], sightings: readonly Sighting[]): Aim {
  return { destination, sightings };
}

function byAddress(sightings: readonly Sighting[]): readonly Aim[] {
  return [...Map.groupBy(sightings, ({ address }) => address)].map(([address, own]) => aim({ address }, own));
}

function byName(sightings: readonly Sighting[]): readonly Aim[] {
  return [...Map.groupBy(sightings, ({ name }) => name)]
    .map(([name, own]) => aim(name === null ? {} : { domain: name }, own));
}

/** Local addresses as such, or as their network. */
function local(sightings: readonly Sighting[]): readonly Aim[] {
  return localPatterns([...new Set(sightings.map(({ address }) => address))])
    .map((address) => aim({ address }, address.includes('/') ? sightings : sightings.filter((one) => one.address === address)));
}

function ownerOf(name: string): string {
  return suggestedPattern(name) ?? name;
}

/** Several hosts of one owner as all of his, a single one as itself. The wildcard is not the name that it hangs below. */
function hostsOf(owner: string, sightings: readonly Sighting[]): readonly Aim[] {
  const names = byName(sightings);
  const below = sightings.filter(({ name }) => name !== null && matchesDomain(owner, name));
  if (names.length === 1 || below.length === 0) return names;
  return [aim({ domain: owner }, below), ...names.filter(({ destination: { domain = '' } }) => !matchesDomain(owner, domain))];
}

/** What one application reaches by ports that belong together. */
function widely(sightings: readonly Sighting[]): readonly Aim[] {
  const [near, far] = split(sightings, ({ name, address }) => name === null && isLocal(address));
  const [nameless, namedOnes] = split(far, ({ name }) => name === null);
  const owners = Map.groupBy(namedOnes, ({ name }) => ownerOf(name ?? ''));
  const addresses = byAddress(nameless);
  const isMany = addresses.length > MOST_NAMELESS || addresses.length + owners.size > MOST_PARTIES;
  const outside = isMany ? [aim({}, far)] : [...addresses, ...[...owners].flatMap(([owner, own]) => hostsOf(owner, own))];
  return [...outside, ...local(near)];
}

function split<T>(all: readonly T[], first: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(first), all.filter((one) => !first(one))];
}

function exactly(sightings: readonly Sighting[]): readonly Aim[] {
  const [nameless, namedOnes] = split(sightings, ({ name, isLookup }) => name === null || isLookup);
  return [...byAddress(nameless), ...byName(namedOnes)];
}

/** Lookups go to name servers, whatever names they are for. */
function nameServers(sightings: readonly Sighting[]): readonly Aim[] {
  const [near, far] = split(sightings, ({ address }) => isLocal(address));
  const addresses = byAddress(far);
  return [...(addresses.length > MOST_NAME_SERVERS ? [aim({}, far)] : addresses), ...local(near)];
}

/** Ports that belong together: the web's, the many high ones of a program that has no port of its own; else each for itself. */
function classOf({ protocol, port }: Sighting, crowded: ReadonlySet<string>): string {
  if (protocol === ICMP || !hasPorts(protocol)) return String(protocol);
  if (WEB_PORTS.has(port)) return 'web';
  const half = halfOf(protocol, port);
  return crowded.has(half) ? half : `${String(protocol)}/${String(port)}`;
}

function halfOf(protocol: number, port: number): string {
  return `${String(protocol)} ${port < FIRST_HIGH_PORT ? 'low' : 'high'}`;
}

/** Halves of the ports of a protocol of which more were seen than could be listed. */
function crowdedHalves(sightings: readonly Sighting[]): ReadonlySet<string> {
  const ports = sightings.filter(({ protocol }) => hasPorts(protocol));
  const halves = Map.groupBy(ports, ({ protocol, port }) => halfOf(protocol, port));
  return new Set([...halves].filter(([, own]) => new Set(own.map(({ port }) => port)).size > MOST_PORTS).map(([half]) => half));
}

function rangesOf(ports: Iterable<number>): readonly PortRange[] {
  const ranges: PortRange[] = [];
  for (const port of [...new Set(ports)].sort((a, b) => a - b)) {
    const before = ranges.at(-1);
    if (before !== undefined && port <= before.last + 1) ranges[ranges.length - 1] = { first: before.first, last: port };
    else ranges.push({ first: port, last: port });
  }
  return ranges;
}

function portsOf(sightings: readonly Sighting[], crowded: ReadonlySet<string>): readonly PortRange[] {
  const [ranged, single] = split(sightings, ({ protocol, port }) => crowded.has(halfOf(protocol, port)));
  const low = ranged.some(({ port }) => port < FIRST_HIGH_PORT);
  const high = ranged.some(({ port }) => port >= FIRST_HIGH_PORT);
  return [
    ...(low ? [{ first: 1, last: FIRST_HIGH_PORT - 1 }] : []),
    ...rangesOf(single.map(({ port }) => port).filter((port) => (port < FIRST_HIGH_PORT ? !low : !high))),
    ...(high ? [{ first: FIRST_HIGH_PORT, last: LAST_PORT }] : []),
  ];
}

/** As many ranges as one rule can hold, and one text of the wire. */
function inParts(ports: readonly PortRange[] | undefined): readonly (readonly PortRange[] | undefined)[] {
  if (ports === undefined || ports.length <= RANGES_OF_A_RULE) return [ports];
  return [ports.slice(0, RANGES_OF_A_RULE), ...inParts(ports.slice(RANGES_OF_A_RULE))];
}

function isWithin(inner: readonly PortRange[], outer: readonly PortRange[]): boolean {
  return inner.every(({ first, last }) => outer.some((range) => range.first <= first && range.last >= last));
}

/** One rule for each protocol of an aim; one for all where they have the ports in common. */
function reaches({ destination, sightings }: Aim, crowded: ReadonlySet<string>): readonly Reach[] {
  const found = [...Map.groupBy(sightings, ({ protocol }) => protocol)].sort(([a], [b]) => a - b).map(([protocol, own]) => ({
    protocols: protocol === ICMP ? [ICMP, ICMPV6] : [protocol],
    ports: hasPorts(protocol) || protocol === ICMP ? portsOf(own, crowded) : undefined,
  }));
  const withPorts = found.filter(({ protocols: [protocol = 0] }) => hasPorts(protocol));
  const widest = withPorts.find(({ ports = [] }) => withPorts.every((other) => isWithin(other.ports ?? [], ports)));
  const anywhere = destination.address === undefined && destination.domain === undefined;
  const same = widest !== undefined && (anywhere || withPorts.every(({ ports = [] }) => isWithin(widest.ports ?? [], ports)));
  const joined = same && withPorts.length > 1
    ? [{ ports: widest.ports, protocols: withPorts.flatMap(({ protocols }) => protocols) }, ...found.filter((one) => !withPorts.includes(one))]
    : found;
  return joined.flatMap(({ protocols, ports: all }) => inParts(all)
    .map((ports) => ({ ...destination, protocols, ...(ports === undefined ? {} : { ports }) })));
}

/** Aims that are the same destination, together. */
function joinAims(aims: readonly Aim[]): readonly Aim[] {
  return [...Map.groupBy(aims, ({ destination }) => JSON.stringify(destination)).values()].flatMap((same) => {
    const [first] = same;
    return first === undefined ? [] : [aim(first.destination, same.flatMap(({ sightings }) => sightings))];
  });
}

/**
 * What rules for one application and user have to reach so that every sighting is covered. A lookup is covered by the rule for
 * its name.
 */
export function reachesOf(sightings: readonly Sighting[], width: Width): readonly Reach[] {
  const crowded: ReadonlySet<string> = width === 'wide' ? crowdedHalves(sightings) : new Set();
  const [lookups, others] = split(sightings, ({ isLookup }) => isLookup);
  const classes = Map.groupBy(others, (one) => classOf(one, crowded));
  const aims = width === 'exact' ? exactly(others) : [...classes.values()].flatMap(widely);
  const domains = new Set(aims.map(({ destination: { domain } }) => domain));
  const unanswered = lookups.filter(({ name }) => name === null || !patternsOf(name).some((pattern) => domains.has(pattern)));
  const servers = width === 'exact' ? exactly(unanswered) : nameServers(unanswered);
  return joinAims([...aims, ...servers]).flatMap((one) => reaches(one, crowded));
}
