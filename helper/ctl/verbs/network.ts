/** network: interfaces, zones with their sets and what comes in, containers, and the network that this machine is in. */
import { EXIT } from '../../contract/names.ts';
import { INBOUND_POLICIES } from '../../contract/types.ts';
import type { NetworkAddress, NetworkContainer, NetworkEngine, NetworkInterface, NetworkSet, NetworkZone } from '../../contract/types.ts';
import { readAll } from '../context.ts';
import type { Context } from '../context.ts';
import { RefusedError } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { printable } from '../text/escape.ts';
import { allowText, readAllow } from '../text/inbound.ts';
import { details, table } from '../text/table.ts';
import type { Column } from '../text/table.ts';
import type { Invocation, Noun } from '../tree.ts';
import { oneOf, textOption } from './options.ts';

/** JSON of an address; the keys are stable. */
function addressJson({ address, prefix, scope, dynamic, temporary, deprecated }: NetworkAddress): unknown {
  return { address, prefix, scope, dynamic, temporary, deprecated };
}

/** JSON of an interface; the keys are stable. */
function interfaceJson({ name, kind, up, connected, mac, zone, addresses, addresses_left_out: leftOut, problem }: NetworkInterface): unknown {
  return { name, kind, up, connected, mac, zone, addresses: addresses.map(addressJson), addresses_left_out: leftOut ?? 0, problem: problem ?? '' };
}

/** JSON of a set; the keys are stable. */
function setJson({ name, version, state, problem, elements, others }: NetworkSet): Readonly<Record<string, unknown>> {
  return { name, version, state, problem, elements, others };
}

/** JSON of a zone; the keys are stable. */
function zoneJson(zone: NetworkZone): unknown {
  const { id, patterns, interfaces, addresses, used_by, containers = [], sets = [], inbound = 'off', inbound_allow: allow = [], inbound_refused: refused = 0 } = zone;
  return { id, patterns, interfaces, addresses, used_by, containers, sets: sets.map(setJson), inbound, inbound_allow: allow, inbound_refused: refused };
}

/** JSON of a container; the keys are stable. */
function containerJson({ engine, id, name, image, state, zone, host_network, addresses }: NetworkContainer): unknown {
  return { engine, id, name, image, state, zone, host_network, addresses };
}

/** JSON of an engine; the keys are stable. */
function engineJson({ engine, socket, state, problem }: NetworkEngine): unknown {
  return { engine, socket, state, problem };
}

function stateWord({ up, connected }: NetworkInterface): string {
  if (!up) return 'off';
  return connected ? 'connected' : 'on';
}

function addressesText({ addresses, addresses_left_out: leftOut = 0, problem = '' }: NetworkInterface): string {
  const shown = addresses.map(({ address, prefix }) => `${address}/${String(prefix)}`).join(', ');
  const all = leftOut === 0 ? shown : `${shown}, and ${String(leftOut)} more`;
  return [all, problem].filter((part) => part !== '').join(' - ');
}

const INTERFACE_COLUMNS: readonly Column<NetworkInterface>[] = [
  { title: 'INTERFACE', cell: ({ name }) => name },
  { title: 'KIND', cell: ({ kind }) => kind, spare: 1 },
  { title: 'STATE', cell: stateWord },
  { title: 'ZONE', cell: ({ zone }) => zone },
  { title: 'ADDRESSES', cell: addressesText, flexible: true },
];

const ZONE_COLUMNS: readonly Column<NetworkZone>[] = [
  { title: 'ZONE', cell: ({ id }) => id },
  { title: 'NAMED', cell: ({ patterns }) => patterns.join(', '), flexible: true },
  { title: 'INTERFACES', cell: ({ interfaces }) => interfaces.join(', '), flexible: true },
  { title: 'CONTAINERS', spare: 2, cell: ({ containers = [] }) => containers.join(', '), flexible: true },
  { title: 'INBOUND', spare: 1, cell: inboundText },
  { title: 'RULES', cell: ({ used_by: usedBy }) => usedBy.join(', '), flexible: true },
];

interface SetRow extends NetworkSet {
  readonly zone: string;
}

const SET_COLUMNS: readonly Column<SetRow>[] = [
  { title: 'ZONE', cell: ({ zone }) => zone },
  { title: 'SET', cell: ({ name }) => name },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'NOT OURS', spare: 1, right: true, cell: ({ others }) => String(others) },
  { title: 'ELEMENTS', cell: ({ elements }) => elements.join(', '), flexible: true },
];

