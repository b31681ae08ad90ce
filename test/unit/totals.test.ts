import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Totals, bytesOf } from '../../helper/engine/totals.ts';
import type { DataPath, Traffic } from '../../helper/ports.ts';

const SECOND_NS = 1_000_000_000n;
const NOBODY = 0xffff_ffff;

function entry(inode: number, path: string | null, uid: number, sentBytes: number, receivedBytes = 0): Traffic {
  return {
    executable: { device: 1, inode: BigInt(inode), generation: 0, ctimeSec: 1 }, path, uid, sentBytes, sentPackets: 1 + sentBytes,
    receivedBytes, receivedPackets: receivedBytes,
  };
}

/** A data path of which only the counters matter. */
class Counted {
  entries: readonly Traffic[];
  readings = 0;
  constructor(...entries: readonly Traffic[]) {
    this.entries = entries;
  }
  traffic(): readonly Traffic[] {
    this.readings += 1;
    return this.entries;
  }
  get dataPath(): DataPath {
    return this as unknown as DataPath;
  }
}

function told(totals: Totals, nowNs: bigint): readonly (readonly [string | null, number | null, number, number])[] {
  return totals.rows(nowNs).map((row) => [row.path, row.uid, row.sentBytes, row.receivedBytes]);
}

describe('totals', () => {
  test('two executables under one path are one row for each user, the most bytes first', () => {
    const counted = new Counted();
    const totals = new Totals();
    totals.attach(counted.dataPath);
    counted.entries = [entry(1, '/usr/bin/a', 1000, 10), entry(2, '/usr/bin/a', 1000, 5, 1), entry(1, '/usr/bin/a', 0, 3), entry(3, null, 1000, 90)];
    assert.deepEqual(told(totals, 0n), [[null, 1000, 90, 0], ['/usr/bin/a', 1000, 15, 1], ['/usr/bin/a', 0, 3, 0]]);
  });

  test('what the kernel counted before the helper started is left out', () => {
    const counted = new Counted(entry(1, '/usr/bin/a', 1000, 100), entry(2, '/usr/bin/b', 1000, 100));
    const totals = new Totals();
    totals.attach(counted.dataPath);
    assert.deepEqual(told(totals, 0n), []);
    counted.entries = [entry(1, '/usr/bin/a', 1000, 130), entry(2, '/usr/bin/b', 1000, 7)];
    assert.deepEqual(told(totals, SECOND_NS), [['/usr/bin/a', 1000, 30, 0], ['/usr/bin/b', 1000, 7, 0]]);
  });

  test('off and on again: the sum goes on', () => {
    const first = new Counted();
    const totals = new Totals();
    totals.attach(first.dataPath);
    first.entries = [entry(1, '/usr/bin/a', 1000, 10)];
    totals.attach(null);
    assert.deepEqual(told(totals, 0n), [['/usr/bin/a', 1000, 10, 0]]);
    const second = new Counted(entry(1, '/usr/bin/a', 1000, 4));
    totals.attach(second.dataPath);
    second.entries = [entry(1, '/usr/bin/a', 1000, 5)];
    assert.deepEqual(told(totals, SECOND_NS), [['/usr/bin/a', 1000, 11, 0]]);
  });

  test('the kernel is not read more often than five times a second, however often somebody asks', () => {
    const counted = new Counted();
    const totals = new Totals();
    totals.attach(counted.dataPath);
    const before = counted.readings;
    for (let ms = 0n; ms < 1000n; ms += 1n) totals.rows(SECOND_NS + ms * 1_000_000n);
    assert.equal(counted.readings - before, 5);
  });

  test('programs over the limit are one row of nobody, and no byte is lost', () => {
    const counted = new Counted();
    const totals = new Totals();
    totals.attach(counted.dataPath);
    counted.entries = [...Array.from({ length: 20_000 }, (_, index) => entry(index, `/p/${String(index)}`, 1000, 1)), entry(0, null, NOBODY, 2)];
    const rows = totals.rows(0n);
    assert.equal(rows.length, 16_384 + 1);
    assert.deepEqual([rows[0]?.path, rows[0]?.uid], [null, null]);
    assert.equal(rows.reduce((sum, row) => sum + bytesOf(row), 0), 20_002);
  });
});
