/** The safeguard: which limit is passed first, whom it silences, when it ends, and what it may hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../property.ts';
import { Rate } from '../../helper/safeguard/rate.ts';
import { APPLICATIONS, DEFAULT_LIMITS, OFFENDERS, Safeguard } from '../../helper/safeguard/safeguard.ts';
import type { Admission } from '../../helper/safeguard/safeguard.ts';

const MS = 1_000_000n;
const START = 5_000_000n * MS;

/** `count` flows, spread evenly over `forMs`. */
function send(safeguard: Safeguard, count: number, forMs: number, fromNs: bigint, who: (index: number) => readonly [string, number]): Admission[] {
  return Array.from({ length: count }, (_, index) => {
    const nowNs = fromNs + (BigInt(forMs) * MS * BigInt(index)) / BigInt(count);
    return safeguard.take(...who(index), nowNs);
  });
}

const counted = (answers: readonly Admission[], what: Admission): number => answers.filter((one) => one === what).length;

test('rate: never more than within a second, never less than within nine tenths', () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 }), (gaps) => {
    const rate = new Rate();
    const times: number[] = [];
    let nowMs = 1_000_000;
    for (const gap of gaps) {
      nowMs += gap;
      times.push(nowMs);
      rate.add(BigInt(nowMs) * MS);
      const said = rate.at(BigInt(nowMs) * MS);
      const within = (ms: number): number => times.filter((time) => time > nowMs - ms).length;
      assert.ok(said <= within(1000) && said >= within(900));
    }
  }));
});

test('rate: a clock that goes back counts as one that stands still', () => {
  const rate = new Rate();
  rate.add(10_000n * MS);
  rate.add(5_000n * MS);
  assert.equal(rate.at(10_000n * MS), 2);
  assert.equal(rate.at(11_100n * MS), 0);
});

test('safeguard: usual traffic is never refused', () => {
  const safeguard = new Safeguard();
  const answers = send(safeguard, 2000, 60_000, START, (index) => [`/usr/bin/program-${String(index % 7)}`, 1000]);
  assert.equal(counted(answers, 'admitted'), 2000);
  assert.equal(safeguard.state(START), null);
});

test('safeguard: one program that storms is refused alone, and neither its user nor the machine is', () => {
  const safeguard = new Safeguard();
  const storm = send(safeguard, 10_000, 5000, START, () => ['/usr/bin/noisy', 1000]);
  assert.equal(counted(storm, 'began'), 1);
  assert.ok(counted(storm, 'admitted') <= DEFAULT_LIMITS.perApp);
  const nowNs = START + 5000n * MS;
  assert.equal(safeguard.take('/usr/bin/calm', 1000, nowNs), 'admitted');
  const state = safeguard.state(nowNs);
  assert.deepEqual(state?.trips.map(({ scope, application, uid }) => [scope, application, uid]), [['application', '/usr/bin/noisy', 1000]]);
  assert.equal(state.offenders[0]?.application, '/usr/bin/noisy');
  assert.equal(state.refused, 10_000 - counted(storm, 'admitted'));
});

test('safeguard: five hundred programs of one user silence that user, and another one is admitted', () => {
  const safeguard = new Safeguard();
  const storm = send(safeguard, 10_000, 5000, START, (index) => [`/tmp/program-${String(index % 500)}`, 1000]);
  assert.equal(counted(storm, 'began'), 1);
  assert.ok(counted(storm, 'admitted') <= DEFAULT_LIMITS.perUid);
  assert.equal(safeguard.take('/usr/bin/calm', 1001, START + 5000n * MS), 'admitted');
  const state = safeguard.state(START + 5000n * MS);
  assert.equal(state?.trips[0]?.scope, 'user');
  assert.equal(state.offenders.length, OFFENDERS);
});

test('safeguard: many users together pass the limit of the machine', () => {
  const safeguard = new Safeguard();
  const storm = send(safeguard, 2000, 1000, START, (index) => ['/usr/bin/program', 1000 + (index % 100)]);
  assert.ok(counted(storm, 'admitted') <= DEFAULT_LIMITS.all);
  assert.equal(safeguard.state(START + 1000n * MS)?.trips[0]?.scope, 'all');
});

test('safeguard: it begins within a second of a storm, whatever its shape', () => {
  fc.assert(fc.property(fc.integer({ min: 2, max: 40 }), fc.integer({ min: 1, max: 20 }), (times, programs) => {
    const safeguard = new Safeguard();
    const perSecond = DEFAULT_LIMITS.perApp * times * programs;
    const answers = send(safeguard, perSecond, 1000, START, (index) => [`/p${String(index % programs)}`, 1000]);
    assert.equal(counted(answers, 'began'), 1);
  }), { numRuns: 30 });
});

