/** What the system refuses is told with its cause and a way out, and what a refused write left is known. */
import assert from 'node:assert/strict';
import {
  closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync,
} from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { UnconfirmedWrite, removeLeftovers, writeFileAtomic } from '../../helper/adapters/atomic-file.ts';
import type { FileCalls } from '../../helper/adapters/atomic-file.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import { faultSentence, systemCodeOf } from '../../helper/contract/system-faults.ts';
import { OffSwitch } from '../../helper/off-switch.ts';
import { inForce, makeStore, newRule } from './rule-store-support.ts';

const CALLS: FileCalls = { open, rename, unlink };

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: refused`), { code });
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-faults-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a full disk is found under whatever wraps it, and told with what to do', () => {
  const wrapped = new BastionError('Failed', 'It could not be written.', { cause: new Error('later', { cause: systemError('ENOSPC') }) });
  assert.equal(systemCodeOf(wrapped), 'ENOSPC');
  assert.equal(faultSentence('ENOSPC'), 'The disk is full: make room, then try again. (ENOSPC)');
});

test('what is no refusal of the system gets no such sentence', () => {
  assert.equal(systemCodeOf(new BastionError('NotFound')), null);
  assert.equal(systemCodeOf(Object.assign(new Error('worker'), { code: 'ERR_WORKER_INIT_FAILED' })), null);
  assert.equal(faultSentence(null), '');
  assert.equal(faultSentence('ENOENT'), '');
});

test('an error that causes itself is looked at a bounded number of times', () => {
  const error = new Error('round');
  error.cause = error;
  assert.equal(systemCodeOf(error), null);
});

test('a write whose folder cannot be made durable is in place, and says that this is not certain', () => inFolder(async (folder) => {
  const path = join(folder, 'rules.toml');
  writeFileSync(path, 'old');
  const refused: FileCalls = {
    ...CALLS,
    open: (name, ...rest) => (name === folder ? Promise.reject(systemError('EIO')) : open(name, ...rest)),
  };
  const error: unknown = await writeFileAtomic(path, Buffer.from('new'), 0o600, refused).catch((reason: unknown) => reason);
  assert.ok(error instanceof UnconfirmedWrite);
  assert.equal(systemCodeOf(error), 'EIO');
  assert.equal(readFileSync(path, 'utf8'), 'new');
}));

test('a write that is refused before it is in place leaves the old file, and nothing else', () => inFolder(async (folder) => {
  const path = join(folder, 'rules.toml');
  writeFileSync(path, 'old');
  const refused: FileCalls = { ...CALLS, rename: () => Promise.reject(systemError('EROFS')) };
  const error: unknown = await writeFileAtomic(path, Buffer.from('new'), 0o600, refused).catch((reason: unknown) => reason);
  assert.equal(error instanceof UnconfirmedWrite, false);
  assert.equal(readFileSync(path, 'utf8'), 'old');
  assert.deepEqual(readdirSync(folder), ['rules.toml']);
}));

test('the pieces of a write that was killed are removed, and no other file', () => inFolder(async (folder) => {
  for (const name of ['.state.json.0123456789abcdef.tmp', 'state.json', '.hidden.tmp', 'x.0123456789abcdef.tmp']) {
    closeSync(openSync(join(folder, name), 'w'));
  }
  await removeLeftovers(folder);
  assert.deepEqual(readdirSync(folder).sort(), ['.hidden.tmp', 'state.json', 'x.0123456789abcdef.tmp']);
}));

test('rules that cannot be read for a while stay in force, also where no copy can be read', async (context) => {
  const { root, store, write } = await makeStore(context);
  await write('etc/rules.d/50-user.toml', '[[rule]]\nid = "kept"\naction = "deny"\napplication = { path = "/usr/bin/kept" }\n');
  assert.deepEqual(await inForce(store), ['kept deny']);
  // A file in the folder's place: what lies in it is refused with ENOTDIR, as a disk refuses with EIO.
  renameSync(join(root, 'etc'), join(root, 'away'));
  await write('etc', 'no folder');
  rmSync(join(root, 'state/last-good'), { recursive: true });
  const { rules, errors } = await store.load();
  assert.deepEqual(rules.map(({ id }) => id), ['kept']);
  assert.match(errors.map(({ message }) => message).join('\n'), /What was read before stays in force/u);
  rmSync(join(root, 'etc'));
  renameSync(join(root, 'away'), join(root, 'etc'));
  assert.deepEqual((await store.load()).errors, []);
  assert.deepEqual(await inForce(store), ['kept deny']);
});

test('what the helper wrote itself is what stays in force while the files cannot be read', async (context) => {
  const { root, store, write } = await makeStore(context);
  await write('etc/bastion.toml', 'mode = "learning"\n');
  await write('etc/rules.d/50-user.toml', '[[rule]]\nid = "removed"\naction = "allow"\napplication = { path = "/usr/bin/removed" }\n');
  await write('etc/rules.d/60-own.toml', '[[rule]]\nid = "own"\naction = "deny"\napplication = { path = "/usr/bin/own" }\n');
  assert.deepEqual(await inForce(store), ['removed allow', 'own deny']);
  await store.add(newRule({ id: 'added', action: 'deny' }));
  await store.remove('removed');
  await store.setMode('enforcing');
  renameSync(join(root, 'etc'), join(root, 'away'));
  await write('etc', 'no folder');
  const { settings } = await store.load();
  assert.deepEqual([settings.mode, ...await inForce(store)], ['enforcing', 'added deny', 'own deny']);
});

test('a firewall that cannot be turned off for good stays on', () => inFolder(async (folder) => {
  let detached = 0;
  const deps = {
    attach: () => Promise.resolve(), detach: () => { detached += 1; return Promise.resolve(); }, onError: () => undefined,
    commandLineFile: join(folder, 'no-words'),
  };
  writeFileSync(join(folder, 'file'), '');
  const refused = new OffSwitch({ ...deps, runDir: join(folder, 'file/run') }, false);
  await assert.rejects(refused.turnOff(), /could not be written/u);
  assert.deepEqual([refused.isOff, detached], [false, 0]);
  mkdirSync(join(folder, 'run'));
  const works = new OffSwitch({ ...deps, runDir: join(folder, 'run') }, false);
  await works.turnOff();
  assert.deepEqual([works.isOff, detached, existsSync(join(folder, 'run/off'))], [true, 1, true]);
}));
