/** What is done when another program takes the kernel programs away, in a kernel that is played. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PinWatch } from '../../helper/pin-watch.ts';

class FakeKernel {
  lost: string[] = [];
  /** Why nothing can be put back. */
  refusal = '';
  mends = 0;

  lostPins(): readonly string[] {
    return this.lost;
  }

  mendPins(): string {
    this.mends += 1;
    if (this.refusal === '') this.lost = [];
    return this.refusal;
  }
}

function rig(): { readonly kernel: FakeKernel; readonly watch: PinWatch; readonly log: string[]; readonly told: (string | null)[]; readonly pass: (ms: number) => void } {
  const kernel = new FakeKernel();
  const log: string[] = [];
  const told: (string | null)[] = [];
  let nowMs = 0;
  const watch = new PinWatch({
    logger: { log: (level, message) => log.push(`${level}: ${message}`), setLevel: () => undefined },
    nowMs: () => nowMs,
    dataPath: () => kernel,
    onFailure: () => { told.push(watch.failure); },
  });
  return { kernel, watch, log, told, pass: (ms) => { nowMs += ms; } };
}

test('kernel programs: what is whole is left alone, what is lost is put back and said', () => {
  const { kernel, watch, log, told } = rig();
  assert.equal(watch.look(), false);
  kernel.lost = ['on_egress', 'map verdicts'];
  assert.equal(watch.look(), true);
  assert.equal(watch.look(), false);
  assert.deepEqual([kernel.mends, told], [1, []]);
  assert.deepEqual(log, ['warning: the kernel programs were taken away by somebody else and put back']);
});

test('kernel programs: what cannot be put back is told once, tried again less and less often, and told when it is whole', () => {
  const { kernel, watch, log, told, pass } = rig();
  kernel.lost = ['on_egress'];
  kernel.refusal = 'no space';
  for (let look = 0; look < 120; look += 1) {
    watch.look();
    pass(500);
  }
  assert.deepEqual([told, log.length], [['no space'], 1]);
  assert.ok(kernel.mends >= 5 && kernel.mends <= 7, `${String(kernel.mends)} tries in a minute`);
  kernel.refusal = '';
  pass(60_000);
  assert.equal(watch.look(), true);
  assert.deepEqual(told, ['no space', null]);
  kernel.lost = ['on_connect4'];
  assert.equal(watch.look(), true, 'the next loss is mended at once');
});

test('kernel programs: a tool that takes the same away in a loop does not fill the journal', () => {
  const { kernel, watch, log, pass } = rig();
  for (let time = 0; time < 100; time += 1) {
    kernel.lost = ['on_egress'];
    assert.equal(watch.look(), true);
    pass(500);
  }
  assert.equal(kernel.mends, 100);
  assert.equal(log.length, 5);
});
