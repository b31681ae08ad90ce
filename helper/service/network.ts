/** org.bastionfirewall.Helper1.Network: interfaces, zones and the network that this machine is in. */
import { array, string } from '../contract/codec.ts';
import { BastionError } from '../contract/errors.ts';
import { INTERFACES, WIRE_LIMITS } from '../contract/names.ts';
import { INBOUND_POLICIES, inboundAllow, networkContainer, networkInterface, networkState, networkZone } from '../contract/types.ts';
import type { NetworkAddress, NetworkContainer, NetworkEngine, NetworkInterface, NetworkSet, NetworkState, NetworkZone } from '../contract/types.ts';
import type { EngineApi, InterfaceView, NetworkApi, ZoneView } from '../engine-api.ts';
import type { Container, EngineView, LinkAddress, SetView } from '../ports.ts';
import { method } from './method.ts';
import type { ServedInterface } from './method.ts';
import { pageOf } from './paging.ts';
import { clipped, forDialog } from './text.ts';
import { cursor, id, limit, rows } from './wire-types.ts';

/** Rules that are named as users of one zone. */
const RULES_NAMED = 100;
/** Entries of `allow` of one zone. */
const ALLOWED_INBOUND = 64;

function addressRow({ address, prefixLength, scope, dynamic, temporary, deprecated }: LinkAddress): NetworkAddress {
  return { address, prefix: prefixLength, scope, dynamic, temporary, deprecated };
}

function interfaceRow(view: InterfaceView): NetworkInterface {
  return {
    name: clipped(view.name), kind: view.kind, up: view.up, connected: view.connected, mac: view.mac, zone: view.zone,
    addresses: view.addresses.map(addressRow),
    ...(view.addressesLeftOut === 0 ? {} : { addresses_left_out: view.addressesLeftOut }),
    ...(view.problem === undefined ? {} : { problem: clipped(view.problem) }),
  };
}

function containerRow({ engine, id: containerId, name, image, state, zone, hostNetwork, addresses }: Container): NetworkContainer {
  return {
    engine, id: containerId, name: clipped(name), image: clipped(image), state, zone, host_network: hostNetwork,
    addresses: addresses.map(({ network, address, prefixLength }) => clipped(`${network} ${address}/${String(prefixLength)}`)),
  };
}

function setRow({ family, table, set, version, state, problem, elements, others }: SetView): NetworkSet {
  return {
    name: clipped(`${family} ${table} ${set}`), version, state, problem: clipped(problem),
    elements: elements.slice(0, WIRE_LIMITS.pageRows), others,
  };
}

function engineRow({ engine, socket, state, problem }: EngineView): NetworkEngine {
  return { engine, socket: clipped(socket), state, problem: clipped(problem) };
}

function zoneRow({ id, patterns, interfaces, containers, sets, inbound, inboundRefused = 0 }: ZoneView, usedBy: readonly string[]): NetworkZone {
  const addresses = interfaces.flatMap((one) => one.addresses.map(({ address, prefixLength }) => `${address}/${String(prefixLength)}`));
  return {
    id, patterns: patterns.slice(0, WIRE_LIMITS.pageRows), interfaces: interfaces.map(({ name }) => clipped(name)).slice(0, WIRE_LIMITS.pageRows),
    addresses: addresses.slice(0, WIRE_LIMITS.pageRows), used_by: usedBy.slice(0, RULES_NAMED),
    containers: containers.map(({ name }) => clipped(name)).slice(0, WIRE_LIMITS.pageRows), sets: sets.map(setRow),
    inbound: inbound.policy, inbound_allow: inbound.allow,
    ...(inboundRefused === 0 ? {} : { inbound_refused: inboundRefused }),
  };
}

function stateOf(engine: EngineApi, network: NetworkApi): NetworkState {
  const { connections, ssids, gateways } = network.current();
  return {
    connections: connections.map(clipped), ssids: ssids.map(clipped),
    gateways: gateways.map(({ address, mac }) => ({ address, mac: mac ?? '' })),
    profile: engine.activeProfile() ?? '',
    engines: network.engines().map(engineRow), inbound_by: network.inboundBy(),
  };
}

/** The interface on `network`, and on `engine`, which knows rules and profile. */
export function networkInterfaceOf(engine: EngineApi, network: NetworkApi): ServedInterface {
  return {
    name: INTERFACES.network,
    methods: {
      ListInterfaces: method({
        input: [limit, cursor],
        names: ['limit', 'cursor'],
        output: [rows(networkInterface), string],
        run: async (_call, count, from) => {
          const page = pageOf(await network.interfaces(), ({ name }) => name, count, from);
          return [page.rows.map(interfaceRow), page.next];
        },
      }),
      ListZones: method({
        input: [limit, cursor],
        names: ['limit', 'cursor'],
        output: [rows(networkZone), string],
        run: async (_call, count, from) => {
          const page = pageOf(await network.zones(), ({ id }) => id, count, from);
          const naming = page.rows.length === 0 ? [] : engine.ruleInfos().filter(({ zone }) => zone !== undefined && zone !== '');
          const usersOf = (id: string): readonly string[] => naming.filter(({ zone }) => zone === id).map((rule) => rule.id);
          return [page.rows.map((zone) => zoneRow(zone, usersOf(zone.id))), page.next];
        },
      }),
      ListContainers: method({
        input: [limit, cursor],
        names: ['limit', 'cursor'],
        output: [rows(networkContainer), string],
        run: (_call, count, from) => {
          const page = pageOf(network.containers(), ({ id }) => id, count, from);
          return [page.rows.map(containerRow), page.next];
        },
      }),
      SetInbound: method({
        input: [id, string, array(inboundAllow, ALLOWED_INBOUND)],
        names: ['zone', 'policy', 'allow'],
        output: [],
        details: (_caller, zone, policy) => ({ subject: forDialog(`inbound of zone ${zone}: ${policy}`) }),
        async run(_call, zone, policy, allow) {
          const known = INBOUND_POLICIES.find((one) => one === policy);
          if (known === undefined) throw new BastionError('InvalidArgument', 'policy: write off, allow or deny');
          await network.setInbound(zone, { policy: known, allow });
          return [];
        },
      }),
      Current: method({ input: [], names: [], output: [networkState], run: () => [stateOf(engine, network)] }),
    },
    properties: {},
    signals: { Changed: '' },
  };
}
