/**
 * How far the helper's unit is confined: what systemd says of it, that it has no way to servers, that lists come all the same, that
 * it needs each capability it has; and what it takes to run it.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { until } from '../../integration/support.ts';
import { ADDRESSES } from '../../lab/network.ts';
import { endChild } from '../../lab/process.ts';
import { mustHold } from '../../must-hold.ts';
import { noSystem } from './image.ts';
import { HELPER_UNIT, SystemMachine } from './machine.ts';
import { ALLOWED } from './root.ts';
import { allowedWorks, attached, load, pause, running, seconds } from './support.ts';

const MOST_EXPOSED = 2.5;
const RULES = 100;
const DROP_IN = `/etc/systemd/system/${HELPER_UNIT}.d/rig.conf`;
/** The time that a hang may take is another test's. */
const PATIENT = '[Service]\nWatchdogSec=30\n';
const OTHER_USER = '1000';
const LOOK_MS = 500;
const LIST_LIMIT_MS = 30_000;
const SETTLED_MS = 25_000;
const MEMORY_LIMIT_MS = 180_000;

const LIST = 'ads.example\n';
const SERVER = `require('http').createServer((request, response) => response.end(${JSON.stringify(LIST)})).listen(443, () => console.log('ready'))`;

function manyRules(): string {
  return Array.from({ length: RULES }, (_, index) => `[[rule]]
id = "rig-${String(index)}"
action = "deny"
application = { path = "/opt/rig/program-${String(index)}" }
destination = { host = "*.example-${String(index)}.test", port = "443" }
`).join('\n');
}

interface Status {
  readonly state: string;
  readonly degraded_reasons: readonly { readonly code: string }[];
}

/** Kernel programs of the helper before would go on refusing what this one knows nothing of. */
function withOptions(options: string): string {
  return options === '' ? '' : `ExecStartPre=-+/usr/bin/rm -r /sys/fs/bpf/bastion\nExecStart=\nExecStart=/usr/sbin/bastion-helper ${options}\n`;
}

/** Starts the helper anew with this in its unit; null where it cannot start or does not answer. */
async function restarted(machine: SystemMachine, unit: string): Promise<Status | null> {
  machine.put(DROP_IN, `${PATIENT}${unit}`);
  await machine.must(['systemctl', 'daemon-reload']);
  await machine.run(['systemctl', 'reset-failed', HELPER_UNIT]);
  if ((await machine.run(['systemctl', 'restart', HELPER_UNIT])).status !== 0) return null;
  const { status, stdout } = await machine.run(['bastionctl', 'status', '--json']);
  return status === 0 ? JSON.parse(stdout) as Status : null;
}

async function exposure(machine: SystemMachine): Promise<number> {
  const said = await machine.must(['systemd-analyze', 'security', '--no-pager', HELPER_UNIT]);
  const score = Number(/Overall exposure level for \S+ (\S+)/u.exec(said)?.[1]);
  assert.ok(score <= MOST_EXPOSED, said);
  return score;
}

/** A program that a rule allows, as part of the helper's unit. */
async function hasNoWayOut(machine: SystemMachine): Promise<void> {
  const join = `echo $$ > /sys/fs/cgroup/system.slice/${HELPER_UNIT}/cgroup.procs && exec "$@"`;
  const connect = [ALLOWED, 'tcp', ADDRESSES.peer4, '7'];
  assert.equal((await machine.guarded(connect)).status, 0, 'elsewhere it connects');
  assert.notEqual((await machine.run(['sh', '-c', join, 'sh', ...connect])).status, 0);
}

async function fetchesLists(machine: SystemMachine): Promise<void> {
  const server = machine.atPeer([process.execPath, '-e', SERVER]);
  try {
    assert.ok(server.stdout !== null);
    await once(server.stdout, 'data');
    const settings = await machine.must(['cat', '/etc/bastion/bastion.toml']);
    const sha256 = createHash('sha256').update(LIST).digest('hex');
    machine.put('/etc/bastion/bastion.toml', `${settings}\n[[list]]\nid = "far"\nurl = "http://${ADDRESSES.peer4}:443/"\nsha256 = "${sha256}"\n`, 0o640);
    await machine.must(['systemctl', 'reload', HELPER_UNIT]);
    await until('the list', async () => {
      const [list] = JSON.parse(await machine.must(['bastionctl', 'rules', 'lists', '--json'])) as readonly { readonly entries: number; readonly error: string }[];
      assert.equal(list?.error ?? '', '');
      if (list?.entries === 1) return true;
      await pause(LOOK_MS);
      return null;
    }, LIST_LIMIT_MS);
    assert.equal((await machine.unit('bastion-firewall-fetch.socket', 'NAccepted')).NAccepted, '1', 'its own unit fetched it');
  } finally {
    await endChild(server, 0);
  }
}

