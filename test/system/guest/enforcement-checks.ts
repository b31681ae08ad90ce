/** What programs may send, with everything in place and with nothing left but the gate. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, tool } from '../../lab/process.ts';
import { ADDRESSES, MOVED_ADDRESS } from './machine.ts';
import type { Machine } from './machine.ts';
import type { Check } from './report.ts';

const VERIFIER_LINES = 14;
const UNDECIDED_PORT = '4001';
const FORBIDDEN = [`tcp/${UNDECIDED_PORT}`, `tcp6/${UNDECIDED_PORT}`, `udp/${UNDECIDED_PORT}`, `udp6/${UNDECIDED_PORT}`, 'icmp/8', 'icmp6/128'];

/** What the kernel's verifier says of the first program that it refuses; the helper keeps no more than the error's name. */
async function verifierWords(machine: Machine): Promise<string> {
  const object = join(ROOT, 'build/native/bastion.bpf.o');
  const { stdout, stderr } = await machine.run('bpftool', '--debug', 'prog', 'loadall', object, '/sys/fs/bpf/look');
  const lines = `${stdout}\n${stderr}`.split('\n');
  const refused = lines.findIndex((line) => line.includes('BPF program load failed'));
  const end = lines.findIndex((line, number) => number > refused && line.includes('END PROG LOAD LOG'));
  return refused < 0 ? 'bpftool loads every program' : [lines[refused], ...lines.slice(Math.max(refused + 1, end - VERIFIER_LINES), end)].join('\n');
}

async function protects(machine: Machine): Promise<void> {
  const { state, degradedReasons } = await machine.client.status();
  if (state !== 'protecting') assert.fail(`${state}: ${JSON.stringify(degradedReasons)}\n${await verifierWords(machine)}`);
}

async function everythingLoaded(machine: Machine): Promise<string> {
  await protects(machine);
  const attached = tool('bpftool', ['cgroup', 'show', '/sys/fs/cgroup']).trim().split('\n').slice(1).map((line) => line.trim().split(/\s+/u).slice(1).join(' '));
  return `${readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim()}, on the root cgroup: ${attached.join(', ')}`;
}

/** Each way at the same time; no answer comes, so each goes on until its own patience ends. */
async function undecidedIsSilent(machine: Machine): Promise<string> {
  const { peer4, peer6 } = ADDRESSES;
  await machine.peer.watch();
  const tries = [
    ...[peer4, peer6].flatMap((address) => ['tcp', 'udp-echo'].map((mode) => [machine.undecided, mode, address, UNDECIDED_PORT])),
    ...[peer4, peer6].map((address) => ['ping', '-c2', '-W2', address]),
  ];
  const results = await Promise.all(tries.map((argv) => machine.run(...argv)));
  assert.ok(results.every(({ status }) => status !== 0), `status: ${results.map(({ status }) => String(status)).join(' ')}`);
  const counts = await machine.peer.counts();
  assert.equal(counts.lost, 0);
  assert.deepEqual(FORBIDDEN.filter((key) => counts.of(key) > 0), [], [...counts.keys].join(' '));
  return `${String(tries.length)} programs, 0 packets of theirs among ${String(counts.packets)}; status ${results.map(({ status }) => String(status)).join(' ')}`;
}

async function allowedWorks(machine: Machine): Promise<string> {
  for (const address of [ADDRESSES.peer4, ADDRESSES.peer6]) {
    for (const mode of ['tcp', 'udp-echo']) {
      const { status, durationMs } = await machine.run(machine.allowed, mode, address, '7');
      assert.equal(status, 0, `${mode} to ${address} after ${durationMs.toFixed(0)} ms`);
    }
  }
  return 'TCP and UDP, IPv4 and IPv6';
}

/**
 * The rule names the address that the program asks for; netfilter sends it elsewhere. Conntrack is a module here, and is
 * loaded only now.
 */
async function dnatIsSeenThrough(machine: Machine): Promise<string> {
  tool('nft', ['-f', '-'], `table ip moved {
  chain output {
    type nat hook output priority -100
    ip daddr ${MOVED_ADDRESS} dnat to ${ADDRESSES.peer4}
  }
}
`);
  try {
    for (const mode of ['tcp', 'udp-echo']) {
      const { status } = await machine.run(machine.moved, mode, MOVED_ADDRESS, '7');
      assert.equal(status, 0, mode);
    }
    await machine.peer.watch();
    for (const mode of ['tcp', 'udp-echo']) {
      assert.notEqual((await machine.run(machine.moved, mode, ADDRESSES.peer4, '7')).status, 0, mode);
    }
    const counts = await machine.peer.counts();
    assert.deepEqual([counts.of('syn/7'), counts.of('udp/7')], [0, 0]);
  } finally {
    tool('nft', ['delete', 'table', 'ip', 'moved']);
  }
  return 'TCP and UDP; 0 packets to the same peer under its own address';
}

/** Kills first: the helper would put the rules back. */
async function flushAll(machine: Machine): Promise<string> {
  await machine.killHelper();
  tool('nft', ['flush', 'ruleset']);
  assert.equal(tool('nft', ['list', 'ruleset']).trim(), '');
  return `pinned: ${readdirSync('/sys/fs/bpf/bastion').join(' ')}`;
}

async function comesBack(machine: Machine): Promise<string> {
  await machine.startHelper();
  await protects(machine);
  return '';
}

export const loadCheck: Check = { name: 'every part of the helper loads, and guards the root cgroup', run: everythingLoaded };
export const flushCheck: Check = { name: 'the helper is killed and every netfilter rule flushed', run: flushAll };
export const returnCheck: Check = { name: 'a new helper takes over what is pinned', run: comesBack };

export const natCheck: Check = { name: 'a rule for an address holds for what DNAT makes of it', run: dnatIsSeenThrough };

export const enforcementChecks: readonly Check[] = [
  { name: 'programs without a rule send nothing', run: undecidedIsSilent },
  { name: 'an allowed program works', run: allowedWorks },
];
