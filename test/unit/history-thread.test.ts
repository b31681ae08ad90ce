/** The history behind its thread: nobody waits, what is over the limit is counted, faults end by themselves. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { WAITING_LIMIT, openHistory } from '../../helper/adapters/history.ts';
import type { HistoryOptions } from '../../helper/adapters/history.ts';
import { HISTORY_FILE } from '../../helper/adapters/history/schema.ts';
import { createLogger } from '../../helper/adapters/logger.ts';
import type { History } from '../../helper/ports.ts';
import { SETTINGS, elsewhere, flow, flows } from './history-support.ts';

const THREAD = new URL('../../helper/adapters/history/worker.ts', import.meta.url);

describe('history thread', () => {
  let folder: string;
  let lines: string[];
  const opened: History[] = [];
  const open = async (more: Partial<HistoryOptions> = {}): Promise<History> => {
    const history = await openHistory({
      folder, settings: SETTINGS, thread: THREAD, logger: createLogger({ write: (line) => { lines.push(line); } }), nowMs: Date.now, ...more,
    });
    opened.push(history);
    return history;
  };
  const stored = async (history: History): Promise<number> => (await history.query({}, 500, Number.MAX_SAFE_INTEGER)).rows.length;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bastion-history-'));
    lines = [];
  });
  afterEach(async () => {
    for (const history of opened.splice(0)) await history.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('what was handed over is there for the next question, and for the next helper, whose numbers go on', async () => {
    const first = await open();
    first.add(flows(first.nextFlowNumber, 3));
    assert.equal(await stored(first), 3);
    assert.equal((await first.flow(1))?.id, 'f1');
    first.add([flow(3)]);
    await first.close();
    const second = await open();
    assert.equal(second.nextFlowNumber, 4);
    assert.equal(await stored(second), 4);
  });

  test('an end that is handed over right after its flow is stored with it', async () => {
    const history = await open();
    const whole = { endedMs: 5, sentBytes: 1, receivedBytes: 2 };
    history.add([flow(0), flow(1)]);
    history.end([{ id: 'f0', ...whole }]);
    assert.equal(history.status().waiting, 3);
    assert.deepEqual(await history.flow(0), flow(0, whole));
    assert.deepEqual(history.status(), { lost: 0, waiting: 0, failure: null });
    await history.close();
  });

  test('more than the queue holds is lost and counted, at once, and nothing waits', async () => {
    const history = await open({ waitingLimit: 1000 });
    history.add(flows(0, 1200));
    assert.deepEqual([history.status().lost, history.status().waiting], [200, 1000]);
    await history.flow(0);
    assert.deepEqual(history.status(), { lost: 200, waiting: 0, failure: null });
    history.add(flows(2000, 10));
    await history.flow(0);
    assert.equal(history.status().lost, 200);
    assert.equal(WAITING_LIMIT, 50_000);
  });

  test('too many questions at a time are refused, and the others answered', async () => {
    const history = await open();
    const asked = await Promise.allSettled(Array.from({ length: 60 }, () => history.query({}, 1, 1)));
    const refused = asked.filter((one) => one.status === 'rejected');
    assert.ok(refused.length > 0 && refused.length < 60);
    for (const one of refused) assert.match(String(one.reason), /Too many calls/u);
  });

  test('switched off, nothing more is stored; what was stored can be read and cleared', async () => {
    const history = await open();
    history.add([flow(0)]);
    history.configure({ ...SETTINGS, enabled: false });
    history.add([flow(1)]);
    assert.equal(await stored(history), 1);
    await history.clear();
    assert.equal(await stored(history), 0);
    history.configure(SETTINGS);
    history.add([flow(2)]);
    assert.equal(await stored(history), 1);
  });

  test('traffic is stored as what came since the last sample', async () => {
    const history = await open();
    const total = { path: '/usr/bin/curl', uid: 1000, sentBytes: 10, sentPackets: 1, receivedBytes: 20, receivedPackets: 1 };
    history.addTraffic([total]);
    history.addTraffic([{ ...total, sentBytes: 15, sentPackets: 2 }]);
    history.addTraffic([{ ...total, sentBytes: 15, sentPackets: 2 }]);
    const [row] = await history.totals('hour', 'application', { uid: 1000 }, 10);
    assert.deepEqual([row?.sentBytes, row?.sentPackets, row?.receivedBytes], [15, 2, 20]);
  });

  test('a file that cannot be opened: the helper starts, flows are counted as lost, and it is told once', async () => {
    symlinkSync('/nowhere/else', join(folder, HISTORY_FILE));
    const history = await open();
    assert.match(history.status().failure ?? '', /ELOOP/u);
    assert.ok(history.nextFlowNumber > 1_700_000_000_000);
    history.add(flows(history.nextFlowNumber, 5));
    await assert.rejects(history.flow(1), /The history cannot be read/u);
    assert.deepEqual([history.status().lost, history.status().waiting], [5, 0]);
    assert.equal(lines.filter((line) => line.includes('cannot be stored')).length, 1);
  });

  test('a disk without room: flows are lost and counted, and what was stored stays', { skip: process.getuid?.() !== 0 && 'needs root to mount' }, async (t) => {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]);
    if (mounted.status !== 0) {
      t.skip('needs the right to mount');
      return;
    }
    try {
      const history = await open();
      let number = 0;
      while (history.status().failure === null && number < 100_000) {
        history.add(flows(number, 2000, elsewhere));
        number += 2000;
        await history.flow(number).catch(() => null);
      }
      assert.match(history.status().failure ?? '', /full/u);
      assert.ok(history.status().lost > 0);
      assert.ok(history.status().lost < number);
      await history.close();
      const reader = new DatabaseSync(join(folder, HISTORY_FILE), { readOnly: true });
      assert.deepEqual(reader.prepare('PRAGMA integrity_check').all().map((row) => ({ ...row })), [{ integrity_check: 'ok' }]);
      assert.ok(Number(reader.prepare('SELECT count(*) AS n FROM flows').get()?.['n']) > 0);
      reader.close();
    } finally {
      for (const history of opened.splice(0)) await history.close();
      spawnSync('umount', [folder]);
    }
  });

  test('killed while it writes, time after time: the file opens, and at most what was not told stored is missing', async () => {
    const program = new URL('history-writer.ts', import.meta.url).pathname;
    let told = -1;
    for (let round = 0; round < 4; round += 1) {
      const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.split('\n').length > 6 + 3 * round) child.kill('SIGKILL');
      });
      await once(child, 'close');
      const numbers = text.split('\n').slice(0, -1).map(Number);
      const last = numbers.at(-1) ?? Number.NaN;
      assert.ok(last > told, 'numbers go on');
      told = last;
      const reader = new DatabaseSync(join(folder, HISTORY_FILE));
      assert.deepEqual(reader.prepare('PRAGMA integrity_check').all().map((row) => ({ ...row })), [{ integrity_check: 'ok' }]);
      assert.ok(Number(reader.prepare('SELECT max(number) AS n FROM flows').get()?.['n']) >= told);
      // Flows and what was added up of them agree: both or none of a batch.
      const flowsThere = Number(reader.prepare('SELECT count(*) AS n FROM flows').get()?.['n']);
      assert.equal(Number(reader.prepare('SELECT sum(allowed) AS n FROM connections WHERE level = 2').get()?.['n']), flowsThere);
      reader.close();
    }
    const history = await open();
    assert.ok(history.nextFlowNumber > told);
  });
});
