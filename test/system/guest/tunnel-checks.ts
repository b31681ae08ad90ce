/**
 * The outer packet of a tunnel is the kernel's, decided by a rule for `kernel`: never under the name of the program whose
 * packet is inside. The program of all these checks is one that may do everything, so a packet under its name would leave.
 */
import assert from 'node:assert/strict';
import type { FlowInfo } from '../../../helper/contract/types.ts';
import { ADDRESSES, toolAtPeer } from './machine.ts';
import type { Machine } from './machine.ts';
import type { Check } from './report.ts';
import { TUNNELS } from './tunnels.ts';
import type { Tunnel } from './tunnels.ts';

const ECHO_PORT = '7';
const UNDECIDED_PORT = '4005';
const MODES = ['tcp', 'udp-echo'] as const;
const PAGE = 200;
const KERNEL_RULE = `[[rule]]
id = "tunnels"
action = "allow"
application = { path = "kernel" }
destination = { address = "${ADDRESSES.peer4}" }
`;

function speakInside(machine: Machine, program: string, tunnel: Tunnel, port: string): Promise<readonly (number | null)[]> {
  return Promise.all(MODES.map(async (mode) => (await machine.run(program, mode, tunnel.innerThere, port)).status));
}

async function outerCount(machine: Machine, tunnel: Tunnel): Promise<number> {
  return (await machine.peer.counts()).of(tunnel.outerKey);
}

async function flowsTo(machine: Machine, address: string): Promise<readonly FlowInfo[]> {
  const { rows } = await machine.client.queryFlows({}, PAGE, '');
  return rows.filter((row) => row.address === address);
}

async function outerIsHeld(machine: Machine, tunnel: Tunnel): Promise<string> {
  tunnel.make(machine.folder);
  await machine.peer.watch();
  const status = await speakInside(machine, machine.allowed, tunnel, ECHO_PORT);
  assert.ok(status.every((one) => one !== 0), `the program got through: ${status.join(' ')}`);
  assert.equal(await outerCount(machine, tunnel), 0, 'outer packets arrived');
  const rows = (await flowsTo(machine, ADDRESSES.peer4)).filter(({ port, protocol }) =>
    port === tunnel.outerPort && (tunnel.outerPort > 0 || protocol === String(tunnel.outerProtocol) || protocol.toLowerCase() === tunnel.name.toLowerCase()));
  assert.ok(rows.length > 0, 'the outer packet is not in the list of flows');
  assert.deepEqual([...new Set(rows.map(({ path }) => path))], ['kernel']);
  return `0 outer packets; listed as ${rows.map((row) => `${row.application}, ${row.protocol} ${String(row.port)}`)[0] ?? ''}`;
}

async function outerObeysItsRule(machine: Machine, tunnel: Tunnel): Promise<string> {
  await machine.setRules(KERNEL_RULE);
  await machine.peer.watch();
  const status = await speakInside(machine, machine.allowed, tunnel, ECHO_PORT);
  assert.deepEqual(status, [0, 0]);
  const outer = await outerCount(machine, tunnel);
  assert.ok(outer > 0, 'no outer packet was counted');
  return `TCP and UDP inside, ${String(outer)} outer packets`;
}

function countInside(tunnel: Tunnel): string {
  return `add table ip inside
delete table ip inside
table ip inside {
  chain input {
    type filter hook input priority 0
    ip daddr ${tunnel.innerThere} th dport ${UNDECIDED_PORT} counter
  }
}
`;
}

/** The tunnel is open, and yet the program inside is asked about under its own name and on the tunnel's device. */
async function innerIsDecided(machine: Machine, tunnel: Tunnel): Promise<string> {
  toolAtPeer('nft', ['-f', '-'], countInside(tunnel));
  const status = await speakInside(machine, machine.undecided, tunnel, UNDECIDED_PORT);
  assert.ok(status.every((one) => one !== 0), `the program got through: ${status.join(' ')}`);
  assert.match(toolAtPeer('nft', ['list', 'table', 'ip', 'inside']), /counter packets 0 /u);
  const rows = (await flowsTo(machine, tunnel.innerThere)).filter((row) => row.port === Number(UNDECIDED_PORT));
  assert.deepEqual([...new Set(rows.map((row) => `${row.path} on ${row.interface}`))], [`${machine.undecided} on ${tunnel.device}`]);
  return `0 inner packets; ${String(rows.length)} flows under the program's name on ${tunnel.device}`;
}

async function outerEnds(machine: Machine, tunnel: Tunnel): Promise<string> {
  await machine.setRules(null);
  await machine.peer.watch();
  const status = await speakInside(machine, machine.allowed, tunnel, ECHO_PORT);
  assert.ok(status.every((one) => one !== 0), `the program got through: ${status.join(' ')}`);
  assert.equal(await outerCount(machine, tunnel), 0, 'outer packets arrived');
  return '0 outer packets';
}

/**
 * Outer packets are held by netfilter alone: they carry the socket of the program inside, and the gate judges by the socket.
 * What is inside is judged before it is wrapped.
 */
async function gateJudgesInside(machine: Machine): Promise<string> {
  const outer: string[] = [];
  for (const tunnel of TUNNELS) {
    toolAtPeer('nft', ['-f', '-'], countInside(tunnel));
    const status = await speakInside(machine, machine.undecided, tunnel, UNDECIDED_PORT);
    assert.ok(status.every((one) => one !== 0), `${tunnel.name}: the program got through: ${status.join(' ')}`);
    assert.match(toolAtPeer('nft', ['list', 'table', 'ip', 'inside']), /counter packets 0 /u, tunnel.name);
    await machine.peer.watch();
    await speakInside(machine, machine.allowed, tunnel, ECHO_PORT);
    outer.push(`${tunnel.name} ${String(await outerCount(machine, tunnel))}`);
  }
  return `0 inner packets; outer packets of an allowed program: ${outer.join(', ')}`;
}

export const tunnelChecks: readonly Check[] = TUNNELS.flatMap((tunnel) => [
  { name: `${tunnel.name}: without a rule for the kernel no outer packet leaves`, run: (machine: Machine) => outerIsHeld(machine, tunnel) },
  { name: `${tunnel.name}: with one, an allowed program works inside`, run: (machine: Machine) => outerObeysItsRule(machine, tunnel) },
  { name: `${tunnel.name}: a program without a rule sends nothing inside`, run: (machine: Machine) => innerIsDecided(machine, tunnel) },
  { name: `${tunnel.name}: when the rule goes, the outer packets end`, run: (machine: Machine) => outerEnds(machine, tunnel) },
]);

export const gateTunnelCheck: Check = { name: 'a program without a rule sends nothing through a tunnel', run: gateJudgesInside };
