/** The test that a kernel is put to: boots it and makes each finding of the program inside a test of its own. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { compileAll } from '../guest/programs.ts';
import { fetchKernel } from './kernels.ts';
import type { KernelChoice } from './kernels.ts';
import { noMachine, runInside } from './vm.ts';

/** Below the limits that the runner gives a file, and at full size .ci/run the suite. */
const LIMIT_MS = process.env['BASTION_TEST_SIZE'] === 'full' ? 400_000 : 280_000;
const SCRIPT = 'test/system/guest/main.ts';

/** Defines the tests of one kernel. */
export function testKernel(choice: KernelChoice): void {
  test(`the kernel of ${choice.name} keeps every promise of the root cgroup`, { skip: noMachine() }, async (t) => {
    const kernel = await fetchKernel(choice);
    compileAll(tmpdir());
    for await (const { name, fault, facts } of runInside(kernel, SCRIPT, LIMIT_MS)) {
      await t.test(name, (one) => {
        one.diagnostic(facts);
        assert.ok(fault === null, fault ?? '');
      });
    }
  });
}
