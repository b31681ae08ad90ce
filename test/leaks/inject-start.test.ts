/** Each call of ours in start-up fails in turn: the helper never ends open, loses no stored rule, and says why. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { noLab } from '../integration/support.ts';
import { mustHold } from '../must-hold.ts';
import { Report } from './inject/report.ts';
import { FaultRig } from './inject/rig.ts';
import type { Site } from './inject/rig.ts';
import { EVERYTHING, faultsOf } from './inject/sample.ts';
import { startWith } from './inject/trial.ts';

/** At small size; each costs a start or two. */
const SMALL_ADOPTING = 18;
const SMALL_FIRST = 6;
const CLAIM = 'A call of ours in start-up fails: ENOSPC, EROFS, EIO, EMFILE, ENOMEM';

const PHASES = [
  { name: 'beside the pins and rules of an earlier helper', clear: false, small: SMALL_ADOPTING },
  { name: 'at a first start, behind the base rules of the boot', clear: true, small: SMALL_FIRST },
] as const;

async function startSites(rig: FaultRig, clear: boolean): Promise<readonly Site[]> {
  return rig.record(async () => {
    await rig.lab.stopHelper('SIGKILL');
    if (clear) await rig.clearKernel();
    await rig.lab.startHelper();
    await rig.whole();
  });
}

describe('calls that fail in start-up', { skip: noLab() }, () => {
  const report = new Report();

  for (const { name, clear, small } of PHASES) {
    test(`${name}: nothing leaks, nothing is lost, and why is told`, async (t: TestContext) => {
      await using rig = await FaultRig.create();
      const sites = await startSites(rig, clear);
      report.met(sites);
      for (const fault of faultsOf(sites, small)) report.add(await startWith(rig, fault, clear));
      assert.ok(await rig.tried() > 0, 'the undecided program tried all the time');
      t.diagnostic(report.line());
      assert.deepEqual(report.defects(), []);
    });
  }

  test('a queue that cannot be read: it is said, and nothing leaks', async () => {
    await using rig = await FaultRig.create();
    const sites = (await startSites(rig, false)).filter(({ name }) => name.startsWith('native.recvmmsg '));
    assert.ok(sites.length > 0, 'the queue is read with recvmmsg');
    for (const { name } of sites) {
      const verdict = await startWith(rig, { site: name, code: 'ENOMEM', form: 'always', skip: 0, calls: [] }, false);
      assert.deepEqual([verdict?.outcome, verdict?.defects], ['degraded', []]);
    }
  });

  test('a full or read-only disk, no descriptors, no memory: the same', async (t: TestContext) => {
    await using rig = await FaultRig.create();
    for (const fault of EVERYTHING) report.add(await startWith(rig, fault, false));
    t.diagnostic(report.line());
    assert.deepEqual(report.defects(), []);
    mustHold({ id: 'faults-start', claim: CLAIM, size: report.size(), undecided: 0, figures: report.figures() });
  });
});