const CONTAINER_COLUMNS: readonly Column<NetworkContainer>[] = [
  { title: 'CONTAINER', cell: ({ name }) => name },
  { title: 'ENGINE', spare: 1, cell: ({ engine }) => engine },
  { title: 'IMAGE', spare: 2, cell: ({ image }) => image, flexible: true },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'ZONE', cell: ({ zone }) => zone },
  { title: 'ADDRESSES', cell: ({ addresses, host_network: onHost }) => (onHost ? 'those of the machine' : addresses.join(', ')), flexible: true },
];

const ENGINE_COLUMNS: readonly Column<NetworkEngine>[] = [
  { title: 'ENGINE', cell: ({ engine }) => engine },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'SOCKET', cell: ({ socket }) => socket, flexible: true },
  { title: 'PROBLEM', cell: ({ problem }) => problem, flexible: true },
];

function inboundText({ inbound = 'off', inbound_allow: allow = [], inbound_refused: refused = 0 }: NetworkZone): string {
  const policy = inbound === 'deny' && allow.length > 0 ? `deny, but ${allow.map(allowText).join(' ')}` : inbound;
  return refused === 0 ? policy : `${policy}; ${String(refused)} refused`;
}

function setsOf(rows: readonly NetworkZone[]): readonly SetRow[] {
  return rows.flatMap(({ id, sets = [] }) => sets.map((one) => ({ ...one, zone: id })));
}

/** A line for each set with which something is wrong; the command that mends it is in it. */
function setProblems(context: Context, rows: readonly SetRow[]): string {
  return rows.filter(({ problem }) => problem !== '').map(({ name, problem }) => `${context.style.bad(printable(name))}: ${printable(problem)}\n`).join('');
}

function engineSentence({ engine, socket, state, problem }: NetworkEngine): string {
  const name = engine === 'docker' ? 'Docker' : 'Podman';
  switch (state) {
    case 'connected': return `${name} answers on ${printable(socket)} and runs none.`;
    case 'connecting': return `${name} is being asked on ${printable(socket)}.`;
    case 'absent': return `${name} is looked for at ${printable(socket)}, where there is no socket. For another one: [containers] ${engine} = "..." in bastion.toml.`;
    case 'forbidden':
    case 'failing': return `${name} at ${printable(socket)}: ${printable(problem)}`;
  }
}

async function interfaces(context: Context): Promise<ExitCode> {
  const rows = await readAll((limit, cursor) => context.client().listInterfaces(limit, cursor));
  if (context.options.json) context.json(rows.map(interfaceJson));
  else if (rows.length === 0) context.say('There are no network interfaces.');
  else await context.show(table(INTERFACE_COLUMNS, rows, context.tableWidth, context.style.strong));
  return EXIT.done;
}

async function zones(context: Context): Promise<ExitCode> {
  const rows = await readAll((limit, cursor) => context.client().listZones(limit, cursor));
  if (context.options.json) context.json(rows.map(zoneJson));
  else if (rows.length === 0) context.say('There are no zones. Write an [[interface]] into bastion.toml; see bastion.toml(5).');
  else await context.show(`${table(ZONE_COLUMNS, rows, context.tableWidth, context.style.strong)}${setProblems(context, setsOf(rows))}`);
  return EXIT.done;
}

async function sets(context: Context): Promise<ExitCode> {
  const rows = setsOf(await readAll((limit, cursor) => context.client().listZones(limit, cursor)));
  if (context.options.json) context.json(rows.map((row) => ({ zone: row.zone, ...setJson(row) })));
  else if (rows.length === 0) context.say('No sets are kept. Write a [[zone]] into bastion.toml; see bastion.toml(5).');
  else await context.show(`${table(SET_COLUMNS, rows, context.tableWidth, context.style.strong)}${setProblems(context, rows)}`);
  return EXIT.done;
}

async function containers(context: Context): Promise<ExitCode> {
  const client = context.client();
  const rows = await readAll((limit, cursor) => client.listContainers(limit, cursor));
  if (context.options.json) {
    context.json(rows.map(containerJson));
    return EXIT.done;
  }
  const { engines = [] } = await client.network();
  if (rows.length > 0) await context.show(table(CONTAINER_COLUMNS, rows, context.tableWidth, context.style.strong));
  else context.say(engines.length === 0 ? 'Containers are not looked for: [containers] in bastion.toml switches both engines off.' : 'There are no containers.');
  // With containers of one engine, the other is worth a word only where something is wrong.
  for (const one of engines.filter(({ state }) => rows.length === 0 || state === 'forbidden' || state === 'failing')) context.say(engineSentence(one));
  return EXIT.done;
}

