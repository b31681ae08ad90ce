/** A helper that hangs or dies under systemd: who notices, how soon, and what leaves meanwhile. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FULL_SIZE } from '../../integration/support.ts';
import { mustHold } from '../../must-hold.ts';
import { noSystem } from './image.ts';
import { HELPER_UNIT, SystemMachine, monotonicUs } from './machine.ts';
import { allowedWorks, attached, decideAllowed, load, running, seconds, spread, staysSilent } from './support.ts';

const HANGS = FULL_SIZE ? 100 : 2;
const KILLS = FULL_SIZE ? 100 : 4;

/** Microseconds from the signal. */
interface Replaced {
  readonly startedUs: number;
  readonly readyUs: number;
}

/** Sends the signal and waits for another helper. `meanwhile` begins at once. */
async function replaced(machine: SystemMachine, signal: string, meanwhile: () => Promise<void>): Promise<Replaced> {
  // Many at a time are what the start limit is for; here each counts for itself.
  await machine.must(['systemctl', 'reset-failed', HELPER_UNIT]);
  const { pid } = await running(machine);
  const sentUs = monotonicUs();
  await machine.must(['kill', `-${signal}`, String(pid)]);
  await meanwhile();
  const { startedUs, readyUs } = await running(machine, pid);
  return { startedUs: startedUs - sentUs, readyUs: readyUs - sentUs };
}

function figures(what: string, found: readonly Replaced[]): readonly string[] {
  return [
    `from the ${what} to a new process: ${spread(found.map(({ startedUs }) => startedUs))}`,
    `from the ${what} to a helper that is ready: ${spread(found.map(({ readyUs }) => readyUs))} (${load()})`,
  ];
}

describe('a system with systemd, whose helper', { skip: noSystem() }, () => {
  test('hangs: the watchdog replaces it; nothing undecided leaves, and what is decided goes on', async (t) => {
    await using machine = await SystemMachine.started();
    await attached(machine);
    await decideAllowed(machine);
    const found: Replaced[] = [];
    for (let round = 0; round < HANGS; round++) {
      found.push(await replaced(machine, 'STOP', () => allowedWorks(machine, 'while the helper hangs')));
      await staysSilent(machine, `after hang ${String(round + 1)}`);
    }
    await attached(machine);
    await allowedWorks(machine, 'with the new helper');
    const journal = await machine.journal();
    assert.match(journal, /Watchdog timeout/u);
    t.diagnostic(found.map(({ startedUs, readyUs }) => `${seconds(startedUs)}, ready ${seconds(readyUs)}`).join('; '));
    mustHold({
      id: 'system-watchdog', claim: 'The watchdog restarts a helper that hangs (SIGSTOP), under systemd', size: `${String(HANGS)} times`, undecided: 0,
      figures: figures('hang', found),
    });
  });

  test('is killed: systemd starts another one; nothing undecided leaves, and what is decided goes on', async (t) => {
    await using machine = await SystemMachine.started();
    await decideAllowed(machine);
    const found: Replaced[] = [];
    for (let round = 0; round < KILLS; round++) {
      found.push(await replaced(machine, 'KILL', () => allowedWorks(machine, 'while no helper runs')));
      await staysSilent(machine, `after kill ${String(round + 1)}`);
    }
    await attached(machine);
    t.diagnostic(found.map(({ startedUs, readyUs }) => `${seconds(startedUs)}, ready ${seconds(readyUs)}`).join('; '));
    mustHold({
      id: 'system-kill', claim: 'kill -9 of the helper, under systemd', size: `${String(KILLS)} times`, undecided: 0,
      figures: figures('kill', found),
    });
  });
});
