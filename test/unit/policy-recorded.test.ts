/** Recorded flows as rules see them once more, and the time that a clock set back cannot prolong. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { localTimeOf, recordedFacts, RecordedMoments } from '../../helper/policy/recorded.ts';
import type { RecordedFlow } from '../../helper/policy/recorded.ts';
import { advanceWall, wholeSeconds } from '../../helper/policy/time.ts';
import type { WallMark } from '../../helper/policy/time.ts';
import { PATH, tuple } from './policy-support.ts';

function recorded(change: Partial<RecordedFlow> = {}): RecordedFlow {
  return {
    id: 'f1', timeMs: 1_800_000_000_000, tuple: tuple(), path: PATH, uid: 1000, forwardedFrom: null, names: [], interfaceName: 'eth0',
    decision: { action: 'allow', reason: 'rule', ruleId: null }, confidence: 'certain', evidence: 'kernel', ...change,
  };
}

describe('a recorded flow', () => {
  test('recordedFacts: has its program and user, and no process any more', () => {
    assert.deepEqual(recordedFacts(recorded()), {
      tuple: tuple(), names: [], interfaceName: 'eth0', isLookup: false, process: null, identity: { path: PATH }, path: PATH,
      claimedPath: null, confidence: 'certain', evidence: 'kernel', uid: 1000,
    });
  });

  test('recordedFacts: what was known besides is known again', () => {
    const identity = { path: '/opt/a', package: 'a' };
    const ancestors = [{ pid: 3, path: '/bin/sh', command: 'sh' }];
    const found = recordedFacts(recorded({ identity, claimedPath: '/opt/b', isLookup: true, ancestors, lineage: 'kernel' }));
    assert.deepEqual([found.identity, found.path, found.claimedPath, found.isLookup, found.ancestors, found.lineage],
      [identity, '/opt/a', '/opt/b', true, ancestors, 'kernel']);
  });

  test('recordedFacts: nobody started the kernel; a record without parents had none, and an older one does not know', () => {
    assert.deepEqual(recordedFacts(recorded({ origin: 'kernel', path: 'kernel' })).ancestors, []);
    assert.deepEqual(recordedFacts(recorded({ lineage: 'procfs' })).ancestors, []);
    assert.equal(recordedFacts(recorded()).ancestors, undefined);
  });

  test('recordedFacts: without an owner nothing is certain', () => {
    const found = recordedFacts(recorded({ uid: null }));
    assert.deepEqual([found.uid, found.confidence, found.evidence], [null, 'unknown', 'none']);
  });

  for (const change of [{ forwardedFrom: '10.0.3.2' }, { origin: 'forwarded' }] as const) {
    test(`recordedFacts: a forwarded flow (${Object.keys(change).join('')}) is nobody's of this machine`, () => {
      const containers = [{ engine: 'docker', id: 'a'.repeat(64), name: 'web', image: 'nginx', side: 'sender', certain: true }] as const;
      assert.deepEqual(recordedFacts(recorded({ ...change, containers })), {
        path: null, claimedPath: null, confidence: 'unknown', evidence: 'none', uid: -1, ancestors: [], tuple: tuple(), names: [],
        interfaceName: 'eth0', isLookup: false, process: null, containers,
      });
    });
  }

  test('RecordedMoments: each has its own local time, and no session', () => {
    const places = { listHasName: () => false, listHasAddress: () => false, zoneOf: () => null };
    const moments = new RecordedMoments({ requireKernelIdentity: true, places });
    for (const timeMs of [1_800_000_000_000, 1_800_000_059_999, 1_800_000_060_000, 1_800_090_000_000, 0, 1_800_000_000_000]) {
      assert.deepEqual(moments.at(timeMs), { nowMs: timeMs, local: localTimeOf(timeMs), sessions: new Set(), requireKernelIdentity: true, places });
    }
  });

  test('localTimeOf: Monday is the first day, and minutes count from midnight', () => {
    for (let day = 0; day < 7; day += 1) {
      // The fifth of January 2026 is a Monday.
      assert.deepEqual(localTimeOf(new Date(2026, 0, 5 + day, 13, 7, 59).getTime()), { weekday: day, minute: 787 });
    }
  });
});

describe('time', () => {
  const after = (...steps: readonly (readonly [bootNs: bigint, wallMs: number])[]): WallMark | null =>
    steps.reduce<WallMark | null>((mark, [bootNs, wallMs]) => advanceWall(mark, bootNs, wallMs), null);

  test('wholeSeconds: is what a file can say, never later', () => {
    assert.deepEqual([0, 999, 1000, 1999, 1_800_000_000_001].map(wholeSeconds), [0, 0, 1000, 1000, 1_800_000_000_000]);
  });

  test('advanceWall: after a clock set back time goes on as fast as the boot clock, no faster', () => {
    assert.equal(after([0n, 100_000], [1_000_000n, 50_000], [2_000_000n, 50_001], [3_000_000n, 50_002])?.wallMs, 100_003);
  });

  test('advanceWall: many steps below a millisecond add up', () => {
    assert.equal(after([0n, 100_000], [600_000n, 50_000], [1_200_000n, 50_000], [1_800_000n, 50_001], [2_400_000n, 50_001])?.wallMs, 100_002);
  });

  test('advanceWall: a time that was read before the last one takes nothing back', () => {
    assert.equal(after([5_000_000n, 100_000], [2_000_000n, 90_000])?.wallMs, 100_000);
  });
});