async function engines(context: Context): Promise<ExitCode> {
  const { engines: rows = [] } = await context.client().network();
  if (context.options.json) context.json(rows.map(engineJson));
  else if (rows.length === 0) context.say('No engine is looked for: [containers] in bastion.toml switches both off.');
  else await context.show(table(ENGINE_COLUMNS, rows, context.tableWidth, context.style.strong));
  return EXIT.done;
}

async function inbound(context: Context, { args, options }: Invocation): Promise<ExitCode> {
  const [zone = '', word = ''] = args;
  const policy = oneOf('policy', word, INBOUND_POLICIES);
  const given = textOption(options, 'allow');
  const named = given === undefined ? null : readAllow(given);
  const client = await context.privilegedClient();
  const before = (await readAll((limit, cursor) => client.listZones(limit, cursor))).find(({ id }) => id === zone);
  if (before === undefined) throw new RefusedError(`There is no zone '${zone}'.`, 'bastionctl network zones');
  // What is let in is not forgotten by a change of the policy alone.
  const allow = named ?? before.inbound_allow ?? [];
  await client.setInbound(zone, policy, allow);
  const { inbound_by: keeper = 'nobody' } = await client.network();
  const except = policy === 'deny' && allow.length > 0 ? `, but ${allow.map(allowText).join(' ')}` : '';
  context.result({ zone, inbound: policy, allow, inbound_by: keeper }, `Inbound of zone ${zone}: ${policy}${except}.`);
  if (policy !== 'off' && (keeper === 'ufw' || keeper === 'firewalld')) context.note(`${keeper} is active and judges what comes in; this counts when it is gone.`);
  return EXIT.done;
}

async function current(context: Context): Promise<ExitCode> {
  const { connections, ssids, gateways, profile, inbound_by: keeper = 'nobody' } = await context.client().network();
  if (context.options.json) {
    context.json({ connections, ssids, gateways: gateways.map(({ address, mac }) => ({ address, mac })), profile, inbound_by: keeper });
    return EXIT.done;
  }
  const routers = gateways.map(({ address, mac }) => (mac === '' ? address : `${address} (${mac})`));
  const text = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.join(', '));
  await context.show(details([
    { name: 'Connections', value: text(connections) },
    { name: 'Wireless networks', value: text(ssids) },
    { name: 'Gateways', value: text(routers) },
    { name: 'Profile', value: profile === '' ? 'none' : profile },
    { name: 'Inbound judged by', value: keeper },
  ]));
  return EXIT.done;
}

export const network: Noun = {
  name: 'network',
  about: 'Interfaces, zones, containers, and the network that this machine is in',
  verbs: [
    { name: 'interfaces', about: 'List the network interfaces with addresses and zone', examples: ['network', 'network interfaces --json'], run: interfaces },
    { name: 'zones', about: 'List the zones of bastion.toml and what belongs to them now', examples: ['network zones'], run: zones },
    {
      name: 'sets', about: 'List the nftables sets that are kept for zones, with what is in them now',
      examples: ['network sets', 'network sets --json'], run: sets,
    },
    { name: 'containers', about: 'List the containers of Docker and Podman with their zone and addresses', examples: ['network containers'], run: containers },
    { name: 'engines', about: 'Show whether Docker and Podman are there and answer', examples: ['network engines'], run: engines },
    {
      name: 'inbound', about: 'Say what becomes of new connections from outside into a zone',
      text: 'off: nothing is looked at. deny: they are refused, but for what --allow says. allow: they are let in. Without --allow '
        + 'the zone goes on letting in what it did. It is written into bastion.toml.',
      args: [{ name: 'zone', about: 'zone of bastion.toml' }, { name: 'policy', about: 'what becomes of them', choices: INBOUND_POLICIES }],
      options: [{
        name: 'allow', value: 'ENTRIES',
        about: 'what is let in, with blanks between: services (ssh), ports (80,443/tcp); each with @ADDRESS and =/PROGRAM if wanted; "" for nothing',
      }],
      examples: ['network inbound wan deny --allow "ssh 80,443/tcp=/usr/sbin/nginx 8080/tcp@192.168.0.0/16"', 'network inbound wan off'],
      run: inbound,
    },
    { name: 'current', about: 'Show the network that profiles are recognized by', examples: ['network current'], run: current },
  ],
};
