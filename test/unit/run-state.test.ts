import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createRunState } from '../../helper/adapters/run-state.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { RunState } from '../../helper/ports.ts';

async function fixture(t: TestContext): Promise<{ readonly runDir: string; readonly file: string; readonly logged: string[]; readonly state: RunState }> {
  const root = await mkdtemp(join(tmpdir(), 'bastion-run-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const logged: string[] = [];
  const runDir = join(root, 'run');
  const logger = { log: (_level: string, message: string) => void logged.push(message), setLevel: () => undefined };
  return { runDir, file: join(runDir, 'state.json'), logged, state: createRunState({ runDir, logger }) };
}

test('run state: what was saved is loaded, for the owner alone, and nothing else is left in the folder', async (t) => {
  const { state, runDir, file } = await fixture(t);
  assert.equal(await state.load(), null);
  await Promise.all([state.save({ version: 1 }), state.save({ version: 2, text: 'é\u0000' })]);
  assert.deepEqual(await state.load(), { version: 2, text: 'é\u0000' });
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(runDir), ['state.json']);
});

test('run state: what cannot be used is kept under another name, and the next state is written beside it', async (t) => {
  const { state, runDir } = await fixture(t);
  await state.save({ version: 99 });
  const kept = await state.setAside();
  await state.save({ version: 1 });
  assert.deepEqual(await readdir(runDir), ['state.json', 'state.json.unread']);
  assert.deepEqual(JSON.parse(await readFile(kept, 'utf8')), { version: 99 });
});

test('run state: a corrupt, a writable, a linked and a huge file are not used, which is logged', async (t) => {
  const { state, runDir, file, logged } = await fixture(t);
  await state.save({});
  const cases: readonly (() => Promise<void>)[] = [
    () => writeFile(file, '{"half":'),
    async () => {
      await state.save({ forged: true });
      await chmod(file, 0o666);
    },
    async () => {
      await rm(file);
      await writeFile(`${runDir}/other`, '{}', { mode: 0o600 });
      await symlink(`${runDir}/other`, file);
    },
    async () => {
      await rm(file);
      await writeFile(file, `"${'x'.repeat(4 * 1024 * 1024)}"`, { mode: 0o600 });
    },
  ];
  for (const [index, make] of cases.entries()) {
    await make();
    assert.equal(await state.load(), null);
    assert.equal(logged.length, index + 1);
  }
});

test('run state: more than 4 MiB is refused and the last state stays', async (t) => {
  const { state } = await fixture(t);
  await state.save({ kept: true });
  await assert.rejects(state.save('x'.repeat(4 * 1024 * 1024 - 1)), (error) => error instanceof BastionError && error.code === 'LimitReached');
  assert.deepEqual(await state.load(), { kept: true });
  await state.save('x'.repeat(4 * 1024 * 1024 - 2));
});

test('run state: is not written into a folder that others may write', async (t) => {
  const { state, runDir } = await fixture(t);
  await state.save({});
  await chmod(runDir, 0o777);
  await assert.rejects(state.save({ a: 1 }), (error) => error instanceof BastionError && error.code === 'Failed');
});
