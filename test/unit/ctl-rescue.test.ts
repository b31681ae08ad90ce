/** bastionctl rescue: who is asked, what is passed on, and which exit code comes of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BastionError } from '../../helper/contract/errors.ts';
import { Context } from '../../helper/ctl/context.ts';
import { RefusedError, UsageError } from '../../helper/ctl/errors.ts';
import { rescue } from '../../helper/ctl/verbs/rescue.ts';
import type { Rescuer } from '../../helper/ctl/verbs/rescue.ts';
import { bastionctl, fakeIo } from './ctl-support.ts';
import type { FakeIo } from './ctl-support.ts';

type Options = Readonly<Record<string, string | true | undefined>>;

interface Tried {
  readonly runs: (readonly string[])[];
  readonly exitCode: Promise<number>;
}

function tryRescue(io: FakeIo, options: Options, more: { readonly status?: number; readonly uid?: number; readonly json?: boolean } = {}): Tried {
  const runs: (readonly string[])[] = [];
  const rescuer: Rescuer = {
    uid: more.uid ?? 0,
    run: (args, onLine) => {
      runs.push(args);
      onLine('Done: mask it.', false);
      onLine('NOT DONE: \u001b[31mit.', true);
      return Promise.resolve(more.status ?? 0);
    },
  };
  const global = { json: more.json === true, color: false, pager: false, askPassword: false, bus: undefined, host: undefined };
  const context = new Context(io, global, () => { throw new Error('rescue must not need the helper'); });
  return { runs, exitCode: rescue(context, { args: [], options }, rescuer) };
}

test('rescue: without a terminal it needs --yes, and says so as usage', async () => {
  const { runs, exitCode } = tryRescue(fakeIo(), {});
  await assert.rejects(exitCode, UsageError);
  assert.deepEqual(runs, []);
  assert.deepEqual((await bastionctl(['rescue', '--host', 'h', '--yes'])).exitCode, 2);
});

test('rescue: on a terminal it asks first; anything but y changes nothing', async () => {
  for (const [key, count] of [['y', 1], ['n', 0], ['enter', 0]] as const) {
    const io = fakeIo({ terminal: true });
    const { runs, exitCode } = tryRescue(io, {});
    io.press(key);
    if (count === 0) await assert.rejects(exitCode, RefusedError);
    else assert.equal(await exitCode, 0);
    assert.equal(runs.length, count);
  }
});

test('rescue: what the script says is shown line by line, its exit status passed on, and nothing of it reaches the terminal raw', async () => {
  for (const [status, exit] of [[0, 0], [1, 1], [4, 4], [77, 1]] as const) {
    const io = fakeIo();
    assert.equal(await tryRescue(io, { yes: true }, { status }).exitCode, exit);
    assert.equal(io.stdout, 'Done: mask it.\n');
    assert.ok(io.stderr.startsWith('NOT DONE: ') && !io.stderr.includes('\u001b'));
  }
});

test('rescue --dry-run asks nobody, and --json is one object', async () => {
  const io = fakeIo();
  const { runs, exitCode } = tryRescue(io, { 'dry-run': true }, { json: true });
  assert.equal(await exitCode, 0);
  assert.deepEqual(runs, [['--dry-run']]);
  const told: unknown = JSON.parse(io.stdout);
  assert.deepEqual(Object.keys(told as object), ['exit_status', 'lines']);
});

test('rescue: an ordinary user is not authorized', async () => {
  await assert.rejects(tryRescue(fakeIo(), { yes: true }, { uid: 1000 }).exitCode,
    (error) => error instanceof BastionError && error.code === 'NotAuthorized');
});