test('safeguard: a storm that goes on keeps it, a slower one too, and quiet ends it by itself', () => {
  const safeguard = new Safeguard();
  const who = (): readonly [string, number] => ['/usr/bin/noisy', 1000];
  send(safeguard, 300, 1000, START, who);
  const onNs = START + 1000n * MS;
  // Half the limit is not quiet yet: it would only begin again.
  assert.equal(counted(send(safeguard, 30 * 30, 30_000, onNs, who), 'admitted'), 0);
  const quietFromNs = onNs + 30_000n * MS;
  const nextNs = safeguard.nextLookNs();
  assert.ok(nextNs !== null && nextNs > quietFromNs + 9_000n * MS && nextNs <= quietFromNs + 10_000n * MS);
  assert.equal(safeguard.look(nextNs - 1n), false);
  assert.equal(safeguard.look(nextNs), true);
  assert.equal(safeguard.state(nextNs), null);
  assert.equal(safeguard.nextLookNs(), null);
  assert.equal(safeguard.take('/usr/bin/noisy', 1000, nextNs), 'admitted');
  assert.equal(safeguard.counts.begins, 1);
});

test('safeguard: ended by hand it counts anew, and begins again where the storm goes on', () => {
  const safeguard = new Safeguard();
  const who = (): readonly [string, number] => ['/usr/bin/noisy', 1000];
  send(safeguard, 300, 1000, START, who);
  safeguard.end();
  assert.equal(safeguard.state(START + 1000n * MS), null);
  assert.equal(counted(send(safeguard, 300, 1000, START + 1000n * MS, who), 'began'), 1);
});

test('safeguard: more programs than it can count push out the quietest, are counted for their user, and need no more memory', () => {
  const safeguard = new Safeguard({ ...DEFAULT_LIMITS, perApp: 1, perUid: 1_000_000, all: 1_000_000 });
  // Each twice: every counter is one whose limit was passed, and none may be forgotten.
  const storm = send(safeguard, APPLICATIONS * 2, 900, START, (index) => [`/p${String(index >> 1)}`, 1000]);
  assert.equal(counted(storm, 'refused') + counted(storm, 'began'), APPLICATIONS);
  const more = send(safeguard, 200, 90, START + 900n * MS, (index) => [`/more${String(index >> 1)}`, 1000]);
  assert.equal(counted(more, 'admitted'), 200);
  assert.ok((safeguard.state(START + 990n * MS)?.offenders.length ?? 0) <= OFFENDERS);
});

test('safeguard: a quiet program makes room for a new one, and one whose limit was passed never does', () => {
  const safeguard = new Safeguard({ ...DEFAULT_LIMITS, perApp: 2, perUid: 1_000_000, all: 1_000_000 });
  send(safeguard, 3, 3, START, () => ['/usr/bin/noisy', 1000]);
  send(safeguard, 2, 2, START + 3n * MS, () => ['/usr/bin/quiet', 1000]);
  send(safeguard, APPLICATIONS, 500, START + 5n * MS, (index) => [`/p${String(index)}`, 1000]);
  const nowNs = START + 600n * MS;
  // It was pushed out, so it counts from nothing; were it still there, this would be its third within a second.
  assert.equal(safeguard.take('/usr/bin/quiet', 1000, nowNs), 'admitted');
  assert.equal(safeguard.take('/usr/bin/noisy', 1000, nowNs), 'refused');
});

test('safeguard: it is looked at when the first of its limits may be quiet, and ends with the last', () => {
  const safeguard = new Safeguard({ ...DEFAULT_LIMITS, perApp: 2 });
  assert.deepEqual([safeguard.look(START), safeguard.nextLookNs(), safeguard.state(START)], [false, null, null]);
  send(safeguard, 9, 9, START, () => ['/usr/bin/first', 1000]);
  send(safeguard, 9, 9, START + 100n * MS, () => ['/usr/bin/second', 1000]);
  send(safeguard, 1, 1, START + 200n * MS, () => ['/usr/bin/first', 1000]);
  const early = safeguard.nextLookNs();
  assert.ok(early !== null);
  assert.equal(safeguard.look(early), false);
  const late = safeguard.nextLookNs();
  assert.ok(late !== null && late > early);
  assert.deepEqual(safeguard.state(late)?.trips.map(({ application }) => application), ['/usr/bin/first']);
  assert.equal(safeguard.look(late), true);
  assert.equal(safeguard.state(late), null);
});

test('safeguard: of two limits the one that may be quiet first is looked at first, in either order', () => {
  const safeguard = new Safeguard({ ...DEFAULT_LIMITS, perApp: 2 });
  send(safeguard, 9, 9, START, () => ['/usr/bin/first', 1000]);
  const early = safeguard.nextLookNs();
  send(safeguard, 9, 9, START + 100n * MS, () => ['/usr/bin/second', 1000]);
  assert.equal(safeguard.nextLookNs(), early);
  const since = safeguard.state(START + 200n * MS)?.trips.map(({ application, sinceNs }) => [application, sinceNs < START + 100n * MS]);
  assert.deepEqual(new Map(since as [string, boolean][]), new Map([['/usr/bin/first', true], ['/usr/bin/second', false]]));
});
