/** Interfaces and zones that a test writes down. */
import type { InboundKeeper, InterfaceView, NetworkApi, ZoneInbound, ZoneView } from '../../helper/engine-api.ts';
import type { Container, EngineView, NetworkState } from '../../helper/ports.ts';

export const ETH0: InterfaceView = {
  name: 'eth0', kind: 'ethernet', up: true, connected: true, mac: '02:00:00:00:00:01', zone: 'home', addressesLeftOut: 0,
  addresses: [
    { address: '192.0.2.7', prefixLength: 24, scope: 'global', dynamic: true, temporary: false, deprecated: false },
    { address: '2001:db8::7', prefixLength: 64, scope: 'global', dynamic: true, temporary: true, deprecated: false },
  ],
};

export class MemoryNetwork implements NetworkApi {
  links: readonly InterfaceView[] = [ETH0];
  zoneViews: readonly ZoneView[] = [{ id: 'home', patterns: ['eth*'], interfaces: [ETH0], containers: [], sets: [], inbound: { policy: 'off', allow: [] } }];
  running: readonly Container[] = [];
  readonly inbound: (readonly [string, ZoneInbound])[] = [];
  state: NetworkState = { connections: ['Home'], ssids: ['Home 5G'], gateways: [{ address: '192.0.2.1', mac: null }] };
  readonly #listeners = new Set<() => void>();

  interfaces(): Promise<readonly InterfaceView[]> {
    return Promise.resolve(this.links);
  }

  zones(): Promise<readonly ZoneView[]> {
    return Promise.resolve(this.zoneViews);
  }

  containers(): readonly Container[] {
    return this.running;
  }

  engines(): readonly EngineView[] {
    return [];
  }

  inboundBy(): InboundKeeper {
    return 'nobody';
  }

  setInbound(zone: string, inbound: ZoneInbound): Promise<void> {
    this.inbound.push([zone, inbound]);
    return Promise.resolve();
  }

  current(): NetworkState {
    return this.state;
  }

  onChanged(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  change(): void {
    for (const listener of this.#listeners) listener();
  }
}
