/** What an administrator does to the unit of a running system, one thing after the other. */
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FULL_SIZE, until } from '../../integration/support.ts';
import { mustHold } from '../../must-hold.ts';
import { noSystem } from './image.ts';
import { HELPER_UNIT, SystemMachine } from './machine.ts';
import { ALLOWED } from './root.ts';
import { allowedWorks, attached, decideAllowed, inState, running, staysSilent } from './support.ts';

const RESTARTS = FULL_SIZE ? 50 : 3;
const ANOTHER = '/opt/rig/another';
const ANOTHER_RULE = `[[rule]]
id = "rig-another"
action = "allow"
application = { path = "${ANOTHER}" }
`;

/** Whatever anybody's tools list of ours. */
const REMAINS = `
nft list ruleset | grep -i bastion
for tool in iptables-nft iptables-legacy ip6tables-nft ip6tables-legacy; do "$tool-save" 2>/dev/null | grep -i bastion; done
ls /sys/fs/bpf/bastion 2>/dev/null
true`;

const STOPPED = 'its helper was stopped';

async function stops(machine: SystemMachine): Promise<void> {
  const from = machine.console().length;
  await machine.must(['systemctl', 'stop', HELPER_UNIT]);
  await inState(machine, HELPER_UNIT, 'inactive');
  await until('the console to say what holds', () =>
    Promise.resolve(machine.console().slice(from).includes(`${STOPPED}. Connections that nobody has decided are refused`) ? true : null));
  await staysSilent(machine, 'stopped');
  await allowedWorks(machine, 'what was decided goes on');
  await machine.must(['systemctl', 'start', HELPER_UNIT]);
  await attached(machine);
  await staysSilent(machine, 'started again');
}

/** Only systemctl stops it. */
async function endedBySignal(machine: SystemMachine): Promise<void> {
  const from = machine.console().length;
  const { pid } = await running(machine);
  await machine.must(['kill', '-TERM', String(pid)]);
  await running(machine, pid);
  await attached(machine);
  assert.ok(!machine.console().slice(from).includes(STOPPED));
  await staysSilent(machine, 'after a signal that ends it');
}

async function restarts(machine: SystemMachine): Promise<void> {
  const from = machine.console().length;
  for (let round = 0; round < RESTARTS; round++) {
    await machine.must(['systemctl', 'reset-failed', HELPER_UNIT]);
    await machine.must(['systemctl', 'restart', HELPER_UNIT]);
    await staysSilent(machine, `restart ${String(round + 1)}`);
  }
  await allowedWorks(machine, 'after restarts');
  assert.ok(!machine.console().slice(from).includes(STOPPED), 'a restart is no stop');
}

async function reloads(machine: SystemMachine): Promise<void> {
  const { pid } = await running(machine);
  copyFileSync(join(machine.root, ALLOWED), join(machine.root, ANOTHER));
  machine.put('/etc/bastion/rules.d/20-rig.toml', ANOTHER_RULE, 0o640);
  await machine.must(['systemctl', 'reload', HELPER_UNIT]);
  await until('the new rule to count', async () => ((await machine.allowed(ANOTHER)).every((status) => status === 0) ? true : null), 30_000);
  assert.equal((await running(machine)).pid, pid);
  await staysSilent(machine, 'reloaded');
}

/** It empties the ruleset, and loads its own. */
async function otherRulesLoad(machine: SystemMachine): Promise<void> {
  await machine.must(['systemctl', 'restart', 'nftables.service']);
  await staysSilent(machine, 'without our rules, or with them again');
  await until('our rules', async () => ((await machine.must(['nft', 'list', 'ruleset'])).includes('BASTION_HOLD') ? true : null), 30_000);
  await allowedWorks(machine, 'with our rules again');
}

async function busRestarts(machine: SystemMachine): Promise<void> {
  const { pid } = await running(machine);
  await machine.must(['systemctl', 'reset-failed', HELPER_UNIT]);
  await machine.must(['systemctl', 'restart', 'dbus.service']);
  await running(machine, pid);
  await staysSilent(machine, 'on a new bus');
  await attached(machine);
}

async function rescued(machine: SystemMachine): Promise<void> {
  const from = machine.console().length;
  const said = await machine.must(['bastion-rescue']);
  assert.match(said, /systemctl unmask/u, 'it says how to come back');
  assert.equal((await machine.unit(HELPER_UNIT, 'LoadState')).LoadState, 'masked');
  assert.equal(await machine.must(['sh', '-c', REMAINS]), '');
  await until('packets of the undecided program', async () => ((await machine.leaked()).undecided.length > 0 ? true : null), 30_000);
  assert.notEqual((await machine.run(['systemctl', 'start', HELPER_UNIT])).status, 0, 'nothing starts it by accident');
  assert.ok(!machine.console().slice(from).includes(STOPPED), 'nobody is told that anything is refused');
}

async function comesBack(machine: SystemMachine): Promise<void> {
  await machine.must(['systemctl', 'unmask', HELPER_UNIT]);
  await machine.must(['systemctl', 'start', HELPER_UNIT]);
  await machine.peer.watch();
  await attached(machine);
  await staysSilent(machine, 'after rescue and return');
  await allowedWorks(machine, 'after rescue and return');
}

test('a system with systemd keeps its promises whatever its administrator does', { skip: noSystem() }, async (t) => {
  await using machine = await SystemMachine.started();
  await decideAllowed(machine);
  await t.test('systemctl stop leaves what is undecided closed and what is decided as it was', () => stops(machine));
  await t.test('a signal that ends the helper in good order is no stop: another one is started', () => endedBySignal(machine));
  await t.test('systemctl restart has no open moment', () => restarts(machine));
  await t.test('systemctl reload reads rules without an open moment', () => reloads(machine));
  await t.test('a restart of nftables.service, which empties the ruleset, opens nothing', () => otherRulesLoad(machine));
  await t.test('a restart of the bus restarts the helper, without an open moment', () => busRestarts(machine));
  await t.test('bastion-rescue takes everything away, and nothing starts it again by itself', () => rescued(machine));
  await t.test('the way back from rescue closes it again', () => comesBack(machine));
  mustHold({
    id: 'system-stop', claim: 'systemctl stop, start, restart and reload; restart of nftables.service and of the bus', size: `${String(RESTARTS)} restarts, one of each other`, undecided: 0,
    figures: ['connections of a decided program went on while it was stopped'],
  });
});
