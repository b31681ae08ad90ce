/** A helper starts over what one of another version left: it says what it cannot use, keeps it, and nothing opens. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { noLab } from '../integration/support.ts';
import { Lab } from '../lab/lab.ts';
import { which } from '../lab/process.ts';
import { mustHold } from '../must-hold.ts';
import { OTHER_VERSION, ageHistory, ageRunState, ageTables } from './other-version.ts';
import { OUTAGE_LAB, OutageLoad, logged } from './outage-load.ts';

describe('a helper of another version', { skip: noLab() }, () => {
  const skip = which('bpftool') === null ? 'needs bpftool' : false;

  test('tables, history and run state of another version: each is said, kept, and nothing undecided leaves', { skip }, async (t) => {
    await using lab = await Lab.create(OUTAGE_LAB);
    const { pinDir } = lab;
    if (pinDir === null || lab.cgroup === null) {
      t.skip(lab.limits.join(' '));
      return;
    }
    const load = await OutageLoad.start(t, lab);
    const rules = await load.client.listRules(500, '');
    await lab.stopHelper();
    ageTables(pinDir);
    ageHistory(lab.stateDir);
    const runState = ageRunState(lab.runDir);
    const from = lab.logText().length;
    await lab.startHelper();
    await logged(lab, ['what an earlier helper had let the kernel remember is left', `the layout ${String(OTHER_VERSION)}`], from);
    await logged(lab, ['the history was damaged', 'set aside', `the version ${String(OTHER_VERSION)}`], from);
    await logged(lab, ['the run state of another version', 'state.json.unread'], from);
    assert.equal(readFileSync(join(lab.runDir, 'state.json.unread'), 'utf8'), runState);
    assert.equal(readdirSync(lab.stateDir).filter((name) => name.startsWith('history.sqlite.damaged-')).length, 1);
    await load.answersCome(20);
    await load.goesOn(20, 'after that');
    await load.othersTried(20);
    await load.nothingLeft('after that');
    assert.equal((await load.client.status()).state, 'protecting');
    assert.deepEqual((await load.client.listRules(500, '')).rows.map(({ id }) => id), rules.rows.map(({ id }) => id));

    // And back: over its own again, nothing is left behind.
    const again = lab.logText().length;
    await lab.restartHelper('SIGKILL');
    await load.goesOn(20, 'after a restart');
    await load.nothingLeft('after a restart');
    assert.doesNotMatch(lab.logText().slice(again), /is left|set aside/u);
    await load.end();
    mustHold({
      id: 'versions', claim: 'a helper over the tables, history and run state of another version', size: 'each once, then over its own', undecided: 0,
      figures: ['all rules in force, open connections asked about again, what cannot be used is kept and named'],
    });
  });
});
