/** The folder of what lasts until the machine restarts is deleted, or its disk is full. */
import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { noLab, until } from '../integration/support.ts';
import { Lab } from '../lab/lab.ts';
import { ROOT, tool } from '../lab/process.ts';
import { mustHold } from '../must-hold.ts';
import { OUTAGE_LAB, OutageLoad, logged } from './outage-load.ts';

const PAUSE_MS = 60_000;
/** The helper may write into the folder meanwhile: then it is emptied again. */
const DELETED = { recursive: true, maxRetries: 10 } as const;
/** Gives the helper a small disk of its own for its run folder, in a mount namespace of its own. */
const SMALL_DISK = [
  'unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c',
  'for word; do [ "$last" != --run ] || mount -t tmpfs -o size=64k,nr_inodes=64,mode=0755 tmpfs "$word" || exit; last=$word; done; exec "$0" "$@"',
  join(ROOT, 'build/bin/bastion-helper'),
] as const;

describe('the run folder', { skip: noLab() }, () => {
  test('is deleted: traffic goes on, it is made again, and off and on work', async (t) => {
    await using lab = await Lab.create(OUTAGE_LAB);
    const load = await OutageLoad.start(t, lab);
    rmSync(lab.runDir, DELETED);
    await load.goesOn(20, 'without a run folder');
    await load.nothingLeft('without a run folder');
    await load.client.pause(PAUSE_MS / 1000);
    await until('the run state', () => Promise.resolve(existsSync(join(lab.runDir, 'state.json')) ? true : null));
    await load.client.resume();
    rmSync(lab.runDir, DELETED);
    await load.client.off();
    assert.equal((await load.client.status()).state, 'off');
    assert.ok(existsSync(join(lab.runDir, 'off')), 'off lasts over a restart');
    await load.client.setMode('enforcing');
    await until('a whole state', async () => ((await load.client.status()).state === 'protecting' ? true : null));
    await load.answersCome(20);
    await load.end();
  });

  test('its disk is full: what cannot be noted is refused or said, and nothing opens', async (t) => {
    await using lab = await Lab.create({ ...OUTAGE_LAB, helperProgram: SMALL_DISK });
    const load = await OutageLoad.start(t, lab);
    const inside = (words: string): string => tool('nsenter', ['-t', String(lab.helperPid), '-m', 'sh', '-c', words, 'sh', lab.runDir]);
    // Every byte, and every name.
    inside('head -c 65536 /dev/zero > "$1/fill"; for i in $(seq 64); do true > "$1/fill-$i"; done; true');
    await assert.rejects(load.client.off(), /The firewall stays on: .* could not be written/u);
    assert.equal((await load.client.status()).state, 'protecting');
    const from = lab.logText().length;
    await load.client.pause(1);
    await logged(lab, ['the run state could not be written'], from);
    await until('the end of the pause', async () => ((await load.client.status()).state === 'protecting' ? true : null));
    await lab.peer.watch();
    await load.goesOn(20, 'with a full disk');
    await load.othersTried(20);
    await load.nothingLeft('with a full disk');
    await lab.stopHelper('SIGKILL');
    await lab.startHelper();
    await load.goesOn(20, 'after a restart');
    await load.nothingLeft('after a restart');
    await load.end();
    mustHold({
      id: 'run-folder', claim: 'the run folder deleted, its disk full', size: 'once each', undecided: 0,
      figures: ['traffic goes on as decided; off is refused where it could not last; the folder is made again'],
    });
  });
});
