/**
 * Which network this machine is in: default gateways from the kernel's tables, connections and wireless names from
 * NetworkManager where it runs.
 * Source: NetworkManager D-Bus API 1.0 (Manager.ActiveConnections, Connection.Active, AccessPoint.Ssid); proc(5) net/route,
 * net/arp; Linux net/ipv6/route.c (net/ipv6_route).
 */
import { readFile } from 'node:fs/promises';
import ipaddr from 'ipaddr.js';
import { BUS, Variant } from '../contract/transport.ts';
import type { BusConnection } from '../contract/transport.ts';
import type { Logger, NetworkState, Networks } from '../ports.ts';

const MANAGER = 'org.freedesktop.NetworkManager';
const MANAGER_PATH = '/org/freedesktop/NetworkManager';
const ACTIVE = `${MANAGER}.Connection.Active`;
const ACCESS_POINT = `${MANAGER}.AccessPoint`;
const PROPERTIES = 'org.freedesktop.DBus.Properties';
/** How often the kernel's tables are looked at, which are short: the hardware address of a gateway is announced by nobody. */
const LOOK_MS = 5000;
/** Routes come in swarms too, IPv4 and IPv6. */
const ROUTES_QUIET_MS = 50;
/** Signals come in swarms while a connection is made. */
const QUIET_MS = 200;
const CONNECTIONS = 64;
const GATEWAYS = 32;
const SSID_BYTES = 32;
const TEXT_LENGTH = 128;
const RTF_GATEWAY = 2;
const MAC_COMPLETE = 2;

interface Managed {
  readonly connections: readonly string[];
  readonly ssids: readonly string[];
}

const NOTHING: Managed = { connections: [], ssids: [] };

/** Lines of a table, as columns, the heading left out. */
function rows(text: string, heading: boolean): readonly (readonly string[])[] {
  return text.split('\n').slice(heading ? 1 : 0).filter((line) => line !== '').slice(0, 4096).map((line) => line.trim().split(/\s+/));
}

/** `0101A8C0`, in the order of a little-endian machine's memory, is 192.168.1.1. */
function ipv4(hex: string): string | null {
  if (!/^[0-9A-F]{8}$/i.test(hex)) return null;
  return [6, 4, 2, 0].map((at) => String(Number.parseInt(hex.slice(at, at + 2), 16))).join('.');
}

function ipv6(hex: string): string | null {
  const groups = /^[0-9a-f]{32}$/i.test(hex) ? hex.match(/.{4}/g) : null;
  return groups === null ? null : ipaddr.parse(groups.join(':')).toString();
}

/** Default gateways of /proc/net/route and /proc/net/ipv6_route; hardware addresses of /proc/net/arp (IPv4 only). */
export function gatewaysOf(route: string, route6: string, arp: string): NetworkState['gateways'] {
  const macs = new Map(rows(arp, true)
    .filter(([, , flags]) => (Number(flags) & MAC_COMPLETE) !== 0)
    .map(([address = '', , , mac = '']) => [address, mac.toLowerCase()]));
  const four = rows(route, true)
    .filter(([, destination, , flags, , , , mask]) => destination === '00000000' && mask === '00000000' && (Number.parseInt(flags ?? '0', 16) & RTF_GATEWAY) !== 0)
    .map(([, , gateway = '']) => ipv4(gateway));
  const six = rows(route6, false)
    .filter(([destination = '', length, , , , , , , flags]) => /^0+$/.test(destination) && length === '00' && (Number.parseInt(flags ?? '0', 16) & RTF_GATEWAY) !== 0)
    .map(([, , , , gateway = '']) => ipv6(gateway));
  const addresses = [...new Set([...four, ...six].filter((address) => address !== null))];
  return addresses.slice(0, GATEWAYS).map((address) => ({ address, mac: macs.get(address) ?? null }));
}

async function tableOf(path: string): Promise<string> {
  return readFile(path, 'latin1').catch(() => '');
}

/** Calls back after default routes changed; returns the way to stop. */
type OnRoutes = (changed: () => void) => () => void;

class WatchedNetworks implements Networks {
  readonly #bus: BusConnection;
  readonly #logger: Logger;
  readonly #listeners = new Set<() => void>();
  readonly #timer: NodeJS.Timeout;
  readonly #stopRoutes: () => void;
  #soon: NodeJS.Timeout | null = null;
  #routesSoon: NodeJS.Timeout | null = null;
  /** Unique name of NetworkManager; '' while it does not run. */
  #owner = '';
  #managed = NOTHING;
  #state: NetworkState = { ...NOTHING, gateways: [] };
  #turn: Promise<void> = Promise.resolve();

