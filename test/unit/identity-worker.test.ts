/** The queue before the identity worker: bounded, fair, and not stopped by what hangs. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { FILES_LIMIT } from '../../helper/adapters/identities/files.ts';
import { Lru } from '../../helper/adapters/lru.ts';
import { WorkerLink } from '../../helper/adapters/identities/worker-link.ts';
import type { Answer, Question } from '../../helper/adapters/identities/protocol.ts';
import type { Logger } from '../../helper/ports.ts';

const WORKER = new URL('../../helper/adapters/identities/worker.ts', import.meta.url);
const silent: Logger = { log: () => undefined, setLevel: () => undefined };

describe('limits', () => {
  const places = { database: '/nonexistent', flatpak: '/nonexistent', passwd: '/nonexistent' };
  const small = { waiting: 4, waitingOfUser: 3, working: 1, workingOfUser: 1, silentMs: 300, hung: 2 };
  const question = (path: string): Question => ({ kind: 'examine', path, key: null, hash: true });
  /** A worker that answers nothing, as one that hangs in a file system does. */
  const hanging = new URL('data:text/javascript,setInterval(()=>{},1000)');

  test('a queue that is full refuses, counts, and one user leaves room for others', async () => {
    const link = new WorkerLink({ workerPath: hanging, places, logger: silent, limits: small });
    const asked: Promise<Answer | null>[] = [];
    for (let index = 0; index < 4; index += 1) asked.push(link.ask(question('/x'), 1000, 'now'));
    assert.equal(await link.ask(question('/x'), 1000, 'now'), null);
    assert.equal(link.counters.refused, 1);
    asked.push(link.ask(question('/x'), 1001, 'now'));
    assert.equal(link.counters.refused, 1, 'another user had room');
    assert.equal(await link.ask(question('/x'), 1002, 'now'), null);
    await link.close();
    assert.deepEqual(await Promise.all(asked), asked.map(() => null));
  });

  test('a worker that hangs is left, its questions end, and after a few of them nobody is asked any more', async () => {
    const link = new WorkerLink({ workerPath: hanging, places, logger: silent, limits: small });
    assert.equal(await link.ask(question('/x'), 1000, 'now'), null);
    assert.equal(await link.ask(question('/x'), 1000, 'now'), null);
    assert.equal(link.counters.hung, 2);
    assert.equal(await link.ask(question('/x'), 1000, 'now'), null);
    assert.equal(link.counters.hung, 2, 'a third one was not asked');
    await link.close();
  });

  test('a worker that fails ends its questions, and the next one has another worker', async () => {
    const failing = new URL('data:text/javascript,import{parentPort as p}from"node:worker_threads";p.on("message",()=>{throw new Error("x")})');
    const link = new WorkerLink({ workerPath: failing, places, logger: silent, limits: { ...small, silentMs: 20_000 } });
    assert.equal(await link.ask(question('/x'), 1000, 'now'), null);
    assert.equal(await link.ask(question('/x'), 1000, 'now'), null);
    assert.equal(link.counters.failed, 2);
    await link.close();
  });

  test('a user with a long queue does not keep another one waiting', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'bastion-identities-'));
    const link = new WorkerLink({ workerPath: WORKER, places, logger: silent });
    t.after(async () => {
      await link.close();
      rmSync(folder, { recursive: true });
    });
    const files = Array.from({ length: 12 }, (_, index) => join(folder, String(index)));
    for (const path of files) {
      writeFileSync(path, path);
      truncateSync(path, 96 * 2 ** 20);
    }
    let done = 0;
    const many = files.map(async (path) => {
      await link.ask(question(path), 1000, 'now');
      done += 1;
    });
    await Promise.race(many);
    await link.ask(question('/usr/bin/true'), 1001, 'now');
    assert.ok(done < 6, `${String(done)} of the other user's went first`);
    await Promise.all(many);
  });

  test('tables are bounded: the one that was not asked for the longest leaves', () => {
    const table = new Lru<number>(FILES_LIMIT);
    for (let index = 0; index < FILES_LIMIT; index += 1) table.set(String(index), index);
    assert.equal(table.get('0'), 0);
    table.set('new', 1);
    assert.equal(table.size, FILES_LIMIT);
    assert.equal(table.evicted, 1);
    assert.equal(table.get('1'), undefined);
    assert.equal(table.get('0'), 0);
  });
});
