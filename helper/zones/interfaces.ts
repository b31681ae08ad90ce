/** Which zone an interface belongs to, by bastion.toml. */
import { interfaceMatches } from '../policy/places.ts';
import type { InterfaceSettings, NetworkLink, Settings } from '../ports.ts';

/** What of bastion.toml gives interfaces their zones. */
export type ZoneAssignment = Pick<Settings, 'interfaces' | 'defaultZone'>;

/** What an interface is known by. */
export interface Known {
  readonly name: string;
  /** '' where it is not known. */
  readonly mac: string;
  readonly kind?: NetworkLink['kind'];
}

function isLoopback({ name, kind }: Known): boolean {
  return kind === undefined ? name === 'lo' : kind === 'loopback';
}

/** The first `[[interface]]` that fits by all that it says; null for none. */
export function settingsOf({ name, mac }: Known, { interfaces = [] }: ZoneAssignment): InterfaceSettings | null {
  return interfaces.find((one) => (
    (one.name !== '' || one.mac !== undefined) && (one.name === '' || interfaceMatches(one.name, name)) && (one.mac === undefined || one.mac === mac)
  )) ?? null;
}

/** That of the first `[[interface]]` that fits, else the default one, which is never the loopback interface's; '' for none. */
export function zoneOf(link: Known, settings: ZoneAssignment): string {
  return settingsOf(link, settings)?.zone ?? (isLoopback(link) ? '' : settings.defaultZone ?? '');
}

/** What `[[interface]]` calls the interfaces of a zone: names, or hardware addresses where only these are given. */
export function patternsOf(zone: string, { interfaces = [] }: ZoneAssignment): readonly string[] {
  return [...new Set(interfaces.filter((one) => one.zone === zone).map(({ name, mac = '' }) => (name === '' ? mac : name)))];
}

/** Every zone that bastion.toml names for interfaces or as a `[[zone]]`, in its order. */
export function zonesOf({ interfaces = [], defaultZone, zones = [] }: ZoneAssignment & Pick<Settings, 'zones'>): readonly string[] {
  const named = [...interfaces.map(({ zone }) => zone), ...(defaultZone === undefined ? [] : [defaultZone]), ...zones.map(({ name }) => name)];
  return [...new Set(named)];
}

/**
 * What the zones of interfaces rest on besides names and bastion.toml: an entry for each interface that is known by its hardware
 * address, saying the same by its name. Put before those of bastion.toml, they make the name enough.
 */
export function assignedByMac(links: readonly Known[], settings: ZoneAssignment): readonly InterfaceSettings[] {
  if (settings.interfaces?.some(({ mac }) => mac !== undefined) !== true) return [];
  return links.flatMap((link) => {
    const zone = zoneOf(link, settings);
    return zone === zoneOf({ ...link, mac: '' }, settings) ? [] : [{ name: link.name, zone }];
  });
}

/** With an address by which others reach the machine, not one of the link alone. */
function isConnected({ up, connected, addresses }: NetworkLink): boolean {
  return up && connected && addresses.some(({ scope }) => scope !== 'link' && scope !== 'host');
}

/** Zones that are connected now: an interface of theirs is up, has a carrier and an address that is not only of the link. */
export function connectedZones(links: readonly NetworkLink[], settings: ZoneAssignment): ReadonlySet<string> {
  return new Set(links.filter(isConnected).map((link) => zoneOf(link, settings)).filter((zone) => zone !== ''));
}

/** What is not as bastion.toml says of an interface, as a sentence; '' for nothing. Without a carrier nothing is expected. */
export function problemOf(link: NetworkLink, settings: ZoneAssignment): string {
  const address = settingsOf(link, settings)?.address;
  if (address === undefined || !link.up || !link.connected || link.addressesLeftOut > 0) return '';
  if (link.addresses.some((one) => one.address === address)) return '';
  return `The address ${address} of bastion.toml is not on this interface.`;
}
