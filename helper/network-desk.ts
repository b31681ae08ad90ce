/** Interfaces with their zones, and what else the network of this machine is: told at once when it changes. */
import { BastionError } from './contract/errors.ts';
import { INBOUND_SERVICES } from './contract/inbound-services.ts';
import type { InboundKeeper, InterfaceView, NetworkApi, ZoneInbound, ZoneView } from './engine-api.ts';
import { allowRow, allowedInbound } from './inbound-text.ts';
import type { Container, Containers, EngineView, LinkMonitor, NetworkLink, NetworkState, Networks, Settings, SetView, ZoneSettings } from './ports.ts';
import { patternsOf, problemOf, zoneOf, zonesOf } from './zones/interfaces.ts';

/** Addresses of one interface that are told. */
export const ADDRESSES_TOLD = 64;
/** Changes of containers are told this often at most: a user's engine can make as many as it likes. */
const CONTAINERS_TOLD_MS = 250;

/** What of bastion.toml this is about. */
export type NetworkSettings = Pick<Settings, 'interfaces' | 'defaultZone' | 'zones'>;

export interface NetworkDeskDeps {
  readonly links: Pick<LinkMonitor, 'list' | 'onChanged'>;
  readonly networks: Networks;
  /** Absent: none. */
  readonly containers?: Containers;
  /** bastion.toml as it is now. */
  readonly settings: () => NetworkSettings;
  /** The sets that hold the addresses of zones; absent: nobody keeps them. */
  readonly sets?: { views(zone: string): readonly SetView[]; onChanged(changed: () => void): () => void };
  /** Absent: nothing that comes in is judged. */
  readonly inbound?: InboundParts;
}

/** Who judges what comes in, and how. */
export interface InboundParts {
  readonly by: () => InboundKeeper;
  /** Packets that each zone has refused, by its name. */
  readonly refused: () => Promise<ReadonlyMap<string, number>>;
  /** Writes it into bastion.toml, and puts it in force. */
  readonly set: (zone: string, inbound: Pick<ZoneSettings, 'inbound' | 'inboundAllow'>) => Promise<void>;
}

/** What bastion.toml says of a zone's new connections from outside. */
function inboundOf(id: string, zones: readonly ZoneSettings[]): ZoneInbound {
  const zone = zones.find(({ name }) => name === id);
  return zone === undefined ? { policy: 'off', allow: [] } : { policy: zone.inbound, allow: zone.inboundAllow.map(allowRow) };
}

function viewOf(link: NetworkLink, settings: NetworkSettings): InterfaceView {
  const problem = problemOf(link, settings);
  const over = Math.max(0, link.addresses.length - ADDRESSES_TOLD);
  return {
    ...link, zone: zoneOf(link, settings), addresses: link.addresses.slice(0, ADDRESSES_TOLD), addressesLeftOut: link.addressesLeftOut + over,
    ...(problem === '' ? {} : { problem }),
  };
}

/** Those that are up first, then by name. */
function inOrder(a: NetworkLink, b: NetworkLink): number {
  if (a.up !== b.up) return a.up ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}

export class NetworkDesk implements NetworkApi {
  readonly #deps: NetworkDeskDeps;
  readonly #listeners = new Set<() => void>();
  readonly #stops: readonly (() => void)[];
  #containersTold: NodeJS.Timeout | null = null;

  constructor(deps: NetworkDeskDeps) {
    this.#deps = deps;
    const tell = (): void => { this.#tell(); };
    this.#stops = [
      deps.networks.onChanged(tell), deps.links.onChanged(tell),
      deps.containers?.onChanged(() => { this.#containersChanged(); }) ?? ((): void => undefined),
      deps.sets?.onChanged(tell) ?? ((): void => undefined),
    ];
  }

  async interfaces(): Promise<readonly InterfaceView[]> {
    const links = await this.#deps.links.list();
    const settings = this.#deps.settings();
    return links.map((link) => viewOf(link, settings)).sort(inOrder);
  }

  async zones(): Promise<readonly ZoneView[]> {
    const rows = await this.interfaces();
    const settings = this.#deps.settings();
    const containers = this.containers();
    // A zone that no interface is of: by a label, or by [[container]].
    const ids = new Set([...zonesOf(settings), ...containers.map(({ zone }) => zone).filter((zone) => zone !== '')]);
    const refused = await this.#deps.inbound?.refused();
    return [...ids].map((id) => ({
      id, patterns: patternsOf(id, settings), interfaces: rows.filter(({ zone }) => zone === id), containers: containers.filter(({ zone }) => zone === id),
      sets: this.#deps.sets?.views(id) ?? [], inbound: inboundOf(id, settings.zones ?? []), inboundRefused: refused?.get(id) ?? 0,
    }));
  }

  containers(): readonly Container[] {
    return this.#deps.containers?.current ?? [];
  }

  engines(): readonly EngineView[] {
    return this.#deps.containers?.engines ?? [];
  }

  inboundBy(): InboundKeeper {
    return this.#deps.inbound?.by() ?? 'nobody';
  }

  async setInbound(zone: string, inbound: ZoneInbound): Promise<void> {
    const parts = this.#deps.inbound;
    if (parts === undefined) throw new BastionError('NotFound', `There is no zone ${zone} in bastion.toml.`);
    const inboundAllow = allowedInbound(inbound);
    const unknown = inboundAllow.find(({ service }) => service !== undefined && !INBOUND_SERVICES.has(service));
    if (unknown !== undefined) throw new BastionError('InvalidArgument', `service: there is no ${unknown.service ?? ''}; known are ${[...INBOUND_SERVICES.keys()].join(', ')}`);
    await parts.set(zone, { inbound: inbound.policy, inboundAllow });
    this.#tell();
  }

  current(): NetworkState {
    return this.#deps.networks.current();
  }

  onChanged(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  /** bastion.toml may say something else of interfaces and zones now. */
  settingsChanged(): void {
    this.#tell();
  }

  close(): void {
    for (const stop of this.#stops) stop();
    if (this.#containersTold !== null) clearTimeout(this.#containersTold);
    this.#containersTold = null;
  }

  /** What an engine tells in many steps is told together. */
  #containersChanged(): void {
    this.#containersTold ??= setTimeout(() => {
      this.#containersTold = null;
      this.#tell();
    }, CONTAINERS_TOLD_MS).unref();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