  constructor(bus: BusConnection, logger: Logger, onRoutes: OnRoutes) {
    this.#bus = bus;
    this.#logger = logger;
    this.#timer = setInterval(() => { this.#queue(() => this.#lookAtTables()); }, LOOK_MS).unref();
    this.#stopRoutes = onRoutes(() => {
      this.#routesSoon ??= setTimeout(() => {
        this.#routesSoon = null;
        this.#queue(() => this.#lookAtTables());
      }, ROUTES_QUIET_MS).unref();
    });
    bus.onSignal((signal) => {
      const named = signal.sender === BUS.name && signal.member === 'NameOwnerChanged' && signal.body()[0] === MANAGER;
      if (!named && (this.#owner === '' || signal.sender !== this.#owner)) return;
      this.#soon ??= setTimeout(() => {
        this.#soon = null;
        this.#queue(() => this.#askManager());
      }, QUIET_MS).unref();
    });
  }

  async open(): Promise<void> {
    try {
      await this.#bus.addMatch(`type='signal',sender='${BUS.name}',member='NameOwnerChanged',arg0='${MANAGER}'`);
      for (const name of [MANAGER, ACTIVE]) {
        await this.#bus.addMatch(`type='signal',sender='${MANAGER}',interface='${PROPERTIES}',member='PropertiesChanged',arg0='${name}'`);
      }
    } catch (error: unknown) {
      this.#logger.log('warning', 'the network manager cannot be followed', { why: String(error) });
    }
    this.#queue(() => this.#askManager());
    await this.#turn;
  }

  current(): NetworkState {
    return this.#state;
  }

  onChanged(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  close(): void {
    clearInterval(this.#timer);
    if (this.#soon !== null) clearTimeout(this.#soon);
    if (this.#routesSoon !== null) clearTimeout(this.#routesSoon);
    this.#stopRoutes();
  }

  #queue(work: () => Promise<void>): void {
    this.#turn = this.#turn.then(work).catch((error: unknown) => {
      this.#logger.log('warning', 'the network could not be looked at', { why: String(error) });
    });
  }

  async #lookAtTables(): Promise<void> {
    const [route, route6, arp] = await Promise.all(['route', 'ipv6_route', 'arp'].map((name) => tableOf(`/proc/net/${name}`)));
    const state = { ...this.#managed, gateways: gatewaysOf(route ?? '', route6 ?? '', arp ?? '') };
    if (JSON.stringify(state) === JSON.stringify(this.#state)) return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener();
  }

  async #askManager(): Promise<void> {
    this.#managed = await this.#readManager().catch(() => NOTHING);
    await this.#lookAtTables();
  }

  async #readManager(): Promise<Managed> {
    const [owner] = await this.#bus.callBus('GetNameOwner', 's', [MANAGER]).catch(() => ['']);
    this.#owner = String(owner);
    if (this.#owner === '') return NOTHING;
    const paths = await this.#get(MANAGER_PATH, MANAGER, 'ActiveConnections');
    const connections: string[] = [];
    const ssids: string[] = [];
    for (const path of (Array.isArray(paths) ? paths : []).slice(0, CONNECTIONS)) {
      const [id, subject] = await Promise.all([this.#get(String(path), ACTIVE, 'Id'), this.#get(String(path), ACTIVE, 'SpecificObject')]);
      if (typeof id === 'string' && id.length <= TEXT_LENGTH) connections.push(id);
      if (typeof subject !== 'string' || !subject.includes('/AccessPoint/')) continue;
      const ssid = await this.#get(subject, ACCESS_POINT, 'Ssid');
      const bytes = Buffer.isBuffer(ssid) || Array.isArray(ssid) ? Buffer.from(ssid) : null;
      if (bytes !== null && bytes.length <= SSID_BYTES) ssids.push(bytes.toString('utf8'));
    }
    return { connections, ssids };
  }

  async #get(path: string, interfaceName: string, property: string): Promise<unknown> {
    const [value] = await this.#bus.call({
      destination: MANAGER, path, interface: PROPERTIES, member: 'Get', signature: 'ss', body: [interfaceName, property], noAutoStart: true,
    });
    return value instanceof Variant ? value.value : undefined;
  }
}

/** Never fails: without NetworkManager only gateways are known. `onRoutes`: see `WatchedLinks`. */
export async function watchNetworks(bus: BusConnection, logger: Logger, onRoutes: OnRoutes): Promise<Networks & { close(): void }> {
  const networks = new WatchedNetworks(bus, logger, onRoutes);
  await networks.open();
  return networks;
}
