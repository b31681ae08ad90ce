/** What the helper leaves for its absence: written when it is news, and never a reason to fail. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { BootWord } from '../../helper/adapters/boot-word.ts';
import type { writeFileAtomic } from '../../helper/adapters/atomic-file.ts';

const silent = { log: (): void => undefined };

test('boot word: one word and a newline, for root alone, and the last of many', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-boot-word-'));
  try {
    const word = new BootWord(folder, silent);
    for (const meaning of ['closed', 'open', 'closed', 'open'] as const) word.set(meaning);
    await word.settled();
    assert.equal(readFileSync(join(folder, 'boot'), 'utf8'), 'open\n');
    assert.equal(statSync(join(folder, 'boot')).mode & 0o777, 0o600);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('boot word: the same word is written once; what failed is logged and tried with the next call', async () => {
  const written: string[] = [];
  const logged: string[] = [];
  let full = true;
  const write: typeof writeFileAtomic = (_path, bytes) => {
    if (full) return Promise.reject(new Error('ENOSPC'));
    written.push(Buffer.from(bytes).toString());
    return Promise.resolve();
  };
  const word = new BootWord('/nowhere', { log: (level) => { logged.push(level); } }, write);
  word.set('closed');
  await word.settled();
  assert.deepEqual([written, logged], [[], ['warning']]);
  full = false;
  for (const meaning of ['closed', 'closed', 'open', 'open'] as const) {
    word.set(meaning);
    await word.settled();
  }
  assert.deepEqual(written, ['closed\n', 'open\n']);
});

test('boot word: after a closed that could not be written, the open from before is written again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-boot-word-'));
  try {
    const file = join(folder, 'boot');
    let full = false;
    const write: typeof writeFileAtomic = (path, bytes) => {
      if (full) return Promise.reject(new Error('ENOSPC'));
      writeFileSync(path, bytes);
      return Promise.resolve();
    };
    const word = new BootWord(folder, silent, write);
    word.set('open');
    await word.settled();
    full = true;
    word.set('closed');
    await word.settled();
    assert.equal(existsSync(file), false);
    full = false;
    word.set('open');
    await word.settled();
    assert.equal(readFileSync(file, 'utf8'), 'open\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('boot word: a change while one is being written is written after it', async () => {
  const written: string[] = [];
  let release: () => void = () => undefined;
  const first = new Promise<void>((resolve) => { release = resolve; });
  const write: typeof writeFileAtomic = async (_path, bytes) => {
    if (written.length === 0) await first;
    written.push(Buffer.from(bytes).toString());
  };
  const word = new BootWord('/nowhere', silent, write);
  word.set('closed');
  word.set('open');
  release();
  await word.settled();
  assert.deepEqual(written, ['closed\n', 'open\n']);
});

test('boot word: where closed cannot be written, open does not stay for the next start of the machine', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-boot-word-'));
  try {
    writeFileSync(join(folder, 'boot'), 'open\n');
    const word = new BootWord(folder, silent, () => Promise.reject(new Error('ENOSPC')));
    word.set('open');
    await word.settled();
    assert.equal(existsSync(join(folder, 'boot')), true);
    word.set('closed');
    await word.settled();
    assert.equal(existsSync(join(folder, 'boot')), false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
