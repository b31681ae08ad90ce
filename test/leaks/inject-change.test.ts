/** Each call of ours in a change of rules or mode fails in turn: the change is done or not, as the caller is told, and why. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { noLab } from '../integration/support.ts';
import { mustHold } from '../must-hold.ts';
import { Report } from './inject/report.ts';
import { FaultRig } from './inject/rig.ts';
import { EVERYTHING, faultsOf } from './inject/sample.ts';
import { CHANGES, changeWith, modeWith } from './inject/trial.ts';

const SMALL_RULES = 16;
const SMALL_MODE = 8;
const MODES = ['enforcing', 'learning'] as const;

describe('calls that fail in a change', { skip: noLab() }, () => {
  const report = new Report();

  test('of rules: stored and in force are the same, before or after, and the caller hears why', async (t: TestContext) => {
    await using rig = await FaultRig.create();
    for (const change of CHANGES) {
      await change.prepare(rig);
      const sites = await rig.record(async () => { await change.run(rig.client); });
      report.met(sites.map(({ name, count }) => ({ name: `${change.name} ${name}`, count })));
      for (const fault of [...faultsOf(sites, SMALL_RULES), ...EVERYTHING]) report.add(await changeWith(rig, change, fault));
    }
    assert.ok(await rig.tried() > 0, 'the undecided program tried all the time');
    t.diagnostic(report.line());
    assert.deepEqual(report.defects(), []);
  });

  test('of the mode: it is what the file says, and enforcing lets nothing out', async (t: TestContext) => {
    await using rig = await FaultRig.create();
    for (const to of MODES) {
      await rig.calm((client) => client.setMode(to === 'enforcing' ? 'learning' : 'enforcing'));
      const sites = await rig.record(() => rig.client.setMode(to));
      report.met(sites.map(({ name, count }) => ({ name: `${to} ${name}`, count })));
      for (const fault of [...faultsOf(sites, SMALL_MODE), ...EVERYTHING]) report.add(await modeWith(rig, to, fault));
    }
    t.diagnostic(report.line());
    assert.deepEqual(report.defects(), []);
    mustHold({
      id: 'faults-change', claim: 'A call of ours in a change of rules or mode fails: ENOSPC, EROFS, EIO, EMFILE, ENOMEM', size: report.size(),
      undecided: 0, figures: report.figures(),
    });
  });
});
