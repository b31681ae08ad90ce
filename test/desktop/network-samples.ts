/** A network with containers, address sets and zones that judge connections from outside. */
import type { NetworkContainer, NetworkSet, NetworkZone } from '../../helper/contract/types.ts';
import type { DesktopSession } from './desktop-session.ts';
import { SAMPLE_NETWORK } from './samples.ts';
import type { SampleNetwork } from './samples.ts';

export function containerOf(index: number, change: Partial<NetworkContainer> = {}): NetworkContainer {
  const number = String(index);
  return {
    engine: 'docker', id: number.padStart(64, '0'), name: `web-${number}`, image: 'nginx:1.27', state: 'running', zone: '', host_network: false,
    addresses: [`bridge 172.17.${String(Math.floor(index / 250))}.${String((index % 250) + 2)}/16`], ...change,
  };
}

export const GOOD_SET: NetworkSet = {
  name: 'inet filter home_ips', version: 4, state: 'current', problem: '', elements: ['172.17.0.9', '192.0.2.57'], others: 1,
};
export const MISSING_SET: NetworkSet = {
  name: 'inet filter home_ips6', version: 6, state: 'missing', elements: [], others: 0,
  problem: "There is no set inet filter home_ips6. To make it: nft 'add table inet filter; add set inet filter home_ips6 { type ipv6_addr; }'",
};
export const MAKE_SET = "sudo nft 'add table inet filter; add set inet filter home_ips6 { type ipv6_addr; }'";

const [home, work] = SAMPLE_NETWORK.zones;
if (home === undefined || work === undefined) throw new Error('the sample has no zones');

/** Zone home lets in what is named, zone work is not looked at. */
export const FULL_NETWORK: SampleNetwork = {
  ...SAMPLE_NETWORK,
  interfaces: SAMPLE_NETWORK.interfaces.map((one) => (
    one.name === 'eth0' ? { ...one, problem: 'The address 192.0.2.60 of bastion.toml is not on it.' } : one
  )),
  zones: [
    {
      ...home, containers: ['shop'], sets: [GOOD_SET, MISSING_SET], inbound: 'deny',
      inbound_allow: [{ service: 'ssh' }, { port: '80,443', protocol: 'tcp', application: '/usr/sbin/nginx', from: '192.168.0.0/16' }],
    },
    { ...work, inbound: 'off', inbound_allow: [] },
  ],
  containers: [
    containerOf(7, { name: 'shop', zone: 'home', addresses: ['bridge 172.17.0.9/16', 'bridge fd00::9/64'] }),
    containerOf(8, { name: 'backup', image: 'restic/restic:0.17', state: 'paused', host_network: true, addresses: [] }),
  ],
  state: {
    ...SAMPLE_NETWORK.state, inbound_by: 'bastion',
    engines: [
      { engine: 'docker', socket: '/run/docker.sock', state: 'connected', problem: '' },
      { engine: 'podman', socket: '/run/podman/podman.sock', state: 'absent', problem: '' },
    ],
  },
};

export function withZone(network: SampleNetwork, id: string, change: Partial<NetworkZone>): SampleNetwork {
  return { ...network, zones: network.zones.map((zone) => (zone.id === id ? { ...zone, ...change } : zone)) };
}

/** Opens the page of a zone, as a link from elsewhere does. */
export async function openZone(session: DesktopSession, id: string): Promise<void> {
  session.say({ do: 'open', page: 'network', item: id });
  await session.shown('label', 'Who Belongs to It');
}
