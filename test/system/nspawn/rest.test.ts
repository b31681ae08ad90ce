/** A helper that cannot start: systemd gives up, the system comes to rest closed, and a person is told the way out. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../../integration/support.ts';
import { mustHold } from '../../must-hold.ts';
import { noSystem } from './image.ts';
import { HELPER_UNIT, SystemMachine } from './machine.ts';
import { allowedWorks, attached, decideAllowed, inState, running, staysSilent } from './support.ts';

const PROGRAM = '/usr/lib/bastion/helper/main.mjs';
/** As an update that stopped half-way leaves it. */
const BROKEN = 'import "./the rest of it is missing';
const LIMIT_MS = 80_000;
const WAYS_OUT = [/journalctl -u bastion-firewall/u, /systemctl reset-failed bastion-firewall/u, /bastion-rescue/u];

/** Resolves when systemd has given up and the console has the text; gives what was written since `from`. */
async function atRest(machine: SystemMachine, from: number): Promise<string> {
  await inState(machine, HELPER_UNIT, 'failed', LIMIT_MS);
  return until('the text on the console', () => {
    const text = machine.console().slice(from);
    return Promise.resolve(WAYS_OUT.every((way) => way.test(text)) ? text : null);
  }, LIMIT_MS);
}

async function repaired(machine: SystemMachine, whole: string): Promise<void> {
  machine.put(PROGRAM, whole);
  await machine.must(['sh', '-c', `systemctl reset-failed ${HELPER_UNIT}; systemctl start ${HELPER_UNIT}`]);
  await running(machine);
  await attached(machine);
}

test('a system with systemd whose helper cannot start rests closed and says the way out on the console', { skip: noSystem() }, async (t) => {
  await using machine = await SystemMachine.create();
  const whole = readFileSync(join(machine.root, PROGRAM), 'utf8');
  await t.test('from the boot on: only what gets an address leaves', async () => {
    machine.put(PROGRAM, BROKEN);
    await machine.boot();
    await atRest(machine, 0);
    await staysSilent(machine, 'at rest after the boot');
    const { counts } = await machine.leaked();
    for (const key of ['udp/67', 'udp6/547', 'icmp6/133']) assert.ok(counts.of(key) > 0, `${key} arrives`);
  });
  await t.test('what the console says brings it back', async () => {
    await repaired(machine, whole);
    await decideAllowed(machine);
    await staysSilent(machine, 'brought back');
  });
  await t.test('later: what was decided goes on, what was not is refused', async () => {
    const { pid } = await running(machine);
    const from = machine.console().length;
    machine.put(PROGRAM, BROKEN);
    await machine.must(['kill', '-KILL', String(pid)]);
    await atRest(machine, from);
    await staysSilent(machine, 'at rest after a crash');
    await allowedWorks(machine, 'at rest after a crash');
  });
  mustHold({
    id: 'system-rest', claim: 'A helper that cannot start: the start limit ends in a closed rest state, with the way out on the console',
    size: 'at the boot, and after a crash', undecided: 0, figures: ['DHCP and IPv6 neighbour discovery pass; the commands on the console bring it back'],
  });
});
