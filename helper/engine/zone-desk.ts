/** The zones of interfaces, as settings and links are now. */
import type { InterfaceSettings, LinkMonitor, NetworkLink } from '../ports.ts';
import { assignedByMac, connectedZones, zoneOf } from '../zones/interfaces.ts';
import type { ZoneAssignment } from '../zones/interfaces.ts';

const NO_LINKS: readonly NetworkLink[] = [];

export class ZoneDesk {
  readonly #links: Pick<LinkMonitor, 'current'> | undefined;
  #settings: ZoneAssignment = {};
  /** By name, made once for each listing. */
  #byName = new Map<string, NetworkLink>();
  #named = NO_LINKS;

  /** Without links every interface is known by its name alone. */
  constructor(links: Pick<LinkMonitor, 'current'> | undefined) {
    this.#links = links;
  }

  setSettings({ interfaces, defaultZone }: ZoneAssignment): void {
    this.#settings = { ...(interfaces === undefined ? {} : { interfaces }), ...(defaultZone === undefined ? {} : { defaultZone }) };
  }

  /** null for one of none. */
  zoneOf(interfaceName: string): string | null {
    const zone = zoneOf(this.#link(interfaceName) ?? { name: interfaceName, mac: '' }, this.#settings);
    return zone === '' ? null : zone;
  }

  /** `[[interface]]` by names alone: first what hardware addresses come to now. */
  get interfaces(): readonly InterfaceSettings[] {
    return [...this.assigned, ...this.#settings.interfaces ?? []];
  }

  /** What zones rest on besides names and settings; the same for the same zones. */
  get assigned(): readonly InterfaceSettings[] {
    return assignedByMac(this.#current, this.#settings);
  }

  /** See `connectedZones`. */
  get connected(): ReadonlySet<string> {
    return connectedZones(this.#current, this.#settings);
  }

  get #current(): readonly NetworkLink[] {
    return this.#links?.current ?? NO_LINKS;
  }

  #link(name: string): NetworkLink | undefined {
    const links = this.#current;
    if (links !== this.#named) {
      this.#named = links;
      this.#byName = new Map(links.map((link) => [link.name, link]));
    }
    return this.#byName.get(name);
  }
}
