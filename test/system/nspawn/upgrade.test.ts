/** An update while programs send: new files, a new unit, another process. */
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { stage } from '../../../tools/stage.ts';
import { FULL_SIZE } from '../../integration/support.ts';
import { mustHold } from '../../must-hold.ts';
import { noSystem } from './image.ts';
import { HELPER_UNIT, SystemMachine } from './machine.ts';
import { allowedWorks, attached, decideAllowed, running, staysSilent } from './support.ts';

const UPDATES = FULL_SIZE ? 20 : 2;
const UNIT_FILE = `usr/lib/systemd/system/${HELPER_UNIT}`;

test('a system with systemd is updated without an open moment', { skip: noSystem() }, async () => {
  await using machine = await SystemMachine.started();
  await decideAllowed(machine);
  for (let update = 0; update < UPDATES; update++) {
    const { pid } = await running(machine);
    stage(machine.root, { packages: ['bastion-firewall'] });
    appendFileSync(join(machine.root, UNIT_FILE), `# Update ${String(update)}\n`);
    await allowedWorks(machine, 'with new files below the old helper');
    await machine.must(['systemctl', 'daemon-reload']);
    assert.equal((await running(machine)).pid, pid, 'daemon-reload alone changes nothing');
    await machine.must(['systemctl', 'reset-failed', HELPER_UNIT]);
    await machine.must(['systemctl', 'restart', HELPER_UNIT]);
    await running(machine, pid);
    await staysSilent(machine, `update ${String(update + 1)}`);
    await allowedWorks(machine, 'after the update');
  }
  await attached(machine);
  mustHold({
    id: 'system-upgrade', claim: 'An update: new files, daemon-reload, restart', size: `${String(UPDATES)} times`, undecided: 0,
    figures: ['an allowed program connected before, between and after'],
  });
});