/** The unit lets the helper write into it, not make it. */
async function getsItsPinsBack(machine: SystemMachine): Promise<void> {
  const { pid } = await running(machine);
  await machine.must(['rm', '-r', '/sys/fs/bpf/bastion']);
  await running(machine, pid);
  await attached(machine);
  await machine.must(['test', '-e', '/sys/fs/bpf/bastion/maps/settings']);
  await allowedWorks(machine, 'with new pins');
}

/** Proportional set size of all that runs in the unit, in MB, when it has not changed for longer than the helper keeps what it does not need. */
async function idleMegabytes(machine: SystemMachine): Promise<number> {
  const measure = async (): Promise<number> => {
    const pids = (await machine.must(['cat', `/sys/fs/cgroup/system.slice/${HELPER_UNIT}/cgroup.procs`])).split('\n').filter((pid) => pid !== '');
    const rollups = await Promise.all(pids.map((pid) => machine.run(['cat', `/proc/${pid}/smaps_rollup`])));
    return rollups.reduce((sum, { stdout }) => sum + Number(/^Pss: +(\d+) kB$/mu.exec(stdout)?.[1] ?? 0), 0) / 1000;
  };
  let before = 0;
  let sinceMs = performance.now();
  return until('memory that stays the same', async () => {
    await pause(2 * LOOK_MS);
    const now = await measure();
    if (Math.abs(now - before) >= 2) [before, sinceMs] = [now, performance.now()];
    return now > 0 && performance.now() - sinceMs > SETTLED_MS ? now : null;
  }, MEMORY_LIMIT_MS);
}

/** Resident set of a process of the runtime that does nothing, in MB: the least that a helper can have. */
async function runtimeMegabytes(machine: SystemMachine): Promise<number> {
  const script = 'process.stdout.write(require("node:fs").readFileSync("/proc/self/smaps_rollup", "utf8"))';
  const rollup = await machine.must(['/usr/lib/bastion/bin/node', '--eval', script]);
  return Number(/^Rss: +(\d+) kB$/mu.exec(rollup)?.[1]) / 1000;
}

async function connects(machine: SystemMachine, ...as: readonly string[]): Promise<boolean> {
  return (await machine.guarded([...as, ALLOWED, 'tcp', ADDRESSES.peer4, '7'])).status === 0;
}

const SCRIPT = '/opt/rig/script.cjs';
const SCRIPT_RULE = `[[rule]]
id = "rig-script"
action = "allow"
application = { path = "/usr/lib/bastion/bin/node", script = "${SCRIPT}" }
`;

/** The helper's mounts are its own; a script still is what its path says to everybody else. */
async function knowsScripts(machine: SystemMachine): Promise<void> {
  machine.put(SCRIPT, `require('net').connect(7, '${ADDRESSES.peer4}', () => process.exit(0)).on('error', () => process.exit(1));\n`);
  machine.put('/etc/bastion/rules.d/40-rig.toml', SCRIPT_RULE, 0o640);
  // As the kernel sees them, processes have other numbers than in the rig: only here the helper finds them again.
  await restarted(machine, withOptions('--identification sock_diag'));
  assert.equal((await machine.guarded(['/usr/lib/bastion/bin/node', SCRIPT])).status, 0);
}

interface Need {
  readonly capability: string;
  /** What cannot be promised without it. */
  readonly promise: string;
  /** The command line on which it is promised. */
  readonly options: string;
  readonly holds: (machine: SystemMachine, status: Status) => boolean | Promise<boolean>;
}

const IN_KERNEL = 'programs are identified in the kernel';
const inKernel = (_machine: SystemMachine, { degraded_reasons: reasons }: Status): boolean => !reasons.some(({ code }) => code === 'kernel-identity');
const protects = (_machine: SystemMachine, { state }: Status): boolean => state === 'protecting';

const NEEDS: readonly Need[] = [
  { capability: 'CAP_NET_ADMIN', promise: 'it protects', options: '', holds: protects },
  { capability: 'CAP_NET_RAW', promise: 'it protects by iptables-legacy', options: '--backend iptables-legacy', holds: protects },
  { capability: 'CAP_BPF', promise: IN_KERNEL, options: '', holds: inKernel },
  { capability: 'CAP_PERFMON', promise: IN_KERNEL, options: '', holds: inKernel },
  {
    capability: 'CAP_SYS_PTRACE', promise: 'without the kernel programs, a program of root has its rule', options: '--identification sock_diag',
    holds: (machine) => connects(machine),
  },
  {
    capability: 'CAP_DAC_READ_SEARCH', promise: 'without the kernel programs, a program of a user has its rule', options: '--identification sock_diag',
    holds: (machine) => connects(machine, 'setpriv', `--reuid=${OTHER_USER}`, `--regid=${OTHER_USER}`, '--clear-groups', '--'),
  },
];

/** Whether the promise is kept with these capabilities and no others. */
async function keeps(machine: SystemMachine, { options, holds }: Need, capabilities: readonly string[]): Promise<boolean> {
  const status = await restarted(machine, `CapabilityBoundingSet=\nCapabilityBoundingSet=${capabilities.join(' ')}\n${withOptions(options)}`);
  return status !== null && holds(machine, status);
}

async function needsEach(machine: SystemMachine, all: readonly string[]): Promise<void> {
  assert.deepEqual([...all].sort(), NEEDS.map(({ capability }) => capability).sort(), 'each is needed for something');
  for (const need of NEEDS) {
    assert.ok(await keeps(machine, need, all), `with all: ${need.promise}`);
    assert.ok(!await keeps(machine, need, all.filter((capability) => capability !== need.capability)), `without ${need.capability}: ${need.promise}`);
  }
}

test('a system with systemd confines the helper as far as its work allows', { skip: noSystem() }, async (t) => {
  await using machine = await SystemMachine.create();
  machine.put('/etc/bastion/rules.d/20-rig.toml', manyRules(), 0o640);
  machine.put(DROP_IN, PATIENT);
  await machine.boot();
  const booted = await running(machine);
  await attached(machine);
  const figures = [`boot with ${String(RULES)} rules: ready ${seconds(booted.readyUs - booted.startedUs)} after the unit starts (${load()})`];
  const found: string[] = [];
  await t.test('systemd-analyze security', async () => { found.push(`systemd-analyze security: exposure ${String(await exposure(machine))}`); });
  // Undecided connections without end are not what an idle machine has.
  await machine.must(['systemctl', 'stop', 'rig-undecided.service', 'rig-addresses.service']);
  await t.test('nothing of its unit reaches a server', () => hasNoWayOut(machine));
  await t.test('lists are fetched all the same', () => fetchesLists(machine));
  await t.test('a folder of pins that somebody takes away comes back with the next start', () => getsItsPinsBack(machine));
  await t.test('memory', async () => {
    await restarted(machine, '');
    const again = await running(machine);
    figures.push(`started again: ready after ${seconds(again.readyUs - again.startedUs)} (${load()})`);
    const [idle, runtime] = [await idleMegabytes(machine), await runtimeMegabytes(machine)];
    figures.push(`idle: ${idle.toFixed(0)} MB (PSS of all processes of the unit); a process of the runtime that does nothing: ${runtime.toFixed(0)} MB`);
  });
  await t.test('a script has its rule', () => knowsScripts(machine));
  await t.test('each of its capabilities is needed', async () => {
    const unit = readFileSync(`${machine.root}/usr/lib/systemd/system/${HELPER_UNIT}`, 'utf8');
    await needsEach(machine, [...unit.matchAll(/^CapabilityBoundingSet=(.+)$/gmu)].flatMap(([, line = '']) => line.split(' ')));
  });
  mustHold({
    id: 'system-hardening', claim: 'The helper’s unit: exposure at most 2.5, no way to servers, no capability without need', size: `${String(NEEDS.length)} capabilities, each dropped in turn`, undecided: null,
    figures: [...found, ...figures],
  });
});
